//! `loco-edge dev`: both halves in one process, the link between them a channel, apps as local programs.

mod announce;
mod edge;
mod kept;
mod room;
mod stop;

use std::io::Write as _;
use std::process::ExitCode;

use config::load::{self, Colours, Loaded};

use self::edge::{Edge, Sockets};
use self::kept::Kept;
use self::stop::Stop;
use crate::{cli, files, logging};

/// Runs until it is told to stop.
pub(crate) fn run(args: &cli::Dev) -> ExitCode {
    let loaded = match load::load(&args.file, &files::variables()) {
        Ok(loaded) => loaded,
        Err(mistakes) => {
            let colours = if files::colourful(&std::io::stderr()) { Colours::Ansi } else { Colours::Plain };
            return fail(&mistakes.render(colours));
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}\n")),
    };
    let _flushed_at_the_end = logging::start();
    match runtime.block_on(dev(args, loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&format!("loco-edge: {why}\n")),
    }
}

fn fail(why: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _closed = std::io::stderr().write_all(why.as_bytes());
    ExitCode::FAILURE
}

/// A run from beginning to end.
async fn dev(args: &cli::Dev, loaded: Loaded) -> Result<(), String> {
    let state = args.state.clone().unwrap_or_else(|| files::default_state(&args.file));
    let mut stop = Stop::listen()?;
    let Some(kept) = Kept::open(state, &loaded, &mut stop).await? else { return Ok(()) };
    let sockets = Sockets::bind(args, &loaded, &kept).await?;
    let edge = Edge::start(loaded, kept, sockets).await?;
    stop.asked().await;
    tracing::info!("stopping; once more Ctrl-C stops without waiting for open requests");
    edge.stop(stop.asked()).await
}

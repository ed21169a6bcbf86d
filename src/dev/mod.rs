//! `loco-edge dev`: both halves in one process, the link between them a channel, apps as local programs.

mod announce;
mod edge;
mod kept;
mod neighbours;
mod reload;
mod watch;

use std::process::ExitCode;

use config::load::{self, Loaded};

use self::edge::{Edge, Sockets};
use self::kept::Kept;
use self::watch::{Stamp, Watch};
use crate::files::fail;
use crate::stop::{Asked, Stop};
use crate::{cli, files, logging};

/// Runs until it is told to stop.
pub(crate) fn run(args: &cli::Dev) -> ExitCode {
    let stamp = Stamp::of(&args.file);
    let loaded = match load::load(&args.file, &files::variables()) {
        Ok(loaded) => loaded,
        Err(mistakes) => return fail(&files::shown(&mistakes)),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}\n")),
    };
    let _flushed_at_the_end = logging::start();
    match runtime.block_on(dev(args, loaded, stamp)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&format!("loco-edge: {why}\n")),
    }
}

/// A run from beginning to end.
async fn dev(args: &cli::Dev, loaded: Loaded, stamp: Option<Stamp>) -> Result<(), String> {
    let watch = Watch::of(&args.file, stamp);
    let state = args.state.clone().unwrap_or_else(|| files::default_state(&args.file));
    let mut stop = Stop::listen()?;
    let Some(kept) = Kept::open(state, &loaded, &mut stop).await? else { return Ok(()) };
    let sockets = Sockets::bind(args, &loaded, &kept).await?;
    let mut edge = Edge::start(&args.file, loaded, kept, sockets).await?;
    follow(&mut edge, &mut stop, watch).await;
    tracing::info!("stopping; once more Ctrl-C stops without waiting for open requests");
    edge.stop(stop.asked()).await
}

/// Reads the file again whenever it has changed or somebody asks for it, until the run is to end.
async fn follow(edge: &mut Edge, stop: &mut Stop, watch: std::io::Result<Watch>) {
    let mut watch = match watch {
        Ok(watch) => Some(watch),
        Err(error) => {
            tracing::warn!(%error, "changes of the file are not seen; SIGHUP has it read again");
            None
        }
    };
    loop {
        let changed = async {
            match &mut watch {
                Some(watch) => watch.changed().await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            asked = stop.next() => match asked {
                Asked::End => return,
                Asked::Reload => edge.reload().await,
            },
            () = changed => edge.reload().await,
        }
    }
}

//! `loco-edge export`: from a file of apps to the Kubernetes objects that say the same.
//!
//! ```text
//!   apps.toml ──► Loaded ──┬─► with a command:   Deployment, Service, HTTPRoutes, SleepPolicy ─┐
//!                          ├─► with upstreams:   Service, EndpointSlices, HTTPRoutes ──────────┼─► YAML
//!                          └─► limits:           LimitPolicies at the Gateway ─────────────────┘
//!                          what cannot be said there ──► Left ──► stderr
//! ```

use std::collections::BTreeMap;
use std::io::Write as _;
use std::process::ExitCode;

use config::load::{self, Colours, Loaded, Mistakes};

mod app;
mod document;
mod left;
mod limit;
mod names;
mod place;
mod policy;
mod port;
mod route;
mod service;
mod settings;
mod workload;

use crate::{cli, files};
use document::Document;
use left::Left;
use place::Place;

/// Prints the objects on stdout, and what they cannot say on stderr.
pub(crate) fn run(args: &cli::Export) -> ExitCode {
    let loaded = match load::load(&args.file, &files::variables()) {
        Ok(loaded) => loaded,
        Err(mistakes) => return refused(&rendered(&mistakes)),
    };
    complain(&rendered(&loaded.warnings));
    let mut left = Left::default();
    let exported = exported(&loaded, args, &mut left);
    complain(&left.to_string());
    match exported {
        Ok(text) => {
            // A reader that has left (`| head`) has seen what it wanted.
            let _left = std::io::stdout().write_all(text.as_bytes());
            ExitCode::SUCCESS
        }
        Err(error) => refused(&format!("error: {error}\n")),
    }
}

/// Why nothing is exported.
#[derive(Debug, thiserror::Error)]
enum ExportError {
    /// An image for nobody.
    #[error("--image {0}=…: no app of the file that has a `command` is called so")]
    NoSuchApp(String),
    /// Two apps, one name.
    #[error("apps `{0}` and `{1}` would both be called {2}: rename one of them")]
    SameName(String, String, String),
    /// It is no YAML, which cannot be.
    #[error("it cannot be written down: {0}")]
    Unwritable(#[from] serde_saphyr::ser_error::Error),
}

/// The whole text.
fn exported(loaded: &Loaded, args: &cli::Export, left: &mut Left) -> Result<String, ExportError> {
    let images: BTreeMap<&str, &str> = args.image.iter().map(|image| (&*image.app, &*image.image)).collect();
    let names = names::settle(&loaded.apps, left)?;
    names::all_there(&images, &loaded.apps)?;
    let place = Place { namespace: args.namespace.as_deref(), gateway: &args.gateway };
    let home = args.file.canonicalize().ok().and_then(|file| Some(file.parent()?.to_owned()));
    let around = app::Around { place, images, home: home.as_deref() };
    settings::say(loaded, args.namespace.as_deref(), left);
    let mut documents = Vec::new();
    for (app, name) in loaded.apps.iter().zip(&names) {
        documents.extend(app::documents(app, name, &around, left)?);
    }
    documents.extend(limit::documents(&loaded.limits, &args.file, place, left)?);
    Ok(document::stream(&args.file, &documents))
}

fn rendered(mistakes: &Mistakes) -> String {
    let colours = if files::colourful(&std::io::stderr()) { Colours::Ansi } else { Colours::Plain };
    mistakes.render(colours)
}

/// Says it beside the YAML; if nobody can hear it, nobody is told.
fn complain(text: &str) {
    let _unheard = std::io::stderr().write_all(text.as_bytes());
}

fn refused(why: &str) -> ExitCode {
    complain(why);
    ExitCode::FAILURE
}

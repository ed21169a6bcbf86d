//! The objects of one app.

use std::collections::BTreeMap;
use std::path::Path;

use config::model::{App, Source};

use super::place::Place;
use super::{Document, ExportError, Left, policy, route, service, workload};

/// What the objects of all apps depend on.
#[derive(Debug)]
pub(super) struct Around<'a> {
    pub(super) place: Place<'a>,
    /// By app.
    pub(super) images: BTreeMap<&'a str, &'a str>,
    /// The directory of the file, in which programs run that say no other.
    pub(super) home: Option<&'a Path>,
}

/// The app in Kubernetes' words.
pub(super) fn documents(
    app: &App,
    name: &str,
    around: &Around<'_>,
    left: &mut Left,
) -> Result<Vec<Document>, ExportError> {
    let title = format!("App {}", app.name);
    let place = around.place;
    let mut documents = match &app.source {
        Source::Process(program) => {
            let deployment = workload::deployment(app, name, program, around, left);
            vec![
                Document::of(&deployment, &[&title, workload::NO_TOKEN[0], workload::NO_TOKEN[1]])?,
                Document::of(&service::of_pods(app, name, place), &[])?,
            ]
        }
        Source::Upstreams(endpoints) => {
            let mut documents = vec![Document::of(&service::of_others(app, name, place), &[&title])?];
            for slice in service::slices(app, name, endpoints, place, left) {
                documents.push(Document::of(&slice, &[])?);
            }
            documents
        }
        // No file of apps has one.
        Source::Service(_) => return Ok(Vec::new()),
    };
    for route in route::routes(app, name, place, left) {
        documents.push(Document::of(&route, &[])?);
    }
    if let Some(policy) = policy::of(app, name, place, left) {
        documents.push(Document::of(&policy, &[])?);
    }
    Ok(documents)
}

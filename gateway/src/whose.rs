//! Whose a request is: an app's, by the entry it came in at, its host and its path; or the edge's own.

use std::sync::Arc;

use http::Request;

use crate::answer::Refusal;
use crate::host;
use crate::listen::Entry;
use crate::loco::{self, Own};
use crate::pipeline::Pipeline;
use crate::stop::Stop;
use crate::table::{NoRoute, Route};

/// Whose a request is.
pub(crate) enum Whose {
    /// An app's.
    App(Arc<Route>),
    /// The edge's.
    Ours(Own),
}

impl Pipeline {
    /// The app that a request is for, in the table of this moment.
    pub(crate) fn route<B>(&self, request: &Request<B>) -> Result<Arc<Route>, Stop> {
        match self.whose(request)? {
            Whose::App(route) => Ok(route),
            Whose::Ours(_) => Err(Stop::nobodys(Refusal::UnknownHost)),
        }
    }

    /// Whose a request is, in the table of this moment.
    pub(crate) fn whose<B>(&self, request: &Request<B>) -> Result<Whose, Stop> {
        if loco::is_reserved(request.uri().path()) {
            return Ok(Whose::Ours(Own::Reserved));
        }
        let table = self.worker.table.load();
        let found = match &self.entry {
            Entry::App(app) => table.of_app(app).ok_or(NoRoute::UnknownHost),
            Entry::Hosts { .. } => {
                let mut buffer = host::Buffer::default();
                let host = host::of(request, &mut buffer).unwrap_or_default();
                if loco::is_revive(&self.worker, host) {
                    return Ok(Whose::Ours(Own::Revive));
                }
                table.find(host, request.uri().path())
            }
        };
        found.cloned().map(Whose::App).map_err(|no_route| {
            Stop::nobodys(match no_route {
                NoRoute::UnknownHost => Refusal::UnknownHost,
                NoRoute::UnknownPath => Refusal::UnknownPath,
            })
        })
    }
}

//! Whose a request is: an app's, by the entry it came in at and the rules; or the edge's own.

use std::sync::Arc;

use http::Request;

use crate::answer::Refusal;
use crate::filter;
use crate::host;
use crate::listen::Entry;
use crate::loco::{self, Own};
use crate::pipeline::Pipeline;
use crate::stop::Stop;
use crate::table::{Asked, NoRoute, One, Route, To};

/// Whose a request is.
pub(crate) enum Whose {
    /// An app's.
    App(Arc<Route>),
    /// The edge's.
    Ours(Own),
}

impl Pipeline {
    /// The app that a request is for, in the table of this moment. If its rule has several, it is the one that the request
    /// was at `before`.
    pub(crate) fn route<B>(&self, request: &Request<B>, before: &Route) -> Result<Arc<Route>, Stop> {
        match self.find(request, Some(before))? {
            Whose::App(route) => Ok(route),
            Whose::Ours(_) => Err(Stop::nobodys(Refusal::UnknownHost)),
        }
    }

    /// Whose a request is, in the table of this moment.
    pub(crate) fn whose<B>(&self, request: &Request<B>) -> Result<Whose, Stop> {
        self.find(request, None)
    }

    #[inline]
    fn find<B>(&self, request: &Request<B>, before: Option<&Route>) -> Result<Whose, Stop> {
        if loco::is_reserved(request.uri().path()) {
            return Ok(Whose::Ours(Own::Reserved));
        }
        let table = self.worker.table.load();
        let port = match &self.entry {
            Entry::App(app) => {
                let route = table.of_app(app).cloned();
                return route.map(Whose::App).ok_or_else(|| Stop::nobodys(Refusal::UnknownHost));
            }
            Entry::Hosts { port } => *port,
        };
        let mut buffer = host::Buffer::default();
        let host = host::of(request, &mut buffer).unwrap_or_default();
        if loco::is_revive(&self.worker, host) {
            return Ok(Whose::Ours(Own::Revive));
        }
        match table.find(port, host, Asked::of(request)) {
            Ok(To::All(One::App(route))) => Ok(Whose::App(route.clone())),
            Ok(To::All(one)) => elsewhere(one, request, (port, host)),
            Ok(To::Split(split)) => {
                let one = split.choose(before, |below| fastrand::u64(..below));
                elsewhere(one, request, (port, host))
            }
            Err(NoRoute::UnknownHost) => Err(Stop::nobodys(Refusal::UnknownHost)),
            Err(NoRoute::UnknownPath) => Err(Stop::nobodys(Refusal::UnknownPath)),
        }
    }
}

/// What becomes of a request whose rule does more than to send all to one app.
fn elsewhere<B>(one: &One, request: &Request<B>, (port, host): (Option<u16>, &str)) -> Result<Whose, Stop> {
    match one {
        One::App(route) => Ok(Whose::App(route.clone())),
        One::Redirect(redirect) => {
            let port = port.or_else(|| host::port(request));
            let asked = filter::Asked { host, port, uri: request.uri() };
            Err(redirect
                .location(asked)
                .map_or_else(|| Stop::nobodys(Refusal::NoBackend), |to| Stop::sent_on(redirect, to)))
        }
        One::Nobody => Err(Stop::nobodys(Refusal::NoBackend)),
    }
}

//! What the edge itself serves: below `/.loco/` at every host, and at a host of its own the page that revives apps.
//!
//! ```text
//!   NAME.localhost/…  ──(wake = "redirect")──► 307 ─► revive.localhost/revive-app ─► waiting page ─► 307 ─► NAME.localhost/…
//!                     ──────────────────────────────► waiting page
//!                                                        └── /.loco/events: its wake as it goes on ◄── App, told by Worker::look
//! ```
//!
//! Nothing here is a way around what holds for an app's own requests. Events wake nothing; they keep a wake in line that
//! somebody has asked for, and only for the holder of a link that a waiting page has brought. The page that revives lets
//! a visitor in as the app's own host would, and only with a link that was made there less than a minute before.

mod events;
mod revive;

use std::rc::Rc;
use std::sync::Arc;
use std::time::SystemTime;

use config::model::{AppId, HostPattern};
use config::settings::ReviveUrl;
use http::{Request, Response};

use crate::body::Body;
use crate::listen::Entry;
use crate::pipeline::Pipeline;
use crate::redirect::{self, Link, PAGE_LIFE, Purpose};
use crate::stop::Stop;
use crate::table::Route;
use crate::worker::Worker;

pub(crate) use revive::{Manner, manner};

/// A request that is none of an app's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Own {
    /// Below `/.loco/`.
    Reserved,
    /// At the host of the page that revives apps.
    Revive,
}

/// Whether a path is kept for the edge, at every host. All requests are asked.
pub(crate) fn is_reserved(path: &str) -> bool {
    path.strip_prefix("/.loco").is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
}

/// Whether a host (lower case, without port) is the edge's own.
pub(crate) fn is_revive(worker: &Worker, host: &str) -> bool {
    match &worker.settings.revive_url {
        ReviveUrl::Own(own) => **own == *host,
        ReviveUrl::Elsewhere(_) => false,
    }
}

/// Answers a request that is none of an app's.
pub(crate) async fn answer<B>(
    pipeline: &Pipeline,
    own: Own,
    request: &Request<B>,
) -> Result<Response<Body>, Stop> {
    match own {
        Own::Reserved => events::answer(pipeline, request),
        Own::Revive => revive::answer(pipeline, request).await,
    }
}

/// Where a visitor came from that now looks at a page of the edge's own host.
#[derive(Clone, Debug)]
pub(crate) struct Origin {
    /// What was asked for, of which app.
    pub(crate) link: Link,
    /// Where the visitor came in, and the port that it said.
    pub(crate) at: (Entry, Option<u16>),
}

/// The links of a waiting page.
pub(crate) struct PageLinks {
    pub(crate) events: String,
    pub(crate) next: Option<String>,
}

impl PageLinks {
    /// Those of a page at the app's own host, or at ours.
    pub(crate) fn new(worker: &Worker, app: &AppId, origin: Option<&Origin>) -> Self {
        let here = Link { app: app.as_str().to_owned(), asked: String::new() };
        let link = origin.map_or(&here, |origin| &origin.link);
        let query = |purpose| link.query(purpose, &worker.keys, SystemTime::now(), PAGE_LIFE);
        Self {
            events: format!("{}?{}", events::PATH, query(Purpose::Follow)),
            next: origin.map(|_| format!("{}?{}", redirect::REVIVE_PATH, query(Purpose::Revive))),
        }
    }
}

/// The app that a link names, in the table of this moment.
fn app_of(worker: &Rc<Worker>, name: &str) -> Option<Arc<Route>> {
    worker.table.load().of_id(name).cloned()
}

/// Where a visitor of the app is sent back to, who came to this entry and said this port.
fn back(worker: &Worker, route: &Route, asked: &str, (entry, port): (&Entry, Option<u16>)) -> Option<String> {
    let table = worker.table.load();
    let is_own =
        |host: &str, path: &str| !is_reserved(path) && table.leads(entry.port(), (host, path), &route.app);
    let root = route.model.routes.iter().find_map(|rule| match &rule.host {
        HostPattern::Exact(host) => Some((host.as_str(), rule.path.as_str())),
        HostPattern::Wildcard(_) => None,
    });
    redirect::back(asked, is_own, root, port)
}

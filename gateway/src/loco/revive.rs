//! The page that revives apps, and the way there: `wake = "redirect"`.

use std::time::SystemTime;

use config::model::WakeMode;
use config::settings::ReviveUrl;
use http::header::{self, HeaderValue};
use http::{Method, Request, Response};
use http_body::Body as HttpBody;
use tokio::time::Instant;

use crate::answer::{self, Onward, Refusal};
use crate::body::Body;
use crate::caller::Caller;
use crate::host;
use crate::language::Language;
use crate::listen::Entry;
use crate::pipeline::Pipeline;
use crate::redirect::{LINK_LIFE, Link, Purpose, REVIVE_PATH, Unfit};
use crate::stop::Stop;
use crate::table::Route;
use crate::visitor::Passerby;

use super::Origin;

/// A longer URL is not sent through somebody else's hands: its request is held.
const LONGEST: usize = 4 << 10;

/// How an app's policy applies to one request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Manner {
    /// As it says.
    As(WakeMode),
    /// It is to be sent here.
    Redirect(HeaderValue),
}

impl Manner {
    pub(crate) fn mode(&self) -> WakeMode {
        match self {
            Self::As(mode) => *mode,
            Self::Redirect(_) => WakeMode::Redirect,
        }
    }
}

/// Where a redirect is possible, where to; else the request is held.
pub(crate) fn manner<B: HttpBody>(pipeline: &Pipeline, request: &Request<B>, route: &Route) -> Manner {
    match route.model.wake.mode {
        mode @ (WakeMode::Auto | WakeMode::Hold | WakeMode::Page) => Manner::As(mode),
        WakeMode::Redirect => {
            let sent = has_name(pipeline, request, route) && is_sendable(request);
            let url = if sent { url(pipeline, request, route) } else { None };
            url.map_or(Manner::As(WakeMode::Hold), Manner::Redirect)
        }
    }
}

/// Whether a rule names the host that was asked for. To one that a rule for any host has, nobody is sent back: it may be
/// anybody's. Who comes to an app's own port is a program beside it, for whom hosts mean nothing.
fn has_name<B>(pipeline: &Pipeline, request: &Request<B>, route: &Route) -> bool {
    let Entry::Hosts { port } = pipeline.entry else { return false };
    let mut buffer = host::Buffer::default();
    let host = host::of(request, &mut buffer).unwrap_or_default();
    pipeline.worker.table.load().leads(port, (host, request.uri().path()), &route.app)
}

/// GET and HEAD, unless what a browser asks for is a part of a page, or a script asks, or it is a call: those would get another
/// origin's page for what they asked for, or not even that.
fn is_sendable<B: HttpBody>(request: &Request<B>) -> bool {
    let says = |name: &str, what: &str| request.headers().get(name).is_none_or(|value| value == what);
    matches!(*request.method(), Method::GET | Method::HEAD)
        && !request.headers().contains_key(header::UPGRADE)
        && request.body().is_end_stream()
        && matches!(Language::of(request), Language::Html | Language::Problem)
        && says("sec-fetch-mode", "navigate")
        && says("sec-fetch-dest", "document")
}

/// The link to the page that revives the app. To a host of our own without a scheme: it is the client's, who may have come by way
/// of somebody who ends TLS.
fn url<B>(pipeline: &Pipeline, request: &Request<B>, route: &Route) -> Option<HeaderValue> {
    let worker = &pipeline.worker;
    let authority = match request.uri().authority() {
        Some(authority) => authority.as_str(),
        None => request.headers().get(header::HOST)?.to_str().ok()?,
    };
    let target = request.uri().path_and_query()?.as_str();
    let asked = format!("http://{authority}{target}");
    let link = Link { app: route.app.id.as_str().to_owned(), asked };
    let query = link.query(Purpose::Revive, &worker.keys, SystemTime::now(), LINK_LIFE);
    let base = match &worker.settings.revive_url {
        ReviveUrl::Elsewhere(url) => url.to_string(),
        ReviveUrl::Own(own) => {
            let port = host::port(request).map(|port| format!(":{port}")).unwrap_or_default();
            format!("//{own}{port}")
        }
    };
    let url = format!("{base}{REVIVE_PATH}?{query}");
    if url.len() > LONGEST { None } else { HeaderValue::try_from(url).ok() }
}

/// Answers a request to the edge's own host: wakes the app of a link, and sends its visitor back.
pub(super) async fn answer<B>(pipeline: &Pipeline, request: &Request<B>) -> Result<Response<Body>, Stop> {
    let is_page =
        matches!(*request.method(), Method::GET | Method::HEAD) && request.uri().path() == REVIVE_PATH;
    if !is_page {
        return Err(Stop::nobodys(Refusal::UnknownPath));
    }
    let (worker, language) = (&pipeline.worker, Language::of(request));
    let port = host::port(request);
    let query = request.uri().query().unwrap_or_default();
    let link = match Link::read(query, Purpose::Revive, &worker.keys, SystemTime::now()) {
        Ok(link) => link,
        Err(unfit) => return Ok(refuse(pipeline, unfit, port, language)),
    };
    let origin = Origin { link, at: (pipeline.entry.clone(), port) };
    match revive(pipeline, request, &origin).await {
        Ok(response) => Ok(response),
        Err(stop) => Ok(pipeline.stopped(stop, Some(&origin), language)),
    }
}

/// Waits for the app as the app's own host would have its visitor wait, and then sends that visitor back.
async fn revive<B>(
    pipeline: &Pipeline,
    request: &Request<B>,
    origin: &Origin,
) -> Result<Response<Body>, Stop> {
    let nobodys = || Stop::nobodys(Refusal::UnknownHost);
    let find = || super::app_of(&pipeline.worker, &origin.link.app).ok_or_else(nobodys);
    let mut route = find()?;
    let mut caller = Caller::new(Passerby::of(request, &route.model), Instant::now());
    loop {
        if route.app.state().is_awake() {
            let home = super::back(&pipeline.worker, &route, &origin.link.asked, (&origin.at.0, origin.at.1));
            let home = home.and_then(|home| HeaderValue::try_from(home).ok());
            return home.map(answer::redirect).ok_or_else(nobodys);
        }
        // Its turn in the line is given up: the visitor comes back by another request.
        drop(pipeline.wait(request, &route, &Manner::As(WakeMode::Auto), &mut caller).await?);
        route = find()?;
    }
}

/// What a link that does nothing is answered with: what to do now, and where the app is, if it is one. An app's root says no
/// more than its name, which stands in the link.
fn refuse(pipeline: &Pipeline, unfit: Unfit, port: Option<u16>, language: Language) -> Response<Body> {
    let (refusal, app) = match unfit {
        Unfit::Forged(app) => (Refusal::LinkForged, app),
        Unfit::Expired(link) => (Refusal::LinkExpired, Some(link.app)),
    };
    let worker = &pipeline.worker;
    let route = app.and_then(|app| super::app_of(worker, &app));
    let home = route.and_then(|route| super::back(worker, &route, "", (&pipeline.entry, port)));
    worker.refusals.count(&refusal);
    refusal.response_onward(None, Onward { next: None, home: home.as_deref() }, language)
}

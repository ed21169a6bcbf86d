//! A request on its way to the app, to be tried again as long as not a byte of it was sent.

use std::time::Duration;

use http::header::{self, HeaderMap, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Request, StatusCode, Version};
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::balance::retry::Outcome;
use crate::deadline::Deadline;
use crate::filter::Way;
use crate::forward::Added;
use crate::pipeline::{Passage, Pipeline};
use crate::trace::Trace;
use crate::upstream::{self, Answered, Call, Fault, RequestBody, Target, Upload};
use crate::{conn, hop};

/// A client's request, and what is still to be known of it when the response comes.
#[derive(Debug)]
pub struct Outbound {
    request: Request<RequestBody>,
    trace: Trace,
    /// The host that the client asked for, where the app is asked for another.
    asked_host: Option<HeaderValue>,
    /// What has become of the body, if there is one.
    pub upload: Option<Upload>,
    /// The client's connection.
    pub client: conn::Exchange,
    /// Whether the client asked to change protocols.
    wants_upgrade: bool,
}

/// Why a request was not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unsent {
    /// It may be tried again: not a byte of it was sent, or it may be repeated.
    Again(Fault, Outcome),
    /// The app may have seen it.
    Lost(Fault),
    /// The time that its rule gives it is over. The app may have seen it.
    TooLate,
}

impl Outbound {
    /// A request with a body of at most `max_body` bytes.
    pub fn new(request: Request<conn::RequestBody>, max_body: u64, client: conn::Exchange) -> Self {
        let (parts, incoming) = request.into_parts();
        let body = RequestBody::new(incoming, &parts.headers, max_body);
        let mut request = Request::from_parts(parts, body);
        make_origin_form(&mut request);
        let upload = request.body().upload();
        let wants_upgrade =
            request.version() == Version::HTTP_11 && hop::upgrades_to_websocket(request.headers());
        Self { request, trace: Trace::default(), asked_host: None, upload, client, wants_upgrade }
    }

    /// The request, for finding its way once more.
    pub fn request(&self) -> &Request<RequestBody> {
        &self.request
    }

    /// Tells the app what the time that the request was held has left of its deadline.
    pub fn forward_deadline(&mut self, deadline: Deadline, held: Duration) {
        deadline.forward(self.request.headers_mut(), held);
    }

    /// Sends it.
    ///
    /// # Errors
    /// Says whether it may be tried again.
    pub async fn send(
        &mut self,
        pipeline: &Pipeline,
        passage: &Passage,
        began: Instant,
    ) -> Result<Answered, Unsent> {
        match &passage.route.way {
            None => self.exchange(pipeline, passage).await,
            // Boxed, because few rules do anything, and it would make room in every connection.
            Some(way) => Box::pin(self.send_by(way, pipeline, passage, began)).await,
        }
    }

    /// Sends it as its rule changes it. What the client sent is there again when it is to be tried again.
    async fn send_by(
        &mut self,
        way: &Way,
        pipeline: &Pipeline,
        passage: &Passage,
        began: Instant,
    ) -> Result<Answered, Unsent> {
        let changed = way.changed(&mut self.request);
        let asked = std::mem::replace(&mut self.request, changed);
        self.asked_host = asked.headers().get(header::HOST).cloned();
        let end = way.timeout.and_then(|timeout| began.checked_add(timeout));
        let sent = match end {
            Some(end) => {
                let sent = tokio::time::timeout_at(end, self.exchange(pipeline, passage)).await;
                sent.unwrap_or(Err(Unsent::TooLate))
            }
            None => self.exchange(pipeline, passage).await,
        };
        let changed = std::mem::replace(&mut self.request, asked);
        *self.request.body_mut() = changed.into_body();
        sent
    }

    async fn exchange(&mut self, pipeline: &Pipeline, passage: &Passage) -> Result<Answered, Unsent> {
        let target = Target {
            worker: &pipeline.worker,
            app: &passage.route.app,
            slot: &passage.slot,
            instance: passage.entered.instance,
            endpoint: passage.entered.endpoint,
            protocol: passage.route.model.protocol,
            client: &self.client,
            now: passage.since,
            response_timeout: passage.route.model.response_timeout,
        };
        let added = Added {
            hop: &pipeline.forwarded,
            identity: &passage.route.identity,
            trace: &self.trace,
            asked_host: self.asked_host.as_ref(),
            websocket: self.wants_upgrade,
        };
        let mut call = Call { request: &mut self.request, added };
        let answered = upstream::send(&target, &mut call).await?;
        let switches = answered.response.status() == StatusCode::SWITCHING_PROTOCOLS;
        if switches && !self.may_switch(answered.response.headers()) {
            return Err(Unsent::Lost(Fault::Malformed));
        }
        Ok(answered)
    }

    /// Whether a 101 with these headers is to a client that asked for it (RFC 9110, section 15.2.2), and whose request is
    /// at its end: the rest would be taken for the other protocol's.
    fn may_switch(&self, headers: &HeaderMap) -> bool {
        self.wants_upgrade
            && self.upload.as_ref().is_none_or(Upload::is_finished)
            && hop::upgrades_to_websocket(headers)
            && self.client.is_accepted_by(headers)
    }

    /// What the client is told.
    pub fn refusal(&self, unsent: Unsent) -> Refusal {
        match (unsent, &self.upload) {
            (Unsent::Lost(_), Some(upload)) if upload.is_too_large() => Refusal::BodyTooLarge,
            (Unsent::Lost(_), Some(upload)) if upload.client_failed() => Refusal::BodyBroken,
            (Unsent::Again(fault, _) | Unsent::Lost(fault), _) => Refusal::Upstream(fault),
            (Unsent::TooLate, _) => Refusal::RuleTimeout,
        }
    }
}

/// The form in which origin servers expect a target (RFC 9112, section 3.2.1), with a `Host` in any case.
fn make_origin_form(request: &mut Request<RequestBody>) {
    if let Some(authority) = request.uri().authority() {
        // An absolute target replaces the header (RFC 9112, section 3.2.2).
        let host = HeaderValue::from_str(authority.as_str());
        let path = request.uri().path_and_query().map(origin_form);
        *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        if let Ok(host) = host {
            request.headers_mut().insert(header::HOST, host);
        }
    } else if request.version() != Version::HTTP_11 && !request.headers().contains_key(header::HOST) {
        // HTTP/1.0, at an app's own port. (Without it, no request over HTTP/1.1 comes here.)
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    }
}

/// A target in absolute form may have a query and no path; in origin form it has one (RFC 9112, section 3.2.1).
fn origin_form(target: &PathAndQuery) -> PathAndQuery {
    let with_path = || PathAndQuery::try_from(format!("/{}", target.as_str())).ok();
    target.as_str().starts_with('?').then(with_path).flatten().unwrap_or_else(|| target.clone())
}

//! A request on its way to the app: ours to change, and to try again as long as not a byte of it was sent.

use std::rc::Rc;
use std::time::Duration;

use http::header::{self, HeaderValue};
use http::uri::{PathAndQuery, Uri};
use http::{Request, StatusCode, Version};

use crate::answer::Refusal;
use crate::balance::retry::Outcome;
use crate::deadline::Deadline;
use crate::pipeline::{Passage, Pipeline};
use crate::upstream::{self, Answered, Fault, RequestBody, Target, Upload};
use crate::worker::Worker;
use crate::{conn, hop, interim, trace};

/// How many headers we add at most: of the hop before, of identity, of the trace.
const ADDED: usize = 14;

/// A request as the app gets it, but for whose it is.
#[derive(Debug)]
pub struct Outbound {
    request: Request<RequestBody>,
    exchanged: Exchanged,
}

/// What is still to be known when the response comes.
#[derive(Debug)]
pub struct Exchanged {
    /// What has become of the body, if there is one.
    pub upload: Option<Upload>,
    /// The client's connection.
    pub client: conn::Exchange,
    /// Whether the client asked to change protocols.
    pub wants_upgrade: bool,
}

/// A request that was not answered.
#[derive(Debug)]
pub enum Unsent {
    /// It may be tried again: not a byte of it was sent, or it may be repeated.
    Again(Fault, Outcome, Box<Outbound>),
    /// The app may have seen it.
    Lost(Fault, Option<Upload>),
}

impl Outbound {
    /// Makes a client's request the app's.
    pub fn new(request: Request<conn::RequestBody>, pipeline: &Pipeline, client: conn::Exchange) -> Self {
        let (mut parts, incoming) = request.into_parts();
        let body = RequestBody::new(incoming, pipeline.worker.settings.max_body);
        let upload = body.upload();
        let wants_upgrade = parts.version == Version::HTTP_11 && hop::upgrades_to_websocket(&parts.headers);
        parts.extensions.clear();
        parts.version = Version::HTTP_11;
        let mut request = origin_form(Request::from_parts(parts, body));
        let headers = request.headers_mut();
        // At once what is about to be added, or the map would grow, and be hashed anew, more than once.
        headers.reserve(ADDED);
        hop::forward_request(headers, &pipeline.client);
        if wants_upgrade {
            hop::ask_websocket(headers);
        }
        trace::ensure(headers);
        interim::pass_on(&mut request, &client);
        Self { request, exchanged: Exchanged { upload, client, wants_upgrade } }
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
    /// Gives itself back where it may be tried again.
    pub async fn send(
        mut self,
        worker: &Rc<Worker>,
        passage: &Passage,
    ) -> Result<(Answered, Exchanged), Unsent> {
        passage.route.identity.stamp(self.request.headers_mut());
        let slot = worker.slot(&passage.route.app);
        let target = Target {
            worker,
            app: &passage.route.app,
            slot: &slot,
            instance: passage.entered.instance,
            endpoint: passage.entered.endpoint,
            protocol: passage.route.model.protocol,
            client: &self.exchanged.client,
            response_timeout: passage.route.model.response_timeout,
            has_other: passage.entered.has_other,
        };
        match upstream::send(target, self.request).await {
            Ok(answered) if is_misunderstood(&answered, &self.exchanged) => {
                Err(Unsent::Lost(Fault::Malformed, None))
            }
            Ok(answered) => Ok((answered, self.exchanged)),
            Err(upstream::Failed { fault, back: Some((outcome, request)) }) => {
                Err(Unsent::Again(fault, outcome, Box::new(Self { request, exchanged: self.exchanged })))
            }
            Err(upstream::Failed { fault, back: None }) => Err(Unsent::Lost(fault, self.exchanged.upload)),
        }
    }
}

impl Unsent {
    /// Whether its endpoint is to blame, not the client.
    pub fn is_the_apps_fault(&self) -> bool {
        matches!(self.refusal(), Refusal::Upstream(_))
    }

    /// What the client is told.
    pub fn refusal(&self) -> Refusal {
        match self {
            Self::Again(fault, ..) => Refusal::Upstream(*fault),
            Self::Lost(_, Some(upload)) if upload.is_too_large() => Refusal::BodyTooLarge,
            Self::Lost(_, Some(upload)) if upload.client_failed() => Refusal::BodyBroken,
            Self::Lost(fault, _) => Refusal::Upstream(*fault),
        }
    }
}

/// A change of protocol that nobody asked for (RFC 9110, section 15.2.2), or a body whose length cannot be trusted
/// (RFC 9112, section 6.3).
fn is_misunderstood(answered: &Answered, exchanged: &Exchanged) -> bool {
    let headers = answered.response.headers();
    let switches = answered.response.status() == StatusCode::SWITCHING_PROTOCOLS;
    let accepts = || hop::upgrades_to_websocket(headers) && exchanged.client.is_accepted_by(headers);
    let unasked = switches && !(exchanged.wants_upgrade && accepts());
    let length = headers.get(header::CONTENT_LENGTH);
    let doubtful = length.is_some_and(|length| {
        headers.contains_key(header::TRANSFER_ENCODING) || !length.as_bytes().iter().all(u8::is_ascii_digit)
    });
    unasked || doubtful
}

/// The form in which origin servers expect a target (RFC 9112, section 3.2.1), with a `Host` in any case.
fn origin_form(mut request: Request<RequestBody>) -> Request<RequestBody> {
    if let Some(authority) = request.uri().authority() {
        // An absolute target replaces the header (RFC 9112, section 3.2.2).
        let host = HeaderValue::from_str(authority.as_str());
        let path = request.uri().path_and_query().cloned();
        *request.uri_mut() = Uri::from(path.unwrap_or(PathAndQuery::from_static("/")));
        if let Ok(host) = host {
            request.headers_mut().insert(header::HOST, host);
        }
    } else if !request.headers().contains_key(header::HOST) {
        // HTTP/1.0, at an app's own port.
        request.headers_mut().insert(header::HOST, HeaderValue::from_static("localhost"));
    }
    request
}

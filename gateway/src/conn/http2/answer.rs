//! The handler's response on its way through hyper's HTTP/2.

use std::convert::Infallible;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use hyper::upgrade::OnUpgrade;
use pin_project_lite::pin_project;

use super::request::{self, Asked};
use super::stream::{Phase, Stream};
use super::tunnel::Tunnelled;
use crate::conn::upgrade::Upgraded;
use crate::conn::{Handler, Violation};
use crate::language::Language;

pin_project! {
    /// A response body that says how far hyper is with it. There is none in a response that must not have one: hyper
    /// does not know that over HTTP/2.
    pub(super) struct Answer<B> {
        #[pin]
        body: Option<B>,
        stream: Option<Rc<Stream>>,
    }
}

pin_project! {
    /// The handler at work, until the client breaks a rule.
    pub(super) struct Answering<H, F> {
        #[pin]
        handling: Option<F>,
        handler: Rc<H>,
        rest: Option<Rest>,
    }
}

/// What is needed when the response is there.
struct Rest {
    stream: Rc<Stream>,
    asked: Asked,
    /// Of a refusal.
    language: Language,
}

impl<H: Handler, F> Answering<H, F> {
    /// Without work for a request that is refused already.
    pub(super) fn new(
        handler: Rc<H>,
        handling: Option<F>,
        stream: Rc<Stream>,
        (asked, language): (Asked, Language),
    ) -> Self {
        Self { handling, handler, rest: Some(Rest { stream, asked, language }) }
    }
}

impl<H: Handler, F: Future<Output = Response<H::Body>>> Future for Answering<H, F> {
    type Output = Result<Response<Answer<H::Body>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let mut this = self.project();
        let handled = this.handling.as_mut().as_pin_mut().map(|handling| handling.poll(cx));
        // Asked after the handler, which may have learnt of it as an error of the body.
        let response = match (this.rest.as_ref().and_then(Rest::refused), handled) {
            (Some((violation, language)), _) => this.handler.refuse_stream(violation, language),
            (None, Some(Poll::Ready(response))) => response,
            (None, Some(Poll::Pending) | None) => return Poll::Pending,
        };
        // The handler's work is over, whether it has ended or not.
        this.handling.set(None);
        match this.rest.take() {
            Some(rest) => Poll::Ready(Ok(rest.answer(response))),
            None => Poll::Pending,
        }
    }
}

impl Rest {
    fn refused(&self) -> Option<(Violation, Language)> {
        match self.stream.phase() {
            Phase::Refused(violation) => Some((violation, self.language)),
            Phase::Handling | Phase::Responding | Phase::Sending(_) | Phase::Cut(_) | Phase::Stalled => None,
        }
    }

    fn answer<B: Body>(self, response: Response<B>) -> Response<Answer<B>> {
        let Self { stream, asked, language: _ } = self;
        stream.respond();
        match asked {
            Asked::Response => response.map(|body| Answer { body: Some(body), stream: Some(stream) }),
            Asked::Head => response.map(|_| Answer { body: None, stream: None }),
            Asked::WebSocket { stream: tunnel, .. } => switch(response, stream, tunnel),
        }
    }
}

/// RFC 8441, section 5: where HTTP/1.1 says 101, HTTP/2 says 200.
fn switch<B>(mut response: Response<B>, stream: Rc<Stream>, client: OnUpgrade) -> Response<Answer<B>> {
    if response.status() != StatusCode::SWITCHING_PROTOCOLS {
        if response.status().is_success() {
            // The app answers as if no WebSocket had been asked for; to the client this would be one.
            *response.status_mut() = StatusCode::BAD_GATEWAY;
        }
        return response.map(|body| Answer { body: Some(body), stream: Some(stream) });
    }
    *response.status_mut() = StatusCode::OK;
    request::remove_handshake(response.headers_mut());
    // hyper is about to have its writing side run.
    stream.streams.begun.set(Some(stream.clone()));
    if let Some(tunnel) = stream.take_tunnel() {
        drop(tokio::task::spawn_local(async move {
            // Otherwise the client has left.
            if let Ok(client) = client.await {
                tunnel(Upgraded::of_stream(Tunnelled::new(client, stream))).await;
            }
        }));
    }
    response.map(|_| Answer { body: None, stream: None })
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        let this = self.project();
        let Some(body) = this.body.as_pin_mut() else { return Poll::Ready(None) };
        let Some(stream) = this.stream else { return body.poll_frame(cx) };
        stream.piece_asked();
        let frame = body.poll_frame(cx);
        if let Poll::Ready(Some(Ok(frame))) = &frame {
            stream.piece_given(frame.data_ref().map_or(0, bytes::Buf::remaining));
        }
        frame
    }

    fn is_end_stream(&self) -> bool {
        self.body.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.body.as_ref().map_or(SizeHint::with_exact(0), Body::size_hint)
    }
}

//! The handler's response on its way through hyper.

use std::convert::Infallible;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use http::header::{CONNECTION, HeaderValue};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use pin_project_lite::pin_project;

use super::line::{Line, Stage};

pin_project! {
    /// A response body that says when hyper is done with it.
    pub(super) struct Answer<B> {
        #[pin]
        body: B,
        ended: Ended,
    }
}

/// Dropped with the body: hyper then has all of it, or will take no more.
struct Ended(Rc<Line>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.response_ended();
    }
}

pin_project! {
    /// The handler at work. By hand, because an async block would hold the handler's future twice, and hyper moves what
    /// it holds once for each request: 9 KiB.
    pub(super) struct Answering<F> {
        #[pin]
        handling: F,
        line: Rc<Line>,
    }
}

impl<F> Answering<F> {
    pub(super) fn new(handling: F, line: Rc<Line>) -> Self {
        Self { handling, line }
    }
}

impl<F: Future<Output = Response<B>>, B> Future for Answering<F> {
    type Output = Result<Response<Answer<B>>, Infallible>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Self::Output> {
        let this = self.project();
        this.handling.poll(cx).map(|response| Ok(answer(this.line.clone(), response)))
    }
}

/// Hands the handler's response to hyper.
fn answer<B>(line: Rc<Line>, mut response: Response<B>) -> Response<Answer<B>> {
    if response.status() == StatusCode::SWITCHING_PROTOCOLS {
        line.stage.set(Stage::Switching);
    } else {
        line.stage.set(Stage::Responding);
        // hyper closes after a response that left the request's body unread, but knows it too late to say so.
        if line.is_last() || line.is_body_refused() {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
    response.map(|body| Answer { body, ended: Ended(line) })
}

impl<B: Body> Body for Answer<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        self.project().body.poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

//! What every request is moved in: hyper's HTTP/2 moves the handler's future and the response's body by value; over
//! HTTP/1.1 every connection has room for them.

use std::rc::Rc;

use http::Request;

use crate::body::Body;
use crate::conn::{self, Exchange, Handler};
use crate::pipeline::Pipeline;

/// The size of what a function returns.
fn size_of_result<A, F>(_never_called: impl FnOnce(A) -> F) -> usize {
    size_of::<F>()
}

/// Whoever makes one larger makes every connection larger, and every request dearer: what few requests need is boxed.
#[test]
fn what_is_moved_with_each_request_is_small() {
    let handling = size_of_result(
        |(pipeline, request, exchange): (Rc<Pipeline>, Request<conn::RequestBody>, Exchange)| {
            pipeline.handle(request, exchange)
        },
    );
    assert!(handling <= 3_400, "the handler's future takes {handling} bytes");
    let body = size_of::<Body>();
    assert!(body <= 200, "a response's body takes {body} bytes");
}

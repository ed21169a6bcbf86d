//! An app's response on its way to the client.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use http::{Response, StatusCode, Version, header};
use tokio::time::Instant;

use crate::body::{AppBody, Body};
use crate::delivery::Delivery;
use crate::limit::Leave;
use crate::pipeline::Passage;
use crate::upstream::{self, Answered, Upgrade, Upload};
use crate::worker::Worker;
use crate::{conn, hop, tenant};

/// Makes an app's response the client's.
pub fn response(
    worker: &Rc<Worker>,
    passage: Passage,
    leave: Leave,
    (upload, client): (Option<Upload>, conn::Exchange),
    answered: Answered,
    began: Instant,
) -> Response<Body> {
    let Answered { response, connection } = answered;
    let Passage { route, entered, ticket, slot, since: _ } = passage;
    if let Some(ticket) = ticket {
        ticket.answered();
    }
    let (mut parts, incoming) = response.into_parts();
    let named = hop::clean_response(&mut parts.headers);
    if let Some(way) = &route.way {
        way.answered(&mut parts.headers);
    }
    let foreign = tenant::drop_foreign_cookies(&mut parts.headers, &route.model);
    if foreign > 0 {
        route.app.stats.foreign_cookies.fetch_add(foreign as u64, Relaxed);
    }
    if parts.status == StatusCode::NO_CONTENT {
        // It must not be there (RFC 9110, section 8.6): clients of HTTP/2 take it for a body that is missing.
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    // Hyper would answer in the app's version, and close where that is HTTP/1.0.
    parts.version = Version::HTTP_11;
    let status = parts.status;
    let deliver = |carrier| {
        let held = (entered.open, leave);
        Delivery::new((worker.clone(), slot), carrier, upload, held, (began, status))
    };
    if status != StatusCode::SWITCHING_PROTOCOLS {
        return Response::from_parts(parts, Body::App(AppBody::new(incoming, named, deliver(connection))));
    }
    if let Some((app, rest)) = Upgrade::of(connection, incoming) {
        let delivery = deliver(rest);
        client.upgrade(move |client| upstream::splice(client, app, delivery));
    }
    hop::ask_websocket(&mut parts.headers);
    Response::from_parts(parts, Body::Own(None))
}

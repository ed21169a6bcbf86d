//! An app's response on its way to the client.

use std::rc::Rc;
use std::sync::atomic::Ordering::Relaxed;

use http::{Response, StatusCode, Version};
use tokio::time::Instant;

use crate::body::{AppBody, Body};
use crate::delivery::Delivery;
use crate::limit::Leave;
use crate::outbound::Exchanged;
use crate::pipeline::Passage;
use crate::upstream::{self, Answered, Upgrade};
use crate::worker::Worker;
use crate::{hop, tenant};

/// Makes an app's response the client's.
pub fn response(
    worker: &Rc<Worker>,
    passage: Passage,
    leave: Leave,
    (answered, exchanged): (Answered, Exchanged),
    began: Instant,
) -> Response<Body> {
    let Answered { mut response, connection } = answered;
    let Passage { route, entered, ticket } = passage;
    if let Some(ticket) = ticket {
        ticket.answered();
    }
    let status = response.status();
    let upgrade = (status == StatusCode::SWITCHING_PROTOCOLS).then(|| hyper::upgrade::on(&mut response));
    let (mut parts, incoming) = response.into_parts();
    hop::remove_hop_by_hop(&mut parts.headers);
    tenant::remove_claims(&mut parts.headers);
    let foreign = tenant::drop_foreign_cookies(&mut parts.headers, &route.model);
    if foreign > 0 {
        route.app.stats.foreign_cookies.fetch_add(foreign as u64, Relaxed);
    }
    // Hyper would answer in the app's version, and close where that is HTTP/1.0.
    parts.version = Version::HTTP_11;
    let slot = worker.slot(&route.app);
    let delivery = Delivery::new(
        (worker.clone(), slot),
        connection,
        exchanged.upload,
        (entered.open, leave),
        (began, status),
    );
    if let Some(connection) = upgrade {
        let app = Upgrade::of(connection, incoming);
        hop::ask_websocket(&mut parts.headers);
        exchanged.client.upgrade(move |client| upstream::splice(client, app, delivery));
        return Response::from_parts(parts, Body::Own(None));
    }
    Response::from_parts(parts, Body::App(AppBody::new(incoming, delivery)))
}

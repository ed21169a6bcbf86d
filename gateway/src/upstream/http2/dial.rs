//! Making an HTTP/2 connection, once for all who need it at the same time.

use std::future::poll_fn;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{self, SendRequest};
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::timeout;

use super::pool::{Dialling, MAX_STREAMS, Stream};
use crate::app::App;
use crate::upstream::reading::{Heard, Reading};
use crate::upstream::spoken::{Peer, Spoken};
use crate::upstream::{self, Fault, Target};
use crate::worker::{Slot, Worker};

/// Bytes of one response that may wait here for a client that is slow to take them. The connection's window is that of
/// all its streams, so that one whose client takes nothing does not stop the others.
const STREAM_WINDOW: u32 = 64 << 10;
const CONNECTION_WINDOW: u32 = STREAM_WINDOW * MAX_STREAMS as u32;
/// Bytes of the head of a response.
const MAX_HEAD: u32 = 64 << 10;
/// Bytes of requests' bodies that wait to be written, per stream.
const SEND_BUFFER: usize = 64 << 10;

/// How many connections one request makes at most. Others may be faster to take the room on one that it made.
const MOST_DIALS: u32 = 3;

/// What became of making a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Dialled {
    /// It is in the pool.
    Made,
    /// There is none.
    Failed(Fault),
}

/// A place on a connection: on one that is there, or on a new one.
pub(super) async fn stream(target: &Target<'_>) -> Result<Stream, Fault> {
    let peer = (target.instance, target.endpoint);
    let mut dials = 0;
    loop {
        let under_way = {
            let pool = &mut target.slot.pool.borrow_mut().http2;
            if let Some(stream) = pool.take(peer) {
                return Ok(stream);
            }
            pool.dialling(peer)
        };
        let dialling = match under_way {
            Some(dialling) => dialling,
            None if dials == MOST_DIALS => return Err(Fault::Refused),
            None => {
                dials += 1;
                begin(target)
            }
        };
        ended(dialling).await?;
    }
}

/// Waits until a connection is made; each dial has its own limit.
async fn ended(mut dialling: Dialling) -> Result<(), Fault> {
    match dialling.outcome.wait_for(Option::is_some).await.map(|outcome| *outcome) {
        Ok(Some(Dialled::Failed(fault))) => Err(fault),
        // Of one that was given up nobody learns more.
        Ok(Some(Dialled::Made) | None) | Err(_) => Ok(()),
    }
}

/// Begins to make a connection. It is a task of its own: who has begun may leave, and others wait for the same.
fn begin(target: &Target<'_>) -> Dialling {
    let (tx, outcome) = watch::channel(None);
    let (worker, slot, app) = (target.worker.clone(), target.slot.clone(), target.app.clone());
    let peer = (target.instance, target.endpoint);
    let (number, dialling) = slot.pool.borrow_mut().http2.dial(peer, outcome);
    tokio::task::spawn_local(async move {
        let dialled = match dial(&worker, &app, &slot, peer).await {
            Ok(made) => {
                if slot.pool.borrow_mut().http2.dialled(number, Some(made)) {
                    worker.sweep_later();
                }
                Dialled::Made
            }
            Err(fault) => {
                slot.pool.borrow_mut().http2.dialled(number, None);
                Dialled::Failed(fault)
            }
        };
        // Nobody may wait for it any more.
        tx.send_replace(Some(dialled));
    });
    dialling
}

/// A connection on which the app has shown that it speaks HTTP/2: its first frame is `SETTINGS` (RFC 9113, section 3.4).
async fn dial(
    worker: &Rc<Worker>,
    app: &Arc<App>,
    slot: &Slot,
    peer: Peer,
) -> Result<(SendRequest<Bytes>, AbortHandle), Fault> {
    let limit = worker.settings.connect_timeout;
    let stream = upstream::connect(app, peer, limit).await?;
    let met = greet(Reading::new(stream), limit).await;
    let learn = |spoken| {
        slot.pool.borrow_mut().findings.learn(peer, spoken);
        app.learn(peer, spoken);
    };
    match met {
        Ok(made) => {
            learn(Spoken::Http2);
            Ok(made)
        }
        Err(Stranger::Speaks) => {
            learn(Spoken::OnlyHttp1);
            Err(Fault::NotHttp2)
        }
        // It may have died in this moment: nothing to be remembered.
        Err(Stranger::Silent) => Err(Fault::NotHttp2),
    }
}

/// Somebody who did not greet in HTTP/2.
enum Stranger {
    /// What came was something else.
    Speaks,
    /// Nothing came.
    Silent,
}

async fn greet(io: Reading, limit: Duration) -> Result<(SendRequest<Bytes>, AbortHandle), Stranger> {
    let mut builder = client::Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_header_list_size(MAX_HEAD)
        .max_send_buffer_size(SEND_BUFFER)
        // None before its settings have come: that is how they are seen.
        .initial_max_send_streams(0);
    let heard = io.heard();
    let (sender, mut connection) = builder.handshake::<_, Bytes>(io).await.map_err(|_| Stranger::Silent)?;
    let has_greeted = poll_fn(|cx| match Pin::new(&mut connection).poll(cx) {
        Poll::Pending if sender.current_max_send_streams() > 0 => Poll::Ready(true),
        Poll::Pending => Poll::Pending,
        Poll::Ready(_ended) => Poll::Ready(false),
    });
    if !timeout(limit, has_greeted).await.unwrap_or(false) {
        return Err(match heard.get() {
            Some(Heard::Other) => Stranger::Speaks,
            Some(Heard::Settings) | None => Stranger::Silent,
        });
    }
    let task = tokio::task::spawn_local(async move {
        // What ends a connection is told to the streams on it; without one it is of no interest.
        let _ended = connection.await;
    });
    Ok((sender, task.abort_handle()))
}

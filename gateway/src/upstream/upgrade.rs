//! Connections that stop being HTTP (RFC 9110, section 7.8): WebSockets.

use std::io;
use std::pin::pin;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::{Carrier, Freed, ResponseBody, Tunnel};
use crate::conn::Upgraded;
use crate::delivery::{Delivery, Ending};

/// How long one side may go on when the other has ended. A WebSocket needs it for its closing handshake; a client that
/// does not notice that its app has gone must not keep the app awake for ever.
const AFTER_END: Duration = Duration::from_secs(5);

/// The app's side of a connection that stops being HTTP.
#[derive(Debug)]
pub enum Upgrade {
    /// The whole connection.
    Http1(Freed),
    /// A stream.
    Http2(Box<Tunnel>),
}

impl Upgrade {
    /// Of a 101 with this body, and what is left of what carried it. `None` where it cannot be had.
    pub fn of(carrier: Carrier, body: ResponseBody) -> Option<(Self, Carrier)> {
        match (carrier, body) {
            (carrier, ResponseBody::Tunnel(tunnel)) => Some((Self::Http2(tunnel), carrier)),
            (Carrier::Http1(connection), _) => {
                connection.line.into_freed().map(|freed| (Self::Http1(freed), Carrier::Tunnel))
            }
            (Carrier::Http2(_) | Carrier::Tunnel, ResponseBody::Http1(_) | ResponseBody::Http2(_)) => None,
        }
    }
}

/// Carries bytes both ways until both sides have ended; all the while `delivery` counts as open, and so the app stays
/// awake.
pub async fn splice(client: Upgraded, app: Upgrade, mut delivery: Delivery) {
    let carried = match app {
        Upgrade::Http1(app) => {
            let (reads, writes) = app.stream.into_split();
            carry(client, (io::Cursor::new(app.before).chain(reads), writes)).await
        }
        Upgrade::Http2(stream) => carry(client, tokio::io::split(*stream)).await,
    };
    delivery.end(match carried {
        Ok(()) => Ending::Complete,
        // Which of the two broke it off cannot be told, and makes no difference to the other.
        Err(_) => Ending::ClientLeft,
    });
}

async fn carry(
    client: impl AsyncRead + AsyncWrite,
    (app_reads, app_writes): (impl AsyncRead, impl AsyncWrite),
) -> io::Result<()> {
    let (client_reads, client_writes) = tokio::io::split(client);
    let mut up = pin!(one_way(client_reads, app_writes));
    let mut down = pin!(one_way(app_reads, client_writes));
    let rest = tokio::select! {
        ended = &mut up => { ended?; timeout(AFTER_END, down).await }
        ended = &mut down => { ended?; timeout(AFTER_END, up).await }
    };
    // Too long is an end, too.
    rest.unwrap_or(Ok(()))
}

async fn one_way(from: impl AsyncRead, to: impl AsyncWrite) -> io::Result<()> {
    let (mut from, mut to) = (pin!(from), pin!(to));
    tokio::io::copy(&mut from, &mut to).await?;
    to.shutdown().await
}

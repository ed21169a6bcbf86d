//! Connections that stop being HTTP (RFC 9110, section 7.8): WebSockets.

use std::io;
use std::pin::pin;
use std::time::Duration;

use hyper::upgrade::OnUpgrade;
use hyper_util::rt::TokioIo;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;

use super::{ResponseBody, Tunnel};
use crate::conn::Upgraded;
use crate::delivery::{Delivery, Ending};

/// How long one side may go on when the other has ended. A WebSocket needs it for its closing handshake; a client that
/// does not notice that its app has gone must not keep the app awake for ever.
const AFTER_END: Duration = Duration::from_secs(5);

/// The app's side of a connection that stops being HTTP.
#[derive(Debug)]
pub enum Upgrade {
    /// The whole connection.
    Http1(OnUpgrade),
    /// A stream.
    Http2(Box<Tunnel>),
}

impl Upgrade {
    /// Of a 101 with this body; `connection` is hyper's word for what becomes of its connection.
    pub fn of(connection: OnUpgrade, body: ResponseBody) -> Self {
        match body {
            ResponseBody::Tunnel(tunnel) => Self::Http2(tunnel),
            ResponseBody::Http1(_) | ResponseBody::Http2(_) => Self::Http1(connection),
        }
    }
}

/// Carries bytes both ways until both sides have ended; all the while `delivery` counts as open, and so the app stays
/// awake.
pub async fn splice(client: Upgraded, app: Upgrade, mut delivery: Delivery) {
    let carried = match app {
        Upgrade::Http1(connection) => match connection.await {
            Ok(app) => carry(client, TokioIo::new(app)).await,
            Err(_) => return delivery.end(Ending::AppBrokeOff),
        },
        Upgrade::Http2(stream) => carry(client, *stream).await,
    };
    delivery.end(match carried {
        Ok(()) => Ending::Complete,
        // Which of the two broke it off cannot be told, and makes no difference to the other.
        Err(_) => Ending::ClientLeft,
    });
}

async fn carry(client: impl AsyncRead + AsyncWrite, app: impl AsyncRead + AsyncWrite) -> io::Result<()> {
    let (client_reads, client_writes) = tokio::io::split(client);
    let (app_reads, app_writes) = tokio::io::split(app);
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

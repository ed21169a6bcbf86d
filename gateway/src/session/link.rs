//! The link, while there is one.

use config::link::{GatewayEnd, ToGateway};
use tokio::sync::mpsc;

/// Where revive is.
#[derive(Debug)]
pub enum Revive {
    /// In this process: one link, and no lease.
    Within(GatewayEnd),
    /// Elsewhere: links come and go, each replaces the one before.
    Beyond(mpsc::Receiver<GatewayEnd>),
}

/// The link, if there is one.
#[derive(Debug)]
pub(super) enum Link {
    /// None: what was told last is all there is.
    Gone,
    /// One that has not told its table yet.
    New(GatewayEnd),
    /// One whose table is in use.
    Heard(GatewayEnd),
}

impl Link {
    /// What it says; `None` when it has ended. Where there is none, nothing is ever said.
    pub(super) async fn says(&mut self) -> Option<ToGateway> {
        match self {
            Self::Gone => std::future::pending().await,
            Self::New(link) | Self::Heard(link) => link.rx.recv().await,
        }
    }
}

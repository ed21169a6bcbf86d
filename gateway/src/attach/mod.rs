//! Attaching to revive over a wire, again and again: to its leader, or to whoever serves the table meanwhile.
//!
//! ```text
//!   --revive, leaders told of ─► seek ─► dial (TLS, HTTP/2, Hello, Welcome) ─► carry ◄─► session
//!                                                                               │
//!                                          saved (the last good table) ◄────────┘
//! ```
//!
//! Each attachment is a link to the session, which outlives it.

mod backoff;
mod carry;
mod dial;
mod figures;
mod saved;
mod seek;

use std::path::PathBuf;
use std::time::Duration;

use config::link::tls::Current;
use config::link::{GatewayEnd, ToGateway};
use rustls::ClientConfig;
use tokio::sync::mpsc;
use tokio::time::Instant;

use carry::Next;
pub use figures::Figures;
use saved::Saver;
use seek::Seeker;

/// A leader that is attached to for so long is no passing one: the next search begins without delay.
const STEADY: Duration = Duration::from_secs(5);

/// What attaching takes.
#[derive(Debug)]
pub struct Attachment {
    /// Who this gateway is, for people.
    pub name: String,
    /// Where revive is reached, each as `host:port`; a name may have several addresses.
    pub addresses: Vec<String>,
    /// How both prove who they are.
    pub tls: Current<ClientConfig>,
    /// Where the last good table is kept, if it is to be.
    pub state: Option<PathBuf>,
    /// How long revive is looked for at the start, before the saved table is used.
    pub patience: Duration,
    /// What is counted.
    pub figures: Figures,
}

/// Attaches for as long as the task runs; each link goes to `links`.
pub async fn run(attachment: Attachment, links: mpsc::Sender<GatewayEnd>) {
    let Attachment { name, addresses, tls, state, patience, figures } = attachment;
    let saver = Saver::start(state.clone());
    let mut seeker = Seeker::new(name, addresses, tls);
    let mut wire = {
        let mut search = std::pin::pin!(seeker.search());
        match tokio::time::timeout(patience, &mut search).await {
            Ok(wire) => wire,
            Err(_) => {
                present_saved(state, &links).await;
                search.await
            }
        }
    };
    loop {
        let since = Instant::now();
        figures.attached();
        let carried = carry::carry(wire, &links, &saver, &figures, &mut seeker).await;
        wire = match carried {
            Next::Other(wire) => *wire,
            Next::None => {
                figures.parted();
                if since.elapsed() >= STEADY {
                    seeker.was_steady();
                }
                tracing::warn!("the link to revive is gone; looking for it");
                seeker.search().await
            }
            Next::SessionEnded => return,
        };
    }
}

/// The last good table, as a link that says nothing more.
async fn present_saved(state: Option<PathBuf>, links: &mpsc::Sender<GatewayEnd>) {
    let Some(dir) = state else { return };
    let Some((limits, table)) = saved::read(dir).await else { return };
    tracing::warn!(
        generation = table.generation,
        apps = table.apps.len(),
        "revive is not there: serving from the saved table, by the Services' own addresses"
    );
    let (gateway, mut revive) = config::link::channel();
    for message in [ToGateway::Limits(limits), ToGateway::Table(table)] {
        if revive.tx.try_send(message).is_err() {
            return;
        }
    }
    if links.send(gateway).await.is_err() {
        return;
    }
    // What the session says until it sees that nobody is there.
    let drain = async move { while revive.rx.recv().await.is_some() {} };
    drop(revive.tx);
    tokio::spawn(drain);
}

//! One attachment, from its welcome to its end: messages both ways between the wire and the session.

use std::sync::{Mutex, PoisonError};

use config::link::wire::{FromGateway, FromRevive, Heard, Hearer};
use config::link::{ReviveEnd, ToGateway, ToRevive};
use tokio::sync::mpsc;
use tonic::Streaming;

use super::Figures;
use super::dial::Wire;
use super::saved::Saver;
use super::seek::Seeker;

/// What comes after an attachment.
pub(super) enum Next {
    /// A better one: the leader's.
    Other(Box<Wire>),
    /// Nothing: it has ended.
    None,
    /// Nobody is there to be attached any more.
    SessionEnded,
}

/// What has been refused of what revive told, by name.
type Refused = Mutex<Vec<(String, String)>>;

/// Carries messages until the wire ends, the session has had enough of it, or the leader is found elsewhere.
pub(super) async fn carry(
    wire: Wire,
    links: &mpsc::Sender<config::link::GatewayEnd>,
    saver: &Saver,
    figures: &Figures,
    seeker: &mut Seeker,
) -> Next {
    let (gateway, ReviveEnd { tx, rx }) = config::link::channel();
    if links.send(gateway).await.is_err() {
        return Next::SessionEnded;
    }
    let leads = wire.welcome.leads;
    tracing::info!(address = %wire.address, leads, epoch = wire.welcome.epoch, "attached to revive");
    let Wire { tx: outbox, rx: inbound, hearer, connection: _alive, .. } = wire;
    let refused = Refused::default();
    let (hints, mut hinted) = mpsc::channel(1);
    let hear = Hear { hearer, tx, saver, figures, refused: &refused, hints };
    let mut carried = std::pin::pin!(async {
        tokio::select! {
            () = hear.run(inbound) => {}
            () = say(rx, &outbox, saver, &refused) => {}
        }
    });
    loop {
        tokio::select! {
            () = &mut carried => return Next::None,
            Some(leader) = hinted.recv() => seeker.hint(leader),
            leader = seeker.search_leader(), if !leads => return Next::Other(Box::new(leader)),
        }
    }
}

/// What comes from revive.
struct Hear<'a> {
    hearer: Hearer,
    tx: mpsc::Sender<ToGateway>,
    saver: &'a Saver,
    figures: &'a Figures,
    refused: &'a Refused,
    hints: mpsc::Sender<Option<String>>,
}

impl Hear<'_> {
    async fn run(mut self, mut inbound: Streaming<FromRevive>) {
        loop {
            let message = match inbound.message().await {
                Ok(Some(message)) => message,
                Ok(None) => return,
                Err(status) => return tracing::info!(why = status.message(), "the link to revive has ended"),
            };
            match self.hearer.hear(message) {
                Ok(Heard::Said(message)) => {
                    self.note(&message);
                    if self.tx.send(message).await.is_err() {
                        return;
                    }
                }
                Ok(Heard::Elsewhere(leader)) => {
                    if self.hints.send(leader).await.is_err() {
                        return;
                    }
                }
                Ok(Heard::Welcome(_) | Heard::More | Heard::Strange) => {}
                Err(error) => tracing::warn!(%error, "revive says something that is not understood"),
            }
        }
    }

    /// Keeps what outlives the link, and says what is refused.
    fn note(&self, message: &ToGateway) {
        match message {
            ToGateway::Table(table) => self.saver.table(table),
            ToGateway::Limits(limits) => self.saver.limits(limits),
            ToGateway::Lease { .. } | ToGateway::State { .. } => return,
        }
        let now = self.hearer.refused();
        self.figures.refused(now.len());
        let mut refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner);
        for (name, why) in now.iter().filter(|one| !refused.contains(one)) {
            tracing::warn!(name, why, "refused: it stays as it was");
        }
        *refused = now;
    }
}

/// What goes to revive.
async fn say(
    mut rx: mpsc::Receiver<ToRevive>,
    outbox: &mpsc::Sender<FromGateway>,
    saver: &Saver,
    refused: &Refused,
) {
    while let Some(mut message) = rx.recv().await {
        if let ToRevive::InUse { refused: all, .. } = &mut message {
            all.extend(refused.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned());
            saver.in_use();
        }
        for message in FromGateway::all(message) {
            if outbox.send(message).await.is_err() {
                return;
            }
        }
    }
}

//! Revive's end: the real server, and a driver that does what a test says.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use config::link::tls::{Current, Files};
use config::link::{Limits, ReviveEnd, Status, Table, ToGateway, ToRevive};
use config::model::{App, AppId, Rule};
use revive::link::{Attached, Standing, serve};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::SOON;

/// A revive that listens.
pub(crate) struct Revive {
    pub(crate) address: SocketAddr,
    pub(crate) standing: watch::Sender<Standing>,
    attached: mpsc::Receiver<Attached>,
    serving: JoinHandle<()>,
}

/// Where nobody listens yet.
pub(crate) const ANYWHERE: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 0);

pub(crate) fn leader(epoch: u64) -> Standing {
    Standing { epoch, leads: true, leader: None }
}

impl Revive {
    pub(crate) async fn start(at: SocketAddr, files: &Files, standing: Standing) -> Self {
        let listener = TcpListener::bind(at).await.unwrap();
        let address = listener.local_addr().unwrap();
        let (standing, stands) = watch::channel(standing);
        let (tx, attached) = mpsc::channel(16);
        let serving = tokio::spawn(serve(listener, Current::server(files.clone()).unwrap(), stands, tx));
        Self { address, standing, attached, serving }
    }

    /// The next gateway that attaches.
    pub(crate) async fn attached(&mut self) -> Gateway {
        let attached =
            timeout(SOON, self.attached.recv()).await.unwrap_or_else(|_| panic!("nobody attaches"));
        let Attached { end, name, .. } = attached.unwrap();
        assert_eq!(name, "gw-1");
        Gateway { end, said: Vec::new(), valid: Duration::from_secs(10) }
    }

    /// Nobody attaches for so long.
    pub(crate) async fn is_left_alone(&mut self, time: Duration) {
        assert!(timeout(time, self.attached.recv()).await.is_err(), "somebody has attached");
    }

    /// Ends at once, with all connections.
    pub(crate) async fn kill(self) {
        self.serving.abort();
        drop(self.serving.await);
    }
}

/// A gateway that is attached.
pub(crate) struct Gateway {
    end: ReviveEnd,
    /// What it has said that nobody has waited for yet.
    said: Vec<ToRevive>,
    /// For how long it gets a lease; nothing: none.
    pub(crate) valid: Duration,
}

impl Gateway {
    pub(crate) async fn tell(&self, message: ToGateway) {
        self.end.tx.send(message).await.unwrap();
    }

    /// Tells it a table, and waits until that is in use.
    pub(crate) async fn table(&mut self, generation: u64, apps: &[(Arc<App>, Status)]) {
        self.tell(ToGateway::Limits(Limits { generation, limits: Vec::new() })).await;
        let rules = apps.iter().flat_map(|(app, _)| Rule::of_app(app)).collect();
        let table = Table { generation, apps: apps.to_vec(), rules, leaving: Vec::new() };
        self.tell(ToGateway::Table(table)).await;
        self.says(|word| matches!(word, ToRevive::InUse { .. })).await;
    }

    pub(crate) async fn state(&self, app: &App, status: Status) {
        self.tell(ToGateway::State { app: app.id.clone(), status }).await;
    }

    /// Waits until it says this; meanwhile it gets its lease.
    pub(crate) async fn says(&mut self, is_it: impl Fn(&ToRevive) -> bool) {
        if let Some(place) = self.said.iter().position(&is_it) {
            self.said.drain(..=place);
            return;
        }
        let saying = async {
            loop {
                let word = self.end.rx.recv().await.unwrap_or_else(|| panic!("the link has ended"));
                if let ToRevive::Renew { renewal } = word
                    && !self.valid.is_zero()
                {
                    self.tell(ToGateway::Lease { renewal, valid: self.valid }).await;
                }
                if is_it(&word) {
                    return;
                }
                self.said.push(word);
            }
        };
        timeout(SOON, saying).await.unwrap_or_else(|_| panic!("it does not say so"));
    }

    pub(crate) async fn wakes(&mut self, app: &App) {
        let id: AppId = app.id.clone();
        self.says(move |word| *word == ToRevive::Wake { app: id.clone() }).await;
    }

    /// Answers the next question for a lease.
    pub(crate) async fn renews(&mut self) {
        self.said.retain(|word| !matches!(word, ToRevive::Renew { .. }));
        self.says(|word| matches!(word, ToRevive::Renew { .. })).await;
    }

    /// Waits until its end of the link has gone.
    pub(crate) async fn leaves(mut self) {
        let leaving = async { while self.end.rx.recv().await.is_some() {} };
        timeout(SOON, leaving).await.unwrap_or_else(|_| panic!("it does not leave"));
    }
}

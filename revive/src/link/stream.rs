//! One gateway's stream.

use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::time::Duration;

use config::link::wire::{FromGateway, FromRevive, Hello, Teller, Up, Welcome};
use config::link::{GatewayEnd, ToGateway, channel};
use futures_util::stream::{BoxStream, StreamExt as _, poll_fn};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;
use tonic::{Request, Response, Status, Streaming, server};

use super::{Attached, Shared, Standing};

/// How long a gateway may take to say who it is, and somebody here to take it.
const HELLO: Duration = Duration::from_secs(10);
/// Pages that wait for a gateway to read them.
const PAGES: usize = 4;

/// The method of the service.
pub(super) struct Attach {
    pub(super) peer: SocketAddr,
    pub(super) shared: Shared,
}

type Answer = Result<Response<BoxStream<'static, Result<FromRevive, Status>>>, Status>;

impl server::StreamingService<FromGateway> for Attach {
    type Response = FromRevive;
    type ResponseStream = BoxStream<'static, Result<FromRevive, Status>>;
    type Future = Pin<Box<dyn Future<Output = Answer> + Send>>;

    fn call(&mut self, request: Request<Streaming<FromGateway>>) -> Self::Future {
        Box::pin(attach(request.into_inner(), self.peer, self.shared.clone()))
    }
}

/// Welcomes a gateway, and hands its link on.
async fn attach(mut inbound: Streaming<FromGateway>, peer: SocketAddr, shared: Shared) -> Answer {
    let Hello { name, version, epoch } = hello(&mut inbound).await?;
    let mut standing = shared.standing.clone();
    let stood = standing.borrow_and_update().clone();
    if stood.leads && epoch > stood.epoch {
        tracing::warn!(
            gateway = name,
            epoch,
            ours = stood.epoch,
            "a gateway knows a later leader than this one"
        );
    }
    tracing::info!(gateway = name, version, %peer, "a gateway attaches");
    let (gateway, end) = channel();
    let attached = Attached { name, version, peer, standing: stood.clone(), end };
    let taken = timeout(HELLO, shared.attached.send(attached)).await;
    if !matches!(taken, Ok(Ok(()))) {
        return Err(Status::unavailable("nobody takes gateways here now"));
    }
    let (outbound, mut pages) = mpsc::channel(PAGES);
    tokio::spawn(carry(gateway, inbound, outbound, standing, stood));
    Ok(Response::new(poll_fn(move |context| pages.poll_recv(context)).map(Ok).boxed()))
}

async fn hello(inbound: &mut Streaming<FromGateway>) -> Result<Hello, Status> {
    let first = timeout(HELLO, inbound.message()).await;
    let first = first.map_err(|_| Status::deadline_exceeded("who are you?"))??;
    match first.map(FromGateway::parse) {
        Some(Ok(Up::Hello(hello))) => Ok(hello),
        Some(Ok(Up::Said(_) | Up::Strange) | Err(_)) | None => {
            Err(Status::invalid_argument("say first who you are"))
        }
    }
}

/// Carries messages both ways until one end has gone, or revive stands otherwise.
async fn carry(
    gateway: GatewayEnd,
    mut inbound: Streaming<FromGateway>,
    outbound: mpsc::Sender<FromRevive>,
    standing: watch::Receiver<Standing>,
    stood: Standing,
) {
    let GatewayEnd { tx, rx } = gateway;
    let hear = async move {
        while let Ok(Some(message)) = inbound.message().await {
            match message.parse() {
                Ok(Up::Said(message)) => {
                    if tx.send(message).await.is_err() {
                        return;
                    }
                }
                Ok(Up::Hello(_) | Up::Strange) => {}
                Err(error) => tracing::debug!(%error, "a gateway says something that is not understood"),
            }
        }
    };
    tokio::select! {
        () = hear => {}
        () = tell(rx, &outbound, standing, stood) => {}
        () = outbound.closed() => {}
    }
}

/// Tells the gateway what it is to hear.
async fn tell(
    mut rx: mpsc::Receiver<ToGateway>,
    outbound: &mpsc::Sender<FromRevive>,
    mut standing: watch::Receiver<Standing>,
    mut stood: Standing,
) {
    let Standing { epoch, leads, leader } = stood.clone();
    let mut teller = Teller::default();
    if outbound.send(FromRevive::welcome(Welcome { epoch, leads, leader })).await.is_err() {
        return;
    }
    loop {
        tokio::select! {
            changed = standing.changed() => {
                if changed.is_err() {
                    return;
                }
                let stands = standing.borrow_and_update().clone();
                if stands.leader != stood.leader || stands.leads != stood.leads {
                    let elsewhere = FromRevive::elsewhere(stands.leader.clone());
                    if outbound.send(elsewhere).await.is_err() {
                        return;
                    }
                }
                // The gateway belongs to somebody else here, and what it was told to an epoch that is over.
                if (stands.leads, stands.leads.then_some(stands.epoch)) != (stood.leads, stood.leads.then_some(stood.epoch)) {
                    return;
                }
                stood = stands;
            }
            message = rx.recv() => {
                let Some(message) = message else { return };
                for page in teller.tell(message) {
                    if outbound.send(page).await.is_err() {
                        return;
                    }
                }
            }
        }
    }
}

//! `loco-edge revive`: the control plane on a Kubernetes cluster. Of several replicas one leads.

use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use config::link::tls::{Current, Files};
use config::load::{self, Loaded, Mistakes};
use kube::Client;
use prometheus_client::registry::Registry;
use revive::admin::{self, Admin, Configuration, Counts, Readiness, Tokens};
use revive::driver::Handle;
use revive::kubernetes::follow::follow;
use revive::kubernetes::keep::ClusterKeep;
use revive::kubernetes::lead::{Leader, Office};
use revive::kubernetes::lease::{self, Candidate, Standing};
use revive::kubernetes::{self, Sent, Watched, status};
use revive::link::{self, Attached};
use revive::platform::kubernetes::room::Room;
use revive::store::{Keep, Store, Writer};
use revive::webhook::Webhook;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;

pub(crate) mod settings;

use crate::files::{self, fail};
use crate::stop::{Asked, Stop};
use crate::{cli, logging, ports};

/// The Lease's name.
const LEASE: &str = "loco-edge-revive";
/// Gateways that have attached and nobody has taken in yet.
const ATTACHED: usize = 64;

/// Runs until it is told to stop.
pub(crate) fn run(args: &cli::Revive) -> ExitCode {
    let loaded = match loaded(args.config.as_deref()) {
        Ok(loaded) => loaded,
        Err(mistakes) => return fail(&files::shown(&mistakes)),
    };
    let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return fail(&format!("cannot start: {error}\n")),
    };
    let _flushed_at_the_end = logging::start();
    match runtime.block_on(serve(args, loaded)) {
        Ok(()) => ExitCode::SUCCESS,
        Err(why) => fail(&format!("loco-edge: {why}\n")),
    }
}

/// What the platform's file says, or holds without one.
pub(crate) fn loaded(file: Option<&Path>) -> Result<Loaded, Mistakes> {
    match file {
        Some(file) => load::load_platform(file, &files::variables()),
        None => load::parse_platform("(no file)", "", &files::variables()),
    }
}

/// A run from beginning to end.
async fn serve(args: &cli::Revive, loaded: Loaded) -> Result<(), String> {
    let mut stop = Stop::listen()?;
    if !loaded.warnings.is_empty() {
        tracing::warn!("in the settings:\n{}", loaded.warnings.render(load::Colours::Plain));
    }
    ports::guarded(args.admin, &loaded)?;
    let admin = bound("--admin", args.admin).await?;
    let listener = bound("--link", args.link).await?;
    let address = listener.local_addr().map_err(|error| error.to_string())?;
    let files = Files {
        certificate: args.tls_cert.clone(),
        key: args.tls_key.clone(),
        authority: args.tls_ca.clone(),
    };
    let tls = Current::server(files).map_err(|error| error.to_string())?;
    let sent = Sent::default();
    let client = client(&sent).await?;

    let candidate = Candidate {
        lease: LEASE.to_owned(),
        // Never used twice: a container that begins anew is another candidate.
        identity: format!("{}_{:016x}", args.name, fastrand::u64(..)),
        pod: args.uid.clone().filter(|uid| !uid.is_empty()),
        link: args.advertise.clone().unwrap_or_else(|| advertised(address)),
    };
    let mut replica = Replica::start(args, loaded, (client, sent), candidate)?;
    let (standing_tx, standing) = watch::channel(link::Standing::default());
    let (attached_tx, attached) = mpsc::channel(ATTACHED);
    replica.tasks.spawn(link::serve(listener, tls, standing, attached_tx));
    tracing::info!(link = %address, admin = %args.admin, "waiting for the cluster's objects");
    tokio::select! {
        ended = replica.work(admin, attached, standing_tx) => ended?,
        () = async { while stop.next().await == Asked::Reload {} } => {}
    }
    tracing::info!("stopping: apps stay as they are");
    replica.resign().await;
    Ok(())
}

/// The API server. Nothing is tried again behind our back: whether it is away is to be seen.
async fn client(sent: &Sent) -> Result<Client, String> {
    let mut config = kube::Config::infer().await.map_err(|error| format!("no cluster: {error}"))?;
    config.default_retry = false;
    sent.client(config).map_err(|error| format!("no cluster: {error}"))
}

async fn bound(flag: &str, address: SocketAddr) -> Result<TcpListener, String> {
    TcpListener::bind(address).await.map_err(|error| ports::taken(flag, address, &error))
}

/// Where gateways find this replica: at its pod's address, if it is a pod's.
fn advertised(link: SocketAddr) -> String {
    let pod = std::env::var("POD_IP").ok().and_then(|ip| ip.parse().ok());
    SocketAddr::new(pod.unwrap_or(link.ip()), link.port()).to_string()
}

/// One of several.
struct Replica {
    args: Namespace,
    loaded: Loaded,
    client: Client,
    sent: Sent,
    candidate: Candidate,
    watched: Watched,
    room: Arc<Room>,
    lease: watch::Receiver<Standing>,
    /// Whether it leads, for those who write.
    leads: watch::Sender<bool>,
    ready: Readiness,
    file: String,
    tasks: JoinSet<()>,
}

/// Where its own objects are, and what it is called.
struct Namespace {
    namespace: String,
    name: String,
}

impl Replica {
    fn start(
        args: &cli::Revive,
        loaded: Loaded,
        (client, sent): (Client, Sent),
        candidate: Candidate,
    ) -> Result<Self, String> {
        let settings = Arc::new(settings::of_cluster(&loaded)?);
        let watched = kubernetes::start(&client, settings);
        let room = Arc::new(Room::new(watched.view.clone(), settings::nodes(&loaded)));
        let mut tasks = JoinSet::new();
        let (lease_tx, lease) = watch::channel(Standing::Follows { leader: None });
        let leases = kube::Api::namespaced(client.clone(), &args.namespace);
        tasks.spawn(lease::elect(leases, candidate.clone(), lease_tx));
        let (leads, leading) = watch::channel(false);
        tasks.spawn(status::Writer::new(client.clone(), watched.writes.clone(), leading).run());
        let own = Namespace { namespace: args.namespace.clone(), name: args.name.clone() };
        let file = args.config.as_ref().map_or_else(String::new, |file| file.display().to_string());
        let ready = Readiness::default();
        Ok(Self {
            args: own,
            loaded,
            client,
            sent,
            candidate,
            watched,
            room,
            lease,
            leads,
            ready,
            file,
            tasks,
        })
    }

    /// Leads and follows, by turns.
    async fn work(
        &mut self,
        admin: TcpListener,
        mut attached: mpsc::Receiver<Attached>,
        told: watch::Sender<link::Standing>,
    ) -> Result<(), String> {
        let admin = admin.into_std().map_err(|error| error.to_string())?;
        let again = || admin.try_clone().and_then(TcpListener::from_std).map_err(|error| error.to_string());
        let mut compiled = self.watched.compiled.clone();
        if compiled.wait_for(Option::is_some).await.is_err() {
            return Err("the watches have ended".to_owned());
        }
        self.ready.set(true);
        tracing::info!("ready");
        loop {
            let standing = self.lease.borrow_and_update().clone();
            let serving = again()?;
            match standing {
                Standing::Follows { leader } => {
                    self.leads.send_replace(false);
                    told.send_modify(|told| *told = link::Standing { leads: false, leader, ..told.clone() });
                    self.follow(serving, &mut attached).await;
                }
                Standing::Leads { epoch, .. } => {
                    let leader = Some(self.candidate.link.clone());
                    told.send_replace(link::Standing { epoch, leads: true, leader });
                    self.leads.send_replace(true);
                    self.lead(epoch, serving, &mut attached).await?;
                }
            }
        }
    }

    async fn follow(&self, admin: TcpListener, attached: &mut mpsc::Receiver<Attached>) {
        let Ok(store) = self.audit() else { return };
        let api = self.api(Handle::of_nobody(), Arc::new(store), Registry::default());
        let mut lease = self.lease.clone();
        let before = lease.borrow().clone();
        let _serving = Ended(tokio::spawn(admin::serve(admin, api)));
        tokio::select! {
            () = follow(self.watched.view.clone(), self.watched.compiled.clone(), attached) => {}
            // Also where another one leads: gateways are told where.
            _ = lease.wait_for(|now| *now != before) => {}
        }
    }

    async fn lead(
        &self,
        epoch: u64,
        admin: TcpListener,
        attached: &mut mpsc::Receiver<Attached>,
    ) -> Result<(), String> {
        let maps = kube::Api::namespaced(self.client.clone(), &self.args.namespace);
        let mut lease = self.lease.clone();
        let ours = |now: &Standing| matches!(now, Standing::Leads { epoch: now, .. } if *now == epoch);
        // While the API server is away nobody could be put to sleep or woken either; a lease that ends ends this too.
        let opened = tokio::select! {
            opened = self.keep(maps) => opened?,
            _ = lease.wait_for(|now| !ours(now)) => return Ok(()),
        };
        let (keep, before) = opened;
        for why in &before.rejected {
            tracing::error!(why, "what an admin has said cannot be understood: it does not hold");
        }
        let mut registry = Registry::default();
        let webhook = settings::failure_webhook(&self.loaded)?;
        let webhook = webhook.map(|url| Webhook::begin(url, &mut registry));
        let keep: Arc<dyn Keep> = Arc::new(keep.telling(webhook));
        let mut leader = Leader::begin(
            Office {
                client: self.client.clone(),
                view: self.watched.view.clone(),
                room: Arc::clone(&self.room),
                compiled: self.watched.compiled.clone(),
                epoch,
                settings: self.loaded.settings.revive.clone(),
                platform: settings::of_platform(&self.loaded, &self.args.name)?,
                drain: self.loaded.settings.gateway.drain_timeout,
                limits: self.loaded.limits.clone(),
                keep: (keep.clone(), before),
            },
            &mut registry,
        );
        let api = self.api(leader.handle.clone(), keep, registry);
        let _serving = Ended(tokio::spawn(admin::serve(admin, api)));
        tokio::select! {
            () = leader.work(attached) => {}
            _ = lease.wait_for(|now| !ours(now)) => {}
        }
        Ok(())
    }

    async fn keep(
        &self,
        maps: kube::Api<k8s_openapi::api::core::v1::ConfigMap>,
    ) -> Result<(ClusterKeep, kubernetes::keep::Before), String> {
        loop {
            match ClusterKeep::open(maps.clone(), self.audit()?).await {
                Ok(opened) => return Ok(opened),
                Err(error) => tracing::warn!(%error, "what admins have said cannot be read yet"),
            }
            tokio::time::sleep(lease::RETRY).await;
        }
    }

    /// The audit of this replica's time.
    fn audit(&self) -> Result<Writer, String> {
        let store = Store::of_this_run().map_err(|error| error.to_string())?;
        Writer::spawn(store).map_err(|error| format!("cannot start the store's thread: {error}"))
    }

    fn api(&self, handle: Handle, keep: Arc<dyn Keep>, mut registry: Registry) -> Admin {
        self.sent.register(&mut registry);
        let counts = Counts::register(&mut registry);
        let configuration = Configuration::of(self.file.clone(), &self.loaded.warnings);
        let tokens = Tokens::new(self.loaded.tokens.clone());
        let mut api = Admin::new(handle, keep, (Arc::new(registry), counts), tokens, configuration);
        api.ready = self.ready.clone();
        api.room = Some(Arc::clone(&self.room));
        api
    }

    /// Lets another one lead at once.
    async fn resign(mut self) {
        self.tasks.shutdown().await;
        let leases = kube::Api::namespaced(self.client.clone(), &self.args.namespace);
        if let Err(error) = lease::release(&leases, &self.candidate).await {
            tracing::warn!(%error, "the lease could not be given back; it ends by itself");
        }
        self.watched.stop().await;
    }
}

/// A task that ends with whoever holds this.
struct Ended(tokio::task::JoinHandle<()>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.abort();
    }
}

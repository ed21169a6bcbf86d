//! An edge on the cluster: where it is asked, and the Gateway that routes name.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;
use tokio::net::TcpStream;
use tokio::sync::OnceCell;

use crate::client::{Answer, Broken, Http2, PATIENCE, Request, Wire, eventually};
use crate::cluster::{chart, helm, image, kubectl, object};
use crate::host::{Half, Halves};
use crate::road::Road;

/// The release that all tests share.
pub(crate) const RELEASE: &str = "edge";
/// Its namespace.
pub(crate) const HOME: &str = "edge-test-chart";
/// For a deployment of both halves, images present.
const INSTALLED: Duration = Duration::from_secs(180);

/// An edge.
#[derive(Debug)]
pub(crate) struct Edge {
    address: SocketAddr,
    gateway: (String, String),
    halves: Option<Halves>,
}

/// The one that is installed.
#[derive(Debug)]
struct Installed {
    address: SocketAddr,
    /// Ends with the tests.
    _forward: Option<Forward>,
}

impl Edge {
    /// The one that is installed, if there is an image of it, else one on this machine: what a test of either takes.
    pub(crate) async fn any() -> Self {
        if std::env::var_os("LOCO_EDGE_IMAGE").is_some() {
            Self::installed().await
        } else {
            Self::on_host().await
        }
    }

    /// By the chart; the first test that asks installs it, or upgrades what an earlier run left.
    ///
    /// All tests' apps together look like a platform that loses its apps, which stops their removal: each test begins
    /// with a count of its own, as an admin would who has looked at it.
    pub(crate) async fn installed() -> Self {
        static EDGE: OnceCell<Installed> = OnceCell::const_new();
        let installed = EDGE.get_or_init(install).await;
        resume().await;
        Self { address: installed.address, gateway: (HOME.to_owned(), "edge".to_owned()), halves: None }
    }

    /// Both halves as processes of this machine, which must reach pods: revive with the rights of KUBECONFIG.
    pub(crate) async fn on_host() -> Self {
        Self::on_host_with("").await
    }

    /// The same, with these lines more in the settings.
    pub(crate) async fn on_host_with(settings: &str) -> Self {
        Self::of(Halves::start(settings, None).await)
    }

    /// The same, where revive reaches the API server by a road that a test may cut.
    pub(crate) async fn on_host_by(road: &Road) -> Self {
        Self::of(Halves::start("", Some(road.kubeconfig())).await)
    }

    fn of(halves: Halves) -> Self {
        let gateway = (halves.namespace().to_owned(), "edge".to_owned());
        Self { address: halves.address(Half::Gateway), gateway, halves: Some(halves) }
    }

    /// The same edge by its second gateway, which runs only where a test begins it.
    pub(crate) fn by_second(&self) -> Self {
        let halves = self.halves.as_ref().expect("an edge on this machine");
        Self { address: halves.address(Half::Second), gateway: self.gateway.clone(), halves: None }
    }

    /// The processes of an edge on this machine.
    pub(crate) fn halves(&mut self) -> &mut Halves {
        self.halves.as_mut().expect("an edge on this machine")
    }

    /// The same, for who only looks.
    pub(crate) fn halves_seen(&self) -> &Halves {
        self.halves.as_ref().expect("an edge on this machine")
    }

    /// Where visitors reach it.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Namespace and name of its Gateway.
    pub(crate) fn gateway(&self) -> (&str, &str) {
        (&self.gateway.0, &self.gateway.1)
    }

    /// Asks on a new connection.
    pub(crate) async fn try_ask(&self, request: &Request) -> Result<Answer, Broken> {
        Wire::connect(self.address).await.ask(request).await
    }

    /// The same; fails if there is no whole answer.
    pub(crate) async fn ask(&self, request: &Request) -> Answer {
        self.try_ask(request).await.unwrap_or_else(|broken| panic!("no answer to {request:?}: {broken}"))
    }

    /// Sends a request while it reads the answer.
    pub(crate) async fn converse(&self, request: &Request) -> Answer {
        let answer = Wire::connect(self.address).await.converse(request).await;
        answer.unwrap_or_else(|broken| panic!("no answer: {broken}"))
    }

    /// A connection with prior knowledge of HTTP/2.
    pub(crate) async fn http2(&self) -> Http2 {
        Http2::connect(self.address).await
    }

    /// Asks until the route of a new app is served: 200.
    pub(crate) async fn until_served(&self, host: &str) -> Answer {
        let request = Request::new("GET", host, "/");
        eventually(PATIENCE * 2, "the route is served", async || {
            let answer = self.try_ask(&request).await.map_err(|broken| broken.to_string())?;
            if answer.status == 200 {
                Ok(answer)
            } else {
                Err(format!("{}: {}", answer.status, answer.text()))
            }
        })
        .await
    }

    /// Asks until a host is nobody's.
    pub(crate) async fn until_gone(&self, host: &str) {
        let request = Request::new("GET", host, "/");
        eventually(PATIENCE, "the route is gone", async || {
            let answer = self.try_ask(&request).await.map_err(|broken| broken.to_string())?;
            if answer.status == 404 { Ok(()) } else { Err(answer.status.to_string()) }
        })
        .await;
    }
}

/// What the tests install.
fn values() -> String {
    let edge = image("LOCO_EDGE_IMAGE");
    let (repository, tag) = edge.rsplit_once(':').expect("an image with a tag");
    format!(
        "
image: {{ repository: {repository}, tag: {tag:?} }}
gatewayClass: {{ name: edge-test, controllerName: edge.loco.io/edge-test }}
defaultGateway: {{ create: true }}
gateway: {{ service: {{ type: NodePort, externalTrafficPolicy: Cluster }}, preStopSeconds: 1, drainSeconds: 10, resources: {{ requests: {{ cpu: 10m }} }} }}
revive: {{ resources: {{ requests: {{ cpu: 10m }} }} }}
"
    )
}

async fn install() -> Installed {
    let crds = format!("{}/crds", chart());
    for step in [
        // helm touches no definition that is there.
        vec!["apply", "--server-side", "--force-conflicts", "-f", &crds],
        vec!["wait", "--for=condition=Established", "--timeout=30s", "-f", &crds],
    ] {
        kubectl(&step).await.unwrap_or_else(|error| panic!("{error}"));
    }
    let chart = chart();
    let words = [
        "upgrade",
        "--install",
        RELEASE,
        &chart,
        "--namespace",
        HOME,
        "--create-namespace",
        "--values",
        "-",
        "--wait",
        "--timeout",
        "120s",
    ];
    if let Err(error) = helm(&words, &values(), INSTALLED).await {
        panic!("{error}\n{}", state_of_pods().await);
    }
    let (address, forward) = reach().await;
    Installed { address, _forward: forward }
}

/// What a person would look at first.
async fn state_of_pods() -> String {
    let pods = kubectl(&["get", "pods,events", "--namespace", HOME, "-o", "wide"]).await;
    let mut said = pods.unwrap_or_else(|error| error);
    for half in ["gateway", "revive"] {
        let deployment = format!("deployment/{RELEASE}-loco-edge-{half}");
        let logs = kubectl(&["logs", &deployment, "--namespace", HOME, "--tail=30"]).await;
        said.push_str(&logs.unwrap_or_else(|error| error));
    }
    said
}

/// Where the gateway's Service is reached from here: at a node's port, or, where nodes are out of reach, through kubectl.
async fn reach() -> (SocketAddr, Option<Forward>) {
    let service =
        object(HOME, "service", &format!("{RELEASE}-loco-edge-gateway")).await.expect("the Service");
    let port = service["spec"]["ports"][0]["nodePort"].as_u64().and_then(|port| u16::try_from(port).ok());
    let nodes = kubectl(&["get", "nodes", "-o", "json"]).await.unwrap_or_else(|error| panic!("{error}"));
    let nodes: Value = serde_json::from_str(&nodes).expect("JSON");
    let addresses = nodes["items"].as_array().into_iter().flatten();
    let addresses = addresses.flat_map(|node| node["status"]["addresses"].as_array().into_iter().flatten());
    for address in addresses.filter_map(|address| address["address"].as_str()?.parse().ok()) {
        let address = SocketAddr::new(address, port.expect("a node port"));
        let dialled = tokio::time::timeout(Duration::from_secs(2), TcpStream::connect(address)).await;
        if matches!(dialled, Ok(Ok(_))) {
            return (address, None);
        }
    }
    let forward = Forward::start(&format!("service/{RELEASE}-loco-edge-gateway"), 80).await;
    (forward.address, Some(forward))
}

/// Has the installed edge remove apps again, if its brake has stopped that.
async fn resume() {
    let secret = format!("{RELEASE}-loco-edge-admin");
    let decoded = "go-template={{.data.admin | base64decode}}";
    let token = kubectl(&["get", "secret", &secret, "--namespace", HOME, "-o", decoded]).await;
    let token = token.unwrap_or_else(|error| panic!("{error}"));
    eventually(PATIENCE, "the leader resumes", async || {
        let lease = object(HOME, "lease", "loco-edge-revive").await.ok_or("no Lease")?;
        let (pod, _uid) = lease["spec"]["holderIdentity"]
            .as_str()
            .and_then(|holder| holder.rsplit_once('_'))
            .ok_or("no leader")?;
        let forward = Forward::start(&format!("pod/{pod}"), 9901).await;
        let mut resume = tokio::process::Command::new(env!("CARGO_BIN_EXE_loco-edge"));
        resume.args(["admin", "--admin", &forward.address.to_string(), "resume"]);
        let output =
            resume.env("LOCO_EDGE_ADMIN_TOKEN", &token).output().await.map_err(|error| error.to_string())?;
        if output.status.success() {
            Ok(())
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    })
    .await;
}

/// `kubectl port-forward`.
#[derive(Debug)]
struct Forward {
    child: Child,
    address: SocketAddr,
}

impl Forward {
    /// To a port of this object.
    async fn start(object: &str, remote: u16) -> Self {
        let port = crate::host::free_port();
        let ports = format!("{port}:{remote}");
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["port-forward", "--namespace", HOME, object, &ports]);
        let child = kubectl.stdout(Stdio::null()).spawn().expect("kubectl");
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        eventually(PATIENCE, "kubectl forwards", async || TcpStream::connect(address).await.map(drop)).await;
        Self { child, address }
    }
}

impl Drop for Forward {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

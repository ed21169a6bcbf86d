//! Both halves as processes of this machine, on the real cluster: quick to start, and a test may kill them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::Path;
use std::process::{Child, Command, Stdio};

use tempfile::TempDir;

use crate::authority;
use crate::client::{PATIENCE, Request, Wire, eventually};
use crate::cluster::{Namespace, kubectl, run};

/// The processes, and what they are told by.
#[derive(Debug)]
pub(crate) struct Halves {
    directory: TempDir,
    /// With the Gateway and the Lease.
    namespace: Namespace,
    ports: Ports,
    revive: Option<Child>,
    gateway: Option<Child>,
}

/// Where they listen, all on loopback; the same after a restart, so that each finds the other again.
#[derive(Clone, Copy, Debug)]
struct Ports {
    visitors: u16,
    link: u16,
    revive: u16,
    gateway: u16,
}

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Revive,
    Gateway,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

impl Halves {
    pub(crate) async fn start() -> Self {
        let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
        authority::write(directory.path(), &["revive", "gateway"]);
        let settings = "region = \"test\"\n[gateway]\ndrain_timeout = \"5s\"\n";
        std::fs::write(directory.path().join("loco-edge.toml"), settings).expect("the file");
        let namespace = Namespace::new("host").await;
        let ports =
            Ports { visitors: free_port(), link: free_port(), revive: free_port(), gateway: free_port() };
        let mut halves = Self { directory, namespace, ports, revive: None, gateway: None };
        halves.gateway_objects().await;
        halves.begin(Half::Revive).await;
        halves.begin(Half::Gateway).await;
        halves
    }

    /// Where visitors ask.
    pub(crate) fn address(&self) -> SocketAddr {
        loopback(self.ports.visitors)
    }

    pub(crate) fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// Starts a half that does not run, and waits until it is ready.
    pub(crate) async fn begin(&mut self, half: Half) {
        assert!(self.child(half).is_none(), "it runs");
        let child = self.command(half).spawn().expect("the edge");
        *self.child(half) = Some(child);
        let admin = loopback(match half {
            Half::Revive => self.ports.revive,
            Half::Gateway => self.ports.gateway,
        });
        let request = Request::new("GET", "localhost", "/readyz");
        eventually(PATIENCE, "it is ready", async || {
            if let Some(status) = self.child(half).as_mut().and_then(|child| child.try_wait().expect("wait"))
            {
                panic!("{half:?} ended: {status}\n{}", self.log(half));
            }
            let up = tokio::net::TcpStream::connect(admin).await;
            drop(up.map_err(|error| error.to_string())?);
            let answer =
                Wire::connect(admin).await.ask(&request).await.map_err(|broken| broken.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{}: {}", answer.status, self.log(half))) }
        })
        .await;
    }

    /// `kill -9`. It is gone when this returns.
    pub(crate) fn kill(&mut self, half: Half) {
        if let Some(mut child) = self.child(half).take() {
            child.kill().expect("kill");
            child.wait().expect("wait");
        }
    }

    /// What a half has written.
    pub(crate) fn log(&self, half: Half) -> String {
        std::fs::read_to_string(self.directory.path().join(log_of(half))).unwrap_or_default()
    }

    fn child(&mut self, half: Half) -> &mut Option<Child> {
        match half {
            Half::Revive => &mut self.revive,
            Half::Gateway => &mut self.gateway,
        }
    }

    fn command(&self, half: Half) -> Command {
        let Ports { visitors, link, revive, gateway } = self.ports;
        let (name, arguments) = match half {
            Half::Revive => (
                "revive",
                vec![format!("--link={}", loopback(link)), format!("--admin={}", loopback(revive))],
            ),
            Half::Gateway => (
                "gateway",
                vec![
                    format!("--listen=80={}", loopback(visitors)),
                    format!("--revive={}", loopback(link)),
                    "--state=state".to_owned(),
                    format!("--admin={}", loopback(gateway)),
                ],
            ),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_loco-edge"));
        command.arg(name).args(arguments).arg("--config=loco-edge.toml");
        command.arg(format!("--tls-cert={name}.crt")).arg(format!("--tls-key={name}.key"));
        command.arg(format!("--tls-ca={name}.ca"));
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        // Edges of other tests are on the same cluster: each has a class, and a Lease, of its own.
        command.env("LOCO_EDGE__KUBERNETES__CONTROLLER", self.controller());
        command.env("POD_NAMESPACE", self.namespace()).env("LOCO_EDGE_LOG", "debug");
        let log = append(&self.directory.path().join(log_of(half)));
        command.stdout(log.try_clone().expect("a file")).stderr(log);
        command
    }

    fn controller(&self) -> String {
        format!("edge.loco.io/{}", self.namespace())
    }

    async fn gateway_objects(&self) {
        let (class, controller) = (self.namespace(), self.controller());
        let yaml = format!(
            "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {{ name: {class} }}
spec: {{ controllerName: {controller} }}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{ name: edge, namespace: {class} }}
spec:
  gatewayClassName: {class}
  listeners: [{{ name: http, port: 80, protocol: HTTP, allowedRoutes: {{ namespaces: {{ from: All }} }} }}]
"
        );
        let crds = format!("{}/crds", crate::cluster::chart());
        let applied = kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &crds]).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
        let applied = run("kubectl", &["apply", "-f", "-"], &yaml, PATIENCE).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
    }
}

impl Drop for Halves {
    fn drop(&mut self) {
        self.kill(Half::Gateway);
        self.kill(Half::Revive);
        // The namespace takes its own with it; the class is in none.
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["delete", "gatewayclass", self.namespace(), "--wait=false", "--ignore-not-found"]);
        drop(kubectl.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn log_of(half: Half) -> &'static str {
    match half {
        Half::Revive => "revive.log",
        Half::Gateway => "gateway.log",
    }
}

fn append(path: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log")
}

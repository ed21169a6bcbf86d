//! Both halves as processes of this machine, on the real cluster: quick to start, and a test may kill them.

use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};

use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;

use crate::authority;
use crate::client::{Answer, PATIENCE, Request, Wire, eventually};
use crate::cluster::{Namespace, kubectl, run};

/// The processes, and what they are told by.
#[derive(Debug)]
pub(crate) struct Halves {
    directory: TempDir,
    /// With the Gateway and the Lease.
    namespace: Namespace,
    ports: Ports,
    /// By which revive reaches the API server, if not by that of this process.
    kubeconfig: Option<PathBuf>,
    revive: Option<Child>,
    standby: Option<Child>,
    gateway: Option<Child>,
    second: Option<Child>,
}

/// Where they listen, all on loopback; the same after a restart, so that each finds the other again.
#[derive(Clone, Copy, Debug)]
struct Ports {
    visitors: [u16; 2],
    links: [u16; 2],
    revives: [u16; 2],
    gateways: [u16; 2],
}

/// Which half.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Half {
    Revive,
    /// A second revive, which runs only where a test begins it.
    Standby,
    Gateway,
    /// A second gateway, as [`Half::Standby`].
    Second,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    listener.local_addr().expect("its address").port()
}

impl Halves {
    /// With these lines more in the settings.
    pub(crate) async fn start(more: &str, kubeconfig: Option<PathBuf>) -> Self {
        let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
        authority::write(directory.path(), &["revive", "gateway"]);
        let namespace = Namespace::new("host").await;
        let ports = Ports {
            visitors: [free_port(), free_port()],
            links: [free_port(), free_port()],
            revives: [free_port(), free_port()],
            gateways: [free_port(), free_port()],
        };
        let mut halves = Self {
            directory,
            namespace,
            ports,
            kubeconfig,
            revive: None,
            standby: None,
            gateway: None,
            second: None,
        };
        halves.settings(more);
        halves.gateway_objects().await;
        halves.begin(Half::Revive).await;
        halves.begin(Half::Gateway).await;
        halves
    }

    /// The file of settings, with these lines more: who begins reads it.
    pub(crate) fn settings(&self, more: &str) {
        let settings = format!("region = \"test\"\n[gateway]\ndrain_timeout = \"5s\"\n{more}");
        std::fs::write(self.directory.path().join("loco-edge.toml"), settings).expect("the file");
    }

    /// Where visitors ask a gateway.
    pub(crate) fn address(&self, gateway: Half) -> SocketAddr {
        loopback(self.ports.visitors[usize::from(gateway == Half::Second)])
    }

    pub(crate) fn namespace(&self) -> &str {
        self.namespace.name()
    }

    /// Starts a half that does not run, and waits until it is ready.
    pub(crate) async fn begin(&mut self, half: Half) {
        assert!(self.child(half).is_none(), "it runs");
        let child = self.command(half).spawn().expect("the edge");
        *self.child(half) = Some(child);
        let admin = self.admin(half);
        let request = Request::new("GET", &admin.to_string(), "/readyz");
        eventually(PATIENCE, "it is ready", async || {
            if let Some(status) = self.child(half).as_mut().and_then(|child| child.try_wait().expect("wait"))
            {
                panic!("{half:?} ended: {status}\n{}", self.log(half));
            }
            let up = tokio::net::TcpStream::connect(admin).await;
            drop(up.map_err(|error| error.to_string())?);
            let answer =
                Wire::connect(admin).await.ask(&request).await.map_err(|broken| broken.to_string())?;
            if answer.status == 200 { Ok(()) } else { Err(format!("{answer:?}{}", self.log(half))) }
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

    /// `SIGTERM`, and waits for its end.
    pub(crate) async fn end(&mut self, half: Half) -> ExitStatus {
        self.signal(half, Signal::TERM);
        let mut child = self.child(half).take().expect("it runs");
        eventually(PATIENCE, "it ends", async || child.try_wait().expect("wait").ok_or("it runs")).await
    }

    /// `SIGHUP`.
    pub(crate) fn hang_up(&mut self, half: Half) {
        self.signal(half, Signal::HUP);
    }

    /// Starts a half that is to refuse its settings: how it ends.
    pub(crate) async fn begin_in_vain(&mut self, half: Half) -> ExitStatus {
        let mut child = self.command(half).spawn().expect("the edge");
        eventually(PATIENCE, "it ends", async || child.try_wait().expect("wait").ok_or("it runs")).await
    }

    /// `SIGSTOP`: it is there and does nothing, as one that the network has cut off.
    pub(crate) fn stop(&mut self, half: Half) {
        self.signal(half, Signal::STOP);
    }

    /// `SIGCONT`.
    pub(crate) fn go_on(&mut self, half: Half) {
        self.signal(half, Signal::CONT);
    }

    fn signal(&mut self, half: Half, signal: Signal) {
        let child = self.child(half).as_ref().expect("it runs");
        kill_process(Pid::from_child(child), signal).expect("a process that runs");
    }

    /// The sum of a figure's samples in a half's `/metrics`; none where it has none.
    pub(crate) async fn figure(&self, half: Half, name: &str) -> Option<f64> {
        let answer = self.tell(half, "GET", "/metrics").await;
        let text = answer.text();
        let sample = |line: &str| {
            let (series, value) = line.rsplit_once(' ')?;
            (series.split('{').next() == Some(name)).then(|| value.parse::<f64>().ok())?
        };
        text.lines().filter_map(sample).reduce(|sum, value| sum + value)
    }

    /// Asks a half's admin API.
    pub(crate) async fn tell(&self, half: Half, method: &str, path: &str) -> Answer {
        let request = Request::new(method, &self.admin(half).to_string(), path);
        let answer = Wire::connect(self.admin(half)).await.ask(&request).await;
        answer.unwrap_or_else(|broken| panic!("no answer to {method} {path}: {broken}"))
    }

    fn admin(&self, half: Half) -> SocketAddr {
        loopback(match half {
            Half::Revive => self.ports.revives[0],
            Half::Standby => self.ports.revives[1],
            Half::Gateway => self.ports.gateways[0],
            Half::Second => self.ports.gateways[1],
        })
    }

    /// What a half has written.
    pub(crate) fn log(&self, half: Half) -> String {
        std::fs::read_to_string(self.directory.path().join(log_of(half))).unwrap_or_default()
    }

    /// What a gateway keeps of what it serves, for a start without revive; nothing until it has written it down.
    pub(crate) fn saved(&self, gateway: Half) -> Vec<u8> {
        std::fs::read(self.directory.path().join(state_of(gateway)).join("table")).unwrap_or_default()
    }

    /// For whoever wants to know why a test failed.
    #[allow(clippy::print_stdout, reason = "it is shown with the failure")]
    fn keep_logs(&self) {
        for half in [Half::Revive, Half::Standby, Half::Gateway, Half::Second] {
            let kept = format!("{}/{}-{}", env!("CARGO_TARGET_TMPDIR"), self.namespace(), log_of(half));
            if std::fs::write(&kept, self.log(half)).is_ok() {
                println!("{half:?} has written {kept}");
            }
        }
    }

    fn child(&mut self, half: Half) -> &mut Option<Child> {
        match half {
            Half::Revive => &mut self.revive,
            Half::Standby => &mut self.standby,
            Half::Gateway => &mut self.gateway,
            Half::Second => &mut self.second,
        }
    }

    fn command(&self, half: Half) -> Command {
        let Ports { links, .. } = self.ports;
        let admin = format!("--admin={}", self.admin(half));
        let revive = |link: u16| vec![format!("--link={}", loopback(link)), admin.clone()];
        let (name, arguments) = match half {
            Half::Revive => ("revive", revive(links[0])),
            Half::Standby => ("revive", revive(links[1])),
            Half::Gateway | Half::Second => (
                "gateway",
                vec![
                    format!("--listen=80={}", self.address(half)),
                    format!("--revive={}", loopback(links[0])),
                    format!("--revive={}", loopback(links[1])),
                    format!("--state={}", state_of(half)),
                    format!("--name={half:?}"),
                    admin.clone(),
                ],
            ),
        };
        let mut command = Command::new(env!("CARGO_BIN_EXE_loco-edge"));
        command.arg(name).args(arguments).arg("--config=loco-edge.toml");
        command.arg(format!("--tls-cert={name}.crt")).arg(format!("--tls-key={name}.key"));
        command.arg(format!("--tls-ca={name}.ca"));
        if let Some(kubeconfig) = &self.kubeconfig {
            command.env("KUBECONFIG", kubeconfig);
        }
        command.current_dir(self.directory.path()).stdin(Stdio::null());
        // Edges of other tests are on the same cluster: each has a class, and a Lease, of its own.
        command.env("LOCO_EDGE__KUBERNETES__CONTROLLER", self.controller());
        // One of a kind runs at a time here, as in a pod: `kill` waits for its end.
        command.env("POD_UID", format!("{}-{half:?}", self.namespace()));
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
        if std::thread::panicking() {
            self.keep_logs();
        }
        self.kill(Half::Gateway);
        self.kill(Half::Second);
        self.kill(Half::Revive);
        self.kill(Half::Standby);
        // The namespace takes its own with it; the class is in none.
        let mut kubectl = Command::new("kubectl");
        kubectl.args(["delete", "gatewayclass", self.namespace(), "--wait=false", "--ignore-not-found"]);
        drop(kubectl.stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

fn state_of(gateway: Half) -> String {
    format!("state-{gateway:?}")
}

fn log_of(half: Half) -> &'static str {
    match half {
        Half::Revive => "revive.log",
        Half::Standby => "standby.log",
        Half::Gateway => "gateway.log",
        Half::Second => "second.log",
    }
}

fn append(path: &Path) -> std::fs::File {
    std::fs::OpenOptions::new().create(true).append(true).open(path).expect("a log")
}

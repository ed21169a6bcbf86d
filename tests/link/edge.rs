//! The gateway's process, clients, and what stands for pods.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use config::link::tls::{Files, GATEWAY, REVIVE};
use serde_json::Value;
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::process::{Child, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::SOON;
use crate::authority::{Authority, files};

/// Certificates of both ends, in a directory.
pub(crate) struct Certificates {
    dir: TempDir,
    pub(crate) gateway: Files,
    pub(crate) revive: Files,
}

impl Certificates {
    pub(crate) fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let (gateway, revive) = (files(dir.path(), "gateway"), files(dir.path(), "revive"));
        let certificates = Self { dir, gateway, revive };
        certificates.renew();
        certificates
    }

    /// All new, of another authority.
    pub(crate) fn renew(&self) {
        let authority = Authority::new();
        authority.write(&self.gateway, GATEWAY);
        authority.write(&self.revive, REVIVE);
    }

    pub(crate) fn state(&self) -> std::path::PathBuf {
        self.dir.path().join("state")
    }
}

/// A running `loco-edge gateway`.
pub(crate) struct Edge {
    child: Child,
    pub(crate) listen: SocketAddr,
    admin: SocketAddr,
    log: watch::Receiver<Vec<String>>,
}

impl Edge {
    pub(crate) async fn start(files: &Files, revive: &[SocketAddr], state: Option<&Path>) -> Self {
        let mut command = Command::new(env!("CARGO_BIN_EXE_loco-edge"));
        command.args(["gateway", "--listen", "80=127.0.0.1:0", "--admin", "127.0.0.1:0", "--name", "gw-1"]);
        command.arg("--tls-cert").arg(&files.certificate).arg("--tls-key").arg(&files.key);
        command.arg("--tls-ca").arg(&files.authority);
        for address in revive {
            command.args(["--revive", &address.to_string()]);
        }
        if let Some(state) = state {
            command.arg("--state").arg(state);
        }
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).kill_on_drop(true);
        let mut child = command.spawn().unwrap();
        let log = follow(child.stderr.take().unwrap());
        let anywhere = SocketAddr::from(([127, 0, 0, 1], 0));
        let mut edge = Self { child, listen: anywhere, admin: anywhere, log };
        edge.listen = edge.address("listening").await;
        edge.admin = edge.address("health and figures").await;
        edge
    }

    /// Waits until it logs this message, and returns the line.
    pub(crate) async fn logs(&mut self, message: &str) -> Value {
        let is_it = |line: &String| {
            let line: Value = serde_json::from_str(line).ok()?;
            (line["message"] == message).then_some(line)
        };
        let waiting = self.log.wait_for(|lines| lines.iter().any(|line| is_it(line).is_some()));
        let lines = timeout(SOON, waiting).await;
        let lines = lines.unwrap_or_else(|_| panic!("it does not log {message:?}")).unwrap();
        lines.iter().find_map(is_it).unwrap()
    }

    async fn address(&mut self, message: &str) -> SocketAddr {
        self.logs(message).await["address"].as_str().unwrap().parse().unwrap()
    }

    /// What a client gets from an app: its status, and its body.
    pub(crate) async fn get(&self, app: &str) -> (u16, String) {
        timeout(SOON, get(self.listen, &format!("{app}.test"), "/")).await.unwrap()
    }

    /// The same, in the background.
    pub(crate) fn ask(&self, app: &str) -> JoinHandle<(u16, String)> {
        let (listen, host) = (self.listen, format!("{app}.test"));
        tokio::spawn(async move { timeout(2 * SOON, get(listen, &host, "/")).await.unwrap() })
    }

    /// Asks an app until its answer is this.
    pub(crate) async fn answers(&self, app: &str, body: &str) {
        let mut last = None;
        let asking = async {
            loop {
                let answer = self.get(app).await;
                if answer == (200, body.to_owned()) {
                    return;
                }
                last = Some(answer);
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        assert!(timeout(SOON, asking).await.is_ok(), "{app}: {last:?}");
    }

    pub(crate) async fn readiness(&self) -> u16 {
        timeout(SOON, get(self.admin, "localhost", "/readyz")).await.unwrap().0
    }

    /// The value of a figure.
    pub(crate) async fn figure(&self, name: &str) -> f64 {
        let (_, text) = timeout(SOON, get(self.admin, "localhost", "/metrics")).await.unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
        line.unwrap_or_else(|| panic!("{name} is not in\n{text}")).parse().unwrap()
    }

    /// Ends it as a machine that stops would.
    pub(crate) async fn kill(mut self) {
        self.child.kill().await.unwrap();
    }
}

fn follow(stderr: impl tokio::io::AsyncRead + Unpin + Send + 'static) -> watch::Receiver<Vec<String>> {
    let (lines_tx, lines) = watch::channel(Vec::new());
    tokio::spawn(async move {
        let mut reader = BufReader::new(stderr).lines();
        while let Ok(Some(line)) = reader.next_line().await {
            lines_tx.send_modify(|lines| lines.push(line));
        }
    });
    lines
}

async fn get(at: SocketAddr, host: &str, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(at).await.unwrap();
    let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    let answer = String::from_utf8(answer).unwrap();
    let status = answer.split(' ').nth(1).unwrap_or_default().parse().unwrap_or(0);
    (status, answer.split_once("\r\n\r\n").map_or("", |(_, body)| body).to_owned())
}

/// An app that answers with its name, on connections that it keeps.
pub(crate) struct Pod {
    pub(crate) address: SocketAddr,
    /// Connections that are open.
    pub(crate) open: watch::Receiver<usize>,
    serving: JoinHandle<()>,
}

impl Pod {
    pub(crate) async fn start(name: &'static str) -> Self {
        Self::start_at(SocketAddr::from(([127, 0, 0, 1], 0)), name).await
    }

    pub(crate) async fn start_at(at: SocketAddr, name: &'static str) -> Self {
        let socket = tokio::net::TcpSocket::new_v4().unwrap();
        socket.set_reuseaddr(true).unwrap();
        socket.bind(at).unwrap();
        let listener = socket.listen(64).unwrap();
        let address = listener.local_addr().unwrap();
        let (count, open) = watch::channel(0);
        let serving = tokio::spawn(accept(listener, name, count));
        Self { address, open, serving }
    }

    /// Ends it: its address refuses from now on.
    pub(crate) async fn end(self) {
        self.serving.abort();
        drop(self.serving.await);
    }
}

async fn accept(listener: TcpListener, name: &'static str, count: watch::Sender<usize>) {
    let mut connections = tokio::task::JoinSet::new();
    loop {
        let (mut stream, _) = listener.accept().await.unwrap();
        let count = count.clone();
        connections.spawn(async move {
            count.send_modify(|count| *count += 1);
            let (mut head, mut byte) = (Vec::new(), [0]);
            while stream.read(&mut byte).await.is_ok_and(|read| read > 0) {
                head.push(byte[0]);
                if head.ends_with(b"\r\n\r\n") {
                    head.clear();
                    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}", name.len());
                    if stream.write_all(answer.as_bytes()).await.is_err() {
                        break;
                    }
                }
            }
            count.send_modify(|count| *count -= 1);
        });
    }
}

//! The road from revive to the API server, which a test may cut: a port of this machine whose bytes go on to the real one.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::client::{PATIENCE, eventually};
use crate::cluster::kubectl;

/// The road; it is closed when dropped.
#[derive(Debug)]
pub(crate) struct Road {
    directory: TempDir,
    address: SocketAddr,
    open: watch::Sender<bool>,
    _carrying: JoinSet<()>,
}

impl Road {
    /// One to the API server of this process's KUBECONFIG.
    pub(crate) async fn open() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
        let address = listener.local_addr().expect("its address");
        drop(listener);
        let words = ["config", "view", "--raw", "--flatten", "--minify", "-o", "json"];
        let text = kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
        let mut written: Value = serde_json::from_str(&text).expect("JSON");
        let cluster = &mut written["clusters"][0]["cluster"];
        let real: http::Uri = cluster["server"].as_str().expect("a server").parse().expect("an address");
        let name = real.host().expect("a host").to_owned();
        let port = real.port_u16().unwrap_or(443);
        cluster["server"] = json!(format!("https://{address}"));
        // The certificate is the real one's.
        if cluster["tls-server-name"].is_null() {
            cluster["tls-server-name"] = json!(name);
        }
        let directory = TempDir::with_prefix("loco-edge-road-").expect("a directory");
        std::fs::write(directory.path().join("kubeconfig"), written.to_string()).expect("the file");
        let (open, opened) = watch::channel(true);
        let mut carrying = JoinSet::new();
        carrying.spawn(carry(address, (name, port), opened));
        let road = Self { directory, address, open, _carrying: carrying };
        road.until(true).await;
        road
    }

    /// Of those who are to go by it.
    pub(crate) fn kubeconfig(&self) -> PathBuf {
        self.directory.path().join("kubeconfig")
    }

    /// What goes by it is broken off, and whoever comes is refused.
    pub(crate) async fn cut(&self) {
        self.open.send_replace(false);
        self.until(false).await;
    }

    /// It is open again.
    pub(crate) async fn mend(&self) {
        self.open.send_replace(true);
        self.until(true).await;
    }

    async fn until(&self, open: bool) {
        eventually(PATIENCE, "the road is as it is to be", async || {
            let taken = TcpStream::connect(self.address).await;
            if taken.is_ok() == open { Ok(()) } else { Err(format!("{taken:?}")) }
        })
        .await;
    }
}

/// Carries what comes, while it is open.
async fn carry(address: SocketAddr, (name, port): (String, u16), mut open: watch::Receiver<bool>) {
    while open.wait_for(|open| *open).await.is_ok() {
        let listener = TcpListener::bind(address).await.expect("the port of before");
        let mut carried = JoinSet::new();
        loop {
            tokio::select! {
                shut = open.wait_for(|open| !*open) => match shut {
                    Ok(_) => break,
                    Err(_) => return,
                },
                Ok((mut near, _)) = listener.accept() => {
                    let name = name.clone();
                    carried.spawn(async move {
                        if let Ok(mut far) = TcpStream::connect((name.as_str(), port)).await {
                            let _ended = copy_bidirectional(&mut near, &mut far).await;
                        }
                    });
                }
            }
            while carried.try_join_next().is_some() {}
        }
    }
}

//! Many who ask at once: each on a connection of its own, or many on each of a few.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::runtime::Runtime;
use tokio::time::sleep;

use crate::Outcome;
use crate::client::{Answer, Client};
use crate::http2::{Asked, Http2, runtime, within};

const PATIENCE: Duration = Duration::from_secs(120);
/// As many as an edge allows that is told nothing else (`max_streams`).
const STREAMS: usize = 100;
/// Nobody has it: its 404 shows that a connection is served.
const NOBODY: &str = "nobody.localhost";

/// Their connections, open and served.
#[derive(Debug)]
pub enum Crowd {
    /// HTTP/1.1.
    Each(Vec<Client>),
    /// HTTP/2.
    Few(Few),
}

/// Connections of HTTP/2, and what was asked on them.
#[derive(Debug)]
pub struct Few {
    runtime: Runtime,
    connections: Vec<Http2>,
    asked: Vec<Asked>,
    requests: usize,
}

impl Crowd {
    /// Connects so many as `requests` need.
    ///
    /// # Errors
    /// Where one is not served.
    pub fn connect(address: SocketAddr, requests: usize, http2: bool) -> Outcome<Self> {
        if http2 {
            return Few::connect(address, requests).map(Self::Few);
        }
        let clients = (0..requests).map(|_| Client::connect(address)).collect::<Outcome<Vec<_>>>()?;
        // All have been accepted when one that comes after them is answered; with so many open, it is not kept.
        Client::connect(address)?.ask("GET", NOBODY, "/")?;
        Ok(Self::Each(clients))
    }

    /// How many connections they have.
    pub fn connections(&self) -> usize {
        match self {
            Self::Each(clients) => clients.len(),
            Self::Few(few) => few.connections.len(),
        }
    }

    /// All ask.
    ///
    /// # Errors
    /// Where a connection has ended.
    pub fn ask(&mut self, host: &str) -> Outcome<()> {
        match self {
            Self::Each(clients) => clients.iter_mut().try_for_each(|client| client.send("GET", host, "/")),
            Self::Few(few) => few.ask(host),
        }
    }

    /// Gives what was asked time to be sent.
    pub fn go_on(&self) {
        match self {
            Self::Each(_) => {}
            Self::Few(few) => few.runtime.block_on(async { sleep(Duration::from_millis(1)).await }),
        }
    }

    /// All answers. The connections stay open.
    pub fn answers(&mut self) -> Vec<Outcome<Answer>> {
        match self {
            Self::Each(clients) => clients.iter_mut().map(Client::receive).collect(),
            Self::Few(few) => {
                let read = |asked: Asked| few.runtime.block_on(within(PATIENCE, "an answer", asked.read()));
                few.asked.drain(..).map(read).collect()
            }
        }
    }
}

impl Few {
    fn connect(address: SocketAddr, requests: usize) -> Outcome<Self> {
        let runtime = runtime()?;
        let connect = async {
            let mut connections = Vec::new();
            for _ in 0..requests.div_ceil(STREAMS) {
                let mut connection = Http2::connect(address).await?;
                connection.send("GET", NOBODY, "/", false).await?.read().await?;
                connections.push(connection);
            }
            Ok(connections)
        };
        let connections = runtime.block_on(within(PATIENCE, "connections", connect))?;
        Ok(Self { runtime, connections, asked: Vec::new(), requests })
    }

    fn ask(&mut self, host: &str) -> Outcome<()> {
        let (connections, asked) = (&mut self.connections, &mut self.asked);
        let ask = async {
            for number in 0..self.requests {
                asked.push(connections[number / STREAMS].send("GET", host, "/", false).await?);
            }
            Ok(())
        };
        self.runtime.block_on(within(PATIENCE, "requests sent", ask))
    }
}

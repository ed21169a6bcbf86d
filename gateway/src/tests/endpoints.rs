//! Endpoints that come and go while their app is awake.

use std::cell::Cell;
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use config::link::{Instance, Status};
use config::model::Protocol;
use config::settings::Gateway;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::sleep;

use super::fakes::{Edge, Upstream, app, run, settle, soon};
use super::h2c::{self, H2c};

fn awake(addresses: impl IntoIterator<Item = SocketAddr>) -> Status {
    let endpoints = addresses.into_iter().map(Into::into).collect();
    Status::Awake { instance: Instance(1), endpoints }
}

async fn edge(status: Status) -> Edge {
    let edge = Edge::start(1, &Gateway::default());
    edge.use_table([(app("a"), status)]).await;
    edge
}

async fn ask(edge: &Edge, upstream: &mut Upstream) {
    let client = edge.ask(0, "a", "/").await;
    upstream.arrived().await.pop().unwrap().answer().await;
    assert_eq!(client.answer().await, "200");
}

#[test]
fn a_connection_to_an_endpoint_that_is_gone_is_closed_and_one_in_use_after_its_request() {
    run(async {
        let mut upstreams = [Upstream::start().await, Upstream::start().await];
        let edge = edge(awake([upstreams[0].address])).await;
        let long = edge.ask(0, "a", "/long").await;
        let mut arrived = upstreams[0].arrived().await;
        ask(&edge, &mut upstreams[0]).await;
        assert_eq!(upstreams[0].open.get(), 2, "one is idle");

        edge.change("a", awake([upstreams[1].address])).await;
        settle().await;
        assert_eq!(upstreams[0].open.get(), 1, "only the one in use");
        ask(&edge, &mut upstreams[1]).await;
        arrived.pop().unwrap().answer().await;
        assert_eq!(long.answer().await, "200");
        settle().await;
        assert_eq!((upstreams[0].open.get(), upstreams[1].open.get()), (0, 1));
    });
}

#[test]
fn the_same_over_http2() {
    run(async {
        let mut ends = [H2c::start().await, H2c::start().await];
        let edge = Edge::start(1, &Gateway::default());
        edge.use_table([(h2c::app(Protocol::H2c), awake([ends[0].address]))]).await;
        let long = edge.ask(0, "a", "/long").await;
        let mut call = ends[0].call().await;
        edge.change("a", awake([ends[1].address])).await;
        let next = edge.ask(0, "a", "/next").await;
        ends[1].call().await.answer("ok").await;
        assert_eq!(next.answer().await, "200");
        assert_eq!(ends[0].open.get(), 1);
        call.answer("ok").await;
        assert_eq!(long.answer().await, "200");
        settle().await;
        assert_eq!((ends[0].open.get(), ends[1].open.get()), (0, 1));
    });
}

/// Answers all that comes, each after a moment.
fn answering(mut upstream: Upstream) -> JoinHandle<()> {
    spawn_local(async move {
        loop {
            for arrived in upstream.arrived().await {
                spawn_local(async move {
                    sleep(Duration::from_millis(fastrand::u64(..8))).await;
                    arrived.answer().await;
                });
            }
        }
    })
}

/// A client that asks one thing after the other on one connection, and gives up at the first that fails.
async fn keeps_asking(address: SocketAddr, asked: Rc<Cell<u32>>) {
    let mut stream = TcpStream::connect(address).await.unwrap();
    loop {
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
        let mut answer = Vec::new();
        while !answer.ends_with(b"\r\n\r\nok") {
            match soon(stream.read_u8()).await {
                Ok(byte) => answer.push(byte),
                Err(error) => panic!("{error} after {}", String::from_utf8_lossy(&answer)),
            }
        }
        assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", String::from_utf8_lossy(&answer));
        asked.set(asked.get() + 1);
    }
}

#[test]
fn many_changes_under_load_lose_nothing() {
    run(async {
        let mut upstreams = Vec::new();
        for _ in 0..5 {
            upstreams.push(Upstream::start().await);
        }
        let ends: Vec<_> = upstreams.iter().map(|end| (end.address, end.open.clone())).collect();
        let _answering: Vec<_> = upstreams.into_iter().map(answering).collect();
        let edge = edge(awake([ends[0].0])).await;
        let asked = Rc::new(Cell::new(0));
        let clients: Vec<_> =
            (0..16).map(|_| spawn_local(keeps_asking(edge.address(0), asked.clone()))).collect();
        for _ in 0..500 {
            let chosen: Vec<_> = ends.iter().filter(|_| fastrand::bool()).map(|end| end.0).collect();
            let chosen = if chosen.is_empty() { vec![ends[fastrand::usize(..5)].0] } else { chosen };
            edge.change("a", awake(chosen)).await;
            sleep(Duration::from_millis(fastrand::u64(..10))).await;
        }
        edge.change("a", awake([ends[4].0])).await;
        sleep(Duration::from_millis(100)).await;
        assert!(clients.iter().all(|client| !client.is_finished()), "one has failed");
        assert!(asked.get() > 2_000, "{}", asked.get());
        let open: Vec<_> = ends.iter().map(|(_, open)| open.get()).collect();
        assert!(open[..4].iter().all(|open| *open == 0) && open[4] > 0, "{open:?}");
        assert_eq!(edge.app("a").open(), 16);
    });
}

#[test]
fn a_new_endpoint_begins_slowly_beside_one_that_was_alone() {
    run(async {
        let mut upstreams = [Upstream::start().await, Upstream::start().await];
        let edge = edge(awake([upstreams[0].address])).await;
        ask(&edge, &mut upstreams[0]).await;
        edge.change("a", awake(upstreams.each_ref().map(|end| end.address))).await;
        let mut come = [0, 0];
        for _ in 0..200 {
            let client = edge.ask(0, "a", "/").await;
            for (come, end) in come.iter_mut().zip(&mut upstreams) {
                for arrived in end.arrived().await {
                    *come += 1;
                    arrived.answer().await;
                }
            }
            assert_eq!(client.answer().await, "200");
        }
        // A tenth of the weight, or little more: by chance more than 60 once in 10^12 runs.
        assert!(come[1] > 0 && come[1] <= 60, "{come:?}");
    });
}

//! Several upstreams of one app: one dies, one is slow, one comes back. No request is lost that may be tried again, and
//! none reaches two of them that may not.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::sync::Semaphore;

use crate::harness::{App, Edge, Far, OK, Request, Upstream, file, scaled};

/// The app `far`, with all of these.
fn app(upstreams: &[SocketAddr]) -> App {
    let addresses: Vec<_> = upstreams.iter().map(|address| format!("\"{address}\"")).collect();
    App::elsewhere("far").line(&format!("upstreams = [{}]", addresses.join(", ")))
}

/// Answers everything.
async fn answering() -> Upstream {
    Upstream::playing(|mut far: Far| async move {
        while far.head().await?.is_some() {
            far.say(OK).await?;
        }
        Ok(())
    })
    .await
}

/// Reads each request and closes without an answer.
async fn dying() -> Upstream {
    Upstream::playing(|mut far: Far| async move { far.head().await.map(drop) }).await
}

/// How many requests each of these has heard of this path.
fn heard(upstreams: &[&Upstream], begin: &str) -> usize {
    upstreams.iter().map(|upstream| upstream.times(begin)).sum()
}

/// Sends these one after the other, a few at once; returns the statuses.
async fn ask_all(edge: &Edge, requests: Vec<Request>) -> Vec<u16> {
    let asking = requests.into_iter().map(|request| async move { edge.ask(request).await.status });
    stream::iter(asking).buffer_unordered(4).collect().await
}

#[tokio::test]
async fn no_get_is_lost_to_an_upstream_that_dies_and_no_post_reaches_two() {
    let (good, bad) = (answering().await, dying().await);
    let edge = Edge::start(&file(&[app(&[good.address(), bad.address()])])).await;
    let many = scaled(1_000);
    let gets = (0..many).map(|number| Request::get("far", &format!("/get/{number}"))).collect();
    assert_eq!(ask_all(&edge, gets).await, vec![200; many]);
    assert!(bad.times("GET") > 0, "it was tried");

    let posts =
        (0..many).map(|number| Request::new("POST", "far.localhost", &format!("/post/{number}/"))).collect();
    let lost = ask_all(&edge, posts).await.into_iter().filter(|status| *status == 502).count();
    for number in 0..many {
        let times = heard(&[&good, &bad], &format!("POST /post/{number}/"));
        assert_eq!(times, 1, "post {number}");
    }
    assert_eq!(lost, bad.times("POST"), "those that it took along");
}

#[tokio::test]
async fn one_that_refuses_takes_nothing_along_and_comes_back() {
    let good = answering().await;
    // Bound, so that nobody else gets the port, and closed: nobody listens there.
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = gone.local_addr().expect("an address");
    drop(gone);
    let text = file(&[app(&[good.address(), address])]);
    let edge = Edge::start(&(text + "[gateway]\neject_time = \"300ms\"\nslow_start = \"0s\"\n")).await;
    let many = scaled(500);
    let posts = |what: &'static str| {
        let requests =
            (0..many).map(move |number| Request::new("POST", "far.localhost", &format!("/{what}/{number}")));
        requests.collect::<Vec<_>>()
    };
    assert_eq!(ask_all(&edge, posts("refused")).await, vec![200; many], "not a byte of any was sent");
    assert_eq!(good.times("POST"), many);

    let back = Upstream::at(address, |mut far: Far| async move {
        while far.head().await?.is_some() {
            far.say(OK).await?;
        }
        Ok(())
    })
    .await;
    let mut rounds = 0;
    while back.times("POST") == 0 {
        assert_eq!(ask_all(&edge, posts("back")).await, vec![200; many]);
        rounds += 1;
        assert!(rounds < 1_000, "it is never asked again");
    }
}

#[tokio::test]
async fn a_slow_one_gets_few() {
    let good = answering().await;
    let gate = Arc::new(Semaphore::new(0));
    let (open, waiting) = (gate.clone(), Arc::new(AtomicUsize::new(0)));
    let count = waiting.clone();
    let slow = Upstream::playing(move |mut far: Far| {
        let (gate, count) = (gate.clone(), count.clone());
        async move {
            while far.head().await?.is_some() {
                count.fetch_add(1, SeqCst);
                drop(gate.acquire().await);
                far.say(OK).await?;
            }
            Ok(())
        }
    })
    .await;
    let edge = Edge::start(&file(&[app(&[good.address(), slow.address()])])).await;
    let edge = &edge;
    let all = async {
        // The two get the same until the one has answered: then the other has more.
        let asking = (0..20).map(|_| async { edge.ask(Request::get("far", "/many")).await.status });
        join_all(asking).await
    };
    let then = async {
        while waiting.load(SeqCst) < 3 || good.times("GET") + waiting.load(SeqCst) < 20 {
            tokio::task::yield_now().await;
        }
        let at_the_slow_one = waiting.load(SeqCst);
        // All that are with the other one have their answers.
        edge.until_open("far", at_the_slow_one as u64).await;
        for number in 0..scaled(1_000) {
            assert_eq!(edge.ask(Request::get("far", &format!("/one/{number}"))).await.status, 200);
        }
        assert_eq!(waiting.load(SeqCst), at_the_slow_one, "it has more to do than the other");
        open.add_permits(at_the_slow_one);
    };
    let (statuses, ()) = tokio::join!(all, then);
    assert_eq!(statuses, [200; 20]);
}

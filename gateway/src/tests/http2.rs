//! Apps that speak HTTP/2 in the clear.

use std::time::Duration;

use bytes::Bytes;
use config::link::{Failure, Instance, Phase, Probe, Round, Status, ToRevive};
use config::model::Check;
use config::model::Protocol::{Auto, H2c as Prior, Http1};
use config::settings::Gateway;
use h2::Reason;
use h2::server::Builder;

use super::fakes::{Edge, Upstream, id, run, settle};
use super::h2c::{Caller, H2c, app, status};

async fn edge(app: config::model::App, status: Status) -> Edge {
    let edge = Edge::start(1, &Gateway::default());
    edge.use_table([(app, status)]).await;
    edge
}

#[test]
fn an_app_that_answers_http1_with_http2_gets_the_request_once_more_and_all_others_over_http2() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Auto), app_end.awake(1)).await;
        let first = edge.ask(0, "a", "/first?x=1").await;
        let mut call = app_end.call().await;
        assert_eq!(call.head.uri.to_string(), "http://a.localhost/first?x=1");
        assert_eq!(call.header("x-forwarded-host"), "a.localhost");
        assert_eq!(call.header("host"), "");
        call.answer("ok").await;
        assert_eq!(first.answer().await, "200");
        assert_eq!(app_end.connections.get(), 2);
        for _ in 0..3 {
            let next = edge.ask(0, "a", "/next").await;
            app_end.call().await.answer("ok").await;
            assert_eq!(next.answer().await, "200");
        }
        assert_eq!(app_end.connections.get(), 2, "it was found out once");
    });
}

#[test]
fn a_post_that_met_http2_unawares_comes_whole() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Auto), app_end.awake(1)).await;
        let caller = Caller::post(&edge, "Content-Length: 5\r\nConnection: close\r\n\r\nhello").await;
        let mut call = app_end.call().await;
        assert_eq!(call.whole_body().await, "hello");
        call.answer("ok").await;
        assert!(caller.rest().await.starts_with("HTTP/1.1 200 "));
    });
}

#[test]
fn who_said_that_it_is_http1_is_believed() {
    run(async {
        let app_end = H2c::start().await;
        let edge = edge(app(Http1), app_end.awake(1)).await;
        assert_eq!(edge.ask(0, "a", "/").await.answer().await, "502 upstream-not-http1");
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn an_app_without_http2_gets_a_preface_for_the_first_call_and_never_for_a_plain_request() {
    run(async {
        let mut app_end = Upstream::start().await;
        let edge = edge(app(Auto), app_end.awake()).await;
        let plain = edge.ask(0, "a", "/plain").await;
        let arrived = app_end.arrived().await.pop().unwrap();
        assert_eq!(arrived.path, "/plain");
        arrived.answer().await;
        assert_eq!(plain.answer().await, "200");

        let caller = Caller::grpc(&edge, "Connection: close\r\n").await;
        let preface = app_end.arrived().await.pop().unwrap();
        assert_eq!(preface.path, "*");
        preface.answer().await;
        assert!(caller.rest().await.contains("upstream-not-http2"));
        let connections = app_end.connections.get();
        let caller = Caller::grpc(&edge, "Connection: close\r\n").await;
        assert!(caller.rest().await.contains("upstream-not-http2"));
        assert_eq!(app_end.connections.get(), connections, "it is known by now");

        let plain = edge.ask(0, "a", "/plain").await;
        app_end.arrived().await.pop().unwrap().answer().await;
        assert_eq!(plain.answer().await, "200");
    });
}

#[test]
fn a_call_goes_both_ways_at_once_and_ends_with_its_trailers() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Auto), app_end.awake(1)).await;
        let mut caller = Caller::grpc(&edge, "x-bin: AAEC\r\nTrailer: x\r\n").await;
        let mut call = app_end.call().await;
        assert_eq!((call.header("te"), call.header("x-bin")), ("trailers", "AAEC"));
        let mut answer = call.begin().await;
        caller.read_until("\r\n\r\n").await;
        for word in ["one", "two", "three"] {
            caller.chunk(word).await;
            assert_eq!(call.next().await.unwrap(), word);
            answer.send_data(Bytes::from(word.to_uppercase()), false).unwrap();
            caller.read_until(&word.to_uppercase()).await;
        }
        caller.end().await;
        assert_eq!(call.whole_body().await, "");
        answer.send_trailers(status("0")).unwrap();
        caller.read_until("0\r\n").await;
        settle().await;
        assert_eq!(edge.app("a").open(), 0);
    });
}

#[test]
fn a_client_that_leaves_cancels_its_call() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        for begun in [false, true] {
            let mut caller = Caller::grpc(&edge, "").await;
            let mut call = app_end.call().await;
            if begun {
                call.begin().await;
                caller.read_until("\r\n\r\n").await;
            }
            drop(caller);
            settle().await;
            let reason = match begun {
                false => call.is_reset().await,
                true => call.body.data().await.unwrap().unwrap_err().reason(),
            };
            assert_eq!(reason, Some(Reason::CANCEL), "begun: {begun}");
            assert_eq!(edge.app("a").open(), 0);
        }
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn a_response_that_its_app_cuts_is_cut_for_the_client() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        for reason in [Reason::CANCEL, Reason::NO_ERROR, Reason::INTERNAL_ERROR] {
            let mut caller = Caller::grpc(&edge, "").await;
            let mut call = app_end.call().await;
            call.begin().await.send_data(Bytes::from_static(b"half"), false).unwrap();
            caller.read_until("half\r\n").await;
            call.reset(reason).await;
            assert_eq!(caller.rest().await, "", "{reason:?}: no last chunk");
        }
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn a_connection_carries_as_many_as_the_app_allows_and_then_there_is_another() {
    run(async {
        let mut app_end = H2c::with(Builder::new().max_concurrent_streams(3)).await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let (mut callers, mut calls) = (Vec::new(), Vec::new());
        for number in 0..7 {
            callers.push(edge.ask(0, "a", "/").await);
            calls.push(app_end.call().await);
            assert_eq!(app_end.connections.get(), number / 3 + 1);
        }
        for call in &mut calls {
            call.answer("ok").await;
        }
        for caller in callers {
            assert_eq!(caller.answer().await, "200");
        }
    });
}

#[test]
fn many_at_once_wait_for_one_connection() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = Edge::with_a(app(Prior), &Gateway::default()).await;
        let mut callers = Vec::new();
        for _ in 0..50 {
            callers.push(edge.ask(0, "a", "/").await);
        }
        edge.change("a", app_end.awake(1)).await;
        for _ in 0..50 {
            app_end.call().await.answer("ok").await;
        }
        for caller in callers {
            assert_eq!(caller.answer().await, "200");
        }
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn a_connection_that_is_going_away_finishes_and_takes_no_more() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let old = edge.ask(0, "a", "/old").await;
        let mut old_call = app_end.call().await;
        app_end.goes_away().await;
        let new = edge.ask(0, "a", "/new").await;
        app_end.call().await.answer("ok").await;
        assert_eq!(new.answer().await, "200");
        assert_eq!(app_end.connections.get(), 2);
        old_call.answer("ok").await;
        assert_eq!(old.answer().await, "200");
        settle().await;
        assert_eq!(app_end.open.get(), 1);
    });
}

#[test]
fn what_the_app_has_not_processed_is_sent_once_more_with_its_body() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let mut caller = Caller::grpc(&edge, "").await;
        caller.chunk("message").await;
        let mut call = app_end.call().await;
        call.reset(Reason::REFUSED_STREAM).await;
        let mut again = app_end.call().await;
        caller.end().await;
        assert_eq!(again.whole_body().await, "message");
        again.answer("ok").await;
        caller.read_until("ok").await;
    });
}

#[test]
fn what_the_app_may_have_processed_is_not_sent_again() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let caller = Caller::grpc(&edge, "Connection: close\r\n").await;
        app_end.call().await.reset(Reason::INTERNAL_ERROR).await;
        assert!(caller.rest().await.contains("upstream-reset"));
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn connections_are_closed_for_sleep_but_not_under_an_open_stream() {
    run(async {
        let mut app_end = H2c::start().await;
        let mut edge = edge(app(Prior), app_end.awake(1)).await;
        let open = edge.ask(0, "a", "/").await;
        let mut call = app_end.call().await;
        edge.change("a", Status::Draining { round: Round(1) }).await;
        assert_eq!(edge.quiesced().await.1.open, 1);
        assert_eq!(app_end.open.get(), 1);
        edge.change("a", app_end.awake(1)).await;
        let next = edge.ask(0, "a", "/").await;
        app_end.call().await.answer("ok").await;
        assert_eq!(next.answer().await, "200");
        call.answer("ok").await;
        assert_eq!(open.answer().await, "200");
        settle().await;
        assert_eq!((app_end.connections.get(), app_end.open.get()), (2, 1), "the drained one is closed");

        edge.change("a", Status::Draining { round: Round(2) }).await;
        assert_eq!(edge.quiesced().await.1.open, 0);
        settle().await;
        assert_eq!(app_end.open.get(), 0);
    });
}

#[test]
fn a_new_run_at_the_same_address_gets_a_new_connection() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        for run in 1..=2 {
            edge.change("a", app_end.awake(run)).await;
            let client = edge.ask(0, "a", "/").await;
            app_end.call().await.answer("ok").await;
            assert_eq!(client.answer().await, "200");
        }
        settle().await;
        assert_eq!((app_end.connections.get(), app_end.open.get()), (2, 1));
    });
}

#[test]
fn an_app_has_its_time_from_when_the_client_has_said_all_unless_the_call_has_a_deadline() {
    run(async {
        let mut app_end = H2c::start().await;
        // Longer than this, and conn finds a body too slow.
        let quick = config::model::App { response_timeout: Duration::from_secs(3), ..app(Prior) };
        let edge = edge(quick, app_end.awake(1)).await;
        let mut caller = Caller::grpc(&edge, "Connection: close\r\n").await;
        let _call = app_end.call().await;
        tokio::time::sleep(Duration::from_secs(8)).await;
        caller.end().await;
        tokio::time::sleep(Duration::from_secs(6)).await;
        assert!(caller.rest().await.contains("upstream-timeout"));

        let mut caller = Caller::grpc(&edge, "grpc-timeout: 1H\r\n").await;
        let mut call = app_end.call().await;
        caller.end().await;
        tokio::time::sleep(Duration::from_secs(60)).await;
        call.answer("late").await;
        caller.read_until("late").await;
    });
}

#[test]
fn a_client_that_takes_nothing_does_not_stop_the_others() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let mut stuck = Vec::new();
        for _ in 0..20 {
            let caller = Caller::grpc(&edge, "").await;
            let mut answer = app_end.call().await.begin().await;
            // More than socket buffers and windows take.
            answer.send_data(Bytes::from(vec![0; 16 << 20]), false).unwrap();
            stuck.push((caller, answer));
        }
        settle().await;
        let other = edge.ask(0, "a", "/").await;
        app_end.call().await.answer("ok").await;
        assert_eq!(other.answer().await, "200");
        assert_eq!(app_end.connections.get(), 1);
    });
}

#[test]
fn an_app_is_up_when_its_grpc_health_check_says_so_and_then_it_is_known_to_speak_http2() {
    run(async {
        let mut app_end = H2c::start().await;
        let mut checked = app(Auto);
        checked.health.check = Check::Grpc { service: "shop".into() };
        let mut edge = Edge::with_a(checked, &Gateway::default()).await;
        let probe = Probe { instance: Instance(1), endpoint: app_end.address };
        let (elapsed, probe) = (Duration::ZERO, Some(probe));
        let probing =
            Status::Waking { phase: Phase::Probing, elapsed, estimate: None, position: None, probe };
        edge.change("a", probing).await;
        let so_far = Failure::Unhealthy;
        let said = ToRevive::NotReachable { app: id("a"), instance: Instance(1), so_far };
        assert_eq!(edge.said(), [said]);
        // Starting up: not yet serving, no such service, and only then serving.
        for (reply, trailers) in [(Some([0x08, 2]), "0"), (None, "5"), (Some([0x08, 1]), "0")] {
            assert_eq!(edge.said(), []);
            let mut call = app_end.call().await;
            assert_eq!(call.head.uri.path(), "/grpc.health.v1.Health/Check");
            assert_eq!(call.whole_body().await, "\0\0\0\0\u{6}\n\u{4}shop");
            let mut answer = call.begin().await;
            if let Some([tag, value]) = reply {
                answer.send_data(Bytes::from(vec![0, 0, 0, 0, 2, tag, value]), false).unwrap();
            }
            answer.send_trailers(status(trailers)).unwrap();
            settle().await;
        }
        assert_eq!(edge.said(), [ToRevive::Reachable { app: id("a"), instance: Instance(1) }]);

        edge.change("a", app_end.awake(1)).await;
        let before = app_end.connections.get();
        let plain = edge.ask(0, "a", "/plain").await;
        app_end.call().await.answer("ok").await;
        assert_eq!(plain.answer().await, "200");
        assert_eq!(app_end.connections.get(), before + 1, "none in vain");
    });
}

/// What a client of HTTP/1.1 says (the example of RFC 6455, section 1.3).
const WEBSOCKET: &str = "GET /chat HTTP/1.1\r\nHost: a.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
    Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn a_websocket_goes_over_a_stream_of_an_app_that_takes_it() {
    run(async {
        let mut app_end = H2c::with(Builder::new().enable_connect_protocol()).await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let mut caller = Caller::connect(&edge).await;
        caller.write(WEBSOCKET).await;
        let mut call = app_end.call().await;
        assert_eq!(call.head.method, "CONNECT");
        let protocol = call.head.extensions.get::<h2::ext::Protocol>();
        assert_eq!(protocol.map(|protocol| protocol.as_str()), Some("websocket"));
        assert_eq!(call.head.uri.to_string(), "http://a.localhost/chat");
        assert_eq!((call.header("sec-websocket-version"), call.header("sec-websocket-key")), ("13", ""));
        let mut answer = call.begin().await;
        let head = caller.read_until("\r\n\r\n").await.to_lowercase();
        assert!(head.starts_with("http/1.1 101 "), "{head}");
        assert!(head.contains("sec-websocket-accept: s3pplmbitxaq9kygzzhzrbk+xoo="), "{head}");
        caller.write("ping").await;
        assert_eq!(call.next().await.unwrap(), "ping");
        answer.send_data(Bytes::from_static(b"pong"), false).unwrap();
        caller.read_until("pong").await;
        assert_eq!(edge.app("a").open(), 1);
        answer.send_data(Bytes::new(), true).unwrap();
        assert_eq!(caller.rest().await, "");
        settle().await;
        assert_eq!(edge.app("a").open(), 0);
        assert_eq!(call.whole_body().await, "");
    });
}

#[test]
fn a_websocket_to_an_app_that_takes_none_over_http2_is_refused() {
    run(async {
        let app_end = H2c::start().await;
        let edge = edge(app(Prior), app_end.awake(1)).await;
        let mut caller = Caller::connect(&edge).await;
        caller.write(WEBSOCKET).await;
        assert!(caller.read_until("}").await.contains("upstream-no-websocket"));
    });
}

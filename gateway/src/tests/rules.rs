//! What rules do with requests on their way, over HTTP/1.1 and HTTP/2.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::time::Duration;

use config::link::{Instance, Status, ToRevive};
use config::model::{
    App, AppId, Backend, Filter, HeaderChange, PathChange, PathPrefix, Protocol, Redirect, RequestMatch,
    Rewrite, Rule, Then, WakeMode, WakePolicy,
};
use config::settings::Gateway;
use http::{Request, Response};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::fakes::{ASLEEP, Edge, Upstream, app, id, run, soon};
use super::h2c::{self, H2c};

fn to(app: &str) -> Backend {
    Backend { app: Some(id(app)), weight: 1, port: None, filters: Vec::new() }
}

/// All below `/api` at any host.
fn rule(then: Then) -> Arc<Rule> {
    let matches = RequestMatch::below(PathPrefix::parse("/api").unwrap());
    Arc::new(Rule { name: "r".into(), ports: [].into(), host: None, matches, then: Arc::new(then) })
}

fn filtered(filters: Vec<Filter>) -> Then {
    Then { filters, backends: vec![to("a")], timeout: None }
}

fn change(set: &[(&str, &str)], add: &[(&str, &str)], remove: &[&str]) -> HeaderChange {
    let lines = |lines: &[(&str, &str)]| lines.iter().map(|(n, v)| ((*n).into(), (*v).into())).collect();
    HeaderChange { set: lines(set), add: lines(add), remove: remove.iter().map(|n| (*n).into()).collect() }
}

async fn edge(apps: impl IntoIterator<Item = (App, Status)>, then: Then) -> Edge {
    let edge = Edge::start(1, &Gateway::default());
    edge.use_rules(apps, vec![rule(then)]).await;
    edge
}

/// Asks over HTTP/2.
async fn over_http2(edge: &Edge, request: http::request::Builder) -> Response<h2::RecvStream> {
    let stream = TcpStream::connect(edge.address(0)).await.unwrap();
    let (mut sender, connection) = h2::client::handshake(stream).await.unwrap();
    let connection = spawn_local(connection);
    let (response, _) = sender.send_request(request.body(()).unwrap(), true).unwrap();
    let response = soon(response).await.unwrap();
    drop(connection);
    response
}

fn lines(head: &str, name: &str) -> Vec<String> {
    let lines = head.lines().filter_map(|line| line.split_once(": "));
    lines.filter(|(said, _)| said.eq_ignore_ascii_case(name)).map(|(_, value)| value.to_owned()).collect()
}

#[test]
fn a_request_is_changed_by_its_rule_and_then_by_its_backend_and_says_nothing_else_of_whose_it_is() {
    run(async {
        let mut app_end = Upstream::start().await;
        let rewrite = Rewrite { host: Some("inner".into()), path: Some(PathChange::Prefix("/v1".into())) };
        let mut then = filtered(vec![
            Filter::RequestHeaders(change(
                &[("x-set", "rule"), ("x-both", "rule")],
                &[("x-add", "2")],
                &["x-gone"],
            )),
            Filter::Rewrite(rewrite),
        ]);
        then.backends[0].filters = vec![Filter::RequestHeaders(change(&[("x-both", "backend")], &[], &[]))];
        let edge = edge([(app("a"), app_end.awake())], then).await;
        // Naming a header in `Connection` takes away what the client sent, not what the rule says.
        let lines_of_head = "GET /api/x?q=/api HTTP/1.1\r\nHost: any.host:81\r\nX-Set: evil\r\nX-Add: 1\r\n\
            X-Gone: 1\r\nloco-org-id: evil\r\nX-Own: 1\r\nConnection: x-set, x-add, x-both, x-own, loco-org-id";
        let client = edge.say(0, lines_of_head).await;
        let arrived = app_end.arrived().await.pop().unwrap();
        assert_eq!(arrived.path, "/v1/x?q=/api");
        for (name, values) in [
            ("x-set", &["rule"][..]),
            ("x-both", &["backend"]),
            ("x-add", &["2"]),
            ("x-gone", &[]),
            ("x-own", &[]),
            ("host", &["inner"]),
            ("x-forwarded-host", &["any.host:81"]),
            ("loco-org-id", &["acme"]),
            ("connection", &[]),
        ] {
            assert_eq!(lines(&arrived.head, name), values, "{name}");
        }
        arrived.answer().await;
        assert_eq!(client.answer().await, "200");
        assert_eq!(edge.ask(0, "a", "/apis").await.answer().await, "404 unknown-path");
    });
}

#[test]
fn the_same_over_http2_on_both_sides() {
    run(async {
        let mut app_end = H2c::start().await;
        let rewrite = Rewrite { host: Some("inner".into()), path: Some(PathChange::Full("/full".into())) };
        let edge = edge(
            [(h2c::app(Protocol::H2c), app_end.awake(1))],
            filtered(vec![
                Filter::RequestHeaders(change(&[("x-set", "rule")], &[], &[])),
                Filter::Rewrite(rewrite),
                Filter::ResponseHeaders(change(&[("x-answer", "rule")], &[], &["server"])),
            ]),
        )
        .await;
        let asking = over_http2(&edge, Request::get("http://any.host/api/x?q").header("x-set", "evil"));
        let answering = async {
            let mut call = app_end.call().await;
            assert_eq!(call.head.uri.to_string(), "http://inner/full?q");
            assert_eq!((call.header("x-set"), call.header("x-forwarded-host")), ("rule", "any.host"));
            call.answer("ok").await;
        };
        let (response, ()) = tokio::join!(asking, answering);
        assert_eq!(
            (response.status().as_u16(), &response.headers()["x-answer"]),
            (200, &"rule".parse().unwrap())
        );
    });
}

#[test]
fn a_post_that_is_tried_again_is_changed_anew_from_what_the_client_sent() {
    run(async {
        let mut good = Upstream::start().await;
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let endpoints = [good.address, dead].map(Into::into).into();
        let status = Status::Awake { instance: Instance(0), endpoints };
        let path = Some(PathChange::Prefix("/api/api".into()));
        let edge = edge(
            [(app("a"), status)],
            filtered(vec![
                Filter::Rewrite(Rewrite { host: None, path }),
                Filter::RequestHeaders(change(&[], &[("x-add", "1")], &[])),
            ]),
        )
        .await;
        let mut retried = 0;
        for _ in 0..20 {
            let mut caller = h2c::Caller::connect(&edge).await;
            caller
                .write(
                    "POST /api/x HTTP/1.1\r\nHost: h\r\nConnection: close\r\nContent-Length: 5\r\n\r\nhello",
                )
                .await;
            let arrived = good.arrived().await.pop().unwrap();
            assert_eq!((&*arrived.path, lines(&arrived.head, "x-add").len()), ("/api/api/x", 1));
            assert_eq!(lines(&arrived.head, "content-length"), ["5"]);
            arrived.answer().await;
            caller.read_until("200").await;
            retried = edge.app("a").stats.retries.load(std::sync::atomic::Ordering::Relaxed);
        }
        assert!(retried > 0, "one run in 2^20 meets no dead endpoint");
    });
}

#[test]
fn a_redirect_wakes_nothing_and_asks_nobody() {
    run(async {
        let redirect = Redirect {
            scheme: Some("https".into()),
            host: None,
            port: None,
            path: Some(PathChange::Prefix("/new".into())),
            status: 301,
        };
        let cookies = [("set-cookie", "a=1; Domain=b"), ("set-cookie", "c=1")];
        let mut edge = edge(
            [(app("a"), ASLEEP)],
            filtered(vec![
                Filter::Redirect(redirect),
                Filter::ResponseHeaders(change(&[("x-answer", "1")], &cookies, &[])),
            ]),
        )
        .await;
        let head =
            edge.say(0, "POST /api/x?q HTTP/1.1\r\nHost: A.b:81\r\nContent-Length: 0").await.head().await;
        assert_eq!(head[0], "http/1.1 301 moved permanently");
        for line in ["location: https://a.b/new/x?q", "x-answer: 1", "set-cookie: c=1"] {
            assert!(head.iter().any(|said| said == line), "{line} in {head:?}");
        }
        assert!(!head.iter().any(|line| line.contains("domain")));
        let response = over_http2(&edge, Request::get("http://a.b:81/api")).await;
        assert_eq!(
            (response.status().as_u16(), &response.headers()["location"]),
            (301, &"https://a.b/new".parse().unwrap())
        );
        assert_eq!(edge.said(), []);
    });
}

#[test]
fn a_response_is_changed_and_its_cookies_stay_at_home() {
    run(async {
        let mut app_end = Upstream::start().await;
        let cookies = [("set-cookie", "a=1; Domain=localhost"), ("set-cookie", "b=1; Domain=a.localhost")];
        let mut then =
            filtered(vec![Filter::ResponseHeaders(change(&[("content-type", "x/y")], &cookies, &[]))]);
        then.backends[0].filters =
            vec![Filter::ResponseHeaders(change(&[], &[("x-add", "1"), ("x-add", "2")], &["content-type"]))];
        let edge = edge([(app("a"), app_end.awake())], then).await;
        let client = edge.ask(0, "a", "/api").await;
        app_end.arrived().await.pop().unwrap().answer().await;
        let head = client.head().await;
        let said =
            |prefix: &str| head.iter().filter(|line| line.starts_with(prefix)).cloned().collect::<Vec<_>>();
        assert_eq!(said("set-cookie"), ["set-cookie: b=1; domain=a.localhost"]);
        assert_eq!(said("x-add"), ["x-add: 1", "x-add: 2"]);
        assert_eq!(
            (said("content-type").len(), said("content-length")),
            (0, vec!["content-length: 2".to_owned()])
        );
    });
}

#[test]
fn a_rules_time_is_over_at_the_app_and_while_it_sleeps() {
    run(async {
        let mut app_end = Upstream::start().await;
        let timeout = Some(Duration::from_millis(100));
        let mut edge = edge([(app("a"), app_end.awake())], Then { timeout, ..filtered(vec![]) }).await;
        let late = edge.ask(0, "a", "/api/late").await;
        let arrived = app_end.arrived().await;
        assert_eq!(late.answer().await, "504 rule-timeout");
        drop(arrived);
        let response =
            over_http2(&edge, Request::post("http://h/api").header("content-type", "application/grpc")).await;
        assert_eq!(response.headers()["grpc-status"], "4", "{:?}", response.headers());
        let quick = edge.ask(0, "a", "/api/quick").await;
        app_end.arrived().await.pop().unwrap().answer().await;
        assert_eq!(quick.answer().await, "200");
        edge.change("a", ASLEEP).await;
        let held = edge.ask(0, "a", "/api/held").await;
        assert_eq!(edge.says().await, ToRevive::Wake { app: id("a") });
        assert_eq!(held.answer().await, "504 hold-timeout");
    });
}

#[test]
fn what_leads_nowhere_is_said_in_the_clients_protocol() {
    run(async {
        let nobody = Then { backends: vec![Backend { app: None, ..to("a") }], ..Then::default() };
        let edge = edge([(app("a"), ASLEEP)], nobody).await;
        assert_eq!(edge.ask(0, "a", "/api").await.answer().await, "500 no-backend");
        let call = || Request::post("http://h/api").header("content-type", "application/grpc");
        assert_eq!(over_http2(&edge, call()).await.headers()["grpc-status"], "14");

        let none = Status::Awake { instance: Instance(1), endpoints: [].into() };
        edge.use_rules([(app("a"), none)], vec![rule(filtered(vec![]))]).await;
        assert_eq!(edge.ask(0, "a", "/api").await.answer().await, "503 no-endpoints");
        assert_eq!(over_http2(&edge, call()).await.headers()["grpc-status"], "14");
    });
}

#[test]
fn who_is_held_when_the_last_endpoint_goes_is_told_so() {
    run(async {
        let edge = edge([(app("a"), ASLEEP)], filtered(vec![])).await;
        let held = edge.ask(0, "a", "/api").await;
        let none = Status::Awake { instance: Instance(1), endpoints: [].into() };
        edge.change("a", none).await;
        assert_eq!(held.answer().await, "503 no-endpoints");
    });
}

#[test]
fn who_is_held_for_one_of_several_apps_goes_to_that() {
    run(async {
        let mut app_ends = [Upstream::start().await, Upstream::start().await];
        let both = Then { backends: vec![to("a"), to("b")], ..Then::default() };
        let edge = edge([(app("a"), ASLEEP), (app("b"), ASLEEP)], both).await;
        let mut clients = Vec::new();
        for number in 0..40 {
            clients.push(edge.ask(0, "x", &format!("/api/{number}")).await);
        }
        let held = ["a", "b"].map(|name| edge.app(name).held() as usize);
        assert!(held.iter().sum::<usize>() == 40 && held.iter().all(|held| *held > 5), "{held:?}");
        for (name, app_end) in ["a", "b"].into_iter().zip(&app_ends) {
            edge.change(name, app_end.awake()).await;
        }
        let mut came = [0, 0];
        while came.iter().sum::<usize>() < 40 {
            for (came, app_end) in came.iter_mut().zip(&mut app_ends) {
                for arrived in app_end.arrived().await {
                    *came += 1;
                    arrived.answer().await;
                }
            }
        }
        assert_eq!(came, held);
    });
}

/// An app at a port of this address.
async fn upstream_at(address: [u8; 4]) -> Upstream {
    Upstream::start_at(Ipv4Addr::from(address)).await
}

#[test]
fn two_ports_of_an_instance_have_nothing_to_do_with_each_other() {
    run(async {
        let mut main = upstream_at([127, 0, 0, 1]).await;
        let mut second = upstream_at([127, 0, 0, 1]).await;
        let at_second = Then {
            backends: vec![Backend { port: Some(second.address.port()), ..to("a") }],
            ..Then::default()
        };
        let mut edge = Edge::start(1, &Gateway::default());
        let others = Arc::new(Rule {
            matches: RequestMatch::below(PathPrefix::parse("/").unwrap()),
            ..(*rule(filtered(vec![]))).clone()
        });
        let rules = vec![rule(at_second), others];
        edge.use_rules([(app("a"), main.awake())], rules.clone()).await;
        for _ in 0..5 {
            for (path, app_end) in [("/api", &mut second), ("/", &mut main)] {
                let client = edge.ask(0, "x", path).await;
                app_end.arrived().await.pop().unwrap().answer().await;
                assert_eq!(client.answer().await, "200");
            }
        }
        assert_eq!((main.connections.get(), second.connections.get()), (1, 1));

        // The second port refuses; the app is up all the same.
        let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let at_dead =
            Then { backends: vec![Backend { port: Some(dead.port()), ..to("a") }], ..Then::default() };
        edge.use_rules([(app("a"), main.awake())], vec![rule(at_dead), rules[1].clone()]).await;
        edge.said();
        for _ in 0..3 {
            assert_eq!(edge.ask(0, "x", "/api").await.answer().await, "502 upstream-refused");
        }
        assert_eq!(edge.said(), [], "nothing of its life");
    });
}

#[test]
fn faults_at_one_port_leave_the_other_in() {
    run(async {
        let mut good = [upstream_at([127, 0, 0, 1]).await, upstream_at([127, 0, 0, 2]).await];
        // At this port only the first listens.
        let second = upstream_at([127, 0, 0, 1]).await;
        let port = second.address.port();
        let endpoints: Arc<[_]> = good.iter().map(|app_end| app_end.address.into()).collect();
        let at_second = Then { backends: vec![Backend { port: Some(port), ..to("a") }], ..Then::default() };
        let status = Status::Awake { instance: Instance(1), endpoints };
        let edge = Edge::start(1, &Gateway::default());
        let others = Arc::new(Rule {
            matches: RequestMatch::below(PathPrefix::parse("/").unwrap()),
            ..(*rule(filtered(vec![]))).clone()
        });
        edge.use_rules([(app("a"), status)], vec![rule(at_second), others]).await;
        let mut second = second;
        for _ in 0..30 {
            let client = edge.ask(0, "x", "/api").await;
            second.arrived().await.pop().unwrap().answer().await;
            assert_eq!(client.answer().await, "200");
        }
        assert_eq!(edge.app("a").stats.ejections.load(std::sync::atomic::Ordering::Relaxed), 1);
        let mut came = [0, 0];
        for _ in 0..60 {
            let client = edge.ask(0, "x", "/").await;
            for (came, app_end) in came.iter_mut().zip(&mut good) {
                for arrived in app_end.arrived().await {
                    *came += 1;
                    arrived.answer().await;
                }
            }
            assert_eq!(client.answer().await, "200");
        }
        assert!(came.iter().all(|came| *came > 10), "{came:?}");
    });
}

#[test]
fn nobody_is_sent_back_to_a_host_that_no_rule_names() {
    run(async {
        let wake = WakePolicy { mode: WakeMode::Redirect, ..app("a").wake };
        let edge = edge([(App { wake, ..app("a") }, ASLEEP)], filtered(vec![])).await;
        let held = edge.say(0, "GET /api HTTP/1.1\r\nHost: evil.example").await;
        assert!(!held.is_answered());
        let mut app_end = Upstream::start().await;
        edge.change("a", app_end.awake()).await;
        app_end.arrived().await.pop().unwrap().answer().await;
        assert_eq!(held.answer().await, "200");
    });
}

#[test]
fn an_app_of_a_cluster_at_any_host_shows_its_wake() {
    run(async {
        let wake = WakePolicy { mode: WakeMode::Page, ..app("a").wake };
        let id = AppId::from_object("shop", "web");
        let of_cluster = App { id: id.clone(), routes: Vec::new(), wake, ..app("a") };
        let backend = Backend { app: Some(id.clone()), ..to("a") };
        let then = Then { backends: vec![backend], ..Then::default() };
        let mut edge = edge([(of_cluster, ASLEEP)], then).await;
        let asked = edge.say(0, "GET /api HTTP/1.1\r\nHost: any.host\r\nAccept: text/html").await;
        let page = asked.whole().await;
        assert_eq!(edge.says().await, ToRevive::Wake { app: id });
        let link = page.split('"').find(|text| text.starts_with("/.loco/events?")).unwrap();
        let mut events = h2c::Caller::connect(&edge).await;
        let link = link.replace("&amp;", "&");
        events.write(&format!("GET {link} HTTP/1.1\r\nHost: any.host\r\n\r\n")).await;
        let head = events.read_until("event: progress").await;
        assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
    });
}

#[test]
fn revive_is_told_what_of_a_table_is_in_use() {
    run(async {
        let mut edge = edge([(app("a"), ASLEEP)], filtered(vec![])).await;
        assert_eq!(edge.in_use().await, []);
        let wrong = Filter::RequestHeaders(change(&[("loco-org-id", "x")], &[], &[]));
        edge.use_rules([(app("a"), ASLEEP)], vec![rule(filtered(vec![wrong]))]).await;
        let refused = edge.in_use().await;
        assert_eq!(refused.len(), 1);
        assert!(refused[0].0 == "rule/r" && refused[0].1.contains("loco-org-id"), "{refused:?}");
    });
}

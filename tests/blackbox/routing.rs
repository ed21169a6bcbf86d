//! Which app answers.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::harness::{App, Edge, Request, Wire, file};

fn telling(name: &str) -> App {
    App::named(name).env("BODY", name)
}

async fn assert_answers(edge: &Edge, host: &str, target: &str, app: &str) {
    let answer = edge.ask(Request::new("GET", host, target)).await;
    assert_eq!((answer.status, answer.text().as_str()), (200, app), "{host}{target}: {answer:?}");
}

#[tokio::test]
async fn the_exact_host_wins_then_the_longest_wildcard() {
    let edge = Edge::start(&file(&[
        telling("wide").line(r#"hosts = ["*.localhost"]"#),
        telling("narrow").line(r#"hosts = ["*.shop.localhost"]"#),
        telling("exact").line(r#"hosts = ["a.shop.localhost"]"#),
    ]))
    .await;
    assert_answers(&edge, "a.shop.localhost", "/", "exact").await;
    assert_answers(&edge, "b.shop.localhost", "/", "narrow").await;
    assert_answers(&edge, "c.b.shop.localhost", "/", "narrow").await;
    assert_answers(&edge, "b.a.shop.localhost", "/", "narrow").await;
    // `*.shop.localhost` asks for a label more.
    assert_answers(&edge, "shop.localhost", "/", "wide").await;
}

#[tokio::test]
async fn the_longest_path_prefix_of_whole_segments_wins() {
    let edge = Edge::start(&file(&[
        telling("root").line(r#"hosts = ["h.localhost"]"#),
        telling("api").line(r#"hosts = ["h.localhost"]"#).line(r#"paths = ["/api"]"#),
        telling("second").line(r#"hosts = ["h.localhost"]"#).line(r#"paths = ["/api/v2"]"#),
    ]))
    .await;
    for (target, app) in [
        ("/", "root"),
        ("/apis", "root"),
        ("/x/api", "root"),
        ("/api", "api"),
        ("/api/", "api"),
        ("/api?to=/api/v2", "api"),
        ("/api/v20", "api"),
        ("/api/v2", "second"),
        ("/api/v2/x", "second"),
    ] {
        assert_answers(&edge, "h.localhost", target, app).await;
    }
}

#[tokio::test]
async fn a_host_is_the_same_in_any_case_with_a_port_and_with_the_last_dot() {
    let edge = Edge::start(&file(&[telling("hello")])).await;
    for host in ["hello.localhost", "HELLO.LocalHost", "hello.localhost:8080", "hello.localhost."] {
        assert_answers(&edge, host, "/", "hello").await;
    }
}

#[tokio::test]
async fn an_absolute_target_names_the_host() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    // RFC 9112, section 3.2.2: the Host is replaced by the target's.
    let answer = edge.ask(Request::new("GET", "other.localhost", "http://hello.localhost/a?b=c")).await;
    let seen = answer.seen();
    assert_eq!(seen.field("target"), "/a?b=c");
    assert_eq!(seen.field("host"), "hello.localhost");
}

#[tokio::test]
async fn an_unknown_host_is_404_and_never_looks_asleep() {
    let edge = Edge::start(&file(&[App::named("hello")])).await;
    for host in ["nobody.localhost", "hello.example.com", "127.0.0.1", "x.hello.localhost"] {
        let answer = edge.ask(Request::new("GET", host, "/")).await;
        answer.assert_refused(404, "unknown-host");
        assert_eq!(answer.header("retry-after"), None);
    }
    assert_eq!(edge.starts("hello"), 0);
}

#[tokio::test]
async fn a_path_that_no_app_of_the_host_has_is_404() {
    let edge = Edge::start(&file(&[App::named("api").line(r#"paths = ["/api"]"#)])).await;
    let answer = edge.ask(Request::get("api", "/other")).await;
    assert_eq!(answer.status, 404, "{answer:?}");
    assert_eq!(edge.starts("api"), 0);
}

#[tokio::test]
async fn each_app_has_a_port_of_its_own_that_wakes_it_whatever_the_host() {
    let edge = Edge::start(&file(&[telling("hello"), telling("other")])).await;
    for app in ["hello", "other"] {
        let port = edge.port(app);
        let request = Request::new("GET", &port.to_string(), "/");
        let answer = Wire::connect(port).await.ask(&request).await.expect("an answer");
        assert_eq!((answer.status, answer.text().as_str()), (200, app));
        assert_eq!(edge.app(app).await["port"], port.port());
    }
}

#[tokio::test]
async fn what_somebody_else_runs_is_reached_and_never_slept() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let upstreams = format!("upstreams = [\"{}\"]", listener.local_addr().unwrap());
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 4_096];
            if stream.read(&mut head).await.is_ok_and(|read| read > 0) {
                let answer = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nConnection: close\r\n\r\nelse";
                stream.write_all(answer).await.expect("the edge reads");
            }
        }
    });
    let edge = Edge::start(&file(&[App::elsewhere("far").line(&upstreams)])).await;
    assert_eq!(edge.ask(Request::get("far", "/")).await.text(), "else");
    assert_eq!(edge.sleep("far", "light").await.status, 409);
    assert_eq!(edge.state("far").await, "awake");
}

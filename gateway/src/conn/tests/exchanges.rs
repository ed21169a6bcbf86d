//! What goes well.

use config::settings::Gateway;
use tokio::io::AsyncWriteExt;

use super::support::{Server, get, post, run, soon};
use crate::conn::End;

#[test]
fn keeps_alive_and_answers_in_order() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        for turn in 0..3 {
            client.send(get(&format!("/{turn}"))).await;
            client.until(&format!("GET /{turn} ")).await;
        }
        let pipeline = post("/a", "one") + "\r\n\r\n" + &get("/b") + &post("/c", "three") + &get("/last");
        client.send(pipeline + &get("/never")).await;
        let answers = client.rest().await;
        let order: Vec<_> = ["POST /a one", "GET /b ", "POST /c three", "connection: close", "GET /last "]
            .map(|part| answers.find(part).unwrap_or_else(|| panic!("{part} in {answers}")))
            .into();
        assert!(order.is_sorted(), "{answers}");
        assert!(!answers.contains("never"));
        assert_eq!(server.end().await, End::Finished);
    });
}

#[test]
fn the_last_request_of_a_connection_is_said_to_be() {
    run(async {
        let limits = Gateway { max_requests_per_connection: 3, ..Gateway::default() };
        let mut server = Server::start(limits).await;
        let answers = server.ask(get("/1") + &get("/2") + &get("/3") + &get("/4")).await;
        assert_eq!(answers.matches("HTTP/1.1 200 OK").count(), 3, "{answers}");
        assert_eq!(answers.matches("connection: close").count(), 1, "{answers}");
        assert!(answers.ends_with("GET /3 "), "{answers}");
        assert_eq!(server.end().await, End::Finished);
    });
}

#[test]
fn a_large_pipeline_is_answered_whole() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        let pipeline: String = (0..900).map(|turn| get(&format!("/{turn}"))).collect();
        client.send(pipeline).await;
        client.until("GET /899 ").await;
        assert_eq!(server.app.seen.borrow().len(), 900);
    });
}

#[test]
fn old_http() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let answer = server.ask("GET / HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n") && answer.ends_with("GET / "), "{answer}");
        assert_eq!(server.end().await, End::Finished);
        let mut client = server.connect().await;
        client.send("GET /1 HTTP/1.0\r\nConnection: keep-alive\r\n\r\n").await;
        assert!(client.until("GET /1 ").await.contains("connection: keep-alive"));
        client.send("GET /2 HTTP/1.0\r\n\r\n").await;
        assert!(client.rest().await.ends_with("GET /2 "));
        let answer = server.ask("GET /hints HTTP/1.0\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.0 200 OK\r\n"), "{answer}");
    });
}

#[test]
fn a_head_has_no_body() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let answers = server.ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n".to_owned() + &get("/last")).await;
        let (head, rest) = answers.split_once("\r\n\r\n").unwrap();
        assert!(head.contains("content-length: 7"), "{head}");
        assert!(rest.starts_with("HTTP/1.1 200 OK"), "{rest}");
    });
}

#[test]
fn bare_line_feeds_in_a_head_and_an_absolute_target() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let answer = server.ask("GET http://b/x HTTP/1.1\nHost: a\nConnection: close\n\n").await;
        assert!(answer.ends_with("GET http://b/x "), "{answer}");
    });
}

#[test]
fn early_hints() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let answers = server.ask(get("/hints") + &get("/last")).await;
        let hints = "HTTP/1.1 103 Early Hints\r\nlink: </a.css>; rel=preload\r\n\r\nHTTP/1.1 200 OK\r\n";
        assert!(answers.starts_with(hints), "{answers}");
        assert_eq!(answers.matches("HTTP/1.1 ").count(), 3, "{answers}");
    });
}

#[test]
fn expect_continue() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        client.send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n").await;
        assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
        client.send("yes").await;
        client.until("POST / yes").await;
    });
}

#[test]
fn an_upgrade_passes_bytes_and_the_early_ones_too() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let mut client = server.connect().await;
        let head = "GET /upgrade HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: echo\r\n\r\n";
        client.send(head.to_owned() + "GET /../ \0 ").await;
        let answer = client.until("hello ").await;
        assert!(answer.starts_with("HTTP/1.1 101 "), "{answer}");
        client.send("and more").await;
        soon(client.0.shutdown()).await.unwrap();
        assert_eq!(client.rest().await, "GET /../ \0 and more");
        assert_eq!(server.end().await, End::Upgraded);
    });
}

#[test]
fn a_large_upload_arrives() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let body = "x".repeat(3 << 20);
        let mut client = server.connect().await;
        client.send(post("/", &body)).await;
        let answer = client.until("xxx").await;
        assert!(answer.contains("content-length: 3145735"), "{answer}");
        client.0.set_zero_linger().unwrap();
    });
}

#[test]
fn a_broken_body_cuts_the_response() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let answer = server.ask(get("/broken")).await;
        assert!(answer.ends_with("5\r\nfirst\r\n"), "no last chunk: {answer}");
        assert_eq!(server.end().await, End::Broken);
        let mut client = server.connect().await;
        client.send("GET /broken HTTP/1.0\r\n\r\n").await;
        let error = client.try_rest().await.expect_err("without framing, only a reset shows the cut");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    });
}

#[test]
fn a_body_shorter_than_its_head_says_is_cut_and_what_came_is_read() {
    run(async {
        let mut server = Server::start(Gateway::default()).await;
        let answer = server.ask(get("/short")).await;
        assert!(answer.contains("content-length: 7") && answer.ends_with("\r\n\r\nfirst"), "{answer:?}");
        assert_eq!(server.end().await, End::Broken);
    });
}

#[test]
fn drain_closes_the_idle_and_lets_the_busy_finish() {
    run(async {
        let server = Server::start(Gateway::default()).await;
        let mut idle = server.connect().await;
        idle.send(get("/")).await;
        idle.until("GET / ").await;
        let mut fresh = server.connect().await;
        let mut busy = server.connect().await;
        busy.send(get("/wait")).await;
        server.app.begun.notified().await;
        server.app.begun.notified().await;
        let mut streaming = server.connect().await;
        streaming.send(get("/stuck")).await;
        streaming.until("first\r\n").await;
        server.serving.drain();
        assert_eq!(idle.rest().await, "");
        assert_eq!(fresh.rest().await, "");
        server.app.go.notify_waiters();
        let answer = busy.rest().await;
        assert!(answer.contains("connection: close") && answer.ends_with("GET /wait "), "{answer}");
        assert_eq!(streaming.rest().await, "0\r\n\r\n");
    });
}

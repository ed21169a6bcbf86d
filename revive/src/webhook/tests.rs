#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use super::*;
use crate::driver::view::FailureView;

fn app(state: &'static str, code: Option<&'static str>) -> AppView {
    let last_failure = code.map(|code| FailureView { code, at: "2026-01-01T00:00:00Z".into(), exit: None });
    AppView {
        name: "web.shop".into(),
        id: "shop/web".into(),
        org: "acme".into(),
        workspace: "7".into(),
        region: "here".into(),
        environment: "test".into(),
        state,
        depth: None,
        phase: None,
        since: "2026-01-01T00:00:01Z".into(),
        open: 0,
        held: 0,
        last_activity: None,
        last_wake: None,
        last_failure,
        message: Some("no such image".into()),
        conditions: Vec::new(),
        instance: None,
        pid: None,
        routes: Vec::new(),
        port: None,
        url: None,
    }
}

#[test]
fn the_first_failure_of_a_kind_is_told_and_that_it_is_healed() {
    let mut failing = Failing::default();
    let mut news = |state, code| {
        let said = failing.news(&app(state, code))?;
        Some((
            said["event"].as_str()?.to_owned(),
            said["failure"].as_str()?.to_owned(),
            said["attempt"].as_u64()?,
        ))
    };
    let told = |event: &str, failure: &str, attempt| Some((event.to_owned(), failure.to_owned(), attempt));
    assert_eq!(news("awake", None), None);
    assert_eq!(news("failed", Some("image-pull")), told("failed", "image-pull", 1));
    assert_eq!(news("waking", Some("image-pull")), None);
    assert_eq!(news("failed", Some("image-pull")), None, "the same again");
    assert_eq!(news("failed", Some("quota")), told("failed", "quota", 3));
    assert_eq!(news("awake", Some("quota")), told("healed", "quota", 3));
    assert_eq!(news("awake", Some("quota")), None);
}

/// Takes one call, and gives this answer.
async fn call(listener: &TcpListener, answer: &str) -> String {
    let (mut socket, _) = listener.accept().await.unwrap();
    let mut text = String::new();
    while !text.ends_with('}') {
        let mut bytes = [0; 4_096];
        let read = socket.read(&mut bytes).await.unwrap();
        text.push_str(std::str::from_utf8(&bytes[..read]).unwrap());
    }
    socket.write_all(answer.as_bytes()).await.unwrap();
    text
}

#[tokio::test]
async fn what_was_not_taken_is_told_again() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}/failed", listener.local_addr().unwrap());
    let webhook = Webhook::begin(hook::address(&url).unwrap(), &mut Registry::default());
    webhook.see(&app("failed", Some("image-pull")));
    let first = call(&listener, "HTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n").await;
    let second = call(&listener, "HTTP/1.1 204 Yes\r\n\r\n").await;
    assert_eq!(first, second);
    assert!(second.starts_with("POST /failed HTTP/1.1\r\n"), "{second}");
    let body: Value = serde_json::from_str(second.split_once("\r\n\r\n").unwrap().1).unwrap();
    assert_eq!(body["app"]["id"], "shop/web");
    assert_eq!(body["tenant"]["workspace"], "7");
    assert_eq!(body["message"], "no such image");
}

#[tokio::test(start_paused = true)]
async fn of_too_much_the_oldest_is_dropped_and_counted() {
    // Nobody listens at port 1, and nothing of the teller runs before the first await.
    let webhook = Webhook::begin(hook::address("http://127.0.0.1:1/").unwrap(), &mut Registry::default());
    for number in 0..WAITING + 3 {
        let id = number.to_string();
        webhook.see(&AppView { id, ..app("failed", Some("quota")) });
    }
    let state = webhook.shared.state();
    assert_eq!((state.waiting.len(), &state.waiting[0]["app"]["id"]), (WAITING, &json!("3")));
    let dropped = webhook.shared.results.0.get_or_create(&vec![("result", "dropped")]).get();
    assert_eq!(dropped, 3);
}

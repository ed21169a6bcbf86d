//! What nobody may claim, in any spelling, in any place: who one is, where one comes from, another protocol.

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::harness::{Edge, Far, Http2, OK, Request, Upstream, file};

/// Spellings of what only the edge may say, which frameworks that make variables of headers take for the real thing.
const CLAIMS: [&str; 10] = [
    "X_Forwarded_For",
    "X_Real_IP",
    "x_forwarded_host",
    "X.Forwarded.Proto",
    "X-Forwarded_For",
    "Forwarded",
    "Loco.Org.Id",
    "X_Loco_App",
    "loco_tenant_id",
    "Proxy",
];

/// An app that hears whole requests, trailers too.
async fn listening() -> (Upstream, Edge) {
    let far = Upstream::playing(|mut far: Far| async move {
        while let Some(head) = far.head().await? {
            if head.to_ascii_lowercase().contains("transfer-encoding: chunked")
                && let Some(body) = far.until("\r\n\r\n").await?
            {
                far.hear(&body);
            }
            far.say(OK).await?;
        }
        Ok(())
    })
    .await;
    let edge = Edge::start(&file(&[far.app("far")])).await;
    (far, edge)
}

/// What the app hears of this request, in lower case.
async fn heard_of(request: &str) -> String {
    let (far, edge) = listening().await;
    let answer = edge.ask_raw(request).await.expect("an answer");
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{request}: {answer:?}");
    far.heard().concat().to_ascii_lowercase()
}

#[tokio::test]
async fn claims_in_headers_do_not_pass() {
    let claims: String = CLAIMS.iter().map(|name| format!("{name}: 6.6.6.6\r\n")).collect();
    let heard =
        heard_of(&format!("GET / HTTP/1.1\r\nHost: far.localhost\r\nX-Fine: 1\r\n{claims}\r\n")).await;
    assert!(heard.contains("x-fine: 1"), "{heard}");
    assert!(heard.contains("x-forwarded-for: 127.0.0.1\r\n"), "{heard}");
    assert!(!heard.contains("6.6.6.6"), "{heard}");
}

#[tokio::test]
async fn claims_in_trailers_do_not_pass() {
    let claims: String = CLAIMS.iter().map(|name| format!("{name}: 6.6.6.6\r\n")).collect();
    let heard = heard_of(&format!(
        "POST / HTTP/1.1\r\nHost: far.localhost\r\nTE: trailers\r\nTrailer: X-Fine, {}\r\n\
         Transfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX-Fine: 1\r\n{claims}\r\n",
        CLAIMS.join(", ")
    ))
    .await;
    assert!(heard.contains("x-fine: 1"), "{heard}");
    assert!(!heard.contains("6.6.6.6"), "{heard}");
}

#[tokio::test]
async fn claims_over_http2_do_not_pass() {
    let (far, edge) = listening().await;
    let mut client = Http2::connect(edge.listen()).await;
    let names = CLAIMS.map(str::to_ascii_lowercase);
    let fine = Request::post("far", "/", "").without_length().header("x-fine", "1");
    let call = names.iter().fold(fine, |call, name| call.header(name, "6.6.6.6"));
    let mut asked = client.begin(&call).await;
    asked.fill(b"a", false).await;
    let mut trailers: HeaderMap = names.iter().map(|name| claim(name)).collect();
    trailers.insert("x-last", HeaderValue::from_static("1"));
    asked.body.send_trailers(trailers).expect("a stream that is open");
    let answer = asked.read().await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "ok"), "{answer:?}");
    let heard = far.heard().concat();
    assert!(heard.contains("x-fine: 1\r\n") && heard.contains("x-last: 1\r\n"), "{heard}");
    assert!(!heard.contains("6.6.6.6"), "{heard}");
}

fn claim(name: &str) -> (HeaderName, HeaderValue) {
    (name.parse().expect("a name"), HeaderValue::from_static("6.6.6.6"))
}

#[tokio::test]
async fn the_host_that_counts_is_the_targets() {
    let heard = heard_of("GET http://far.localhost/x HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(heard.starts_with("get /x http/1.1\r\n"), "{heard}");
    assert!(heard.contains("\r\nhost: far.localhost\r\n"), "{heard}");
    assert!(heard.contains("\r\nx-forwarded-host: far.localhost\r\n"), "{heard}");
    assert!(!heard.contains("evil"), "{heard}");
    let heard = heard_of("GET http://far.localhost?x HTTP/1.1\r\nHost: evil.example\r\n\r\n").await;
    assert!(heard.starts_with("get /?x http/1.1\r\n"), "{heard}");
}

#[tokio::test]
async fn no_protocol_but_websocket_is_changed_to() {
    // In a tunnel of HTTP/2 a client could say whatever it likes to the app.
    let heard = heard_of(
        "GET / HTTP/1.1\r\nHost: far.localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\
         HTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n",
    )
    .await;
    for word in ["upgrade", "h2c", "http2-settings"] {
        assert!(!heard.contains(word), "{word}: {heard}");
    }
    let unnamed = "GET / HTTP/1.1\r\nHost: far.localhost\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n";
    assert!(!heard_of(unnamed).await.contains("http2-settings"));
}

#[tokio::test]
async fn http_1_0_cannot_change_protocol() {
    let head = |version| {
        format!(
            "GET / HTTP/{version}\r\nHost: far.localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        )
    };
    let heard = heard_of(&head("1.0")).await;
    assert!(!heard.contains("upgrade"), "{heard}");
    let heard = heard_of(&head("1.1")).await;
    assert!(heard.contains("upgrade: websocket\r\n"), "{heard}");
}

#[tokio::test]
async fn a_cookie_that_names_two_domains_is_as_foreign_as_the_worse() {
    let far = Upstream::playing(|mut far: Far| async move {
        while far.head().await?.is_some() {
            let cookies = "Set-Cookie: a=1; Domain=localhost; Domain=\r\n\
                           Set-Cookie: b=1; Domain=localhost; Domain=far.localhost\r\n\
                           Set-Cookie: c=1; Domain=far.localhost; domain = ..localhost\r\n\
                           Set-Cookie: own=1; Domain=\r\n";
            far.say(format!("HTTP/1.1 200 OK\r\n{cookies}Content-Length: 0\r\n\r\n").as_bytes()).await?;
        }
        Ok(())
    })
    .await;
    let edge = Edge::start(&file(&[far.app("far")])).await;
    assert_eq!(edge.ask(Request::get("far", "/")).await.all("set-cookie"), ["own=1; Domain="]);
}

//! What calls are told over HTTP/2, as their clients see it.

use bytes::Bytes;
use config::model::{Check, Treatment};
use config::settings::Gateway;
use h2::client::SendRequest;
use http::{HeaderMap, Request, Response};
use tokio::net::TcpStream;
use tokio::task::spawn_local;

use super::fakes::{Edge, app, run, soon};

/// All of an answer.
struct Answer {
    head: Response<()>,
    /// Whether the headers were all there is.
    is_head_only: bool,
    body: Vec<u8>,
    trailers: Option<HeaderMap>,
}

async fn client(edge: &Edge) -> SendRequest<Bytes> {
    let stream = TcpStream::connect(edge.address(0)).await.unwrap();
    // Else the system waits in the middle of a request, and paused time passes.
    stream.set_nodelay(true).unwrap();
    let (client, connection) = h2::client::handshake(stream).await.unwrap();
    spawn_local(async { connection.await.unwrap() });
    client
}

async fn call(client: &SendRequest<Bytes>, target: &str, headers: &[(&str, &str)]) -> Answer {
    let mut request =
        Request::post(target).header("content-type", "application/grpc").header("te", "trailers");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut client = client.clone().ready().await.unwrap();
    let (response, mut upload) = client.send_request(request.body(()).unwrap(), false).unwrap();
    // HealthCheckRequest {}, or any other message without fields.
    upload.send_data(Bytes::from_static(&[0; 5]), true).unwrap();
    let (parts, mut incoming) = soon(response).await.unwrap().into_parts();
    let (is_head_only, mut body) = (incoming.is_end_stream(), Vec::new());
    while let Some(piece) = soon(incoming.data()).await {
        body.extend_from_slice(&piece.unwrap());
    }
    let trailers = soon(incoming.trailers()).await.unwrap();
    Answer { head: Response::from_parts(parts, ()), is_head_only, body, trailers }
}

/// Status, code, and whether there was anything after the headers.
fn told(answer: &Answer) -> (u16, &str, bool) {
    let code = answer.head.headers().get("grpc-status").unwrap();
    (answer.head.status().as_u16(), code.to_str().unwrap(), answer.is_head_only)
}

#[test]
fn a_refused_call_ends_with_its_headers() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let client = client(&edge).await;
        let nobody = call(&client, "http://nobody.localhost/a.A/B", &[]).await;
        assert_eq!(told(&nobody), (200, "12", true));
        let late = call(&client, "http://a.localhost/a.A/B", &[("grpc-timeout", "200m")]).await;
        assert_eq!(told(&late), (200, "4", true));
        assert_eq!(late.head.headers()["grpc-retry-pushback-ms"], "5000");
        let above = call(&client, "http://a.localhost/../a.A/B", &[]).await;
        assert_eq!(told(&above), (200, "3", true), "also where there is no request for an app yet");
        let kind = [("content-length", "5"), ("host", "b.localhost")];
        assert_eq!(told(&call(&client, "http://a.localhost/a.A/B", &kind).await), (200, "3", true));
    });
}

#[test]
fn a_check_of_a_sleeping_app_gets_a_message_and_trailers() {
    run(async {
        let mut app = app("a");
        app.health.check = Check::Grpc { service: String::new() };
        app.wake.passersby.health_checks = Treatment::Answer200;
        let edge = Edge::with_a(app, &Gateway::default()).await;
        let client = client(&edge).await;
        let check = call(&client, "http://a.localhost/grpc.health.v1.Health/Check", &[]).await;
        assert_eq!(check.body, [0, 0, 0, 0, 2, 8, 1]);
        assert_eq!(check.trailers.unwrap()["grpc-status"], "0");
        assert!(!check.head.headers().contains_key("grpc-status"));
        let watch = call(&client, "http://a.localhost/grpc.health.v1.Health/Watch", &[]).await;
        assert_eq!(told(&watch), (200, "14", true));
    });
}

//! gRPC calls over HTTP/2 on both sides.

use std::time::Duration;

use bytes::Bytes;
use config::model::Protocol::Auto;
use config::settings::Gateway;
use h2::client::{ResponseFuture, SendRequest};
use h2::{Reason, RecvStream, SendStream};
use http::Request;
use tokio::task::spawn_local;

use super::fakes::{Edge, run, settle, soon};
use super::h2c::{H2c, app, status};

/// A client's call.
struct Call {
    response: ResponseFuture,
    upload: SendStream<Bytes>,
}

async fn connect(edge: &Edge) -> SendRequest<Bytes> {
    let stream = edge.connect(0).await;
    stream.set_nodelay(true).unwrap();
    let (sender, connection) = h2::client::handshake(stream).await.unwrap();
    spawn_local(connection);
    sender.ready().await.unwrap()
}

async fn call(sender: &mut SendRequest<Bytes>) -> Call {
    let request = Request::post("http://a.localhost/pkg.Service/Method")
        .header("content-type", "application/grpc")
        .header("te", "trailers");
    let (response, upload) = sender.send_request(request.body(()).unwrap(), false).unwrap();
    settle().await;
    Call { response, upload }
}

impl Call {
    async fn say(&mut self, text: &'static str) {
        self.upload.send_data(Bytes::from_static(text.as_bytes()), false).unwrap();
        settle().await;
    }
}

async fn data(body: &mut RecvStream) -> Result<Bytes, Option<Reason>> {
    soon(body.data()).await.unwrap().map_err(|error| error.reason())
}

async fn edge(app_end: &H2c) -> Edge {
    let edge = Edge::start(1, &Gateway::default());
    edge.use_table([(app(Auto), app_end.awake(1))]).await;
    edge
}

#[test]
fn a_call_that_its_client_cancels_is_never_whole_for_the_app() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(&app_end).await;
        let mut sender = connect(&edge).await;
        for (begun, reason) in [
            (false, Reason::CANCEL),
            (true, Reason::CANCEL),
            (false, Reason::NO_ERROR),
            (true, Reason::INTERNAL_ERROR),
        ] {
            let mut client = call(&mut sender).await;
            client.say("half").await;
            let mut at_app = app_end.call().await;
            assert_eq!(at_app.next().await.unwrap(), "half");
            if begun {
                at_app.begin().await;
                soon(&mut client.response).await.unwrap();
            }
            client.upload.send_reset(reason);
            let end = soon(at_app.body.data()).await;
            let seen = end.map(|end| end.map_err(|error| error.reason()));
            assert_eq!(seen, Some(Err(Some(Reason::CANCEL))), "{reason:?}, begun: {begun}");
            settle().await;
            assert_eq!(edge.app("a").open(), 0);
        }
    });
}

#[test]
fn a_call_that_its_app_ends_early_is_never_whole_for_the_client() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(&app_end).await;
        let mut sender = connect(&edge).await;
        for (reset, seen) in [
            (Reason::CANCEL, Reason::CANCEL),
            (Reason::NO_ERROR, Reason::INTERNAL_ERROR),
            (Reason::REFUSED_STREAM, Reason::INTERNAL_ERROR),
            (Reason::FLOW_CONTROL_ERROR, Reason::INTERNAL_ERROR),
        ] {
            let client = call(&mut sender).await;
            let mut at_app = app_end.call().await;
            at_app.begin().await.send_data(Bytes::from_static(b"half"), false).unwrap();
            let mut body = soon(client.response).await.unwrap().into_body();
            assert_eq!(data(&mut body).await.unwrap(), "half");
            at_app.reset(reset).await;
            assert_eq!(data(&mut body).await, Err(Some(seen)), "{reset:?}");
        }
    });
}

#[test]
fn a_call_in_which_nobody_says_anything_for_long_goes_on() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = edge(&app_end).await;
        let mut sender = connect(&edge).await;
        let mut client = call(&mut sender).await;
        let mut at_app = app_end.call().await;
        tokio::time::sleep(Duration::from_secs(600)).await;
        let mut answer = at_app.begin().await;
        let mut body = soon(client.response).await.unwrap().into_body();
        for word in ["one", "two"] {
            tokio::time::sleep(Duration::from_secs(600)).await;
            client.upload.send_data(Bytes::from_static(word.as_bytes()), false).unwrap();
            assert_eq!(at_app.next().await.unwrap(), word);
            answer.send_data(Bytes::from_static(word.as_bytes()), false).unwrap();
            assert_eq!(data(&mut body).await.unwrap(), word);
        }
        client.upload.send_data(Bytes::new(), true).unwrap();
        assert_eq!(at_app.whole_body().await, "");
        answer.send_trailers(status("0")).unwrap();
        assert!(soon(body.data()).await.is_none());
        assert_eq!(soon(body.trailers()).await.unwrap().unwrap(), status("0"));
    });
}

#[test]
fn a_call_that_is_cancelled_while_it_is_held_is_held_no_longer_and_the_others_of_its_connection_are() {
    run(async {
        let mut app_end = H2c::start().await;
        let edge = Edge::with_a(app(Auto), &Gateway::default()).await;
        let mut sender = connect(&edge).await;
        let mut given_up = call(&mut sender).await;
        given_up.say("never read").await;
        let kept = call(&mut sender).await;
        assert_eq!(edge.app("a").held(), 2);
        given_up.upload.send_reset(Reason::CANCEL);
        settle().await;
        assert_eq!(edge.app("a").held(), 1);
        edge.change("a", app_end.awake(1)).await;
        app_end.call().await.answer("ok").await;
        let mut body = soon(kept.response).await.unwrap().into_body();
        assert_eq!(data(&mut body).await.unwrap(), "ok");
    });
}

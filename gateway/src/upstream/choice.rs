//! Whether a request goes over HTTP/1.1 or HTTP/2, decided purely, and done so.

use config::model::Protocol;
use http::Request;

use super::spoken::Spoken;
use super::{Answered, Call, Failed, Fault, RequestBody, Target, http2, kept, over_http1};
use crate::outbound::Unsent;
use crate::{forward, language};

/// What a request goes over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// HTTP/1.1.
    Http1,
    /// The same, as the first request to somebody who may turn out to speak HTTP/2.
    FirstHttp1,
    /// HTTP/2, or HTTP/1.1 where that is not understood any more.
    RatherHttp2,
    /// HTTP/2, or not at all.
    Http2,
    /// A stream of HTTP/2 that becomes a WebSocket.
    Tunnel,
    /// It needs HTTP/2, which its app does not speak.
    None,
}

/// What a request asks of its connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Need {
    Nothing,
    /// Trailers and streams: gRPC.
    Http2,
    /// A WebSocket, asked for as HTTP/1.1 does.
    WebSocket,
}

/// An app that speaks only HTTP/1.1 never gets to see a preface of HTTP/2 for a plain request, and a plain request never
/// waits for what a preface would find out.
fn choose(protocol: Protocol, need: Need, spoken: impl FnOnce() -> Option<Spoken>) -> Way {
    match (protocol, need) {
        (Protocol::Http1, Need::Nothing | Need::WebSocket | Need::Http2) => Way::Http1,
        (Protocol::H2c, Need::Nothing | Need::Http2) => Way::Http2,
        (Protocol::H2c, Need::WebSocket) => Way::Tunnel,
        (Protocol::Auto, Need::WebSocket) => Way::Http1,
        (Protocol::Auto, Need::Http2) => match spoken() {
            Some(Spoken::OnlyHttp1) => Way::None,
            Some(Spoken::Http1 | Spoken::Http2) | None => Way::Http2,
        },
        (Protocol::Auto, Need::Nothing) => match spoken() {
            Some(Spoken::Http1 | Spoken::OnlyHttp1) => Way::Http1,
            Some(Spoken::Http2) => Way::RatherHttp2,
            None => Way::FirstHttp1,
        },
    }
}

/// Sends a request and waits for the head of its response.
///
/// # Errors
/// Says what went wrong, and whether the request may be tried again.
pub async fn send(target: &Target<'_>, call: &mut Call<'_>) -> Result<Answered, Unsent> {
    let way = choose(target.protocol, need(target, call), || target.spoken());
    // What is not the usual way is boxed: it would make room in the future of every connection.
    match way {
        Way::Http1 => over_http1(target, call).await,
        Way::FirstHttp1 => Box::pin(first(target, call)).await,
        Way::RatherHttp2 => Box::pin(rather_http2(target, call)).await,
        Way::Http2 => Box::pin(over_http2(target, call)).await.map_err(finally),
        Way::Tunnel => {
            let request = call.forwarded();
            let opened = Box::pin(http2::open_websocket(target, request)).await;
            opened.map_err(|failed| call.take_back(failed)).map_err(finally)
        }
        Way::None => Err(Unsent::Lost(Fault::NotHttp2)),
    }
}

async fn over_http2(target: &Target<'_>, call: &mut Call<'_>) -> Result<Answered, Unsent> {
    let request = call.forwarded();
    http2::send(target, request).await.map_err(|failed| call.take_back(failed))
}

impl Call<'_> {
    /// The request as the app gets it over HTTP/2, with its body.
    fn forwarded(&mut self) -> Request<RequestBody> {
        let body = std::mem::replace(self.request.body_mut(), RequestBody::Empty);
        forward::request(self.request, self.added, body)
    }

    /// Takes the body of a request that was not sent.
    fn take_back(&mut self, failed: Failed) -> Unsent {
        match failed.back {
            Some((outcome, request)) => {
                *self.request.body_mut() = request.into_body();
                Unsent::Again(failed.fault, outcome)
            }
            None => Unsent::Lost(failed.fault),
        }
    }
}

fn need(target: &Target<'_>, call: &Call<'_>) -> Need {
    match target.protocol {
        Protocol::Http1 => Need::Nothing,
        Protocol::Auto | Protocol::H2c if call.added.websocket => Need::WebSocket,
        Protocol::Auto | Protocol::H2c if language::is_grpc(call.request) => Need::Http2,
        Protocol::Auto | Protocol::H2c => Need::Nothing,
    }
}

/// The first request to an endpoint. One that answers HTTP/1.1 with a frame of HTTP/2 has processed nothing of it.
async fn first(target: &Target<'_>, call: &mut Call<'_>) -> Result<Answered, Unsent> {
    let (body, keeper) = kept::keep(std::mem::replace(call.request.body_mut(), RequestBody::Empty));
    *call.request.body_mut() = body;
    match over_http1(target, call).await {
        Err(Unsent::Lost(Fault::NotHttp1)) => match keeper.again() {
            Some(body) => {
                *call.request.body_mut() = body;
                over_http2(target, call).await.map_err(finally)
            }
            None => Err(Unsent::Lost(Fault::NotHttp1)),
        },
        Ok(answered) => {
            target.learn(Spoken::Http1);
            keeper.forget();
            Ok(answered)
        }
        Err(unsent) => Err(unsent),
    }
}

/// A plain request to one that is known to speak HTTP/2; it may have been replaced by one that does not.
async fn rather_http2(target: &Target<'_>, call: &mut Call<'_>) -> Result<Answered, Unsent> {
    match over_http2(target, call).await {
        Err(Unsent::Again(Fault::NotHttp2, _)) => over_http1(target, call).await,
        outcome => outcome,
    }
}

/// Trying again does not teach an app HTTP/2.
fn finally(unsent: Unsent) -> Unsent {
    match unsent {
        Unsent::Again(Fault::NotHttp2, _) => Unsent::Lost(Fault::NotHttp2),
        unsent @ (Unsent::Again(..) | Unsent::Lost(_) | Unsent::TooLate) => unsent,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_needs_http2_or_whose_app_is_known_to_speak_it_goes_over_it() {
        use Way::{FirstHttp1, Http1, Http2, None as No, RatherHttp2};
        let known = [None, Some(Spoken::Http1), Some(Spoken::OnlyHttp1), Some(Spoken::Http2)];
        let ways = |protocol, need| known.map(|spoken| choose(protocol, need, || spoken));
        assert_eq!(ways(Protocol::Auto, Need::Nothing), [FirstHttp1, Http1, Http1, RatherHttp2]);
        assert_eq!(ways(Protocol::Auto, Need::Http2), [Http2, Http2, No, Http2]);
        assert_eq!(ways(Protocol::Auto, Need::WebSocket), [Http1; 4]);
        assert_eq!(ways(Protocol::H2c, Need::WebSocket), [Way::Tunnel; 4]);
        for need in [Need::Nothing, Need::Http2] {
            assert_eq!(ways(Protocol::Http1, need), [Http1; 4]);
            assert_eq!(ways(Protocol::H2c, need), [Http2; 4]);
        }
    }
}

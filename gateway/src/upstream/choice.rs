//! Whether a request goes over HTTP/1.1 or HTTP/2, decided purely, and done so.

use config::model::Protocol;
use http::Request;

use super::spoken::Spoken;
use super::{Answered, Failed, Fault, RequestBody, Target, http2, kept, over_http1, repeat};
use crate::{grpc, hop};

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
/// Says what went wrong, and gives the request back if it may be tried again.
pub async fn send(target: Target<'_>, request: Request<RequestBody>) -> Result<Answered, Failed> {
    let way = choose(target.protocol, need(&target, &request), || target.spoken());
    // What is not the usual way is boxed: it would make room in the future of every connection.
    match way {
        Way::Http1 => over_http1(&target, request).await,
        Way::FirstHttp1 => Box::pin(first(&target, request)).await,
        Way::RatherHttp2 => Box::pin(rather_http2(&target, request)).await,
        Way::Http2 => Box::pin(http2::send(&target, request)).await.map_err(finally),
        Way::Tunnel => Box::pin(http2::open_websocket(&target, request)).await.map_err(finally),
        Way::None => Err(Failed::lost(Fault::NotHttp2)),
    }
}

fn need(target: &Target<'_>, request: &Request<RequestBody>) -> Need {
    match target.protocol {
        Protocol::Http1 => Need::Nothing,
        Protocol::Auto | Protocol::H2c if hop::upgrades_to_websocket(request.headers()) => Need::WebSocket,
        Protocol::Auto | Protocol::H2c if grpc::is_call(request) => Need::Http2,
        Protocol::Auto | Protocol::H2c => Need::Nothing,
    }
}

/// The first request to an endpoint. One that answers HTTP/1.1 with a frame of HTTP/2 has processed nothing of it.
async fn first(target: &Target<'_>, mut request: Request<RequestBody>) -> Result<Answered, Failed> {
    let copy = repeat(&request);
    let (body, keeper) = kept::keep(std::mem::replace(request.body_mut(), RequestBody::Empty));
    match over_http1(target, request.map(|_empty| body)).await {
        Err(Failed { fault: Fault::NotHttp1, back }) => {
            let unsent = back.map(|(_, unsent)| unsent);
            let again = unsent.or_else(|| keeper.again().map(|body| copy.map(|_empty| body)));
            match again {
                Some(again) => http2::send(target, again).await.map_err(finally),
                None => Err(Failed::lost(Fault::NotHttp1)),
            }
        }
        Ok(answered) => {
            target.learn(Spoken::Http1);
            keeper.forget();
            Ok(answered)
        }
        Err(failed) => Err(failed),
    }
}

/// A plain request to one that is known to speak HTTP/2; it may have been replaced by one that does not.
async fn rather_http2(target: &Target<'_>, request: Request<RequestBody>) -> Result<Answered, Failed> {
    match http2::send(target, request).await {
        Err(Failed { fault: Fault::NotHttp2, back: Some((_, unsent)) }) => over_http1(target, unsent).await,
        outcome => outcome,
    }
}

/// Trying again does not teach an app HTTP/2.
fn finally(failed: Failed) -> Failed {
    match failed.fault {
        Fault::NotHttp2 => Failed::lost(Fault::NotHttp2),
        Fault::Refused
        | Fault::Reset
        | Fault::Malformed
        | Fault::Timeout
        | Fault::NotHttp1
        | Fault::NoWebSocket => failed,
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

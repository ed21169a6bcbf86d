//! Headers that belong to one hop (RFC 9110, section 7.6.1), and those that say what the hop before was.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::forward::Ready;
use crate::tenant::{self, Match};

/// The host that the client asked for.
pub static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");

/// What a header is about, by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The message: it goes on.
    EndToEnd,
    /// Whom it is for.
    Host,
    /// Where its body ends.
    Framing,
    /// This hop.
    Hop,
    /// This hop, in requests.
    RequestHop,
    /// Which trailers and codings are taken on this hop.
    Te,
    /// What the hop before was.
    Claim,
    /// Whose the message is.
    Identity,
    /// The trace.
    TraceParent,
    /// What belongs to the trace.
    TraceState,
}

/// What a header is about. Asked of each header of each message: the first letter tells nearly all apart.
///
/// A claim is what a client says of itself or of the hop before. One truth only: an app that prefers `Forwarded` would
/// otherwise read what the client says; and `Proxy` becomes a variable that programs take for their own (httpoxy).
pub fn kind(name: &HeaderName) -> Kind {
    let name = name.as_str();
    match (name.as_bytes().first(), name) {
        (Some(b'c'), "connection")
        | (Some(b'k'), "keep-alive")
        | (Some(b'p'), "proxy-connection" | "proxy-authenticate")
        | (Some(b'u'), "upgrade")
        | (Some(b'h'), "http2-settings") => Kind::Hop,
        // `100 Continue` is answered here: it goes out when the app is there to read the body.
        (Some(b'e'), "expect") | (Some(b'p'), "proxy-authorization") => Kind::RequestHop,
        (Some(b'h'), "host") => Kind::Host,
        (Some(b'c'), "content-length") | (Some(b't'), "transfer-encoding") => Kind::Framing,
        (Some(b't'), "te") => Kind::Te,
        (Some(b't'), "traceparent") => Kind::TraceParent,
        (Some(b't'), "tracestate") => Kind::TraceState,
        (Some(b'f'), "forwarded") | (Some(b'p'), "proxy") => Kind::Claim,
        (Some(b'l' | b'x'), _) if tenant::is_claim(name) => Kind::Identity,
        (Some(b'x'), _)
            if tenant::reads_as(name, "x-forwarded-", Match::Prefix)
                || tenant::reads_as(name, "x-real-ip", Match::Whole) =>
        {
            Kind::Claim
        }
        _ => Kind::EndToEnd,
    }
}

/// Whether a message changes the protocol to WebSocket. No other change is passed on: in a tunnel of `h2c` a client
/// could send requests past all that we do, with whatever identity it likes.
pub fn upgrades_to_websocket(headers: &HeaderMap) -> bool {
    let websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.get(header::UPGRADE).is_some_and(websocket)
        && connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// Takes off what was meant for us alone: the fixed names, and those that `Connection` names, which are returned.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) -> Vec<HeaderName> {
    let named = named_by_connection(headers);
    for name in &named {
        // Naming these would take from the message what it cannot do without (RFC 9110, section 7.6.1).
        if !matches!(kind(name), Kind::Host | Kind::Framing) {
            headers.remove(name);
        }
    }
    remove(headers, |kind| kind == Kind::Hop);
    named
}

/// Takes off a request what its `Connection` names, and that itself: what is added to it then cannot be named there.
pub fn remove_named(headers: &mut HeaderMap) {
    for name in named_by_connection(headers) {
        // `TE` is read later, also where it is named (RFC 9110, section 10.1.4).
        if !matches!(kind(&name), Kind::Host | Kind::Framing | Kind::Te) {
            headers.remove(name);
        }
    }
    headers.remove(header::CONNECTION);
}

/// Takes off a response what was meant for us alone, and what it says of whose it is. What its `Connection` names is not
/// to come as a trailer either.
pub fn clean_response(headers: &mut HeaderMap) -> Vec<HeaderName> {
    // Most have nothing of it.
    if !headers.keys().any(|name| matches!(kind(name), Kind::Hop | Kind::Identity)) {
        return Vec::new();
    }
    let named = remove_hop_by_hop(headers);
    remove(headers, |kind| kind == Kind::Identity);
    named
}

/// Takes off headers of these kinds.
fn remove(headers: &mut HeaderMap, goes: impl Fn(Kind) -> bool) {
    while let Some(name) = headers.keys().find(|name| goes(kind(name))).cloned() {
        headers.remove(name);
    }
}

/// The headers that `Connection` names.
pub fn named_by_connection(headers: &HeaderMap) -> Vec<HeaderName> {
    // Most requests have none.
    if !headers.contains_key(header::CONNECTION) {
        return Vec::new();
    }
    // What nearly all say names no other header.
    let named = connection_options(headers).filter(|option| !matches!(*option, "keep-alive" | "close"));
    named.filter_map(|option| option.parse().ok()).collect()
}

/// What the app is told of the hop before.
pub fn forwarded(client: IpAddr) -> Ready {
    let client = client_value(client);
    Ready::new([
        (HeaderName::from_static("x-forwarded-for"), client.clone()),
        (HeaderName::from_static("x-real-ip"), client),
        (HeaderName::from_static("x-forwarded-proto"), HeaderValue::from_static("http")),
        (header::VIA, HeaderValue::from_static("1.1 loco-edge")),
    ])
}

/// Says the same to the next hop.
pub fn ask_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, UPGRADE.clone());
    headers.insert(header::UPGRADE, WEBSOCKET.clone());
}

/// Trailers that would be taken for framing, routing or identity by whoever merges them into the headers
/// (RFC 9110, section 6.5.1), and those that are `named` by the head's `Connection` (section 7.6.1).
pub fn clean_trailers(trailers: &mut HeaderMap, named: &[HeaderName]) {
    remove_hop_by_hop(trailers);
    for name in named {
        trailers.remove(name);
    }
    remove(trailers, |kind| match kind {
        Kind::Host | Kind::Framing | Kind::Hop | Kind::RequestHop | Kind::Te => true,
        Kind::Claim | Kind::Identity => true,
        Kind::EndToEnd | Kind::TraceParent | Kind::TraceState => false,
    });
    for name in [header::TRAILER, header::AUTHORIZATION, header::SET_COOKIE, header::CONTENT_TYPE] {
        trailers.remove(name);
    }
}

/// A client's address as headers have it.
fn client_value(address: IpAddr) -> HeaderValue {
    let text = address.to_canonical().to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|option| !option.is_empty())
}

/// Whether a list has this item.
pub fn mentions(value: &HeaderValue, token: &str) -> bool {
    value.to_str().is_ok_and(|text| text.split(',').any(|part| part.trim().eq_ignore_ascii_case(token)))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn headers(lines: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        headers
    }

    /// `name: value` of each line, sorted.
    fn lines(headers: &HeaderMap) -> Vec<String> {
        let line =
            |(name, value): (&HeaderName, &HeaderValue)| format!("{name}: {}", value.to_str().unwrap());
        let mut lines: Vec<_> = headers.iter().map(line).collect();
        lines.sort();
        lines
    }

    #[test]
    fn what_is_meant_for_one_hop_goes_and_what_it_names() {
        let mut headers = headers(&[
            ("connection", "close, X-Secret"),
            ("connection", " ,x-other,not a name"),
            ("keep-alive", "timeout=5"),
            ("proxy-connection", "keep-alive"),
            ("proxy-authenticate", "Basic"),
            ("upgrade", "h2c"),
            ("http2-settings", "AAMAAABkAAQAoAAAAAIAAAAA"),
            ("x-secret", "1"),
            ("x-secret", "2"),
            ("x-other", "3"),
            ("x-kept", "4"),
        ]);
        remove_hop_by_hop(&mut headers);
        assert_eq!(lines(&headers), ["x-kept: 4"]);
    }

    #[test]
    fn nobody_takes_a_messages_framing_or_host_by_naming_it() {
        let kept = [("content-length", "5"), ("host", "a"), ("transfer-encoding", "chunked")];
        let mut headers = headers(&kept);
        headers.insert("connection", HeaderValue::from_static("host, Content-Length, transfer-encoding"));
        remove_hop_by_hop(&mut headers);
        assert_eq!(lines(&headers), ["content-length: 5", "host: a", "transfer-encoding: chunked"]);
    }

    #[test]
    fn a_change_of_protocol_is_passed_on_to_websocket_only_and_where_connection_says_so() {
        let asks = |connection, protocol| {
            upgrades_to_websocket(&headers(&[("connection", connection), ("upgrade", protocol)]))
        };
        assert!(asks("keep-alive, Upgrade", "WebSocket"));
        assert!(!asks("keep-alive", "websocket"));
        assert!(!asks("upgrade", "h2c"));
        assert!(!upgrades_to_websocket(&headers(&[("connection", "upgrade")])));
        let mut asked = HeaderMap::new();
        ask_websocket(&mut asked);
        assert_eq!(lines(&asked), ["connection: upgrade", "upgrade: websocket"]);
    }

    #[test]
    fn trailers_change_neither_framing_nor_identity() {
        let mut trailers = headers(&[
            ("host", "evil"),
            ("content-length", "5"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer x"),
            ("set-cookie", "a=b"),
            ("content-type", "text/html"),
            ("te", "trailers"),
            ("trailer", "x-sum"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("loco-org-id", "evil"),
            ("x-loco-app-id", "evil"),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("x-head", "1"),
            ("x-sum", "7"),
            ("grpc-status", "0"),
        ]);
        clean_trailers(&mut trailers, &[HeaderName::from_static("x-head")]);
        assert_eq!(lines(&trailers), ["grpc-status: 0", "x-sum: 7"]);
    }

    #[test]
    fn an_address_is_written_as_the_client_would() {
        assert_eq!(client_value("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1");
        assert_eq!(client_value("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }
}

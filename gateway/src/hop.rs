//! Headers that belong to one hop (RFC 9110, section 7.6.1), and those that say what the hop before was.

use std::net::IpAddr;

use http::header::{self, HeaderMap, HeaderName, HeaderValue};

use crate::tenant::{self, Match};

static KEEP_ALIVE: HeaderName = HeaderName::from_static("keep-alive");
static PROXY_CONNECTION: HeaderName = HeaderName::from_static("proxy-connection");
static HTTP2_SETTINGS: HeaderName = HeaderName::from_static("http2-settings");
static FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
static FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
static FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
static REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");
static VIA: HeaderValue = HeaderValue::from_static("1.1 loco-edge");
static HTTP: HeaderValue = HeaderValue::from_static("http");
static UPGRADE: HeaderValue = HeaderValue::from_static("upgrade");
static WEBSOCKET: HeaderValue = HeaderValue::from_static("websocket");
static TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Whether a message changes the protocol to WebSocket. No other change is passed on: in a tunnel of `h2c` a client
/// could send requests past all that we do, with whatever identity it likes.
pub fn upgrades_to_websocket(headers: &HeaderMap) -> bool {
    let websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    headers.get(header::UPGRADE).is_some_and(websocket)
        && connection_options(headers).any(|option| option.eq_ignore_ascii_case("upgrade"))
}

/// Takes off what was meant for us alone: the fixed names, and those that `Connection` names.
pub fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if let Some(connection) = headers.get(header::CONNECTION) {
        // What nearly all say names no other header.
        let plain = ["keep-alive", "close"].iter().any(|plain| connection == plain);
        if plain && headers.get_all(header::CONNECTION).iter().count() == 1 {
            headers.remove(header::CONNECTION);
        } else {
            remove_named(headers);
        }
    }
    for name in
        [&KEEP_ALIVE, &PROXY_CONNECTION, &header::UPGRADE, &HTTP2_SETTINGS, &header::PROXY_AUTHENTICATE]
    {
        headers.remove(name);
    }
}

/// Takes off what `Connection` names, and itself.
fn remove_named(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> =
        connection_options(headers).filter_map(|option| option.parse().ok()).collect();
    for name in named {
        // Naming these would take from the message what it cannot do without (RFC 9110, section 7.6.1).
        if name != header::HOST && name != header::CONTENT_LENGTH && name != header::TRANSFER_ENCODING {
            headers.remove(name);
        }
    }
    headers.remove(header::CONNECTION);
}

/// Of a request's headers: hop-by-hop ones go; what is known of the hop before replaces what the client claims.
pub fn forward_request(headers: &mut HeaderMap, client: &HeaderValue) {
    let wants_trailers = headers.get_all(header::TE).iter().any(|te| mentions(te, "trailers"));
    remove_hop_by_hop(headers);
    headers.remove(header::TE);
    if wants_trailers {
        headers.insert(header::TE, TRAILERS.clone());
    }
    headers.remove(header::PROXY_AUTHORIZATION);
    // Answered here: `100 Continue` goes out when the app is there to read the body.
    headers.remove(header::EXPECT);
    remove_claims(headers);
    if let Some(host) = headers.get(header::HOST).cloned() {
        headers.insert(FORWARDED_HOST.clone(), host);
    }
    headers.insert(FORWARDED_FOR.clone(), client.clone());
    headers.insert(REAL_IP.clone(), client.clone());
    headers.insert(FORWARDED_PROTO.clone(), HTTP.clone());
    headers.append(header::VIA, VIA.clone());
}

/// Says the same to the next hop.
pub fn ask_websocket(headers: &mut HeaderMap) {
    headers.insert(header::CONNECTION, UPGRADE.clone());
    headers.insert(header::UPGRADE, WEBSOCKET.clone());
}

/// Removes what a client claims of itself or of the hop before. One truth only: an app that prefers `Forwarded` would
/// otherwise read what the client says; and `Proxy` becomes a variable that programs take for their own (httpoxy).
fn remove_claims(headers: &mut HeaderMap) {
    let is_claim = |name: &HeaderName| {
        ["x-forwarded-", "x-real-ip", "forwarded", "proxy"].iter().any(|claim| {
            match claim.strip_suffix('-') {
                Some(_) => tenant::reads_as(name.as_str(), claim, Match::Prefix),
                None => tenant::reads_as(name.as_str(), claim, Match::Whole),
            }
        })
    };
    while let Some(claim) = headers.keys().find(|name| is_claim(name)).cloned() {
        headers.remove(&claim);
    }
}

/// Trailers that would be taken for framing, routing or identity by whoever merges them into the headers
/// (RFC 9110, section 6.5.1).
pub fn clean_trailers(trailers: &mut HeaderMap) {
    remove_hop_by_hop(trailers);
    tenant::remove_claims(trailers);
    remove_claims(trailers);
    let forbidden =
        [header::HOST, header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::TE, header::TRAILER];
    for name in forbidden.into_iter().chain([header::AUTHORIZATION, header::SET_COOKIE, header::CONTENT_TYPE])
    {
        trailers.remove(name);
    }
}

/// A client's address as headers have it.
pub fn client_value(address: IpAddr) -> HeaderValue {
    let text = address.to_canonical().to_string();
    HeaderValue::from_str(&text).unwrap_or(HeaderValue::from_static("unknown"))
}

fn connection_options(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let values = headers.get_all(header::CONNECTION).into_iter().filter_map(|value| value.to_str().ok());
    values.flat_map(|value| value.split(',')).map(str::trim).filter(|option| !option.is_empty())
}

fn mentions(value: &HeaderValue, token: &str) -> bool {
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
    fn an_app_reads_of_its_client_what_we_know_and_nothing_that_the_client_claims() {
        let mut headers = headers(&[
            ("host", "a.localhost"),
            ("x-forwarded-for", "6.6.6.6"),
            ("x-forwarded-for", "7.7.7.7"),
            ("x-forwarded-host", "evil"),
            ("x-forwarded-proto", "https"),
            ("x-forwarded-port", "1"),
            ("forwarded", "for=6.6.6.6"),
            ("x-real-ip", "6.6.6.6"),
            ("x_forwarded_for", "6.6.6.6"),
            ("x_real_ip", "6.6.6.6"),
            ("proxy", "http://evil"),
            ("via", "1.0 before"),
            ("expect", "100-continue"),
            ("proxy-authorization", "Basic x"),
            ("authorization", "Bearer kept"),
            ("te", "gzip"),
        ]);
        forward_request(&mut headers, &client_value([127, 0, 0, 1].into()));
        assert_eq!(
            lines(&headers),
            [
                "authorization: Bearer kept",
                "host: a.localhost",
                "via: 1.0 before",
                "via: 1.1 loco-edge",
                "x-forwarded-for: 127.0.0.1",
                "x-forwarded-host: a.localhost",
                "x-forwarded-proto: http",
                "x-real-ip: 127.0.0.1",
            ]
        );
    }

    #[test]
    fn who_takes_trailers_says_so_on_any_line() {
        for te in [&["trailers"][..], &["gzip, Trailers"], &["gzip", "trailers"]] {
            let mut headers = HeaderMap::new();
            for line in te {
                headers.append(header::TE, HeaderValue::from_static(line));
            }
            headers.insert(header::CONNECTION, HeaderValue::from_static("te"));
            forward_request(&mut headers, &client_value([127, 0, 0, 1].into()));
            assert_eq!(headers.get_all(header::TE).iter().collect::<Vec<_>>(), ["trailers"], "{te:?}");
        }
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
            ("loco-org-id", "evil"),
            ("x-loco-app-id", "evil"),
            ("connection", "x-named"),
            ("x-named", "1"),
            ("x-sum", "7"),
            ("grpc-status", "0"),
        ]);
        clean_trailers(&mut trailers);
        assert_eq!(lines(&trailers), ["grpc-status: 0", "x-sum: 7"]);
    }

    #[test]
    fn an_address_is_written_as_the_client_would() {
        assert_eq!(client_value("::ffff:10.0.0.1".parse().unwrap()), "10.0.0.1");
        assert_eq!(client_value("2001:db8::1".parse().unwrap()), "2001:db8::1");
    }
}

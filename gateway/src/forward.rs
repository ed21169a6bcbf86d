//! The head of a request as its app gets it: what the client sent, without what was meant for us or is claimed, with
//! what we know. Nothing is changed in the client's request: it may be sent again, and taking headers off a map and
//! putting others in costs more than writing those that stay.

use http::Request;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::uri::PathAndQuery;
use http_body::Body as _;

use crate::hop::{self, Kind};
use crate::trace::{self, Trace};
use crate::upstream::RequestBody;

/// What a request gets beside its own headers.
#[derive(Clone, Copy, Debug)]
pub struct Added<'a> {
    /// What is known of the hop before.
    pub hop: &'a Ready,
    /// Whose the request is.
    pub identity: &'a Ready,
    /// The host that the client asked for, if the app is asked for another.
    pub asked_host: Option<&'a HeaderValue>,
    /// The trace that begins here, if the client has none.
    pub trace: &'a Trace,
    /// Whether the client asked to change the protocol to WebSocket.
    pub websocket: bool,
}

/// Headers that are always sent together, made once.
#[derive(Clone, Debug)]
pub struct Ready {
    fields: Box<[(HeaderName, HeaderValue)]>,
    /// As HTTP/1 has them.
    lines: Box<[u8]>,
}

/// How many headers we add at most: of the hop before, of identity, of the trace.
const ADDED: usize = 14;

impl Ready {
    /// These headers, in this order.
    pub fn new<const N: usize>(fields: [(HeaderName, HeaderValue); N]) -> Self {
        let mut lines = Vec::new();
        for (name, value) in &fields {
            write_line(name, value, &mut lines);
        }
        Self { fields: Box::new(fields), lines: lines.into_boxed_slice() }
    }
}

/// One thing that a request's head says.
#[derive(Debug)]
enum Told<'a> {
    Field(&'a HeaderName, &'a HeaderValue),
    /// How the client's framing says where the body ends.
    Framing(&'a HeaderName, &'a HeaderValue),
    Ours(&'a HeaderName, &'a [u8]),
    Ready(&'a Ready),
}

/// Writes the head of a request in HTTP/1.1.
pub fn write(request: &Request<RequestBody>, added: Added<'_>, head: &mut Vec<u8>) {
    let target = request.uri().path_and_query().map_or("/", PathAndQuery::as_str);
    head.extend_from_slice(request.method().as_str().as_bytes());
    head.push(b' ');
    head.extend_from_slice(target.as_bytes());
    head.extend_from_slice(b" HTTP/1.1\r\n");
    tell(request.headers(), added, |told| match told {
        Told::Field(name, value) => write_line(name, value, head),
        Told::Framing(name, value) => {
            // Without a body there are no chunks; with one, its framing is ours.
            if *name == header::CONTENT_LENGTH && matches!(request.body(), RequestBody::Empty) {
                write_line(name, value, head);
            }
        }
        Told::Ours(name, value) => write_field(name, value, head),
        Told::Ready(ready) => head.extend_from_slice(&ready.lines),
    });
    match (request.body(), request.body().size_hint().exact()) {
        (RequestBody::Empty, _) => head.extend_from_slice(b"\r\n"),
        (RequestBody::Client(_) | RequestBody::Kept(_), Some(length)) => {
            head.extend_from_slice(format!("content-length: {length}\r\n\r\n").as_bytes());
        }
        (RequestBody::Client(_) | RequestBody::Kept(_), None) => {
            head.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n")
        }
    }
}

/// The same as a request of its own, with this body.
pub fn request(request: &Request<RequestBody>, added: Added<'_>, body: RequestBody) -> Request<RequestBody> {
    let mut headers = HeaderMap::with_capacity(request.headers().len() + ADDED);
    tell(request.headers(), added, |told| match told {
        Told::Field(name, value) | Told::Framing(name, value) => _ = headers.append(name, value.clone()),
        Told::Ours(name, value) => {
            // What we say is text.
            if let Ok(value) = HeaderValue::from_bytes(value) {
                headers.append(name, value);
            }
        }
        Told::Ready(ready) => ready.fields.iter().for_each(|(name, value)| {
            headers.append(name, value.clone());
        }),
    });
    let mut forwarded = Request::new(body);
    *forwarded.method_mut() = request.method().clone();
    *forwarded.uri_mut() = request.uri().clone();
    *forwarded.headers_mut() = headers;
    forwarded
}

/// Writes a header line.
pub fn write_line(name: &HeaderName, value: &HeaderValue, head: &mut Vec<u8>) {
    write_field(name, value.as_bytes(), head);
}

fn write_field(name: &HeaderName, value: &[u8], head: &mut Vec<u8>) {
    head.extend_from_slice(name.as_str().as_bytes());
    head.extend_from_slice(b": ");
    head.extend_from_slice(value);
    head.extend_from_slice(b"\r\n");
}

/// What the client sent and may be passed on, then what we know.
fn tell<'a>(headers: &'a HeaderMap, added: Added<'a>, mut say: impl FnMut(Told<'_>)) {
    let named = hop::named_by_connection(headers);
    let (mut trailers, mut parent, mut state, mut host) = (false, None, false, None);
    for (name, value) in headers {
        let kind = hop::kind(name);
        if !named.is_empty() && kind != Kind::Host && kind != Kind::Framing && named.contains(name) {
            // What it names goes, but for what the message cannot do without (RFC 9110, section 7.6.1); `TE` is read.
            trailers |= kind == Kind::Te && hop::mentions(value, "trailers");
            continue;
        }
        match kind {
            Kind::EndToEnd => say(Told::Field(name, value)),
            Kind::Framing => say(Told::Framing(name, value)),
            Kind::Host => {
                host = host.or(Some(value));
                say(Told::Field(name, value));
            }
            Kind::Te => trailers |= hop::mentions(value, "trailers"),
            Kind::TraceParent => parent = parent.or(Some(value)),
            Kind::TraceState => state = true,
            Kind::Hop | Kind::RequestHop | Kind::Claim | Kind::Identity => {}
        }
    }
    if trailers {
        say(Told::Ours(&header::TE, b"trailers"));
    }
    if added.websocket {
        say(Told::Ours(&header::CONNECTION, b"upgrade"));
        say(Told::Ours(&header::UPGRADE, b"websocket"));
    }
    if let Some(host) = added.asked_host.or(host) {
        say(Told::Field(&hop::FORWARDED_HOST, host));
    }
    say(Told::Ready(added.hop));
    say(Told::Ready(added.identity));
    tell_trace(headers, (parent, state), added, say);
}

/// The client's trace, or one that begins here.
fn tell_trace<'a>(
    headers: &'a HeaderMap,
    (parent, state): (Option<&'a HeaderValue>, bool),
    added: Added<'a>,
    mut say: impl FnMut(Told<'_>),
) {
    match parent.and_then(|parent| trace::kept(parent.as_bytes())) {
        Some(kept) => {
            say(Told::Ours(&trace::TRACEPARENT, &kept));
            // State without a trace of its own belongs to nothing (section 3.3.1 of the recommendation).
            for value in headers.get_all(&trace::TRACESTATE).iter().filter(|_| state) {
                say(Told::Field(&trace::TRACESTATE, value));
            }
        }
        None => say(Told::Ours(&trace::TRACEPARENT, added.trace.begun())),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn identity() -> Ready {
        Ready::new([(HeaderName::from_static("loco-org-id"), HeaderValue::from_static("ours"))])
    }

    /// The head that an app gets of a request with these headers: its first line, and the others sorted.
    fn head(headers: &[(&'static str, &'static str)], websocket: bool) -> (String, Vec<String>) {
        let mut request = Request::get("/a?b");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.body(RequestBody::Empty).unwrap();
        let (hop, identity, trace) = (hop::forwarded([127, 0, 0, 1].into()), identity(), Trace::default());
        let mut head = Vec::new();
        write(
            &request,
            Added { hop: &hop, identity: &identity, trace: &trace, asked_host: None, websocket },
            &mut head,
        );
        let head = String::from_utf8(head).unwrap();
        let mut lines = head.strip_suffix("\r\n\r\n").unwrap().split("\r\n").map(String::from);
        let first = lines.next().unwrap();
        let mut lines: Vec<_> = lines.filter(|line| !line.starts_with("traceparent: 00-")).collect();
        lines.sort();
        (first, lines)
    }

    /// What every app gets.
    const OURS: [&str; 6] = [
        "loco-org-id: ours",
        "via: 1.1 loco-edge",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: a.localhost",
        "x-forwarded-proto: http",
        "x-real-ip: 127.0.0.1",
    ];

    fn with_ours(others: &[&'static str]) -> Vec<&'static str> {
        let mut lines = [&OURS[..], &["host: a.localhost"], others].concat();
        lines.sort_unstable();
        lines
    }

    #[test]
    fn an_app_reads_of_its_client_what_we_know_and_nothing_that_the_client_claims() {
        let (first, lines) = head(
            &[
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
                ("loco-org-id", "evil"),
                ("loco_org_id", "evil"),
                ("x-loco-app-id", "evil"),
                ("via", "1.0 before"),
                ("expect", "100-continue"),
                ("proxy-authorization", "Basic x"),
                ("authorization", "Bearer kept"),
                ("content-length", "0"),
                ("transfer-encoding", "chunked"),
                ("te", "gzip"),
            ],
            false,
        );
        assert_eq!(first, "GET /a?b HTTP/1.1");
        assert_eq!(lines, with_ours(&["authorization: Bearer kept", "content-length: 0", "via: 1.0 before"]));
    }

    #[test]
    fn what_connection_names_goes_but_not_the_host_and_not_what_we_say() {
        let (_, lines) = head(
            &[
                ("connection", "close, X-Secret, host, loco-org-id, tracestate, traceparent"),
                ("connection", "x-other, content-length"),
                ("host", "a.localhost"),
                ("x-secret", "1"),
                ("x-other", "2"),
                ("x-kept", "3"),
                ("traceparent", "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),
                ("tracestate", "a=b"),
            ],
            false,
        );
        assert_eq!(lines, with_ours(&["x-kept: 3"]));
    }

    #[test]
    fn who_takes_trailers_says_so_on_any_line() {
        for te in [&["trailers"][..], &["gzip, Trailers"], &["gzip", "trailers"]] {
            let mut headers = vec![("host", "a.localhost"), ("connection", "te")];
            headers.extend(te.iter().map(|line| ("te", *line)));
            assert_eq!(head(&headers, false).1, with_ours(&["te: trailers"]), "{te:?}");
        }
    }

    #[test]
    fn a_change_of_protocol_is_asked_for_anew() {
        let headers =
            [("host", "a.localhost"), ("connection", "keep-alive, Upgrade"), ("upgrade", "WebSocket")];
        assert_eq!(head(&headers, true).1, with_ours(&["connection: upgrade", "upgrade: websocket"]));
        assert_eq!(head(&headers, false).1, with_ours(&[]));
    }

    #[test]
    fn state_goes_with_the_trace_that_it_belongs_to() {
        let state = |parent| {
            let headers = [
                ("host", "a.localhost"),
                ("tracestate", "a=b"),
                ("traceparent", parent),
                ("tracestate", "c=d"),
            ];
            head(&headers, false).1
        };
        let kept = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";
        assert_eq!(state(kept), with_ours(&["tracestate: a=b", "tracestate: c=d"]));
        assert_eq!(state("no trace"), with_ours(&[]));
    }
}

//! Who is spoken to: in which protocol a client reads an answer of ours.

use http::header::{self, HeaderMap, HeaderName};
use http::{Method, Request};

static CONNECT_VERSION: HeaderName = HeaderName::from_static("connect-protocol-version");

/// What an answer of ours is written in. Where clients check it, with the content type that theirs asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Language {
    /// A page, for people.
    Html,
    /// A problem (RFC 9457), for programs.
    Problem,
    /// gRPC: the status in the headers, which are all there is ("Trailers-Only").
    Grpc(&'static str),
    /// gRPC-Web: the status in the body, as its last frame.
    GrpcWeb(&'static str),
    /// The same in base64, for clients that read no bytes.
    GrpcWebText(&'static str),
    /// A Connect call with one message each way: HTTP statuses and JSON.
    Connect,
    /// Any other Connect call: the error in the body, as its last envelope.
    ConnectStream(&'static str),
}

/// What calls say of themselves in `Content-Type`. An answer with another codec than the call's is taken for broken by
/// clients that look, so the common codecs have rows of their own; of the rest only the protocol is known.
const CALLS: [(&str, Language); 11] = [
    ("application/grpc", Language::Grpc("application/grpc")),
    ("application/grpc+proto", Language::Grpc("application/grpc+proto")),
    ("application/grpc+json", Language::Grpc("application/grpc+json")),
    ("application/grpc-web", Language::GrpcWeb("application/grpc-web")),
    ("application/grpc-web+proto", Language::GrpcWeb("application/grpc-web+proto")),
    ("application/grpc-web+json", Language::GrpcWeb("application/grpc-web+json")),
    ("application/grpc-web-text", Language::GrpcWebText("application/grpc-web-text")),
    ("application/grpc-web-text+proto", Language::GrpcWebText("application/grpc-web-text+proto")),
    ("application/connect+proto", Language::ConnectStream("application/connect+proto")),
    ("application/connect+json", Language::ConnectStream("application/connect+json")),
    ("application/proto", Language::Connect),
];

const GRPC: &[u8] = b"application/grpc";
const WEB_TEXT: &[u8] = b"application/grpc-web-text";

impl Language {
    /// What the sender of this request reads. Every request is asked, because one that is lost at its app is no longer
    /// there to be looked at: so it costs a look at one or two headers, and nothing is allocated.
    pub fn of<B>(request: &Request<B>) -> Self {
        let headers = request.headers();
        if let Some(language) =
            headers.get(header::CONTENT_TYPE).and_then(|kind| call(kind.as_bytes(), request))
        {
            return language;
        }
        if reads_html(headers) {
            Self::Html
        } else if is_connect_get(request) {
            Self::Connect
        } else {
            Self::Problem
        }
    }
}

/// Whether a request is gRPC proper, which needs trailers, and bodies that go both ways at once. gRPC-Web and Connect do
/// not.
pub fn is_grpc<B>(request: &Request<B>) -> bool {
    // Most requests are GETs; their headers need not be searched.
    *request.method() == Method::POST
        && request.headers().get(header::CONTENT_TYPE).is_some_and(|kind| is_of_grpc(kind.as_bytes()))
}

/// [`Language::of`] has to know the codec, too; this is asked on the way of each POST.
fn is_of_grpc(content_type: &[u8]) -> bool {
    let rest = match content_type.split_at_checked(GRPC.len()) {
        Some((kind, rest)) if kind.eq_ignore_ascii_case(GRPC) => rest,
        Some(_) | None => return false,
    };
    matches!(rest.first(), None | Some(b'+' | b';' | b' '))
}

/// What a request with this content type is a call of, if it is one.
fn call<B>(content_type: &[u8], request: &Request<B>) -> Option<Language> {
    let kind = essence(content_type);
    if kind.eq_ignore_ascii_case(b"application/json") {
        return is_connect_json(request).then_some(Language::Connect);
    }
    let row = CALLS.iter().find(|(name, _)| kind.eq_ignore_ascii_case(name.as_bytes()));
    let language = row.map(|(_, language)| *language).or_else(|| of_other_codec(kind))?;
    match language {
        // A client that sends bytes may ask for text.
        Language::GrpcWeb(_) if accepts(request.headers(), WEB_TEXT) => {
            Some(Language::GrpcWebText("application/grpc-web-text"))
        }
        Language::Connect => (*request.method() == Method::POST).then_some(language),
        Language::Html
        | Language::Problem
        | Language::Grpc(_)
        | Language::GrpcWeb(_)
        | Language::GrpcWebText(_)
        | Language::ConnectStream(_) => Some(language),
    }
}

/// A gRPC call in a codec that has no row. (A Connect stream in such a codec gets a problem: its client would not take an
/// answer in another one, and makes a code of the HTTP status.)
fn of_other_codec(kind: &[u8]) -> Option<Language> {
    let plus = memchr::memchr(b'+', kind)?;
    let protocol = kind.get(..plus)?;
    let row = CALLS.iter().find(|(name, _)| protocol.eq_ignore_ascii_case(name.as_bytes()))?;
    match row.1 {
        language @ (Language::Grpc(_) | Language::GrpcWeb(_) | Language::GrpcWebText(_)) => Some(language),
        Language::Html | Language::Problem | Language::Connect | Language::ConnectStream(_) => None,
    }
}

/// A JSON POST is a Connect call if it says so, or if its path is that of a procedure: clients may leave the header out
/// (Connect protocol, "Unary-Request"), and curl does.
fn is_connect_json<B>(request: &Request<B>) -> bool {
    *request.method() == Method::POST
        && (is_procedure(request.uri().path()) || request.headers().contains_key(&CONNECT_VERSION))
}

/// Connect protocol, "Unary-Get-Request".
fn is_connect_get<B>(request: &Request<B>) -> bool {
    const SAYS_SO: &[u8] = b"connect=v1";
    let query = request.uri().query().unwrap_or_default().as_bytes();
    query.len() >= SAYS_SO.len()
        && *request.method() == Method::GET
        && query.split(|byte| *byte == b'&').any(|parameter| parameter == SAYS_SO)
}

/// Whether a path ends with `package.Service/Method`. Other APIs have dots in their paths, too, so the names must be
/// written as the style guide of Protocol Buffers has them, and the package must be there.
fn is_procedure(path: &str) -> bool {
    if memchr::memchr(b'.', path.as_bytes()).is_none() {
        return false;
    }
    let Some((before, method)) = path.rsplit_once('/') else { return false };
    let service = before.rsplit('/').next().unwrap_or_default();
    let Some((package, service)) = service.rsplit_once('.') else { return false };
    is_type_name(method) && is_type_name(service) && package.split('.').all(is_identifier)
}

fn is_type_name(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_uppercase()) && is_identifier(name)
}

fn is_identifier(name: &str) -> bool {
    name.starts_with(|first: char| first.is_ascii_alphabetic() || first == '_')
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

/// Whether a refusal is read by a person: browsers ask for HTML before all else; a program that would take it, too, says
/// so with a lower weight (RFC 9110, section 12.5.1).
pub fn reads_html(headers: &HeaderMap) -> bool {
    accepts(headers, b"text/html")
}

fn accepts(headers: &HeaderMap, kind: &[u8]) -> bool {
    headers.get_all(header::ACCEPT).into_iter().any(|accept| {
        let accept = accept.as_bytes();
        // What most programs send is too short to name a kind.
        accept.len() >= kind.len() && accept.split(|byte| *byte == b',').any(|range| is_for(range, kind))
    })
}

/// Whether a media range is this kind, with the full weight.
fn is_for(range: &[u8], kind: &[u8]) -> bool {
    let Some((name, parameters)) = range.trim_ascii_start().split_at_checked(kind.len()) else {
        return false;
    };
    if !name.eq_ignore_ascii_case(kind) {
        return false;
    }
    let mut parts = parameters.split(|byte| *byte == b';').map(<[u8]>::trim_ascii);
    parts.next().is_some_and(<[u8]>::is_empty) && !parts.any(|parameter| parameter.starts_with(b"q=0"))
}

/// A content type without its parameters.
fn essence(content_type: &[u8]) -> &[u8] {
    let end = memchr::memchr(b';', content_type).unwrap_or(content_type.len());
    content_type.get(..end).unwrap_or_default().trim_ascii()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn of(method: &str, target: &str, headers: &[(&str, &str)]) -> Language {
        let mut request = Request::builder().method(method).uri(target);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        Language::of(&request.body(()).unwrap())
    }

    fn of_post(kind: &str) -> Language {
        of("POST", "/greet.v1.Greeter/Greet", &[("content-type", kind)])
    }

    #[test]
    fn calls_say_what_they_are_in_their_content_type_and_are_answered_in_it() {
        for (kind, language) in CALLS {
            assert_eq!(of_post(kind), language);
            assert_eq!(of_post(&format!("{} ; charset=utf-8", kind.to_uppercase())), language);
        }
        assert_eq!(of_post("application/grpc+thrift"), Language::Grpc("application/grpc"));
        assert_eq!(of_post("application/grpc-web+thrift"), Language::GrpcWeb("application/grpc-web"));
        for other in
            ["application/grpcx", "application/grpc-webx", "application/connect+x", "text/plain", "", "+"]
        {
            assert_eq!(of_post(other), Language::Problem, "{other}");
        }
    }

    #[test]
    fn grpc_proper_is_a_post_of_its_content_type_and_grpc_web_is_none() {
        let is_grpc = |method: &str, kind: &str| {
            super::is_grpc(&Request::builder().method(method).header("content-type", kind).body(()).unwrap())
        };
        for kind in ["application/grpc", "application/grpc+proto", "Application/GRPC;x=1"] {
            assert!(is_grpc("POST", kind), "{kind}");
            assert!(!is_grpc("GET", kind), "{kind}");
        }
        for kind in ["application/grpc-web", "application/grpc-web+proto", "application/grp", "text/plain"] {
            assert!(!is_grpc("POST", kind), "{kind}");
        }
        assert!(!super::is_grpc(&Request::post("/").body(()).unwrap()));
    }

    #[test]
    fn who_cannot_read_bytes_asks_for_text() {
        let text = [("content-type", "application/grpc-web+proto"), ("accept", "application/grpc-web-text")];
        assert_eq!(of("POST", "/a.A/B", &text), Language::GrpcWebText("application/grpc-web-text"));
    }

    #[test]
    fn a_post_of_json_is_a_call_if_it_says_so_or_goes_to_a_procedure() {
        let json = ("content-type", "application/json; charset=utf-8");
        for (path, language) in [
            ("/deployment.v1.DeploymentService/CreateDeployment", Language::Connect),
            ("/loco.deployment.v1.DeploymentService/CreateDeployment?a=b", Language::Connect),
            ("/api/a.A/B", Language::Connect),
            ("/Greeter/Greet", Language::Problem),
            ("/example.com/items", Language::Problem),
            ("/v1.0/Items", Language::Problem),
            ("/.A/B", Language::Problem),
            ("/a.A/B/", Language::Problem),
            ("/a.A", Language::Problem),
            ("/", Language::Problem),
        ] {
            assert_eq!(of("POST", path, &[json]), language, "{path}");
            assert_eq!(of("POST", path, &[json, ("connect-protocol-version", "1")]), Language::Connect);
            assert_eq!(of("PUT", path, &[json]), Language::Problem, "a call is a POST");
        }
    }

    #[test]
    fn a_get_is_a_call_if_its_query_says_so_and_no_person_reads_the_answer() {
        let query = "/a.A/B?message=%7B%7D&encoding=json&connect=v1";
        assert_eq!(of("GET", query, &[("accept", "*/*")]), Language::Connect);
        assert_eq!(of("GET", query, &[("accept", "text/html,*/*;q=0.8")]), Language::Html);
        assert_eq!(of("POST", query, &[]), Language::Problem);
        assert_eq!(of("GET", "/a.A/B?x=connect=v1&connect=v10", &[]), Language::Problem);
    }

    #[test]
    fn html_is_for_who_asks_for_it_before_all_else() {
        let reads = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| ("accept", *line)).collect();
            of("GET", "/", &lines) == Language::Html
        };
        assert!(reads(&["text/html"]) && reads(&["application/json", "a/b;q=0.1, Text/HTML;level=1"]));
        for not in [&[][..], &["*/*"], &["application/json, text/html;q=0.5"], &["text/htmlx"]] {
            assert!(!reads(not), "{not:?}");
        }
    }
}

//! `docs/answers.md` lists every answer of the edge's own. It has to be true, and complete.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it is wrong")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use config::link::{Failure, Phase};
use gateway::answer::{AllIsWell, Refusal, all_is_well, waiting};
use gateway::body::Body;
use gateway::conn::Violation;
use gateway::language::Language;
use gateway::page;
use gateway::upstream::Fault;
use http::Response;
use http_body::Body as _;
use http_body_util::BodyExt;
use serde_json::Value;

const SOON: Duration = Duration::from_secs(3);

/// One of each kind. The matches below name all there are, so that a new one does not compile before it is here.
fn refusals() -> Vec<Refusal> {
    let failures = Failure::ALL.map(|failure| Refusal::WakeFailed { failure, retry_after: SOON });
    let faults = [
        Fault::Refused,
        Fault::Reset,
        Fault::Malformed,
        Fault::Timeout,
        Fault::NotHttp2,
        Fault::NotHttp1,
        Fault::NoWebSocket,
    ];
    let others = [
        Refusal::UnknownHost,
        Refusal::UnknownPath,
        Refusal::NoBackend,
        Refusal::NoEndpoints,
        Refusal::RuleTimeout,
        Refusal::Asleep,
        Refusal::WakeTooFar(SOON),
        Refusal::TooManyHeld,
        Refusal::HoldTimeout,
        Refusal::DeadlineExceeded,
        Refusal::AppBusy,
        Refusal::RateLimited(SOON),
        Refusal::TooManyAtOnce,
        Refusal::TooManyWakes(SOON),
        Refusal::BodyTooLarge,
        Refusal::BodyBroken,
        Refusal::ShuttingDown,
        Refusal::ReservedPath,
        Refusal::LinkForged,
        Refusal::LinkExpired,
        Refusal::TooManyFollow,
    ];
    let own = others.into_iter().chain(failures).chain(faults.map(Refusal::Upstream));
    own.chain(VIOLATIONS.map(Refusal::Violation)).inspect(all_kinds).collect()
}

const VIOLATIONS: [Violation; 22] = [
    Violation::HeaderTimeout,
    Violation::BodyTooSlow,
    Violation::RequestLineTooLong,
    Violation::HeadTooLarge,
    Violation::TooManyHeaderLines,
    Violation::LengthWithTransferEncoding,
    Violation::BadContentLength,
    Violation::BadTransferEncoding,
    Violation::MissingHost,
    Violation::DoubledHost,
    Violation::BadHost,
    Violation::BadTarget,
    Violation::AboveRoot,
    Violation::FoldedHeader,
    Violation::MalformedHead,
    Violation::MalformedChunk,
    Violation::UnsupportedVersion,
    Violation::MethodNotAllowed,
    Violation::DifferingHost,
    Violation::UnknownProtocol,
    Violation::Flood,
    Violation::MalformedFrame,
];

fn all_kinds(refusal: &Refusal) {
    match refusal {
        Refusal::UnknownHost | Refusal::UnknownPath | Refusal::Asleep | Refusal::WakeFailed { .. } => {}
        Refusal::NoBackend | Refusal::NoEndpoints | Refusal::RuleTimeout => {}
        Refusal::WakeTooFar(_) | Refusal::TooManyHeld | Refusal::HoldTimeout | Refusal::AppBusy => {}
        Refusal::RateLimited(_) | Refusal::TooManyAtOnce | Refusal::TooManyWakes(_) => {}
        Refusal::DeadlineExceeded | Refusal::BodyTooLarge | Refusal::BodyBroken | Refusal::ShuttingDown => {}
        Refusal::ReservedPath | Refusal::LinkForged | Refusal::LinkExpired | Refusal::TooManyFollow => {}
        Refusal::Upstream(Fault::Refused | Fault::Reset | Fault::Malformed | Fault::Timeout) => {}
        Refusal::Upstream(Fault::NotHttp2 | Fault::NotHttp1 | Fault::NoWebSocket) => {}
        Refusal::Violation(violation) => match violation {
            Violation::HeaderTimeout | Violation::BodyTooSlow | Violation::RequestLineTooLong => {}
            Violation::HeadTooLarge | Violation::TooManyHeaderLines | Violation::BadContentLength => {}
            Violation::LengthWithTransferEncoding | Violation::BadTransferEncoding => {}
            Violation::MissingHost | Violation::DoubledHost | Violation::BadHost => {}
            Violation::BadTarget | Violation::AboveRoot | Violation::FoldedHeader => {}
            Violation::MalformedHead | Violation::MalformedChunk => {}
            Violation::UnsupportedVersion | Violation::MethodNotAllowed => {}
            Violation::DifferingHost | Violation::UnknownProtocol => {}
            Violation::Flood | Violation::MalformedFrame => {}
        },
    }
}

/// A row of the tables of answers, but for what it means.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
struct Row {
    status: u16,
    code: String,
    /// Of `Proxy-Status`.
    error: String,
    retry_after: bool,
    /// gRPC's name of the code that calls get.
    call: String,
}

/// A row of the table of codes: number, Connect's name, Connect's status.
type Codes = BTreeMap<String, (u16, String, u16)>;

/// The cells of all tables, without their marks.
fn cells() -> Vec<Vec<String>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/answers.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let cells = |line: &str| line.split('|').skip(1).map(|cell| cell.trim().replace('`', "")).collect();
    text.lines().filter(|line| line.starts_with('|')).map(cells).collect()
}

fn documented() -> BTreeSet<Row> {
    let row = |cells: &Vec<String>| {
        let [status, code, error, after, call, ..] = cells.as_slice() else { return None };
        let (status, retry_after) = (status.parse().ok()?, after != NONE);
        Some(Row { status, code: code.clone(), error: error.clone(), retry_after, call: call.clone() })
    };
    cells().iter().filter_map(row).collect()
}

fn documented_codes() -> Codes {
    let row = |cells: &Vec<String>| {
        let [grpc, number, connect, status, ..] = cells.as_slice() else { return None };
        // Rows of answers have a status first and a name second.
        Some((grpc.clone(), (number.parse().ok()?, connect.clone(), status.parse().ok()?)))
    };
    cells().iter().filter_map(row).collect()
}

const NONE: &str = "–";

/// What an answer says in its headers, as a row with what is known apart from them.
fn given(response: &Response<Body>, status: u16, call: &str) -> Row {
    let said = header(response, "proxy-status").expect("a Proxy-Status");
    let parts: Vec<_> = said.split("; ").collect();
    assert_eq!(parts[0], "loco-edge");
    let of = |name: &str| parts.iter().find_map(|part| part.strip_prefix(name)?.strip_prefix('='));
    let code = of("details").expect("details").trim_matches('"').to_owned();
    let error = of("error").unwrap_or(NONE).to_owned();
    assert_eq!(header(response, "cache-control").as_deref(), Some("no-store"));
    let retry_after = header(response, "retry-after").is_some();
    Row { status, code, error, retry_after, call: call.to_owned() }
}

fn header(response: &Response<Body>, name: &str) -> Option<String> {
    response.headers().get(name).map(|value| value.to_str().unwrap().to_owned())
}

async fn body(response: Response<Body>) -> Vec<u8> {
    response.into_body().collect().await.unwrap().to_bytes().to_vec()
}

/// The bytes of the one frame or envelope with these flags, and nothing beside it.
fn unframed(flags: u8, bytes: &[u8]) -> &[u8] {
    let (head, message) = bytes.split_at(5);
    assert_eq!(head[0], flags);
    assert_eq!(u32::from_be_bytes(head[1..].try_into().unwrap()) as usize, message.len());
    message
}

/// The trailers of an answer in one of gRPC's languages.
async fn trailers(response: Response<Body>, language: Language) -> BTreeMap<String, String> {
    let lines = |frame: &[u8]| {
        let text = String::from_utf8(unframed(0x80, frame).to_vec()).unwrap();
        text.lines().map(|line| line.split_once(": ").unwrap()).map(|(k, v)| (k.into(), v.into())).collect()
    };
    match language {
        Language::Grpc(_) => {
            assert!(response.body().is_end_stream(), "then the headers are no trailers");
            let pairs = response.headers().iter();
            pairs.map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned())).collect()
        }
        Language::GrpcWeb(_) => lines(&body(response).await),
        Language::GrpcWebText(_) => lines(&STANDARD.decode(body(response).await).unwrap()),
        other => panic!("{other:?} has no trailers"),
    }
}

/// Fails unless trailers say what the row does; gives gRPC's name of the code.
fn assert_trailers(trailers: &BTreeMap<String, String>, row: &Row, codes: &Codes) -> String {
    let number: u16 = trailers["grpc-status"].parse().unwrap();
    let name = codes.iter().find(|(_, code)| code.0 == number).expect("a documented number").0;
    assert!(trailers["grpc-message"].starts_with(&format!("{}: ", row.code)), "{trailers:?}");
    let pushback = trailers.get("grpc-retry-pushback-ms");
    assert_eq!(pushback.is_some(), row.retry_after, "{trailers:?}");
    assert!(pushback.is_none_or(|millis| millis.parse::<u64>().unwrap() > 0));
    name.clone()
}

/// Fails unless Connect's error says what the row does; gives gRPC's name of the code.
fn assert_error(error: &Value, row: &Row, codes: &Codes) -> String {
    let name = codes.iter().find(|(_, code)| error["code"] == *code.1).expect("a documented name").0;
    assert!(error["message"].as_str().unwrap().starts_with(&format!("{}: ", row.code)), "{error}");
    name.clone()
}

/// Takes an answer apart, in its own language, and says what row it is.
async fn read(response: Response<Body>, language: Language, documented: &Row, codes: &Codes) -> Row {
    let status = response.status().as_u16();
    let kind = header(&response, "content-type").unwrap();
    let mut row = given(&response, status, &documented.call);
    let in_200 = |kind_asked: &str| assert_eq!((status, kind.as_str()), (200, kind_asked));
    match language {
        Language::Html => {
            assert_eq!(kind, "text/html; charset=utf-8");
            assert!(String::from_utf8(body(response).await).unwrap().contains(&row.code));
            return row;
        }
        Language::Problem => {
            assert_eq!(kind, "application/problem+json");
            let problem: Value = serde_json::from_slice(&body(response).await).unwrap();
            assert_eq!((&problem["code"], &problem["status"]), (&row.code.clone().into(), &status.into()));
            return row;
        }
        Language::Grpc(asked) | Language::GrpcWeb(asked) | Language::GrpcWebText(asked) => {
            in_200(asked);
            row.call = assert_trailers(&trailers(response, language).await, &row, codes);
        }
        Language::Connect => {
            assert_eq!(kind, "application/json");
            row.call = assert_error(&serde_json::from_slice(&body(response).await).unwrap(), &row, codes);
            assert_eq!(status, codes[&row.call].2);
        }
        Language::ConnectStream(asked) => {
            in_200(asked);
            let end: Value = serde_json::from_slice(unframed(2, &body(response).await)).unwrap();
            row.call = assert_error(&end["error"], &row, codes);
        }
    }
    // The status is that of the code, and is documented with it.
    Row { status: documented.status, ..row }
}

const LANGUAGES: [Language; 8] = [
    Language::Html,
    Language::Problem,
    Language::Grpc("application/grpc"),
    Language::Grpc("application/grpc+json"),
    Language::GrpcWeb("application/grpc-web+proto"),
    Language::GrpcWebText("application/grpc-web-text"),
    Language::Connect,
    Language::ConnectStream("application/connect+json"),
];

#[tokio::test]
async fn every_refusal_is_in_every_language_as_documented() {
    let (rows, codes) = (documented(), documented_codes());
    assert_eq!(codes.len(), 6);
    for refusal in refusals() {
        let row = rows.iter().find(|row| row.code == refusal.code()).expect("a documented code");
        for language in LANGUAGES {
            let given = read(refusal.response(Some("app"), language), language, row, &codes).await;
            assert_eq!(given, *row, "{refusal:?} in {language:?}");
        }
        // Clients make such calls again by themselves: only where the app has not seen them, and not at once.
        assert!(row.call != "UNAVAILABLE" || row.retry_after, "{row:?}");
    }
}

#[test]
fn every_documented_answer_is_given() {
    let page = page::Waiting {
        app: "hello",
        phase: Phase::Starting,
        phases: page::PROCESS_PHASES,
        elapsed: SOON,
        estimate: None,
        position: None,
        reload_after: SOON,
        links: page::Links::default(),
    };
    let others = [waiting(&page), all_is_well(AllIsWell::Asleep, Language::Problem)];
    let others = others.map(|answer| given(&answer, answer.status().as_u16(), NONE)).into_iter();
    let documented = documented();
    let refused = refusals().into_iter().map(|refusal| refusal.code());
    let given: BTreeSet<_> = others.clone().map(|row| row.code).chain(refused.map(str::to_owned)).collect();
    assert_eq!(given, documented.iter().map(|row| row.code.clone()).collect());
    assert!(others.into_iter().all(|row| documented.contains(&row)));
}

#[tokio::test]
async fn all_is_well_is_said_in_text_and_to_grpcs_check_alone() {
    let text = all_is_well(AllIsWell::Asleep, Language::Html);
    assert_eq!(
        (text.status().as_u16(), header(&text, "content-type").unwrap()),
        (200, "text/plain; charset=utf-8".into())
    );
    assert_eq!(body(text).await, b"asleep\n");

    let check = all_is_well(AllIsWell::Serving, Language::Grpc("application/grpc"));
    assert_eq!(header(&check, "content-type").unwrap(), "application/grpc");
    let answer = check.into_body().collect().await.unwrap();
    assert_eq!(answer.trailers().unwrap()["grpc-status"], "0");
    // HealthCheckResponse { status: SERVING }
    assert_eq!(unframed(0, &answer.to_bytes()), [8, 1]);

    for language in LANGUAGES.into_iter().filter(|l| !matches!(l, Language::Html | Language::Problem)) {
        let call = all_is_well(AllIsWell::Asleep, language);
        assert!(header(&call, "proxy-status").unwrap().contains("details=\"asleep\""), "{language:?}");
    }
}

#[test]
fn what_is_no_request_is_refused_with_a_problem() {
    for violation in VIOLATIONS {
        let raw = String::from_utf8(Refusal::Violation(violation).raw().to_vec()).unwrap();
        assert!(raw.starts_with(&format!("HTTP/1.1 {} ", violation.status().as_u16())), "{raw}");
        assert!(raw.contains("\r\ncontent-type: application/problem+json\r\n"), "{raw}");
        assert_eq!(raw.contains("\r\nallow: "), violation == Violation::MethodNotAllowed, "{raw}");
    }
}

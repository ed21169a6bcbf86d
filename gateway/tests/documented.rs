//! `docs/answers.md` lists every answer of the edge's own. It has to be true, and complete.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "a test ends where it is wrong")]

use std::collections::BTreeSet;
use std::path::Path;
use std::time::Duration;

use config::link::{Failure, Phase};
use gateway::answer::{Refusal, waiting};
use gateway::body::Body;
use gateway::conn::Violation;
use gateway::page;
use gateway::upstream::Fault;
use http::Response;

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
        Refusal::Asleep,
        Refusal::WakeTooFar(SOON),
        Refusal::TooManyHeld,
        Refusal::HoldTimeout,
        Refusal::AppBusy,
        Refusal::BodyTooLarge,
        Refusal::BodyBroken,
        Refusal::ShuttingDown,
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
        Refusal::WakeTooFar(_) | Refusal::TooManyHeld | Refusal::HoldTimeout | Refusal::AppBusy => {}
        Refusal::BodyTooLarge | Refusal::BodyBroken | Refusal::ShuttingDown => {}
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

/// Status, code, error, and whether there is a `Retry-After`, as the document has them.
fn documented() -> BTreeSet<(u16, String, String, bool)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/answers.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let row = |line: &str| {
        let cells: Vec<String> =
            line.split('|').skip(1).map(|cell| cell.trim().replace('`', "")).take(4).collect();
        let [status, code, error, after] = cells.try_into().ok()?;
        Some((status.parse().ok()?, code, error, after != "–"))
    };
    text.lines().filter_map(row).collect()
}

fn given(response: &Response<Body>) -> (u16, String, String, bool) {
    let header = |name: &str| response.headers().get(name).map(|value| value.to_str().unwrap().to_owned());
    let status = header("proxy-status").expect("a Proxy-Status");
    let [who, error, details] = status.split("; ").collect::<Vec<_>>().try_into().expect("three parts");
    assert_eq!(who, "loco-edge");
    let code = details.strip_prefix("details=").expect("details").trim_matches('"').to_owned();
    let error = error.strip_prefix("error=").expect("an error").to_owned();
    (response.status().as_u16(), code, error, header("retry-after").is_some())
}

#[test]
fn every_answer_is_documented_as_it_is() {
    let page = page::Waiting {
        app: "hello",
        phase: Phase::Starting,
        phases: page::PROCESS_PHASES,
        elapsed: SOON,
        estimate: None,
        reload_after: SOON,
    };
    let answers =
        refusals().into_iter().flat_map(|refusal| [true, false].map(|html| refusal.response(None, html)));
    let given: BTreeSet<_> = answers.chain([waiting(&page)]).map(|answer| given(&answer)).collect();
    assert_eq!(given, documented());
}

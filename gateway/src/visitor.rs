//! Who asks: a browser that navigates, a program, or somebody who only looks whether the app is there.

use std::sync::LazyLock;

use aho_corasick::AhoCorasick;
use config::model::{self, Check};
use http::header::{self, HeaderMap};
use http::{Method, Request};

/// How a request is treated while its app sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A person's browser opens a page: it can be shown the waiting page.
    Navigation,
    /// A program, or a browser's request for something else than a page: it is held.
    Program,
    /// A health check, a monitor, a crawler: it never keeps an app awake, and wakes it once a day at most.
    Passerby,
}

/// Names by which crawlers and monitors give themselves away.
const PASSERBY_AGENTS: [&str; 18] = [
    "googlebot",
    "bingbot",
    "yandex",
    "baiduspider",
    "duckduckbot",
    "applebot",
    "ahrefsbot",
    "semrushbot",
    "mj12bot",
    "petalbot",
    "gptbot",
    "claudebot",
    "ccbot",
    "bytespider",
    "uptimerobot",
    "pingdom",
    "kube-probe",
    "statuscake",
];

/// All of them in one pass: every request is asked.
static PASSERBY: LazyLock<Option<AhoCorasick>> =
    LazyLock::new(|| AhoCorasick::builder().ascii_case_insensitive(true).build(PASSERBY_AGENTS).ok());

impl Visitor {
    /// Who sent this request.
    pub fn of<B>(request: &Request<B>, app: &model::App) -> Self {
        if is_health_check(request, app) || is_passerby(request.headers()) {
            Self::Passerby
        } else if is_navigation(request) {
            Self::Navigation
        } else {
            Self::Program
        }
    }

    /// Whether its requests count as use of the app.
    pub fn keeps_awake(self) -> bool {
        match self {
            Self::Navigation | Self::Program => true,
            Self::Passerby => false,
        }
    }
}

/// Whether a refusal is read by a person: browsers ask for HTML before all else; a program that would take it, too, says
/// so with a lower weight (RFC 9110, section 12.5.1).
pub fn reads_html(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT).into_iter().filter_map(|accept| accept.to_str().ok());
    accepted.flat_map(|accept| accept.split(',')).any(|range| {
        let mut parts = range.split(';').map(str::trim);
        let html = parts.next().is_some_and(|kind| kind.eq_ignore_ascii_case("text/html"));
        html && !parts.any(|parameter| parameter.starts_with("q=0"))
    })
}

/// Browsers say so themselves (Fetch Metadata); older ones ask for HTML.
fn is_navigation<B>(request: &Request<B>) -> bool {
    if *request.method() != Method::GET || request.headers().contains_key(header::UPGRADE) {
        return false;
    }
    // A page in a frame could not be shown: ours cannot be framed.
    if request.headers().get("sec-fetch-dest").is_some_and(|dest| dest != "document") {
        return false;
    }
    match request.headers().get("sec-fetch-mode") {
        Some(mode) => mode == "navigate",
        None => reads_html(request.headers()),
    }
}

fn is_health_check<B>(request: &Request<B>, app: &model::App) -> bool {
    match &app.health.check {
        Check::Tcp | Check::Grpc { .. } => false,
        Check::Http { path } => {
            let asked = request.uri().path();
            // A check of "/" is no sign: that is where everybody goes.
            asked != "/" && asked == path.split('?').next().unwrap_or(path)
        }
    }
}

fn is_passerby(headers: &HeaderMap) -> bool {
    let agent = headers.get(header::USER_AGENT);
    agent.zip(PASSERBY.as_ref()).is_some_and(|(agent, names)| names.is_match(agent.as_bytes()))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;
    use crate::tests::fakes;

    fn of(method: &str, path: &str, headers: &[(&str, &str)], check: Check) -> Visitor {
        let mut request = Request::builder().method(method).uri(path);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let mut app = fakes::app("a");
        app.health.check = check;
        Visitor::of(&request.body(()).unwrap(), &app)
    }

    #[test]
    fn a_browser_that_opens_a_page_navigates_and_all_else_is_a_program() {
        let html = ("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
        let upgrade = ("upgrade", "websocket");
        for (method, headers, visitor) in [
            ("GET", vec![("sec-fetch-mode", "navigate"), html], Visitor::Navigation),
            ("GET", vec![html], Visitor::Navigation),
            ("GET", vec![("sec-fetch-mode", "cors"), html], Visitor::Program),
            ("GET", vec![("accept", "application/json")], Visitor::Program),
            ("GET", vec![], Visitor::Program),
            ("POST", vec![("sec-fetch-mode", "navigate"), html], Visitor::Program),
            ("HEAD", vec![html], Visitor::Program),
            ("GET", vec![html, upgrade], Visitor::Program),
            (
                "GET",
                vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
                Visitor::Navigation,
            ),
            ("GET", vec![("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")], Visitor::Program),
        ] {
            assert_eq!(of(method, "/", &headers, Check::Tcp), visitor, "{method} {headers:?}");
            assert!(visitor.keeps_awake());
        }
    }

    #[test]
    fn crawlers_and_monitors_give_themselves_away_in_any_case() {
        let googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        for agent in [googlebot, "kube-probe/1.30", "UPTIMEROBOT/2.0"] {
            let headers = [("user-agent", agent), ("sec-fetch-mode", "navigate")];
            let visitor = of("GET", "/", &headers, Check::Tcp);
            assert_eq!(visitor, Visitor::Passerby, "{agent}");
            assert!(!visitor.keeps_awake());
        }
        for agent in
            ["curl/8.5.0", "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0", ""]
        {
            assert_eq!(of("GET", "/", &[("user-agent", agent)], Check::Tcp), Visitor::Program, "{agent}");
        }
    }

    #[test]
    fn who_asks_for_the_health_check_only_looks_unless_everybody_does() {
        let check = |path: &str| Check::Http { path: path.into() };
        assert_eq!(of("GET", "/healthz", &[], check("/healthz")), Visitor::Passerby);
        assert_eq!(of("GET", "/healthz?verbose", &[], check("/healthz?full=1")), Visitor::Passerby);
        assert_eq!(of("GET", "/healthz/more", &[], check("/healthz")), Visitor::Program);
        assert_eq!(of("GET", "/", &[], check("/")), Visitor::Program);
        assert_eq!(of("GET", "/healthz", &[], Check::Tcp), Visitor::Program);
    }

    #[test]
    fn html_is_for_who_asks_for_it_before_all_else() {
        let reads = |lines: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for line in lines {
                headers.append(header::ACCEPT, header::HeaderValue::from_static(line));
            }
            reads_html(&headers)
        };
        assert!(reads(&["text/html"]) && reads(&["application/json", "a/b;q=0.1, Text/HTML;level=1"]));
        for not in [&[][..], &["*/*"], &["application/json, text/html;q=0.5"], &["text/htmlx"]] {
            assert!(!reads(not), "{not:?}");
        }
    }
}

//! Who asks: a browser that navigates, a program, or somebody who only looks whether the app is there.

mod agents;

use std::cell::RefCell;

use config::model::{self, Check};
use http::header::{self, HeaderMap};
use http::{Method, Request};

use crate::language;

/// How a request is treated while its app sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A person's browser opens a page: it can be shown the waiting page.
    Navigation,
    /// A program, or a browser's request for something else than a page: it is held.
    Program,
    /// One who only looks: it never keeps an app awake, and wakes it as the app's policy has it.
    Passerby(Passerby),
}

/// Why one only looks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passerby {
    /// It asks for the app's health check.
    HealthCheck,
    /// It looks whether the app is up.
    Monitor,
    /// It reads what it finds: search engines and other robots, also those that show what a link leads to.
    Crawler,
}

/// The calls of gRPC's health checks.
const GRPC_CHECK: &str = "/grpc.health.v1.Health/Check";
const GRPC_WATCH: &str = "/grpc.health.v1.Health/Watch";

impl Passerby {
    /// Whether the sender of this request only looks: then it does not count as use of the app. Every request is asked.
    pub fn of<B>(request: &Request<B>, app: &model::App) -> Option<Self> {
        let check = is_health_check(request, app).then_some(Self::HealthCheck);
        check.or_else(|| agent(request.headers()))
    }
}

/// Whom the `User-Agent` of a connection's last request named: nearly always it is that of the next one, too, and then
/// it is not searched again.
#[derive(Debug, Default)]
pub struct Known(RefCell<(Vec<u8>, Option<Passerby>)>);

impl Known {
    /// Longer ones are not kept.
    const LONGEST: usize = 512;

    /// The same as [`Passerby::of`].
    pub fn passerby<B>(&self, request: &Request<B>, app: &model::App) -> Option<Passerby> {
        let check = is_health_check(request, app).then_some(Passerby::HealthCheck);
        check.or_else(|| {
            request.headers().get(header::USER_AGENT).and_then(|agent| self.agent(agent.as_bytes()))
        })
    }

    fn agent(&self, agent: &[u8]) -> Option<Passerby> {
        let (last, found) = &mut *self.0.borrow_mut();
        if *last == agent {
            return *found;
        }
        let named = agents::find(agent);
        if agent.len() <= Self::LONGEST {
            last.clear();
            last.extend_from_slice(agent);
            *found = named;
        }
        named
    }
}

impl Visitor {
    /// Who sent this request; asked only while its app is not awake.
    pub fn of<B>(request: &Request<B>, passerby: Option<Passerby>) -> Self {
        match passerby {
            Some(passerby) => Self::Passerby(passerby),
            None if is_navigation(request) => Self::Navigation,
            None => Self::Program,
        }
    }
}

/// Whether a request is gRPC's `Check`, which is answered with a message. (`Watch` is answered with a stream of them; one
/// that ended after its first would be asked for again at once, without end.)
pub fn is_grpc_check<B>(request: &Request<B>) -> bool {
    request.uri().path() == GRPC_CHECK
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
        None => language::reads_html(request.headers()),
    }
}

fn is_health_check<B>(request: &Request<B>, app: &model::App) -> bool {
    let asked = request.uri().path();
    match &app.health.check {
        Check::Tcp => false,
        Check::Http { path } => {
            // A check of "/" is no sign: that is where everybody goes.
            asked != "/" && asked == path.split('?').next().unwrap_or(path)
        }
        // For which service stands in the message, which is not read before the app is there.
        Check::Grpc { .. } => asked == GRPC_CHECK || asked == GRPC_WATCH,
    }
}

/// Who gives itself away by its name.
fn agent(headers: &HeaderMap) -> Option<Passerby> {
    headers.get(header::USER_AGENT).and_then(|agent| agents::find(agent.as_bytes()))
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
        let request = request.body(()).unwrap();
        Visitor::of(&request, Passerby::of(&request, &app))
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
        }
    }

    #[test]
    fn crawlers_and_monitors_are_who_they_say_and_not_navigations() {
        let googlebot = "Mozilla/5.0 (compatible; Googlebot/2.1; +http://www.google.com/bot.html)";
        for (agent, passerby) in [
            (googlebot, Passerby::Crawler),
            ("kube-probe/1.30", Passerby::Monitor),
            ("UPTIMEROBOT/2.0", Passerby::Monitor),
        ] {
            let headers = [("user-agent", agent), ("sec-fetch-mode", "navigate")];
            let visitor = of("GET", "/", &headers, Check::Tcp);
            assert_eq!(visitor, Visitor::Passerby(passerby), "{agent}");
        }
    }

    #[test]
    fn what_is_known_of_an_agent_is_of_that_one_alone() {
        let (known, app) = (Known::default(), fakes::app("a"));
        let long = format!("{}Googlebot", "x".repeat(Known::LONGEST));
        for agent in
            ["a", "kube-probe/1.30", "kube-probe/1.30", "a", "Googlebot", &long, "Googlebot", "", "a"]
        {
            let request = Request::get("/").header("user-agent", agent).body(()).unwrap();
            assert_eq!(known.passerby(&request, &app), Passerby::of(&request, &app), "{agent}");
        }
        let nobody = Request::new(());
        assert_eq!(known.passerby(&nobody, &app), None);
    }

    #[test]
    fn who_asks_for_the_health_check_only_looks_unless_everybody_does() {
        let check = |path: &str| Check::Http { path: path.into() };
        let checks = Visitor::Passerby(Passerby::HealthCheck);
        assert_eq!(of("GET", "/healthz", &[], check("/healthz")), checks);
        assert_eq!(of("GET", "/healthz?verbose", &[], check("/healthz?full=1")), checks);
        assert_eq!(of("GET", "/healthz", &[("user-agent", "kube-probe/1.30")], check("/healthz")), checks);
        assert_eq!(of("GET", "/healthz/more", &[], check("/healthz")), Visitor::Program);
        assert_eq!(of("GET", "/", &[], check("/")), Visitor::Program);
        assert_eq!(of("GET", "/healthz", &[], Check::Tcp), Visitor::Program);
    }

    #[test]
    fn calls_of_grpcs_health_service_are_checks_where_the_app_is_checked_so() {
        let check = || Check::Grpc { service: "a.A".into() };
        let of = |path, check| of("POST", path, &[("content-type", "application/grpc")], check);
        for path in [GRPC_CHECK, GRPC_WATCH] {
            assert_eq!(of(path, check()), Visitor::Passerby(Passerby::HealthCheck));
            assert_eq!(of(path, Check::Tcp), Visitor::Program);
        }
        assert_eq!(of("/grpc.health.v1.Health/List", check()), Visitor::Program);
    }
}

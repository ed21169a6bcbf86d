#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;
use std::time::Duration;

use base64::Engine as _;
use config::link::{Failure, Phase};
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::document::SCRIPT;
use super::words::{self, Words};
use super::*;

const EVENTS: &str = "/.loco/events?app-name=hello&og_url=&expires=1&signature=00";

const REFUSALS: [(u16, Words, &str); 8] = [
    (404, words::UNKNOWN_HOST, "unknown-host"),
    (504, words::HOLD_DEADLINE, "hold-deadline"),
    (503, words::QUEUE_FULL, "queue-full"),
    (502, words::UPSTREAM_REFUSED, "upstream-refused"),
    (502, words::UPSTREAM_RESET, "upstream-reset"),
    (504, words::UPSTREAM_TIMED_OUT, "upstream-timed-out"),
    (413, words::TOO_LARGE, "too-large"),
    (400, words::BAD_REQUEST, "bad-request"),
];

fn waking(phase: Phase) -> Waiting<'static> {
    Waiting {
        app: "hello",
        phase,
        phases: &Phase::ALL,
        elapsed: Duration::from_millis(12_700),
        estimate: Some(Duration::from_millis(19_100)),
        position: None,
        reload_after: Duration::from_secs(2),
        links: Links { events: Some(EVENTS), next: None },
    }
}

fn fallen(failure: Failure) -> Failed<'static> {
    Failed { app: "hello", failure, retry_after: Duration::from_millis(7_500), next: None }
}

fn refused((status, words, code): (u16, Words, &'static str), retry_after: Option<Duration>) -> String {
    refusal(&RefusalPage {
        status: StatusCode::from_u16(status).unwrap(),
        words,
        code,
        retry_after,
        home: None,
    })
}

fn going_on() -> Vec<String> {
    let waits = Phase::ALL.map(|phase| waiting(&waking(phase)));
    let failures = Failure::ALL.map(|failure| failed(&fallen(failure)));
    waits.into_iter().chain(failures).collect()
}

fn every_page() -> Vec<String> {
    let refusals = REFUSALS.map(|row| refused(row, Some(Duration::from_secs(5))));
    going_on().into_iter().chain(refusals).collect()
}

/// What is between the first `start` and the next `end`.
fn between<'a>(page: &'a str, start: &str, end: &str) -> &'a str {
    let (_, rest) = page.split_once(start).unwrap_or_else(|| panic!("no {start} in {page}"));
    rest.split_once(end).unwrap_or_else(|| panic!("no {end} after {start}")).0
}

#[test]
fn the_policy_allows_the_style_as_it_stands_in_every_page() {
    for page in every_page() {
        let hash = Sha256::digest(between(&page, "<style>", "</style>"));
        let source =
            format!("style-src 'sha256-{}';", base64::engine::general_purpose::STANDARD.encode(hash));
        assert!(CONTENT_SECURITY_POLICY.contains(&source), "the stylesheet has changed: it needs {source}");
    }
}

#[test]
fn the_policy_allows_the_script_as_it_stands_in_every_page_that_goes_on_by_itself() {
    for page in going_on() {
        let hash = Sha256::digest(between(&page, "<script>", "</script>"));
        let source =
            format!("script-src 'sha256-{}';", base64::engine::general_purpose::STANDARD.encode(hash));
        assert!(CONTENT_SECURITY_POLICY.contains(&source), "the script has changed: it needs {source}");
        assert_eq!(page.matches("<script").count(), 1);
    }
}

#[test]
fn a_refusal_has_no_script() {
    for row in REFUSALS {
        assert!(!refused(row, None).contains("<script"));
    }
}

#[test]
fn nothing_is_loaded_and_nothing_run_but_the_script() {
    for page in every_page().into_iter().map(|page| page.replace(SCRIPT, "")) {
        for forbidden in ["<link", "<img", "javascript:", "//", "src=", "url(", "@import"] {
            assert!(!page.contains(forbidden), "{forbidden} in {page}");
        }
        for attribute in
            page.split('<').filter_map(|tag| tag.split_once('>')).flat_map(|(tag, _)| tag.split(' '))
        {
            let blocked = attribute.starts_with("style=") || attribute.starts_with("on");
            assert!(!blocked, "the policy forbids {attribute} in {page}");
            assert!(!attribute.starts_with("href=") || attribute == "href=\"\"", "{attribute} in {page}");
        }
    }
}

#[test]
fn names_are_escaped_wherever_they_stand() {
    let evil = r#"<script>alert("1")</script>&"#;
    let escaped = "&lt;script&gt;alert(&quot;1&quot;)&lt;/script&gt;&amp;";
    let pages = [
        waiting(&Waiting { app: evil, ..waking(Phase::Starting) }),
        failed(&Failed { app: evil, ..fallen(Failure::Crashed) }),
    ];
    for page in pages {
        assert!(!page.replace(SCRIPT, "").contains("<script>a"), "{page}");
        assert!(between(&page, "<title>", "</title>").contains(escaped), "{page}");
        assert!(between(&page, "<h1>", "</h1>").contains(escaped), "{page}");
    }
}

#[test]
fn every_page_is_small_and_says_what_it_is_to_browsers_and_crawlers() {
    for page in every_page() {
        assert!(page.len() < 12 << 10, "{} bytes", page.len());
        assert!(page.starts_with("<!DOCTYPE html><html lang=\"en\">"), "{page}");
        for meta in [
            "<meta charset=\"utf-8\">",
            "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">",
            "<meta name=\"robots\" content=\"noindex, nofollow\">",
        ] {
            assert!(page.contains(meta), "no {meta} in {page}");
        }
    }
}

#[test]
fn a_waiting_page_marks_what_is_done_what_is_now_and_what_is_to_come() {
    for (index, phase) in Phase::ALL.into_iter().enumerate() {
        let page = waiting(&waking(phase));
        let now = words::phase(phase);
        let place = between(&page, "<li class=\"now\" aria-current=\"step\">", "</li>");
        assert!(place.starts_with(now.title) && place.contains(now.text), "{phase:?}: {place}");
        assert_eq!(page.matches("<li class=\"done\">").count(), index, "{phase:?}");
        assert_eq!(page.matches("<small>to come</small>").count(), 5 - index, "{phase:?}");
    }
}

#[test]
fn a_process_is_not_said_to_be_fetched() {
    let page = waiting(&Waiting { phases: PROCESS_PHASES, ..waking(Phase::Starting) });
    assert_eq!(page.matches("<li").count(), 4);
    assert!(!page.contains(words::phase(Phase::Pulling).title));
    // A phase that is not among them must not leave the page without a current step.
    let page = waiting(&Waiting { phases: PROCESS_PHASES, ..waking(Phase::Pulling) });
    assert_eq!((page.matches("<li").count(), page.matches("aria-current").count()), (5, 1));
}

#[test]
fn a_waiting_page_says_how_long_it_has_been_and_will_be() {
    let page = waiting(&waking(Phase::Queued));
    let clock = between(&page, "</ol><p>", "</p>");
    let expected = "Waking for <b data-since=\"12700\">12 seconds</b>, about \
                    <b data-until=\"19100\">20 seconds</b> to go.";
    assert_eq!(clock, expected);
    let page = waiting(&Waiting { estimate: None, elapsed: Duration::ZERO, ..waking(Phase::Queued) });
    let clock = between(&page, "</ol><p>", "</p>");
    assert_eq!(clock, "Waking for <b data-since=\"0\">less than a second</b>.");
}

#[test]
fn a_waiting_and_a_failed_page_ask_again_for_the_url_that_was_asked_for() {
    let page = waiting(&waking(Phase::Starting));
    assert_eq!(between(&page, "<noscript>", "</noscript>"), "<meta http-equiv=\"refresh\" content=\"2\">");
    assert!(page.contains(&format!("<main data-events=\"{}\">", EVENTS.replace('&', "&amp;"))), "{page}");
    let page = failed(&fallen(Failure::Unhealthy));
    assert!(page.contains("<meta http-equiv=\"refresh\" content=\"8\">"), "{page}");
    assert!(page.contains("tried again in <b data-until=\"7500\" data-again>8 seconds</b>"), "{page}");
    let at_once = failed(&Failed { retry_after: Duration::ZERO, ..fallen(Failure::Unhealthy) });
    assert!(at_once.contains("content=\"1\""), "a page that reloads at once would be a loop: {at_once}");
}

#[test]
fn a_page_at_another_host_asks_again_where_it_is_told_to() {
    let next = Some("/revive-app?app-name=hello&og_url=/a%3Fb");
    let escaped = "/revive-app?app-name=hello&amp;og_url=/a%3Fb";
    let links = Links { next, ..waking(Phase::Starting).links };
    for page in [
        waiting(&Waiting { links, ..waking(Phase::Starting) }),
        failed(&Failed { next, ..fallen(Failure::Crashed) }),
    ] {
        assert!(page.contains(&format!(";url={escaped}\">")), "{page}");
        assert!(page.contains(&format!("data-next=\"{escaped}\"")), "{page}");
        assert!(page.contains(&format!("href=\"{escaped}\"")), "{page}");
    }
}

#[test]
fn what_is_brought_live_is_what_the_page_would_show() {
    let page = waiting(&waking(Phase::Starting));
    assert_eq!(between(&page, "<div id=\"progress\">", "</div>"), progress(&waking(Phase::Starting)));
    let page = failed(&fallen(Failure::Crashed));
    assert_eq!(between(&page, "<main>", "</main>"), failed_inside(&fallen(Failure::Crashed)));
    for piece in [progress(&waking(Phase::Queued)), failed_inside(&fallen(Failure::Crashed))] {
        assert!(!piece.contains(['\n', '\r']), "it would end an event's line: {piece}");
    }
}

#[test]
fn who_stands_in_line_is_told_where() {
    for (position, words) in [(0, "It is next."), (1, "One is before it."), (12, "12 are before it.")] {
        let waiting_in = |phase| waiting(&Waiting { position: Some(position), ..waking(phase) });
        assert!(waiting_in(Phase::Queued).contains(words), "{position}");
        assert!(!waiting_in(Phase::Creating).contains(words), "{position}");
    }
}

#[test]
fn every_failure_has_words_of_its_own_and_its_code() {
    let texts: HashSet<_> = Failure::ALL.map(|failure| words::failure(failure).title).into();
    assert_eq!(texts.len(), Failure::ALL.len());
    for failure in Failure::ALL {
        let page = failed(&fallen(failure));
        let words = words::failure(failure);
        assert!(page.contains(words.title) && page.contains(words.text), "{page}");
        assert_eq!(between(&page, "<dd>", "</dd>"), failure.code());
    }
}

#[test]
fn a_refusal_says_status_words_and_code_and_never_reloads_by_itself() {
    for row @ (status, words, code) in REFUSALS {
        for retry_after in [None, Some(Duration::from_secs(90))] {
            let page = refused(row, retry_after);
            assert_eq!(between(&page, "<p class=\"status\">", "</p>"), status.to_string());
            assert_eq!(between(&page, "<title>", "</title>"), words.title);
            assert!(page.contains(words.text), "{page}");
            assert_eq!(between(&page, "<dd>", "</dd>"), code);
            assert!(!page.contains("http-equiv"), "{page}");
            assert_eq!(page.contains("in <b>1 minute 30 seconds</b>"), retry_after.is_some(), "{page}");
            assert_eq!(
                page.contains("<a "),
                retry_after.is_some(),
                "no link where a retry helps nobody: {page}"
            );
        }
    }
}

#[test]
fn the_headers_are_those_of_a_page_that_nobody_keeps() {
    let expected = [
        ("content-type", "text/html; charset=utf-8"),
        ("cache-control", "no-store"),
        ("x-robots-tag", "noindex, nofollow"),
        ("referrer-policy", "no-referrer"),
        ("x-content-type-options", "nosniff"),
        ("content-security-policy", CONTENT_SECURITY_POLICY),
    ];
    let said: Vec<_> = HEADERS.iter().map(|(name, value)| (name.as_str(), value.to_str().unwrap())).collect();
    assert_eq!(said, expected);
}

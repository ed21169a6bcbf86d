//! Apps at their hosts and paths; what else rules can say is in `rules`.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

use config::link::{Depth, Status};
use config::model::{Host, HostPattern, PathPrefix, RouteMatch};
use proptest::prelude::*;

use super::*;

mod rules;
use crate::note::Notes;
use crate::tenant;
use crate::tests::fakes;

/// An app for each list of `host path` rules, named `a0`, `a1` …
fn table(apps: &[Vec<(HostPattern, PathPrefix)>]) -> Table {
    let route = |(index, rules): (usize, &Vec<(HostPattern, PathPrefix)>)| {
        let mut model = fakes::app(&format!("a{index}"));
        let rule =
            |(host, path): &(HostPattern, PathPrefix)| RouteMatch { host: host.clone(), path: path.clone() };
        model.routes = rules.iter().map(rule).collect();
        let asleep = Status::Asleep { depth: Depth::Deep };
        let app = App::new(model.id.clone(), index, asleep, Notes::channel().0);
        let identity = tenant::identity(&model).unwrap();
        Arc::new(Route::new(app, Arc::new(model), identity))
    };
    let routes: Vec<_> = apps.iter().enumerate().map(route).collect();
    let rules = model::Rule::of_apps(routes.iter().map(|route| &*route.model));
    Table::build(routes, rules, &Table::default()).table
}

fn rule(text: &str) -> (HostPattern, PathPrefix) {
    let (host, path) = text.split_once(' ').unwrap();
    (HostPattern::parse(host).unwrap(), PathPrefix::parse(path).unwrap())
}

fn found(table: &Table, host: &str, path: &str) -> Result<usize, NoRoute> {
    let request = Request::get(path).body(()).unwrap();
    table.find(None, host, Asked::of(&request)).map(|to| match to {
        To::All(One::App(route)) => route.app.index,
        other => panic!("no app: {other:?}"),
    })
}

/// How well a pattern fits a host: an exact one best, then the longest suffix.
fn fit(pattern: &HostPattern, host: &str) -> Option<usize> {
    match pattern {
        HostPattern::Exact(exact) => (exact.as_str() == host).then_some(usize::MAX),
        HostPattern::Wildcard(suffix) => {
            host.strip_suffix(suffix.as_str())?.ends_with('.').then_some(suffix.as_str().len())
        }
    }
}

/// What `find` promises, by looking at every rule of every app.
fn searched(apps: &[Vec<(HostPattern, PathPrefix)>], host: &str, path: &str) -> Result<usize, NoRoute> {
    let rules = apps.iter().enumerate().flat_map(|(app, rules)| rules.iter().map(move |rule| (app, rule)));
    let fits: Vec<_> =
        rules.filter_map(|(app, (pattern, path))| Some((fit(pattern, host)?, path, app))).collect();
    let best = fits.iter().map(|(fit, ..)| *fit).max().ok_or(NoRoute::UnknownHost)?;
    let matching = fits.iter().filter(|(fit, prefix, _)| *fit == best && prefix.matches(path));
    // Among equals the first app: `min_by_key` returns the first of several.
    let longest = matching.min_by_key(|(_, prefix, _)| std::cmp::Reverse(prefix.as_str().len()));
    longest.map(|(.., app)| *app).ok_or(NoRoute::UnknownPath)
}

#[test]
fn an_exact_host_before_the_longest_suffix_and_then_the_longest_path() {
    let rules = ["*.example.com /", "*.b.example.com /", "a.b.example.com /", "a.b.example.com /shop"];
    let table = table(&rules.map(|text| vec![rule(text)]));
    for (host, path, app) in [
        ("x.example.com", "/", 0),
        ("x.y.example.com", "/", 0),
        ("x.b.example.com", "/", 1),
        ("b.example.com", "/", 0),
        ("a.b.example.com", "/", 2),
        ("a.b.example.com", "/shopping", 2),
        ("a.b.example.com", "/shop", 3),
        ("a.b.example.com", "/shop/1", 3),
    ] {
        assert_eq!(found(&table, host, path), Ok(app), "{host}{path}");
    }
    assert_eq!(found(&table, "example.com", "/"), Err(NoRoute::UnknownHost));
    assert_eq!(found(&table, "", "/"), Err(NoRoute::UnknownHost));
}

#[test]
fn an_exact_host_leaves_no_path_to_a_wildcard() {
    let table = table(&[vec![rule("*.example.com /")], vec![rule("a.example.com /api")]]);
    assert_eq!(found(&table, "a.example.com", "/"), Err(NoRoute::UnknownPath));
}

#[test]
fn of_two_who_claim_the_same_the_first_has_it() {
    let table = table(&[vec![rule("a.b /x")], vec![rule("a.b /x"), rule("a.b /")]]);
    assert_eq!(found(&table, "a.b", "/x"), Ok(0));
    assert_eq!(found(&table, "a.b", "/y"), Ok(1));
}

/// Few names, so that they often meet.
fn host() -> impl Strategy<Value = String> {
    prop::collection::vec(prop::sample::select(vec!["a", "b", "aa"]), 1..4)
        .prop_map(|labels| labels.join("."))
}

fn path() -> impl Strategy<Value = String> {
    let segments = prop::collection::vec(prop::sample::select(vec!["x", "y", "xx"]), 0..4);
    segments.prop_map(|segments| format!("/{}", segments.join("/")))
}

fn pattern() -> impl Strategy<Value = HostPattern> {
    (any::<bool>(), host()).prop_map(|(exact, host)| {
        let host = Host::parse(&host).unwrap();
        if exact { HostPattern::Exact(host) } else { HostPattern::Wildcard(host) }
    })
}

fn rules() -> impl Strategy<Value = Vec<(HostPattern, PathPrefix)>> {
    let rule = (pattern(), path()).prop_map(|(host, path)| (host, PathPrefix::parse(&path).unwrap()));
    prop::collection::vec(rule, 1..4)
}

proptest! {
    #[test]
    fn finds_what_a_search_of_all_rules_finds(
        apps in prop::collection::vec(rules(), 0..8),
        requests in prop::collection::vec((host(), path()), 20),
    ) {
        let table = table(&apps);
        for (host, path) in requests {
            prop_assert_eq!(found(&table, &host, &path), searched(&apps, &host, &path), "{}{}", host, path);
        }
    }
}

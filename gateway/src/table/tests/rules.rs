//! What rules can say beside an app's hosts and paths.

use std::sync::Arc;

use config::link::{Depth, Status};
use config::model::{
    Backend, Filter, HeaderChange, HostPattern, PathMatch, PathPrefix, Pattern, Redirect, RequestMatch, Rule,
    Then, ValueMatch,
};
use http::Request;
use proptest::prelude::*;

use super::{host, path, pattern};
use crate::app::App;
use crate::filter::Unfit;
use crate::note::Notes;
use crate::table::{Asked, Built, NoRoute, One, Route, Split, Table, To};
use crate::tenant;
use crate::tests::fakes;

const APPS: usize = 12;

/// Apps `a0`, `a1` …
fn apps() -> Vec<Arc<Route>> {
    let route = |index| {
        let model = fakes::app(&format!("a{index}"));
        let app =
            App::new(model.id.clone(), index, Status::Asleep { depth: Depth::Deep }, Notes::channel().0);
        let identity = tenant::identity(&model).unwrap();
        Arc::new(Route::new(app, Arc::new(model), identity))
    };
    (0..APPS).map(route).collect()
}

fn backend(app: usize, weight: u32) -> Backend {
    let app = Some(fakes::id(&format!("a{app}")));
    Backend { app, weight, port: None, filters: Vec::new() }
}

fn rule(name: &str, app: usize) -> Rule {
    Rule {
        name: name.into(),
        ports: [].into(),
        host: None,
        matches: RequestMatch::below(PathPrefix::parse("/").unwrap()),
        then: Arc::new(Then { backends: vec![backend(app, 1)], ..Then::default() }),
    }
}

fn with_path(name: &str, app: usize, path: PathMatch) -> Rule {
    Rule { matches: RequestMatch { path, ..rule(name, app).matches }, ..rule(name, app) }
}

fn built(rules: impl IntoIterator<Item = Rule>, before: &Table) -> Built {
    Table::build(apps(), rules.into_iter().map(Arc::new).collect(), before)
}

fn table(rules: impl IntoIterator<Item = Rule>) -> Table {
    let built = built(rules, &Table::default());
    assert!(built.refused.is_empty(), "{:?}", built.refused);
    built.table
}

fn found<B>(
    table: &Table,
    port: Option<u16>,
    host: &str,
    request: &Request<B>,
) -> Result<Option<usize>, NoRoute> {
    Ok(match table.find(port, host, Asked::of(request))? {
        To::All(One::App(route)) => Some(route.app.index),
        To::All(One::Nobody) => None,
        other => panic!("neither an app nor nobody: {other:?}"),
    })
}

fn get(target: &str) -> Request<()> {
    Request::get(target).body(()).unwrap()
}

fn value(name: &str, value: Pattern) -> ValueMatch {
    ValueMatch { name: name.into(), value }
}

#[test]
fn a_port_has_its_own_rules_and_those_that_name_none() {
    let at = |host: &str, app, ports: &[u16]| Rule {
        ports: ports.into(),
        host: Some(HostPattern::parse(host).unwrap()),
        ..rule("r", app)
    };
    let table =
        table([at("a.b", 0, &[443]), at("*.b", 1, &[]), Rule { ports: [8080, 443].into(), ..rule("r", 2) }]);
    for (port, host, app) in [
        (Some(443), "a.b", Ok(Some(0))),
        (Some(443), "c.b", Ok(Some(1))),
        (Some(443), "c", Ok(Some(2))),
        (Some(8080), "a.b", Ok(Some(1))),
        (Some(8080), "c", Ok(Some(2))),
        (Some(80), "a.b", Ok(Some(1))),
        (Some(80), "c", Err(NoRoute::UnknownHost)),
        (None, "a.b", Ok(Some(1))),
        (None, "c", Err(NoRoute::UnknownHost)),
    ] {
        assert_eq!(found(&table, port, host, &get("/")), app, "{port:?} {host}");
    }
}

#[test]
fn several_lines_of_a_header_are_one_value_and_a_parameter_is_its_first() {
    let exact = |text: &str| Pattern::Exact(text.into());
    let headers =
        |headers| Rule { matches: RequestMatch { headers, ..rule("r", 0).matches }, ..rule("r", 0) };
    let query = |query| Rule { matches: RequestMatch { query, ..rule("r", 0).matches }, ..rule("r", 0) };
    let is = |rule: &Rule, request: http::request::Builder| {
        found(&table([rule.clone()]), None, "h", &request.body(()).unwrap()).is_ok()
    };
    let lines = |lines: &[(&str, &str)]| {
        lines.iter().fold(Request::get("/"), |request, (name, value)| request.header(*name, *value))
    };
    let listed = headers(vec![value("x", exact("1, 2")), value("x", exact("counts no more"))]);
    assert!(is(&listed, lines(&[("X", "1"), ("x", "2")])));
    assert!(is(&listed, lines(&[("x", "1, 2")])));
    assert!(!is(&listed, lines(&[("x", "1")])) && !is(&listed, lines(&[])));
    let cookie = headers(vec![value("cookie", Pattern::Regex("(.*; )?user=b(;.*)?".into()))]);
    assert!(is(&cookie, lines(&[("cookie", "a=1"), ("cookie", "user=b"), ("cookie", "c=2")])));
    assert!(!is(&cookie, lines(&[("cookie", "xuser=b")])));
    let host = headers(vec![value("host", exact("h:80"))]);
    assert!(is(&host, Request::get("http://h:80/")) && is(&host, lines(&[("host", "h:80")])));
    let parameter = query(vec![value("a b", exact("ü&")), value("c", exact(""))]);
    for (query, matches) in [
        ("a+b=%C3%BC%26&c", true),
        ("x&&c=&a%20b=%c3%bc%26&a+b=2", true),
        ("a+b=2&a+b=%C3%BC%26&c", false),
        ("a+b=%C3%BC%26", false),
        ("a+b=%C3%BC%26&c=%", false),
        ("", false),
    ] {
        assert_eq!(is(&parameter, Request::get(format!("/?{query}"))), matches, "{query}");
    }
}

#[test]
fn an_expression_is_the_whole_of_a_value_in_bounded_room() {
    let path = |expression: &str| with_path("r", 0, PathMatch::Regex(expression.into()));
    let is =
        |expression: &str, target: &str| found(&table([path(expression)]), None, "h", &get(target)).is_ok();
    assert!(is("/v[0-9]+/.*", "/v12/x?y") && is("/a|/b", "/b"));
    assert!(!is("/v[0-9]+", "/v12/x") && !is("/a|/b", "/bc") && !is("a", "/a"));
    // Also what would take a backtracking engine until tomorrow.
    assert!(!is("(/a*)*b", &format!("/{}", "a".repeat(4_000))));
    for wrong in ["(", "a)|(?:b", r"(a)\1", "(?=a)", "[a-z]{1,500}{1,500}", "(?x)/a # "] {
        let built = built([path(wrong), rule("good", 1)], &Table::default());
        assert_eq!(built.refused.get("r"), Some(&Unfit::Expression(wrong.into())));
        assert_eq!(found(&built.table, None, "h", &get("/")), Ok(Some(1)), "the rest goes on");
    }
}

#[test]
fn what_is_refused_is_as_it_was_before_in_all_its_parts() {
    let exact = |app, path: &str| with_path("r", app, PathMatch::Exact(path.into()));
    let wrong = || with_path("r", 3, PathMatch::Regex("(".into()));
    let before = table([exact(0, "/a"), exact(0, "/b"), rule("all", 1)]);
    let changed = built([exact(2, "/a"), wrong(), wrong(), rule("all", 4)], &before);
    assert_eq!(changed.refused.keys().map(|name| &**name).collect::<Vec<_>>(), ["r"]);
    let after = |table: &Table| ["/a", "/b", "/c"].map(|path| found(table, None, "h", &get(path)).unwrap());
    assert_eq!(after(&changed.table), [Some(0), Some(0), Some(4)]);
    let again = built([wrong(), rule("all", 5)], &changed.table);
    assert_eq!(after(&again.table), [Some(0), Some(0), Some(5)], "and stays so");
    let healed = built([exact(2, "/a"), rule("all", 5)], &again.table);
    assert_eq!((after(&healed.table), healed.refused.len()), ([Some(2), Some(5), Some(5)], 0));
}

#[test]
fn no_filter_touches_whose_a_message_is_or_where_it_ends() {
    let refused = |filter: Filter| {
        let then = Then { filters: vec![filter], backends: vec![backend(0, 1)], timeout: None };
        built([Rule { then: Arc::new(then), ..rule("r", 0) }], &Table::default()).refused.remove("r")
    };
    let change =
        |name: &str| HeaderChange { set: vec![(name.into(), "x".into())], ..HeaderChange::default() };
    for name in [
        "loco-org-id",
        "loco_org_id",
        "x-loco-app-id",
        "x_loco.app",
        "traceparent",
        "tracestate",
        "host",
        "te",
        "content-length",
        "transfer-encoding",
        "connection",
        "upgrade",
        "keep-alive",
        "expect",
        "forwarded",
        "x-forwarded-for",
        "x-real-ip",
        "proxy",
        "proxy-authorization",
    ] {
        let wrong = Some(Unfit::Header(name.into()));
        assert_eq!(refused(Filter::RequestHeaders(change(name))), wrong);
        assert_eq!(refused(Filter::ResponseHeaders(change(name))), wrong);
        let remove = HeaderChange { remove: vec![name.into()], ..HeaderChange::default() };
        assert_eq!(refused(Filter::RequestHeaders(remove)), wrong);
        let add = HeaderChange { add: vec![(name.into(), "x".into())], ..HeaderChange::default() };
        assert_eq!(refused(Filter::ResponseHeaders(add)), wrong);
    }
    assert_eq!(refused(Filter::RequestHeaders(change("x-mine"))), None);
    assert_eq!(refused(Filter::RequestHeaders(change("a b"))), Some(Unfit::HeaderName("a b".into())));
    let split = HeaderChange { add: vec![("x".into(), "a\r\nb: c".into())], ..HeaderChange::default() };
    assert_eq!(refused(Filter::ResponseHeaders(split)), Some(Unfit::HeaderValue("x".into())));
    let redirect = Redirect { scheme: Some("ftp".into()), host: None, port: None, path: None, status: 302 };
    assert_eq!(refused(Filter::Redirect(redirect.clone())), Some(Unfit::Scheme("ftp".into())));
    let redirect = Redirect { scheme: None, status: 200, ..redirect };
    assert_eq!(refused(Filter::Redirect(redirect)), Some(Unfit::Status(200)));
}

fn to(backends: Vec<Backend>) -> To {
    let then = Arc::new(Then { backends, ..Then::default() });
    let table = table([Rule { then, ..rule("r", 0) }]);
    table.find(None, "h", Asked::of(&get("/"))).unwrap().clone()
}

fn split(backends: Vec<Backend>) -> Arc<Split> {
    match to(backends) {
        To::Split(split) => split,
        To::All(one) => panic!("all go to {one:?}"),
    }
}

fn index(one: &One) -> Option<usize> {
    match one {
        One::App(route) => Some(route.app.index),
        One::Nobody => None,
        One::Redirect(_) => panic!("a redirect"),
    }
}

#[test]
fn without_an_app_or_a_weight_there_is_nobody() {
    let nobody = Backend { app: None, ..backend(0, 1) };
    let unknown = Backend { app: Some(fakes::id("gone")), ..backend(0, 1) };
    for backends in [vec![], vec![backend(0, 0), backend(1, 0)], vec![nobody.clone()], vec![unknown]] {
        assert!(matches!(to(backends), To::All(One::Nobody)));
    }
    assert!(
        matches!(to(vec![backend(0, 0), backend(1, 3)]), To::All(One::App(route)) if route.app.index == 1)
    );
    let split = split(vec![backend(0, 1), nobody]);
    assert_eq!([0, 1].map(|number| index(split.choose(None, |_| number))), [Some(0), None]);
}

#[test]
fn who_was_held_for_an_app_stays_with_it_as_long_as_the_rule_leads_there() {
    let at = |port| Backend { port, ..backend(1, 1) };
    let split = split(vec![backend(0, 1), at(None), at(Some(81)), backend(2, 1_000_000)]);
    let One::App(before) = split.choose(None, |_| 2) else { panic!("no app") };
    assert_eq!((before.app.index, before.port()), (1, Some(81)));
    let One::App(again) = split.choose(Some(before), |_| 0) else { panic!("no app") };
    assert!(Arc::ptr_eq(before, again));
    let elsewhere = &apps()[1];
    assert_eq!(index(split.choose(Some(elsewhere), |_| 0)), Some(0), "another app of the same name");
}

proptest! {
    #[test]
    fn each_part_gets_as_many_as_its_weight_says(weights in prop::collection::vec(0_u32..5, 2..6)) {
        let total: u32 = weights.iter().sum();
        prop_assume!(weights.iter().filter(|weight| **weight > 0).count() > 1);
        let split = split(weights.iter().enumerate().map(|(app, weight)| backend(app, *weight)).collect());
        let mut counts = vec![0; weights.len()];
        for number in 0..total {
            let one = split.choose(None, |below| { assert_eq!(below, u64::from(total)); u64::from(number) });
            counts[index(one).unwrap()] += 1;
        }
        prop_assert_eq!(counts, weights);
    }
}

/// An expression, and the same said in Rust.
type Said = (&'static str, fn(&str) -> bool);

const EXPRESSIONS: [Said; 3] = [
    ("/x.*", |text| text.starts_with("/x")),
    ("[^x]*", |text| !text.contains('x')),
    (".*(y|xx)", |text| text.ends_with('y') || text.ends_with("xx")),
];

fn expression() -> impl Strategy<Value = Box<str>> {
    prop::sample::select(EXPRESSIONS.map(|(text, _)| text.into()).to_vec())
}

fn is_of(expression: &str, text: &str) -> bool {
    EXPRESSIONS.iter().find(|(known, _)| *known == expression).unwrap().1(text)
}

fn path_match() -> impl Strategy<Value = PathMatch> {
    prop_oneof![
        3 => path().prop_map(|path| PathMatch::Prefix(PathPrefix::parse(&path).unwrap())),
        1 => path().prop_map(|path| PathMatch::Exact(path.into())),
        1 => expression().prop_map(PathMatch::Regex),
    ]
}

fn values() -> impl Strategy<Value = Vec<ValueMatch>> {
    let text = || prop::sample::select(vec!["", "x", "y", "xx"]);
    let pattern = prop_oneof![
        text().prop_map(|text| Pattern::Exact(text.into())),
        expression().prop_map(Pattern::Regex),
    ];
    let one =
        (prop::sample::select(vec!["a", "b"]), pattern).prop_map(|(name, pattern)| value(name, pattern));
    prop::collection::vec(one, 0..2)
}

fn any_rule() -> impl Strategy<Value = Rule> {
    let method = prop::option::weighted(0.3, prop::sample::select(vec!["GET", "POST"]));
    let ports = prop::collection::vec(prop::sample::select(vec![80, 81]), 0..2);
    let matches = (path_match(), method, values(), values()).prop_map(|(path, method, headers, query)| {
        RequestMatch { path, method: method.map(Into::into), headers, query }
    });
    (prop::option::of(pattern()), ports, matches).prop_map(|(host, ports, matches)| Rule {
        host,
        ports: ports.into(),
        matches,
        ..rule("r", 0)
    })
}

type Lines = Vec<(&'static str, &'static str)>;

fn lines() -> impl Strategy<Value = Lines> {
    let text = prop::sample::select(vec!["", "x", "y", "xx"]);
    prop::collection::vec((prop::sample::select(vec!["a", "b"]), text), 0..3)
}

/// What `find` promises, by looking at every rule.
fn searched(
    rules: &[Rule],
    (port, host): (Option<u16>, &str),
    (method, path): (&str, &str),
    (headers, query): (&Lines, &Lines),
) -> Result<Option<usize>, NoRoute> {
    let here = |rule: &Rule| rule.ports.is_empty() || port.is_some_and(|port| rule.ports.contains(&port));
    let fit = |rule: &Rule| match &rule.host {
        None => Some(0),
        Some(pattern) => super::fit(pattern, host),
    };
    let rules: Vec<_> = rules.iter().enumerate().filter(|(_, rule)| here(rule)).collect();
    let best = rules.iter().filter_map(|(_, rule)| fit(rule)).max().ok_or(NoRoute::UnknownHost)?;
    let is = |pattern: &Pattern, text: &str| match pattern {
        Pattern::Exact(exact) => **exact == *text,
        Pattern::Regex(expression) => is_of(expression, text),
    };
    let said = |lines: &Lines, name: &str| -> Vec<&str> {
        lines.iter().filter(|(said, _)| *said == name).map(|(_, value)| *value).collect()
    };
    let matches = |rule: &Rule| {
        let RequestMatch { path: path_match, method: wanted, headers: wanted_headers, query: wanted_query } =
            &rule.matches;
        let by_path = match path_match {
            PathMatch::Prefix(prefix) => prefix.matches(path),
            PathMatch::Exact(exact) => **exact == *path,
            PathMatch::Regex(expression) => is_of(expression, path),
        };
        let header = |wanted: &ValueMatch| {
            let said = said(headers, &wanted.name);
            !said.is_empty() && is(&wanted.value, &said.join(", "))
        };
        let parameter = |wanted: &ValueMatch| {
            said(query, &wanted.name).first().is_some_and(|said| is(&wanted.value, said))
        };
        by_path
            && wanted.as_deref().is_none_or(|wanted| wanted == method)
            && wanted_headers.iter().all(header)
            && wanted_query.iter().all(parameter)
    };
    let found = rules.iter().find(|(_, rule)| fit(rule) == Some(best) && matches(rule));
    found.map(|(index, _)| Some(*index)).ok_or(NoRoute::UnknownPath)
}

proptest! {
    #[test]
    fn finds_what_a_search_of_all_rules_finds(
        rules in prop::collection::vec(any_rule(), 0..APPS),
        requests in prop::collection::vec(
            ((prop::option::of(prop::sample::select(vec![80, 81, 82])), host()),
             (prop::sample::select(vec!["GET", "POST", "PUT"]), path()), (lines(), lines())), 30),
    ) {
        let rules: Vec<_> = (0..).zip(rules).map(|(app, rule)| Rule { then: super::rules::rule("", app).then, ..rule }).collect();
        let table = table(rules.clone());
        for ((port, host), (method, path), (headers, query)) in requests {
            let target = query.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("&");
            let mut request = Request::builder().method(method).uri(format!("{path}?{target}"));
            for (name, value) in &headers {
                request = request.header(*name, *value);
            }
            let request = request.body(()).unwrap();
            let expected = searched(&rules, (port, &host), (method, &path), (&headers, &query));
            prop_assert_eq!(found(&table, port, &host, &request), expected, "{:?}", request);
        }
    }
}

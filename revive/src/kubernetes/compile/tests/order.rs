//! The order of precedence (Gateway API, `HTTPRouteRule.matches`, `GRPCRouteRule.matches`).

use crate::kubernetes::fixtures::{GATEWAY, app, compiled, route, rules};

fn paths(rules: &[String]) -> Vec<&str> {
    rules.iter().map(|rule| rule.split(" ->").next().unwrap_or_default()).collect()
}

#[test]
fn within_one_route_the_most_specific_match_is_first() {
    let route = route(
        "HTTPRoute",
        "shop",
        "r",
        "  rules:
  - matches: [{path: {value: /}}]
  - matches: [{path: {value: /a}, queryParams: [{name: q, value: '1'}]}]
  - matches: [{path: {value: /a}, headers: [{name: x, value: '1'}]}]
  - matches: [{path: {value: /a}, headers: [{name: x, value: '1'}, {name: 'y', value: '1'}]}]
  - matches: [{path: {value: /a}, method: GET}]
  - matches: [{path: {value: /a/long}}]
  - matches: [{path: {type: RegularExpression, value: '/a.*'}}]
  - matches: [{path: {type: Exact, value: /a}}]
  - matches: [{path: {type: Exact, value: /a/exact}}]",
    );
    let compiled = compiled(&[GATEWAY, &route].concat());
    assert_eq!(
        paths(&rules(&compiled)),
        [
            "*:80 /a/exact",
            "*:80 /a",
            "*:80 ~/a.*",
            "*:80 /a/long*",
            "*:80 /a* GET",
            "*:80 /a* x y",
            "*:80 /a* x",
            "*:80 /a* ?q",
            "*:80 /*",
        ]
    );
}

#[test]
fn between_routes_the_host_comes_first_then_age_then_the_name() {
    let at = |name: &str, host: &str, created: &str| {
        let spec = format!("  hostnames: [{host}]\n  rules: [{{backendRefs: [{{name: {name}, port: 80}}]}}]");
        [app("shop", name), route("HTTPRoute", "shop", name, &spec).replace("2026-01-01", created)].concat()
    };
    let all = [
        at("b", "shop.test", "2026-01-01"),
        at("a", "shop.test", "2026-01-01"),
        at("young", "shop.test", "2026-02-01"),
        at("old", "shop.test", "2025-01-01"),
        at("wild", "'*.test'", "2020-01-01"),
        at("wilder", "'*.shop.test'", "2026-01-01"),
    ];
    let compiled = compiled(&[GATEWAY, &all.concat()].concat());
    assert_eq!(
        rules(&compiled),
        [
            "shop.test:80 /* -> shop/old*1",
            "shop.test:80 /* -> shop/a*1",
            "shop.test:80 /* -> shop/b*1",
            "shop.test:80 /* -> shop/young*1",
            "*.shop.test:80 /* -> shop/wilder*1",
            "*.test:80 /* -> shop/wild*1",
        ]
    );
}

#[test]
fn of_calls_the_longer_service_is_first_then_the_method_then_headers() {
    let route = route(
        "GRPCRoute",
        "shop",
        "r",
        "  rules:
  - matches: [{}]
  - matches: [{method: {service: a.B}}]
  - matches: [{method: {service: a.B}, headers: [{name: x, value: '1'}]}]
  - matches: [{method: {service: a.B, method: Do}}]
  - matches: [{method: {service: a.Longer}}]",
    );
    let compiled = compiled(&[GATEWAY, &route].concat());
    assert_eq!(
        paths(&rules(&compiled)),
        ["*:80 /a.Longer*", "*:80 /a.B/Do", "*:80 /a.B* x", "*:80 /a.B*", "*:80 /*"]
    );
}

#[test]
fn of_one_name_twice_the_first_condition_counts() {
    let spec = "  rules: [{matches: [{headers: [{name: X, value: a}, {name: x, value: b}], queryParams: [{name: q, value: a}, {name: q, value: b}]}]}]";
    let compiled = compiled(&[GATEWAY, &route("HTTPRoute", "shop", "r", spec)].concat());
    assert_eq!(paths(&rules(&compiled)), ["*:80 /* x ?q"]);
}

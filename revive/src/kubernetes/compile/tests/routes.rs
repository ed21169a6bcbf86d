//! Routes: what they are attached to, and what becomes of what they name.

use std::time::Duration;

use config::model::{Filter, PathChange};

use crate::kubernetes::fixtures::{GATEWAY, app, compiled, of_gateway, of_route, route, rules, why};

const FINE: &str = "Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs";

/// The Gateway, an app, and an HTTPRoute with this spec.
fn with(spec: &str) -> String {
    [GATEWAY, &app("shop", "web"), &route("HTTPRoute", "shop", "r", spec)].concat()
}

#[test]
fn a_route_brings_requests_of_its_hosts_to_an_app() {
    let compiled = compiled(&with(
        "  hostnames: [shop.test, '*.shop.test']
  rules:
  - matches: [{path: {type: PathPrefix, value: /api}}, {path: {type: Exact, value: /}}]
    backendRefs: [{name: web, port: 80}]",
    ));
    assert_eq!(of_route(&compiled, "r"), [FINE]);
    assert_eq!(
        rules(&compiled),
        [
            "shop.test:80 / -> shop/web*1",
            "shop.test:80 /api* -> shop/web*1",
            "*.shop.test:80 / -> shop/web*1",
            "*.shop.test:80 /api* -> shop/web*1",
        ]
    );
    assert_eq!(&*compiled.rules[0].name, "httproute/shop/r/0");
    assert_eq!(of_gateway(&compiled, "edge")[1].split(':').next(), Some("web [HTTPRoute,GRPCRoute] 1"));
}

#[test]
fn what_a_backend_names_must_be_there_and_be_permitted() {
    let cases = [
        ("{name: nobody, port: 80}", "BackendNotFound", "Service shop/nobody"),
        ("{name: web, port: 81}", "BackendNotFound", "port 81"),
        ("{name: web, kind: Bucket, group: s3.test}", "InvalidKind", "Bucket"),
        ("{name: web, namespace: other, port: 80}", "RefNotPermitted", "other/web"),
    ];
    for (backend, reason, word) in cases {
        let compiled = compiled(&with(&format!("  rules: [{{backendRefs: [{backend}]}}]")));
        assert_eq!(of_route(&compiled, "r"), [format!("Accepted=True/Accepted ResolvedRefs=False/{reason}")]);
        assert!(why(&compiled, "r").contains(word), "{}", why(&compiled, "r"));
        assert_eq!(rules(&compiled), ["*:80 /* -> nothing*1"], "its share is answered, by 500");
    }
}

#[test]
fn a_grant_lets_a_route_name_what_is_elsewhere() {
    let grant = |from: &str, to: &str| {
        format!(
            "
---
apiVersion: gateway.networking.k8s.io/v1beta1
kind: ReferenceGrant
metadata: {{name: g, namespace: other}}
spec:
  from: [{{group: gateway.networking.k8s.io, kind: {from}, namespace: shop}}]
  to: [{{group: '', kind: Service{to}}}]
"
        )
    };
    let spec = "  rules: [{backendRefs: [{name: far, namespace: other, port: 80}]}]";
    let base = [with(spec), app("other", "far")].concat();
    for (grant, permitted) in [
        (grant("HTTPRoute", ""), true),
        (grant("HTTPRoute", ", name: far"), true),
        (grant("HTTPRoute", ", name: near"), false),
        (grant("GRPCRoute", ""), false),
    ] {
        let compiled = compiled(&[base.clone(), grant.clone()].concat());
        assert_eq!(of_route(&compiled, "r")[0] == FINE, permitted, "{grant}");
    }
}

#[test]
fn a_route_finds_no_listener_that_takes_it() {
    let gateway = GATEWAY
        .replace("from: All", "from: Same")
        .replace("protocol: HTTP", "protocol: HTTP\n    hostname: '*.test'");
    let all = |gateway: &str, parent: &str, hosts: &str| {
        let route = route("HTTPRoute", "shop", "r", &format!("  hostnames: [{hosts}]\n  rules: [{{}}]"));
        compiled(&[gateway, &route.replace("{name: edge, namespace: infra}", parent)].concat())
    };
    let open = gateway.replace("from: Same", "from: All");
    let cases = [
        (&gateway, "{name: edge, namespace: infra}", "shop.test", "NotAllowedByListeners"),
        (&open, "{name: edge, namespace: infra, sectionName: other}", "shop.test", "NoMatchingParent"),
        (&open, "{name: edge, namespace: infra, port: 81}", "shop.test", "NoMatchingParent"),
        (&open, "{name: edge, namespace: infra}", "shop.example", "NoMatchingListenerHostname"),
        (&open, "{name: edge, namespace: infra}", "test", "NoMatchingListenerHostname"),
    ];
    for (gateway, parent, hosts, reason) in cases {
        let compiled = all(gateway, parent, hosts);
        assert_eq!(
            of_route(&compiled, "r"),
            [format!("Accepted=False/{reason} ResolvedRefs=True/ResolvedRefs")]
        );
        assert!(compiled.rules.is_empty());
    }
    assert!(
        of_route(&all(&open, "{name: strange, namespace: infra}", "shop.test"), "r").is_empty(),
        "nobody's"
    );
}

#[test]
fn hosts_are_those_that_listener_and_route_have_in_common() {
    let hosts = |listener: &str, route_hosts: &str| {
        let gateway =
            GATEWAY.replace("protocol: HTTP", &format!("protocol: HTTP\n    hostname: '{listener}'"));
        let route =
            route("HTTPRoute", "shop", "r", &format!("  hostnames: [{route_hosts}]\n  rules: [{{}}]"));
        let compiled = compiled(&[gateway, route].concat());
        compiled.rules.iter().map(|rule| rule.host.as_ref().unwrap().to_string()).collect::<Vec<_>>()
    };
    assert_eq!(hosts("*.test", ""), ["*.test"]);
    assert_eq!(hosts("*.test", "a.test, b.a.test, a.example"), ["b.a.test", "a.test"]);
    assert_eq!(hosts("*.test", "'*.a.test'"), ["*.a.test"]);
    assert_eq!(hosts("*.a.test", "'*.test'"), ["*.a.test"]);
    assert_eq!(hosts("a.test", "'*.test', a.test"), ["a.test"]);
}

#[test]
fn filters_become_ours_in_their_order() {
    let compiled = compiled(&with(
        "  rules:
  - matches: [{path: {value: /a}}]
    filters:
    - type: RequestHeaderModifier
      requestHeaderModifier: {set: [{name: X-A, value: '1'}], add: [{name: x-b, value: '2'}], remove: [X-C]}
    - type: URLRewrite
      urlRewrite: {hostname: app.test, path: {type: ReplacePrefixMatch, replacePrefixMatch: /b/}}
    timeouts: {request: 10s, backendRequest: 2s500ms}
    backendRefs: [{name: web, port: 80, weight: 3}]
  - matches: [{path: {value: /old}}]
    filters:
    - type: RequestRedirect
      requestRedirect: {scheme: https, hostname: new.test, statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /new}}",
    ));
    assert_eq!(of_route(&compiled, "r"), [FINE]);
    let redirect = &compiled.rules[0].then;
    assert!(
        matches!(&redirect.filters[..], [Filter::Redirect(to)] if to.status == 301 && to.scheme.as_deref() == Some("https"))
    );
    let then = &compiled.rules[1].then;
    assert_eq!(then.timeout, Some(Duration::from_millis(2_500)));
    let [Filter::RequestHeaders(change), Filter::Rewrite(rewrite)] = &then.filters[..] else {
        unreachable!()
    };
    assert_eq!((&*change.set[0].0, &*change.add[0].1, &*change.remove[0]), ("x-a", "2", "x-c"));
    assert_eq!(rewrite.path, Some(PathChange::Prefix("/b".into())));
}

#[test]
fn what_cannot_be_done_is_refused_by_name_and_nothing_of_the_route_is_served() {
    let filter =
        |filter: &str| format!("  rules: [{{filters: [{filter}], backendRefs: [{{name: web, port: 80}}]}}]");
    let set = |name: &str| {
        filter(&format!(
            "{{type: RequestHeaderModifier, requestHeaderModifier: {{set: [{{name: {name}, value: a}}]}}}}"
        ))
    };
    let matched = |one: &str| format!("  rules: [{{matches: [{one}]}}]");
    let cases = [
        (filter("{type: RequestMirror, requestMirror: {}}"), "UnsupportedValue", "RequestMirror"),
        (filter("{type: ExternalAuth}"), "UnsupportedValue", "ExternalAuth"),
        (set("loco-org-id"), "UnsupportedValue", "loco-org-id"),
        (set("X_Loco_App"), "UnsupportedValue", "x_loco_app"),
        (set("Transfer-Encoding"), "UnsupportedValue", "transfer-encoding"),
        (matched("{path: {type: RegularExpression, value: '/(a'}}"), "UnsupportedValue", "/(a"),
        (matched("{headers: [{type: RegularExpression, name: x, value: 'a)(b'}]}"), "UnsupportedValue", "a)(b"),
        (matched("{path: {type: RegularExpression, value: '(a{1000}){1000}'}}"), "UnsupportedValue", "too large"),
        (
            "  rules: [{matches: [{path: {type: Exact, value: /a}}], filters: [{type: URLRewrite, urlRewrite: {path: {type: ReplacePrefixMatch, replacePrefixMatch: /b}}}]}]".to_owned(),
            "IncompatibleFilters",
            "PathPrefix",
        ),
        ("  rules: [{timeouts: {request: soon}}]".to_owned(), "UnsupportedValue", "timeouts.request"),
    ];
    for (spec, reason, word) in cases {
        let compiled = compiled(&with(&spec));
        assert!(of_route(&compiled, "r")[0].starts_with(&format!("Accepted=False/{reason}")), "{spec}");
        assert!(why(&compiled, "r").contains(word), "{}", why(&compiled, "r"));
        assert!(compiled.rules.is_empty() && compiled.apps.is_empty(), "{spec}");
        assert_eq!(of_gateway(&compiled, "edge")[1].split(':').next(), Some("web [HTTPRoute,GRPCRoute] 0"));
    }
}

#[test]
fn calls_of_grpc_become_paths() {
    let route = route(
        "GRPCRoute",
        "shop",
        "r",
        "  rules:
  - matches:
    - {method: {service: shop.v1.Cart, method: Add}}
    - {method: {service: shop.v1.Cart}}
    - {method: {method: Ping}}
    - {method: {type: RegularExpression, service: 'proto.*'}}
    - {headers: [{name: X-Beta, value: 'yes'}]}
    backendRefs: [{name: web, port: 80}]",
    );
    let compiled = compiled(&[GATEWAY, &app("shop", "web"), &route].concat());
    assert_eq!(of_route(&compiled, "r"), [FINE]);
    assert_eq!(
        rules(&compiled),
        [
            "*:80 /shop.v1.Cart/Add -> shop/web*1",
            "*:80 /shop.v1.Cart* -> shop/web*1",
            "*:80 ~/(?:proto.*)/(?:[^/]+) -> shop/web*1",
            "*:80 ~/[^/]+/Ping -> shop/web*1",
            "*:80 /* x-beta -> shop/web*1",
        ]
    );
    assert_eq!(compiled.apps[0].protocol, config::model::Protocol::H2c);
}

#[test]
fn a_rule_without_backends_answers_by_itself() {
    let compiled = compiled(&with("  rules: [{}]"));
    assert_eq!(
        (of_route(&compiled, "r"), rules(&compiled)),
        (vec![FINE.to_owned()], vec!["*:80 /* ->".to_owned()])
    );
}

//! SleepPolicies and LimitPolicies.

use std::time::Duration;

use config::model::After;

use crate::kubernetes::compile::Compiled;
use crate::kubernetes::fixtures::{GATEWAY, app, compiled, route};

fn policy(kind: &str, name: &str, spec: &str) -> String {
    format!(
        "\n---\napiVersion: edge.loco.io/v1alpha1\nkind: {kind}\nmetadata: {{name: {name}, namespace: shop, creationTimestamp: '2026-01-01T00:00:00Z'}}\nspec: {spec}"
    )
}

fn base() -> String {
    let spec = "  hostnames: [shop.test]\n  rules: [{matches: [{path: {value: /a}}], backendRefs: [{name: web, port: 80}]}]";
    [GATEWAY, &app("shop", "web"), &route("HTTPRoute", "shop", "r", spec)].concat()
}

fn idle(compiled: &Compiled) -> After {
    compiled.apps[0].sleep.idle_after
}

fn minutes(number: u64) -> After {
    After::Elapsed(Duration::from_secs(60 * number))
}

fn said(compiled: &Compiled, name: &str) -> (i32, bool, &'static str) {
    let all = compiled.statuses.sleep_policies.iter().chain(&compiled.statuses.limit_policies);
    let (_, said) = all.into_iter().find(|(key, _)| *key.name == *name).unwrap();
    (said.apps, said.conditions[0].holds, said.conditions[0].reason)
}

#[test]
fn nothing_sleeps_unless_somebody_says_so_and_the_nearest_wins() {
    let levels = [
        ("namespace", "{targetRefs: [{kind: Namespace}], idleAfter: 50m}", 50),
        ("route", "{targetRefs: [{kind: HTTPRoute, name: r}], idleAfter: 40m}", 40),
        ("service", "{targetRefs: [{kind: Service, name: web}], idleAfter: 30m}", 30),
        ("workload", "{targetRefs: [{kind: Deployment, name: web}], idleAfter: 20m}", 20),
    ];
    let mut text = base();
    assert_eq!(idle(&compiled(&text)), After::Never);
    for (name, spec, expected) in levels {
        text += &policy("SleepPolicy", name, spec);
        let compiled = compiled(&text);
        assert_eq!(
            (idle(&compiled), said(&compiled, name)),
            (minutes(expected), (1, true, "Accepted")),
            "{name}"
        );
    }
}

#[test]
fn a_policy_that_is_wrong_or_finds_nothing_says_so() {
    let cases = [
        ("{targetRefs: [{kind: Service, name: nobody}], idleAfter: 5m}", "TargetNotFound"),
        ("{targetRefs: [{kind: Service, name: web}], idleAfter: soon}", "Invalid"),
    ];
    for (spec, reason) in cases {
        let compiled = compiled(&[base(), policy("SleepPolicy", "p", spec)].concat());
        assert_eq!((idle(&compiled), said(&compiled, "p")), (After::Never, (0, false, reason)));
    }
}

#[test]
fn of_two_policies_for_one_thing_the_older_holds() {
    let spec = |time: &str| format!("{{targetRefs: [{{kind: Service, name: web}}], idleAfter: {time}}}");
    let young = policy("SleepPolicy", "a", &spec("5m")).replace("2026-01-01", "2026-02-01");
    let compiled = compiled(&[base(), young, policy("SleepPolicy", "b", &spec("9m"))].concat());
    assert_eq!(idle(&compiled), minutes(9));
    assert_eq!(
        (said(&compiled, "a"), said(&compiled, "b")),
        ((0, false, "Conflicted"), (1, true, "Accepted"))
    );
}

#[test]
fn a_limit_counts_the_requests_of_its_target_and_no_others() {
    let limit = |target: &str, matches: &str| {
        let spec =
            format!("{{targetRefs: [{target}], limits: [{{name: l, key: client, rate: 5/min{matches}}}]}}");
        let compiled = compiled(&[base(), policy("LimitPolicy", "p", &spec)].concat());
        let shown = compiled.limits.iter().map(|one| {
            let hosts: Vec<_> = one.matches.hosts.iter().map(ToString::to_string).collect();
            let paths: Vec<_> = one.matches.paths.iter().map(ToString::to_string).collect();
            format!("{} {} {}", one.name, hosts.join(","), paths.join(","))
        });
        (shown.collect::<Vec<_>>(), said(&compiled, "p").2)
    };
    let route = "{kind: HTTPRoute, name: r}";
    assert_eq!(limit(route, ""), (vec!["shop.p.l shop.test /a".to_owned()], "Accepted"));
    assert_eq!(limit("{kind: Namespace}", "").0, ["shop.p.l shop.test /a"]);
    assert_eq!(limit(route, ", match: {paths: [/a/b]}").0, ["shop.p.l shop.test /a/b"]);
    assert_eq!(limit(route, ", match: {paths: [/]}").0, ["shop.p.l shop.test /a"]);
    assert_eq!(limit(route, ", match: {paths: [/other]}").0, Vec::<String>::new(), "no request of its own");
    assert_eq!(
        limit(route, ", match: {hosts: [other.test]}").0,
        Vec::<String>::new(),
        "somebody else's host"
    );
    assert_eq!(limit("{kind: HTTPRoute, name: nobody}", ""), (Vec::new(), "TargetNotFound"));
    assert_eq!(
        limit("{kind: Gateway, name: edge}", ""),
        (Vec::new(), "TargetNotFound"),
        "one of another namespace"
    );
}

#[test]
fn an_app_needs_others_of_its_workspace_only() {
    let other = |namespace: &str, name: &str| {
        let to = format!("  rules: [{{backendRefs: [{{name: {name}, port: 80}}]}}]");
        [app(namespace, name), route("HTTPRoute", namespace, name, &to)].concat()
    };
    let spec = "{targetRefs: [{kind: Service, name: web}], wakeWith: [{kind: Service, name: db}, {kind: Deployment, name: far, namespace: other}]}";
    let text =
        [base(), other("shop", "db"), other("other", "far"), policy("SleepPolicy", "p", spec)].concat();
    let needs = |text: &str| {
        let compiled = compiled(text);
        compiled.companions.iter().map(|(id, needs)| format!("{id}: {needs:?}")).collect::<Vec<_>>()
    };
    assert_eq!(needs(&text), ["shop/web: [AppId(\"shop/db\")]"]);
    let same =
        "\n---\napiVersion: v1\nkind: Namespace\nmetadata: {name: NS, labels: {loco.dev/workspace: seven}}";
    let same = [text, same.replace("NS", "shop"), same.replace("NS", "other")].concat();
    assert_eq!(needs(&same), ["shop/web: [AppId(\"shop/db\"), AppId(\"other/far\")]"]);
}

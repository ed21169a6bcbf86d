//! What holds of whatever objects there are.

use std::sync::Arc;

use proptest::prelude::*;

use crate::kubernetes::compile::compile;
use crate::kubernetes::fixtures::{GATEWAY, app, route, settings, updates};
use crate::kubernetes::index::Index;

/// A few of everything, with names, hosts and paths that meet.
fn objects() -> impl Strategy<Value = Vec<String>> {
    let name = || prop::sample::select(vec!["a", "b", "c"]);
    let namespace = || prop::sample::select(vec!["one", "two"]);
    let host = || prop::sample::select(vec!["x.test", "'*.test'", "y.x.test"]);
    let path = || prop::sample::select(vec!["{value: /}", "{value: /p}", "{type: Exact, value: /p}"]);
    let kind = || prop::sample::select(vec!["HTTPRoute", "GRPCRoute"]);
    let apps = (namespace(), name()).prop_map(|(namespace, name)| app(namespace, name));
    let routes = (kind(), namespace(), name(), host(), path(), name(), 1..5u8).prop_map(
        |(kind, namespace, name, host, path, to, day)| {
            let matched = if kind == "HTTPRoute" { format!("{{path: {path}}}") } else { "{}".to_owned() };
            let spec = format!(
                "  hostnames: [{host}]\n  rules: [{{matches: [{matched}], backendRefs: [{{name: {to}, port: 80}}]}}]"
            );
            route(kind, namespace, name, &spec).replace("2026-01-01", &format!("2026-01-0{day}"))
        },
    );
    let policies = (namespace(), name(), name(), 1..9u8).prop_map(|(namespace, name, to, minutes)| {
        format!("\n---\napiVersion: edge.loco.io/v1alpha1\nkind: SleepPolicy\nmetadata: {{name: {name}, namespace: {namespace}}}\nspec: {{targetRefs: [{{kind: Service, name: {to}}}], idleAfter: {minutes}m}}")
    });
    prop::collection::vec(prop_oneof![3 => apps, 4 => routes, 1 => policies], 0..14)
}

/// The objects, each once, and in another order.
fn two_orders() -> impl Strategy<Value = (Vec<String>, Vec<String>)> {
    let once = objects().prop_map(|mut all| {
        all.push(GATEWAY.to_owned());
        let heads: Vec<String> = all.iter().map(|one| head(one)).collect();
        let mut place = 0..heads.len();
        all.retain(|one| place.next().is_some_and(|at| !heads[..at].contains(&head(one))));
        all
    });
    once.prop_flat_map(|all| (Just(all.clone()), Just(all).prop_shuffle()))
}

/// Its kind, namespace and name.
fn head(object: &str) -> String {
    let line =
        |start: &str| object.lines().find(|line| line.starts_with(start)).unwrap_or_default().to_owned();
    let metadata = line("metadata");
    line("kind") + metadata.split(", generation").next().unwrap_or_default()
}

fn index(objects: &[String]) -> Index {
    let mut index = Index::default();
    for update in objects.iter().flat_map(|text| updates(text)) {
        index.apply(update);
    }
    index
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn the_order_in_which_objects_come_changes_nothing((one, two) in two_orders()) {
        prop_assert_eq!(compile(&index(&one), &settings(), None), compile(&index(&two), &settings(), None));
    }

    #[test]
    fn what_has_not_changed_is_shared_and_all_is_as_if_compiled_anew((before, after) in (objects(), objects())) {
        let whole = |mut all: Vec<String>| { all.push(GATEWAY.to_owned()); index(&all) };
        let (before, after) = (whole(before), whole(after));
        let first = compile(&before, &settings(), None);
        let second = compile(&after, &settings(), Some(&first));
        prop_assert_eq!(&second, &compile(&after, &settings(), None));
        for app in &second.apps {
            let same = first.apps.iter().find(|one| *one == app);
            prop_assert!(same.is_none_or(|one| Arc::ptr_eq(one, app)));
        }
        let again = compile(&after, &settings(), Some(&second));
        prop_assert!(again.rules.iter().zip(&second.rules).all(|(one, two)| Arc::ptr_eq(one, two) || second.rules.iter().filter(|rule| *rule == two).count() > 1));
    }

    #[test]
    fn every_app_that_a_rule_names_is_there(objects in objects()) {
        let compiled = compile(&index(&[objects, vec![GATEWAY.to_owned()]].concat()), &settings(), None);
        let named = compiled.rules.iter().flat_map(|rule| &rule.then.backends).filter_map(|backend| backend.app.as_ref());
        for app in named {
            prop_assert!(compiled.apps.iter().any(|one| one.id == *app) && compiled.targets.contains_key(app));
        }
    }
}

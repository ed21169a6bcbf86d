//! What each half may ask of the API server.

use std::collections::BTreeSet;

use serde_json::Value;

use crate::helm::{self, NAMESPACE, of_kind, rendered};
use crate::sets::SETS;

/// A rule, and where it holds; `None`: in the whole cluster.
struct Right<'a> {
    namespace: Option<&'a str>,
    rule: &'a Value,
}

impl Right<'_> {
    fn words(&self, key: &str) -> BTreeSet<String> {
        let words = self.rule[key].as_array().into_iter().flatten();
        words.filter_map(|word| word.as_str().map(str::to_owned)).collect()
    }
}

/// The rights of a service account, by the bindings that name it.
fn rights<'a>(objects: &'a [Value], account: &str) -> Vec<Right<'a>> {
    let named = |binding: &Value| {
        let subjects = binding["subjects"].as_array().unwrap();
        subjects.iter().any(|subject| subject["name"] == account && subject["namespace"] == NAMESPACE)
    };
    let mut rights = Vec::new();
    for (binding_kind, role_kind) in [("ClusterRoleBinding", "ClusterRole"), ("RoleBinding", "Role")] {
        for binding in of_kind(objects, binding_kind).into_iter().filter(|binding| named(binding)) {
            assert_eq!(
                binding["roleRef"]["kind"], role_kind,
                "a role of the cluster in one namespace is not used"
            );
            let namespace = binding["metadata"]["namespace"].as_str();
            let role = of_kind(objects, role_kind).into_iter().find(|role| {
                role["metadata"]["name"] == binding["roleRef"]["name"]
                    && role["metadata"]["namespace"].as_str() == namespace
            });
            let rules = role.expect("the role of a binding")["rules"].as_array().unwrap();
            rights.extend(rules.iter().map(|rule| Right { namespace, rule }));
        }
    }
    rights
}

#[test]
fn a_gateway_has_no_right() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        assert!(rights(&rendered(values), "edge-loco-edge-gateway").is_empty(), "{name}");
    }
}

#[test]
fn nothing_stands_for_everything() {
    if !helm::is_there() {
        return;
    }
    for (name, values) in SETS {
        let objects = rendered(values);
        let rights = rights(&objects, "edge-loco-edge-revive");
        assert!(!rights.is_empty(), "{name}");
        for right in rights {
            for key in ["apiGroups", "resources", "verbs"] {
                assert!(!right.words(key).contains("*"), "{name}: {}", right.rule);
                assert!(!right.words(key).is_empty(), "{name}: {}", right.rule);
            }
            let verbs = right.words("verbs");
            for verb in ["escalate", "bind", "impersonate", "deletecollection"] {
                assert!(!verbs.contains(verb), "{name}: {}", right.rule);
            }
        }
    }
}

/// Who can change these can become anybody.
#[test]
fn nothing_that_leads_to_more_rights_can_be_written() {
    if !helm::is_there() {
        return;
    }
    let writes = ["create", "update", "patch", "delete"];
    let dangerous = [
        "secrets",
        "pods",
        "pods/exec",
        "pods/ephemeralcontainers",
        "nodes",
        "serviceaccounts",
        "serviceaccounts/token",
        "roles",
        "rolebindings",
        "clusterroles",
        "clusterrolebindings",
        "namespaces",
        "validatingwebhookconfigurations",
        "mutatingwebhookconfigurations",
        "daemonsets",
        "jobs",
        "cronjobs",
    ];
    for (name, values) in SETS {
        for right in rights(&rendered(values), "edge-loco-edge-revive") {
            let (verbs, resources) = (right.words("verbs"), right.words("resources"));
            let writing = writes.iter().any(|verb| verbs.contains(*verb));
            let leads_on = dangerous.iter().any(|resource| resources.contains(*resource));
            assert!(!(writing && leads_on), "{name}: {}", right.rule);
        }
    }
}

#[test]
fn secrets_are_read_only_where_they_are_named() {
    if !helm::is_there() {
        return;
    }
    let secrets = |values: &str| {
        let objects = rendered(values);
        let rights = rights(&objects, "edge-loco-edge-revive");
        let of_secrets = rights.iter().filter(|right| right.words("resources").contains("secrets"));
        let place = |right: &Right<'_>| right.namespace.map_or("everywhere".to_owned(), str::to_owned);
        of_secrets.map(|right| (place(right), right.words("resourceNames"))).collect::<Vec<_>>()
    };
    let only = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    assert_eq!(secrets("{}"), [], "none that nobody named");
    let named = secrets("rbac: { secrets: [{ namespace: a, names: [x, z] }], secretNamespaces: [b] }");
    assert_eq!(named, [("a".to_owned(), only(&["x", "z"])), ("b".to_owned(), only(&[]))]);
    assert_eq!(secrets("rbac: { allSecrets: true }"), [("everywhere".to_owned(), only(&[]))]);
}

#[test]
fn leases_are_its_own_alone() {
    if !helm::is_there() {
        return;
    }
    for right in rights(&rendered("{}"), "edge-loco-edge-revive") {
        if right.words("resources").contains("leases") {
            assert_eq!(right.namespace, Some(NAMESPACE));
            let verbs = right.words("verbs");
            let just_create = verbs.len() == 1 && verbs.contains("create");
            assert!(just_create || !right.words("resourceNames").is_empty(), "{}", right.rule);
        }
    }
}

//! `LimitPolicy`: how many of some requests may pass.

use std::num::NonZeroU32;

use config::model::{HostPattern, Label, Limit, LimitKey, LimitMatch, PathPrefix, Rate};
use kube::{CustomResource, KubeSchema};
use serde::{Deserialize, Serialize};

use super::mistake::{Mistake, Mistakes};
use super::{LimitTarget, PolicyStatus};

/// How many of some requests may pass; those beyond get 429. A request must pass all limits that count it.
#[derive(CustomResource, Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[kube(
    group = "edge.loco.io",
    version = "v1alpha1",
    kind = "LimitPolicy",
    plural = "limitpolicies",
    shortname = "lmp",
    category = "loco-edge",
    namespaced,
    status = "PolicyStatus",
    derive = "PartialEq",
    doc = "How many of some requests may pass.",
    label("gateway.networking.k8s.io/policy", "Inherited"),
    printcolumn = r#"{"name": "Target", "type": "string", "jsonPath": ".spec.targetRefs[*].kind", "description": "What it is for"}"#,
    printcolumn = r#"{"name": "Name", "type": "string", "jsonPath": ".spec.targetRefs[*].name", "description": "Its names", "priority": 1}"#,
    printcolumn = r#"{"name": "Limits", "type": "string", "jsonPath": ".spec.limits[*].name", "description": "The names of its limits"}"#,
    printcolumn = r#"{"name": "Accepted", "type": "string", "jsonPath": ".status.conditions[?(@.type==\"Accepted\")].status", "description": "Whether it can be used"}"#,
    printcolumn = r#"{"name": "Age", "type": "date", "jsonPath": ".metadata.creationTimestamp"}"#
)]
#[serde(rename_all = "camelCase")]
pub struct LimitPolicySpec {
    /// What it is for, in its own namespace.
    #[schemars(length(min = 1, max = 16))]
    pub target_refs: Vec<LimitTarget>,
    /// The limits.
    #[schemars(
        length(min = 1, max = 32),
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub limits: Vec<LimitSpec>,
}

/// A limit, as a `[[limit]]` of a file of apps.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(
    validation = Rule::new("has(self.rate) || has(self.concurrency)").message("this limit limits nothing: add rate or concurrency"),
    validation = Rule::new("!has(self.burst) || has(self.rate)").message("burst without rate: say how many in how long")
)]
pub struct LimitSpec {
    /// Its name, unique in the policy. Elsewhere it is called `NAMESPACE.POLICY.NAME`.
    #[schemars(length(min = 1, max = 40), regex(pattern = "^[A-Za-z0-9_-]+$"))]
    pub name: String,
    /// Which of the target's requests it counts; all unless said.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<LimitMatchSpec>,
    /// By what it counts, each value for itself: `credential` (bearer token or session cookie), `client` (address; of
    /// IPv6 the /64), `tenant` or `workspace` of the app, `app`, `header:NAME`, `claim:NAME` (of a verified token).
    #[schemars(
        length(max = 108),
        regex(
            pattern = "^(credential|client|tenant|workspace|app|header:[!#$%&'*+.^_`|~0-9A-Za-z-]{1,100}|claim:[!-~]{1,100})$"
        )
    )]
    pub key: String,
    /// How many in how long: `5/min`, `10/30s`, with `s`, `min`, `h` or `d`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = "^[1-9][0-9]{0,9}/([1-9][0-9]{0,8})?(s|min|h|d)$"))]
    pub rate: Option<String>,
    /// How many may come at once after a pause; as many as `rate` counts unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub burst: Option<i32>,
    /// How many may be open at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 2_147_483_647))]
    pub concurrency: Option<i32>,
}

/// Which requests: all conditions hold; what is left out is any.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct LimitMatchSpec {
    /// Any of these hosts: `shop.example.com`, or `*.example.com` for all below it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 253)))]
    pub hosts: Vec<String>,
    /// At or below any of these paths.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 64), inner(length(min = 1, max = 1024), regex(pattern = "^/")))]
    pub paths: Vec<String>,
    /// Any of these methods, in capitals.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(length(max = 16), inner(length(min = 1, max = 32), regex(pattern = "^[A-Z-]+$")))]
    pub methods: Vec<String>,
}

impl LimitPolicySpec {
    /// Its limits, called `NAMESPACE.POLICY.NAME`. Which requests are the target's is not in them.
    ///
    /// # Errors
    /// All that is wrong with them.
    pub fn limits(&self, namespace: &str, policy: &str) -> Result<Vec<Limit>, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let limits = self.limits.iter().filter_map(|limit| limit.parsed(namespace, policy, &mut mistakes));
        let limits = limits.collect();
        mistakes.or(limits)
    }
}

impl LimitSpec {
    fn parsed(&self, namespace: &str, policy: &str, mistakes: &mut Mistakes) -> Option<Limit> {
        let field = |name: &str| format!("limits[{}].{name}", self.name);
        let name = self.full_name(namespace, policy, mistakes);
        let key: Option<LimitKey> = mistakes.read(field("key"), Some(&self.key), str::parse);
        let rate: Option<Rate> = mistakes.read(field("rate"), self.rate.as_deref(), str::parse);
        let some =
            |written: Option<i32>| written.and_then(|n| u32::try_from(n).ok()).and_then(NonZeroU32::new);
        let rate = rate.map(|rate| some(self.burst).map_or(rate, |burst| rate.with_burst(burst)));
        let concurrency = some(self.concurrency);
        if self.rate.is_none() && concurrency.is_none() {
            mistakes.add(field("rate"), "this limit limits nothing: add rate or concurrency");
        }
        let matches = self.matches.clone().unwrap_or_default().parsed(&field("match"), mistakes);
        Some(Limit { name: name?, matches, key: key?, rate, concurrency })
    }

    fn full_name(&self, namespace: &str, policy: &str, mistakes: &mut Mistakes) -> Option<Label> {
        let full = format!("{namespace}.{policy}.{}", self.name);
        let parse = |text: &str| {
            Limit::parse_name(text).map_err(|error| format!("it is called {text} elsewhere, but {error}"))
        };
        mistakes.read(format!("limits[{}].name", self.name), Some(&full), parse)
    }
}

impl LimitMatchSpec {
    fn parsed(&self, field: &str, mistakes: &mut Mistakes) -> LimitMatch {
        LimitMatch {
            hosts: each(&self.hosts, &format!("{field}.hosts"), HostPattern::parse, mistakes),
            paths: each(&self.paths, &format!("{field}.paths"), PathPrefix::parse, mistakes),
            methods: each(&self.methods, &format!("{field}.methods"), LimitMatch::method, mistakes),
        }
    }
}

fn each<T, E: ToString>(
    list: &[String],
    field: &str,
    parse: fn(&str) -> Result<T, E>,
    mistakes: &mut Mistakes,
) -> Vec<T> {
    let read = |(at, text): (usize, &String)| mistakes.read(format!("{field}[{at}]"), Some(text), parse);
    list.iter().enumerate().filter_map(read).collect()
}

#[cfg(test)]
mod tests;

//! What the cluster's objects say about room: nodes, pods, quotas and limit ranges, in the words of [`crate::capacity`].

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1::{
    Container, LimitRange, Node as ApiNode, NodeSelectorTerm, PodSpec, ResourceQuota, Taint as ApiTaint,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as ApiQuantity;

use crate::capacity::{
    Effect, Expression, Node, Operator, Placement, Quantity, Resources, Taint, Term, Toleration, Wanted,
};

type List = BTreeMap<String, ApiQuantity>;

/// A node as the scheduler sees it. One that is cordoned, or not ready, keeps everything away: Kubernetes gives it taints
/// for that, but later than it says so.
pub fn node(node: &ApiNode) -> Node {
    let labels: HashMap<String, String> =
        node.metadata.labels.clone().unwrap_or_default().into_iter().collect();
    let spec = node.spec.clone().unwrap_or_default();
    let mut taints: Vec<Taint> = spec.taints.iter().flatten().filter_map(taint).collect();
    let cordoned = spec.unschedulable.unwrap_or(false);
    if cordoned || !is_ready(node) {
        let key = if cordoned { "node.kubernetes.io/unschedulable" } else { "node.kubernetes.io/not-ready" };
        taints.push(Taint { key: key.to_owned(), value: String::new(), effect: Effect::NoSchedule });
    }
    let allocatable = node.status.as_ref().and_then(|status| status.allocatable.as_ref());
    let mut allocatable = allocatable.map(resources).unwrap_or_default();
    let pods = node.status.as_ref().and_then(|status| status.allocatable.as_ref()?.get("pods"));
    allocatable.pods = pods.map_or(0, |pods| amount(pods).map_or(0, Quantity::whole));
    Node { labels, taints, allocatable }
}

fn is_ready(node: &ApiNode) -> bool {
    let conditions = node.status.iter().flat_map(|status| status.conditions.iter().flatten());
    conditions.into_iter().any(|condition| condition.type_ == "Ready" && condition.status == "True")
}

fn taint(taint: &ApiTaint) -> Option<Taint> {
    let value = taint.value.clone().unwrap_or_default();
    Some(Taint { key: taint.key.clone(), value, effect: effect(&taint.effect)? })
}

fn effect(effect: &str) -> Option<Effect> {
    match effect {
        "NoSchedule" => Some(Effect::NoSchedule),
        "PreferNoSchedule" => Some(Effect::PreferNoSchedule),
        "NoExecute" => Some(Effect::NoExecute),
        _ => None,
    }
}

/// So many pods of a template, in a namespace with these limit ranges.
pub fn wanted(pod: &PodSpec, replicas: u64, ranges: &[LimitRange]) -> Wanted {
    Wanted { replicas, each: requests(pod, ranges), placement: placement(pod) }
}

/// What a pod asks for in all (KEP-753): its containers and the sidecars beside them, or more where an init container
/// needs more; and its overhead.
pub fn requests(pod: &PodSpec, ranges: &[LimitRange]) -> Resources {
    let of = |container: &Container| container_requests(container, ranges);
    let sum = |list: &mut dyn Iterator<Item = Resources>| list.fold(Resources::default(), add);
    let init = pod.init_containers.as_deref().unwrap_or_default();
    let is_sidecar = |container: &&Container| container.restart_policy.as_deref() == Some("Always");
    let running = sum(&mut pod.containers.iter().chain(init.iter().filter(is_sidecar)).map(of));
    let mut sidecars = Resources::default();
    let mut most = running;
    for container in init {
        let alone = add(sidecars, of(container));
        most = larger(most, alone);
        if is_sidecar(&container) {
            sidecars = alone;
        }
    }
    let overhead = pod.overhead.as_ref().map(resources).unwrap_or_default();
    Resources { pods: 1, ..add(most, overhead) }
}

/// What a container asks for; what it does not say is its limit, else the namespace's default.
fn container_requests(container: &Container, ranges: &[LimitRange]) -> Resources {
    let said = container.resources.as_ref();
    let value = |resource: &str| {
        let of = |list: Option<&List>| list?.get(resource).and_then(amount);
        let requests = of(said.and_then(|said| said.requests.as_ref()));
        let limits = || of(said.and_then(|said| said.limits.as_ref()));
        requests.or_else(limits).or_else(|| default_request(ranges, resource))
    };
    Resources {
        cpu: value("cpu").map_or(0, Quantity::thousandths),
        memory: value("memory").map_or(0, Quantity::whole),
        pods: 0,
    }
}

/// `defaultRequest` of a LimitRange for containers, or its `default` limit.
fn default_request(ranges: &[LimitRange], resource: &str) -> Option<Quantity> {
    let items = ranges.iter().filter_map(|range| range.spec.as_ref()).flat_map(|spec| &spec.limits);
    let mut defaults = items.filter(|item| item.type_ == "Container").filter_map(|item| {
        let of = |list: &Option<List>| list.as_ref()?.get(resource).and_then(amount);
        of(&item.default_request).or_else(|| of(&item.default))
    });
    defaults.next()
}

fn placement(pod: &PodSpec) -> Placement {
    let selector = pod.node_selector.clone().unwrap_or_default().into_iter().collect();
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
    let affinity = required.map(|required| required.node_selector_terms.iter().map(term).collect());
    let tolerations = pod.tolerations.iter().flatten().map(|toleration| Toleration {
        key: toleration.key.clone().unwrap_or_default(),
        value: match toleration.operator.as_deref() {
            Some("Exists") => None,
            _ => Some(toleration.value.clone().unwrap_or_default()),
        },
        effect: toleration.effect.as_deref().and_then(effect),
    });
    Placement { selector, affinity, tolerations: tolerations.collect() }
}

fn term(term: &NodeSelectorTerm) -> Term {
    let expressions = term.match_expressions.iter().flatten().filter_map(|expression| {
        let operator = match expression.operator.as_str() {
            "In" => Operator::In,
            "NotIn" => Operator::NotIn,
            "Exists" => Operator::Exists,
            "DoesNotExist" => Operator::DoesNotExist,
            "Gt" => Operator::Gt,
            "Lt" => Operator::Lt,
            _ => return None,
        };
        let values = expression.values.clone().unwrap_or_default();
        Some(Expression { key: expression.key.clone(), operator, values })
    });
    Term { expressions: expressions.collect(), fields: term.match_fields.is_some() }
}

/// What a namespace's quota has no room for: its name, the resource, and how much of it is used of how much.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("the quota {quota} has {used} of {hard} {resource} in use")]
pub struct QuotaExceeded {
    /// The ResourceQuota.
    pub quota: String,
    /// Its resource, such as `requests.cpu`.
    pub resource: String,
    /// In use, as Kubernetes writes it.
    pub used: String,
    /// At most.
    pub hard: String,
}

/// Whether a namespace's quotas let these pods run. Quotas with scopes are left to Kubernetes.
///
/// # Errors
/// Names the first that does not.
pub fn within_quotas(wanted: &Wanted, quotas: &[ResourceQuota]) -> Result<(), QuotaExceeded> {
    let asked = wanted.each.times(wanted.replicas);
    for quota in quotas {
        let Some(status) = &quota.status else { continue };
        let spec = quota.spec.as_ref();
        if spec.is_some_and(|spec| spec.scopes.is_some() || spec.scope_selector.is_some()) {
            continue;
        }
        for (resource, hard) in status.hard.iter().flatten() {
            let used = status.used.as_ref().and_then(|used| used.get(resource));
            if exceeds(resource, asked, hard, used) {
                return Err(QuotaExceeded {
                    quota: quota.metadata.name.clone().unwrap_or_default(),
                    resource: resource.clone(),
                    used: used.map_or_else(|| "0".to_owned(), |used| used.0.clone()),
                    hard: hard.0.clone(),
                });
            }
        }
    }
    Ok(())
}

fn exceeds(resource: &str, asked: Resources, hard: &ApiQuantity, used: Option<&ApiQuantity>) -> bool {
    let (count, asked): (fn(Quantity) -> u64, u64) = match resource {
        "cpu" | "requests.cpu" => (Quantity::thousandths, asked.cpu),
        "memory" | "requests.memory" => (Quantity::whole, asked.memory),
        "pods" | "count/pods" => (Quantity::whole, asked.pods),
        _ => return false,
    };
    let of = |quantity: &ApiQuantity| amount(quantity).map(count);
    let (Some(hard), used) = (of(hard), used.and_then(of).unwrap_or(0)) else { return false };
    used.saturating_add(asked) > hard
}

fn resources(list: &List) -> Resources {
    let of = |resource: &str| list.get(resource).and_then(amount);
    Resources {
        cpu: of("cpu").map_or(0, Quantity::thousandths),
        memory: of("memory").map_or(0, Quantity::whole),
        pods: 0,
    }
}

fn amount(quantity: &ApiQuantity) -> Option<Quantity> {
    quantity.0.parse().ok()
}

fn add(one: Resources, two: Resources) -> Resources {
    Resources {
        cpu: one.cpu.saturating_add(two.cpu),
        memory: one.memory.saturating_add(two.memory),
        pods: one.pods.saturating_add(two.pods),
    }
}

fn larger(one: Resources, two: Resources) -> Resources {
    Resources { cpu: one.cpu.max(two.cpu), memory: one.memory.max(two.memory), pods: one.pods.max(two.pods) }
}

#[cfg(test)]
mod tests;

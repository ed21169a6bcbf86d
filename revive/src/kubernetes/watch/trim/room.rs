//! Nodes, quotas, defaults and priorities, and what pods ask for.

use std::collections::{BTreeMap, HashMap};

use k8s_openapi::api::core::v1;
use k8s_openapi::api::scheduling::v1 as scheduling;
use k8s_openapi::apimachinery::pkg::api::resource::Quantity as Written;

use super::{Keeps, Watched, boxed, meta};
use crate::capacity::{
    Effect, Expression, Node as Described, Operator, Placement, Quantity, Resources, Taint, Term, Toleration,
};
use crate::kubernetes::index::room::{
    Amounts, Bound, Counts, Needs, Node, PriorityClass, Quota, Range, Role, Scheduler,
};
use crate::kubernetes::index::{Seen, Update};

type List = BTreeMap<String, Written>;
/// How a quantity is counted.
type Count = fn(Option<&Written>) -> Option<u64>;

/// Who finds a node for pods that do not say who shall.
const SCHEDULER: &str = "default-scheduler";
/// The taint of a cordoned node (core/v1, well-known taints).
const CORDONED: &str = "node.kubernetes.io/unschedulable";

impl Watched for v1::Node {
    type Kept = Node;

    /// Each lists the images that it has.
    const PAGE: u32 = 50;

    fn trimmed(mut self, keeps: &Keeps) -> Option<Node> {
        let labels: HashMap<_, _> = self.metadata.labels.take().unwrap_or_default().into_iter().collect();
        let allocatable = self.status.unwrap_or_default().allocatable.unwrap_or_default();
        let node = Described {
            labels,
            taints: taints(self.spec.unwrap_or_default()),
            allocatable: Resources {
                pods: whole(allocatable.get("pods")).unwrap_or_default(),
                ..resources(&allocatable)
            },
        };
        Some(Node { meta: meta(self.metadata, keeps)?, node })
    }

    fn update(seen: Seen<Node>) -> Update {
        Update::Node(seen)
    }
}

/// A node that is cordoned gets the taint later than it says so, and the scheduler does not wait for it. One that is not
/// ready is another matter: the scheduler goes by its taints alone.
fn taints(spec: v1::NodeSpec) -> Vec<Taint> {
    let cordoned = || Taint { key: CORDONED.to_owned(), value: String::new(), effect: Effect::NoSchedule };
    let said = spec.taints.unwrap_or_default().into_iter().filter_map(|taint| {
        Some(Taint { value: taint.value.unwrap_or_default(), effect: effect(&taint.effect)?, key: taint.key })
    });
    said.chain(spec.unschedulable.unwrap_or(false).then(cordoned)).collect()
}

fn effect(effect: &str) -> Option<Effect> {
    match effect {
        "NoSchedule" => Some(Effect::NoSchedule),
        "PreferNoSchedule" => Some(Effect::PreferNoSchedule),
        "NoExecute" => Some(Effect::NoExecute),
        _ => None,
    }
}

impl Watched for v1::ResourceQuota {
    type Kept = Quota;

    /// Which pods a scope means is left to the API server.
    fn trimmed(self, keeps: &Keeps) -> Option<Quota> {
        let (spec, status) = (self.spec.unwrap_or_default(), self.status.unwrap_or_default());
        if spec.scopes.is_some_and(|scopes| !scopes.is_empty()) || spec.scope_selector.is_some() {
            return None;
        }
        let (hard, used) = (status.hard.unwrap_or_default(), status.used.unwrap_or_default());
        let asked = spec.hard.unwrap_or_default();
        let bounds = hard
            .iter()
            .filter_map(|(resource, hard)| bound(resource, hard, (asked.get(resource), used.get(resource))));
        Some(Quota { bounds: bounds.collect(), meta: meta(self.metadata, keeps)? })
    }

    fn update(seen: Seen<Quota>) -> Update {
        Update::Quota(seen)
    }
}

/// What admission goes by is in the status. What somebody has just written may be more, and will soon be there.
fn bound(
    resource: &str,
    hard: &Written,
    (asked, used): (Option<&Written>, Option<&Written>),
) -> Option<Bound> {
    let (counts, count): (_, Count) = match resource {
        "cpu" | "requests.cpu" => (Counts::Cpu, thousandths),
        "memory" | "requests.memory" => (Counts::Memory, whole),
        "pods" | "count/pods" => (Counts::Pods, whole),
        _ => return None,
    };
    let hard = count(Some(hard))?.max(count(asked).unwrap_or_default());
    Some(Bound { resource: resource.into(), counts, hard, used: count(used).unwrap_or_default() })
}

impl Watched for v1::LimitRange {
    type Kept = Range;

    fn trimmed(self, keeps: &Keeps) -> Option<Range> {
        let items = self.spec.unwrap_or_default().limits;
        let containers = || items.iter().filter(|item| item.type_ == "Container");
        let default = |resource: &str, count: Count| {
            let of = |list: &Option<List>| count(list.as_ref()?.get(resource));
            containers().filter_map(|item| of(&item.default_request).or_else(|| of(&item.default))).min()
        };
        let defaults = Amounts { cpu: default("cpu", thousandths), memory: default("memory", whole) };
        Some(Range { meta: meta(self.metadata, keeps)?, defaults })
    }

    fn update(seen: Seen<Range>) -> Update {
        Update::Range(seen)
    }
}

impl Watched for scheduling::PriorityClass {
    type Kept = PriorityClass;

    fn trimmed(self, keeps: &Keeps) -> Option<PriorityClass> {
        Some(PriorityClass {
            meta: meta(self.metadata, keeps)?,
            value: self.value,
            is_default: self.global_default.unwrap_or(false),
            preempts: self.preemption_policy.as_deref() != Some("Never"),
        })
    }

    fn update(seen: Seen<PriorityClass>) -> Update {
        Update::PriorityClass(seen)
    }
}

/// What a pod asks for.
pub(super) fn needs(pod: &v1::PodSpec) -> Needs {
    let beside = |container: &v1::Container| container.restart_policy.as_deref() == Some("Always");
    let first = pod.init_containers.iter().flatten();
    let first =
        first.map(|one| (if beside(one) { Role::Beside } else { Role::First }, said(one.resources.as_ref())));
    let main = pod.containers.iter().map(|one| (Role::Main, said(one.resources.as_ref())));
    let by = pod.scheduler_name.as_deref().is_none_or(|name| name == SCHEDULER) && pod.node_name.is_none();
    Needs {
        containers: first.chain(main).collect(),
        whole: said(pod.resources.as_ref()),
        overhead: pod.overhead.as_ref().map(resources).unwrap_or_default(),
        placement: placement(pod),
        priority_class: boxed(pod.priority_class_name.clone()),
        scheduled_by: if by { Scheduler::Default } else { Scheduler::Other },
    }
}

/// What is asked for; where that is not said, it is the limit (core/v1, `ResourceRequirements`).
fn said(of: Option<&v1::ResourceRequirements>) -> Amounts {
    let value = |resource: &str, count: Count| {
        let amount = |list: &Option<List>| count(list.as_ref()?.get(resource));
        of.and_then(|of| amount(&of.requests).or_else(|| amount(&of.limits)))
    };
    Amounts { cpu: value("cpu", thousandths), memory: value("memory", whole) }
}

fn placement(pod: &v1::PodSpec) -> Placement {
    let affinity = pod.affinity.as_ref().and_then(|affinity| affinity.node_affinity.as_ref());
    let required =
        affinity.and_then(|node| node.required_during_scheduling_ignored_during_execution.as_ref());
    Placement {
        selector: pod.node_selector.clone().unwrap_or_default().into_iter().collect(),
        affinity: required.map(|required| required.node_selector_terms.iter().map(term).collect()),
        tolerations: pod.tolerations.iter().flatten().map(toleration).collect(),
    }
}

/// What is asked for by an operator that is not known here may well be so.
fn term(term: &v1::NodeSelectorTerm) -> Term {
    let written = term.match_expressions.as_deref().unwrap_or_default();
    let expressions: Vec<Expression> = written.iter().filter_map(expression).collect();
    let more = term.match_fields.is_some() || expressions.len() < written.len();
    Term { expressions, more }
}

fn expression(written: &v1::NodeSelectorRequirement) -> Option<Expression> {
    let operator = match written.operator.as_str() {
        "In" => Operator::In,
        "NotIn" => Operator::NotIn,
        "Exists" => Operator::Exists,
        "DoesNotExist" => Operator::DoesNotExist,
        "Gt" => Operator::Gt,
        "Lt" => Operator::Lt,
        _ => return None,
    };
    let values = written.values.clone().unwrap_or_default();
    Some(Expression { key: written.key.clone(), operator, values })
}

/// An operator that is not known here (such as `Gt`) may well bear it.
fn toleration(toleration: &v1::Toleration) -> Toleration {
    Toleration {
        key: toleration.key.clone().unwrap_or_default(),
        value: match toleration.operator.as_deref() {
            None | Some("" | "Equal") => Some(toleration.value.clone().unwrap_or_default()),
            Some(_) => None,
        },
        effect: toleration.effect.as_deref().and_then(effect),
    }
}

fn resources(list: &List) -> Resources {
    Resources {
        cpu: thousandths(list.get("cpu")).unwrap_or_default(),
        memory: whole(list.get("memory")).unwrap_or_default(),
        pods: 0,
    }
}

fn thousandths(quantity: Option<&Written>) -> Option<u64> {
    Some(quantity?.0.parse::<Quantity>().ok()?.thousandths())
}

fn whole(quantity: Option<&Written>) -> Option<u64> {
    Some(quantity?.0.parse::<Quantity>().ok()?.whole())
}

#[cfg(test)]
mod tests;

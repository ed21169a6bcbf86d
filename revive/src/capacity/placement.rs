//! Where pods may run: node selectors, required node affinity, taints and tolerations (core/v1).

use std::collections::HashMap;
use std::fmt;

use super::Node;

/// What a pod asks of its node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Placement {
    /// Labels that it must have.
    pub selector: Vec<(String, String)>,
    /// `requiredDuringSchedulingIgnoredDuringExecution`: any of these; none: any node.
    pub affinity: Option<Vec<Term>>,
    /// Taints that it may have.
    pub tolerations: Vec<Toleration>,
}

/// A `nodeSelectorTerm`: all of it. An empty one matches no node.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Term {
    /// What it asks of labels.
    pub expressions: Vec<Expression>,
    /// Whether it asks for something else too, which is left to the scheduler: fields of the node, or what is unknown here.
    pub more: bool,
}

/// A `nodeSelectorRequirement` on a label.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expression {
    /// The label.
    pub key: String,
    /// What of it.
    pub operator: Operator,
    /// Compared with.
    pub values: Vec<String>,
}

/// How a label is compared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Operator {
    /// It is one of the values.
    In,
    /// It is none of them, or not there.
    NotIn,
    /// It is there.
    Exists,
    /// It is not.
    DoesNotExist,
    /// It is a number above the value.
    Gt,
    /// It is a number below the value.
    Lt,
}

/// What keeps pods away from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Taint {
    /// Its key.
    pub key: String,
    /// Its value.
    pub value: String,
    /// What it does.
    pub effect: Effect,
}

/// What a taint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    /// No pod comes.
    NoSchedule,
    /// No pod comes if there is another node.
    PreferNoSchedule,
    /// No pod comes, and those that are there go.
    NoExecute,
}

/// A taint that a pod bears.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Toleration {
    /// Its key; empty: any.
    pub key: String,
    /// Its value; `None`: any (`operator: Exists`).
    pub value: Option<String>,
    /// What it does; `None`: any.
    pub effect: Option<Effect>,
}

/// What keeps pods from a node.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Against {
    /// It has not this label, with this value.
    Selector(String, String),
    /// None of the terms matches.
    Affinity,
    /// It has this taint, which they do not bear.
    Taint(Taint),
}

impl fmt::Display for Against {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Selector(key, value) => write!(f, "its nodeSelector {key}={value}"),
            Self::Affinity => f.write_str("its node affinity"),
            Self::Taint(Taint { key, value, .. }) if value.is_empty() => write!(f, "the taint {key}"),
            Self::Taint(Taint { key, value, .. }) => write!(f, "the taint {key}={value}"),
        }
    }
}

impl Placement {
    /// Whether pods may run there.
    ///
    /// # Errors
    /// Says what is against it.
    pub fn admits(&self, node: &Node) -> Result<(), Against> {
        let labels = &node.labels;
        if let Some((key, value)) = self.selector.iter().find(|(key, value)| labels.get(key) != Some(value)) {
            return Err(Against::Selector(key.clone(), value.clone()));
        }
        if self.affinity.as_ref().is_some_and(|terms| !terms.iter().any(|term| term.matches(labels))) {
            return Err(Against::Affinity);
        }
        let keeps_away = |taint: &&Taint| taint.effect != Effect::PreferNoSchedule;
        let borne = |taint: &&Taint| self.tolerations.iter().any(|toleration| toleration.bears(taint));
        let not_borne = node.taints.iter().filter(keeps_away).find(|taint| !borne(taint));
        not_borne.map_or(Ok(()), |taint| Err(Against::Taint(taint.clone())))
    }
}

impl Term {
    fn matches(&self, labels: &HashMap<String, String>) -> bool {
        let says_something = self.more || !self.expressions.is_empty();
        says_something && self.expressions.iter().all(|expression| expression.matches(labels))
    }
}

impl Expression {
    fn matches(&self, labels: &HashMap<String, String>) -> bool {
        let label = labels.get(&self.key);
        let compared = || {
            let number = |text: &String| text.parse::<i64>().ok();
            Some((label.and_then(number)?, self.values.first().and_then(number)?))
        };
        match self.operator {
            Operator::In => label.is_some_and(|label| self.values.contains(label)),
            Operator::NotIn => label.is_none_or(|label| !self.values.contains(label)),
            Operator::Exists => label.is_some(),
            Operator::DoesNotExist => label.is_none(),
            Operator::Gt => compared().is_some_and(|(label, value)| label > value),
            Operator::Lt => compared().is_some_and(|(label, value)| label < value),
        }
    }
}

impl Toleration {
    fn bears(&self, taint: &Taint) -> bool {
        let key = self.key.is_empty() || self.key == taint.key;
        let value = self.value.as_ref().is_none_or(|value| *value == taint.value);
        let effect = self.effect.is_none_or(|effect| effect == taint.effect);
        key && value && effect
    }
}

//! Whether a deploy would have room.

use std::sync::Arc;

use axum::Json;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use super::Admin;
use super::extract::Parameters;
use super::problem::Problem;
use crate::capacity::{Placement, Quantity, Resources};
use crate::kubernetes::index::room::{Amounts, Needs, Role};
use crate::kubernetes::room::Nodes;
use crate::platform::kubernetes::room::{Answer, Question};

/// So much more than it asks for is to be free before a deploy: while it rolls out, its old pods run beside the new ones.
const FACTOR: u64 = 2;
/// More is a mistake.
const MOST: u64 = 100_000;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct CapacityQuery {
    cpu: Option<String>,
    memory: Option<String>,
    replicas: Option<u64>,
    factor: Option<u64>,
    namespace: Option<String>,
    selector: Option<String>,
    priority_class: Option<String>,
}

pub(super) async fn show(
    State(admin): State<Admin>,
    Parameters(query): Parameters<CapacityQuery>,
) -> Result<Response, Problem> {
    let asked = Asked::try_from(query)?;
    let room = admin.room.as_ref().ok_or_else(Problem::no_cluster)?;
    Ok(Json(asked.answered(&room.ask(&asked.question))).into_response())
}

struct Asked {
    question: Question,
    replicas: u64,
    factor: u64,
}

impl TryFrom<CapacityQuery> for Asked {
    type Error = Problem;

    fn try_from(query: CapacityQuery) -> Result<Self, Problem> {
        let (replicas, factor) = (query.replicas.unwrap_or(1), query.factor.unwrap_or(FACTOR));
        if [replicas, factor].iter().any(|number| !(1..=MOST).contains(number)) {
            return Err(Problem::bad_request("`replicas` and `factor` are from 1 to 100000"));
        }
        let said = Amounts {
            cpu: quantity("cpu", query.cpu.as_deref())?.map(Quantity::thousandths),
            memory: quantity("memory", query.memory.as_deref())?.map(Quantity::whole),
        };
        let selector = query.selector.as_deref().map_or(Ok(Vec::new()), selector)?;
        let needs = Needs {
            containers: vec![(Role::Main, said)],
            placement: Placement { selector, ..Placement::default() },
            priority_class: query.priority_class.unwrap_or_default().into(),
            ..Needs::default()
        };
        let namespace = Arc::from(query.namespace.unwrap_or_default());
        Ok(Self { question: Question { needs, replicas: replicas * factor, namespace }, replicas, factor })
    }
}

fn quantity(name: &str, text: Option<&str>) -> Result<Option<Quantity>, Problem> {
    let parsed = text.map(|text| text.parse().map_err(|error| format!("`{name}`: {error}"))).transpose();
    parsed.map_err(|error| Problem::bad_request(&error))
}

/// `disk=fast,zone=a`.
fn selector(text: &str) -> Result<Vec<(String, String)>, Problem> {
    let pair = |pair: &str| pair.split_once('=').map(|(key, value)| (key.to_owned(), value.to_owned()));
    let pairs = text.split(',').map(pair).collect::<Option<Vec<_>>>();
    pairs.ok_or_else(|| Problem::bad_request("`selector` is LABEL=VALUE, several with commas between them"))
}

impl Asked {
    fn answered(&self, answer: &Answer) -> Value {
        let lacks = answer.fits.as_ref().err();
        let lacks =
            lacks.map(|lacks| json!({ "code": lacks.failure().code(), "message": lacks.to_string() }));
        json!({
            "fits": lacks.is_none(),
            "lacks": lacks,
            "asked": {
                "each": amounts(answer.each),
                "replicas": self.replicas,
                "factor": self.factor,
            },
            "nodes_count": answer.nodes == Nodes::Count,
            "free": {
                "nodes": answer.free.nodes,
                "in_all": amounts(answer.free.free),
                "roomiest": amounts(answer.free.roomiest),
            },
        })
    }
}

/// CPU in cores, memory in bytes.
fn amounts(of: Resources) -> Value {
    let Resources { cpu, memory, pods } = of;
    #[allow(clippy::cast_precision_loss, reason = "no cluster has 2^53 thousandths of a core")]
    let cores = cpu as f64 / 1_000.0;
    json!({ "cpu": cores, "memory": memory, "pods": pods })
}

#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use config::link::Depth::{Deep, Light};
use config::model::{Workload, WorkloadKind};
use serde_json::{Value, json};

use super::How::{self, Asleep, Nothing, PutBack, Up};
use super::{Mend, judge};
use crate::kubernetes::MANAGER;
use crate::kubernetes::crd::{RestSpec, SleepRecordSpec};
use crate::platform::kubernetes::Place;
use crate::platform::kubernetes::record::empty;
use crate::platform::kubernetes::saved::spec_hash;

/// A workload: which, its generation, its replicas, its version, who manages its replicas.
fn object(uid: &str, generation: i64, replicas: i32, version: &str, by: Option<&str>) -> Value {
    let managers: Vec<Value> =
        by.iter().map(|by| json!({ "manager": by, "operation": "Apply", "fieldsV1": { "f:spec": { "f:replicas": {} } } })).collect();
    json!({
        "metadata": { "uid": uid, "generation": generation, "managedFields": managers },
        "spec": { "replicas": replicas, "template": version },
    })
}

/// The record of workload `a`, that had generation 1, two replicas and version `v1`.
fn record(rest: RestSpec) -> SleepRecordSpec {
    let place = Place {
        namespace: "n".into(),
        workload: Workload { kind: WorkloadKind::Deployment, name: "w".into() },
    };
    let mut record = empty(&place);
    let object = object("a", 1, 2, "v1", None);
    record.workload.uid = Some("a".to_owned());
    (record.rest, record.replicas, record.generation) = (rest, 2, 1);
    record.spec_hash = spec_hash(&object);
    record.saved = (rest == RestSpec::Deep).then_some(object);
    record
}

#[test]
fn how_a_workload_stands() {
    use RestSpec as Rest;
    let leaving = {
        let mut object = object("a", 1, 2, "v1", None);
        object["metadata"]["deletionTimestamp"] = json!("2026-01-01T00:00:00Z");
        object
    };
    let mend = |rest| Mend::Rests(rest);
    type Row = (&'static str, Option<Rest>, Option<Value>, How, Mend);
    let table: Vec<Row> = vec![
        ("nothing was ever there", None, None, Nothing, Mend::Nothing),
        ("it runs", None, Some(object("a", 1, 2, "v1", None)), Up, Mend::Nothing),
        ("scaled to 0 by hand", None, Some(object("a", 1, 0, "v1", None)), Asleep(Light), Mend::Nothing),
        ("woken", Some(Rest::Awake), Some(object("a", 3, 2, "v1", None)), Up, Mend::Nothing),
        ("deleted while awake", Some(Rest::Awake), None, Nothing, Mend::Nothing),
        ("about to be deleted", Some(Rest::Awake), Some(leaving.clone()), Nothing, Mend::Nothing),
        ("sleeps", Some(Rest::Light), Some(object("a", 2, 0, "v1", None)), Asleep(Light), Mend::Nothing),
        ("never scaled", Some(Rest::Light), Some(object("a", 1, 2, "v1", Some("o"))), Up, mend(Rest::Awake)),
        (
            "scaled by hand, or woken",
            Some(Rest::Light),
            Some(object("a", 3, 2, "v1", None)),
            Up,
            Mend::Nothing,
        ),
        (
            "applied unchanged",
            Some(Rest::Light),
            Some(object("a", 3, 2, "v1", Some("o"))),
            PutBack,
            Mend::Nothing,
        ),
        (
            "applied with more replicas",
            Some(Rest::Light),
            Some(object("a", 3, 3, "v1", Some("o"))),
            Up,
            Mend::Nothing,
        ),
        (
            "made again by others",
            Some(Rest::Light),
            Some(object("b", 1, 2, "v1", Some("o"))),
            PutBack,
            Mend::Nothing,
        ),
        (
            "a new version, no replicas",
            Some(Rest::Light),
            Some(object("a", 3, 0, "v2", None)),
            Up,
            Mend::Nothing,
        ),
        ("deleted while asleep", Some(Rest::Light), None, Nothing, mend(Rest::Awake)),
        ("sleeps deep", Some(Rest::Deep), None, Asleep(Deep), Mend::Nothing),
        ("is just going", Some(Rest::Deep), Some(leaving), Asleep(Deep), Mend::Nothing),
        ("not deleted", Some(Rest::Deep), Some(object("a", 1, 2, "v1", None)), Up, mend(Rest::Awake)),
        (
            "not deleted, light before",
            Some(Rest::Deep),
            Some(object("a", 2, 0, "v1", None)),
            Asleep(Light),
            mend(Rest::Light),
        ),
        ("made by us", Some(Rest::Deep), Some(object("b", 1, 2, "v1", Some(MANAGER))), Up, mend(Rest::Awake)),
        ("put back", Some(Rest::Deep), Some(object("b", 1, 2, "v1", Some("o"))), PutBack, Mend::Nothing),
        ("deployed anew", Some(Rest::Deep), Some(object("b", 1, 2, "v2", Some("o"))), Up, Mend::Nothing),
    ];
    for (what, rest, object, standing, mend) in table {
        let judged = judge(rest.map(record).as_ref(), object.as_ref());
        assert_eq!((judged.standing, judged.mend), (standing, mend), "{what}");
    }
}

//! How an app of loco's stands, by its Application, its record and its Deployment. Pure.

use serde_json::Value;

use super::application::{replicas as min, sleeps};
use crate::kubernetes::crd::{RestSpec, SleepRecordSpec};
use crate::kubernetes::index::application::{Stands, stands};
use crate::platform::kubernetes::saved::{generation, leaving, replicas};
use crate::platform::kubernetes::standing::{How, brought_back, is_it};

/// How it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Verdict {
    pub(super) standing: How,
    /// Whether its Application says of a sleep that never came about: that is to be taken back.
    pub(super) runs: bool,
}

/// How it stands. An Application that is not there, or is being deleted, takes all with it.
pub(super) fn judge(
    application: Option<&Value>,
    record: Option<&SleepRecordSpec>,
    object: Option<&Value>,
) -> Verdict {
    let is = |standing| Verdict { standing, runs: false };
    let Some(application) = application else { return is(How::Nothing) };
    let object = object.filter(|object| !leaving(object));
    match (stands(sleeps(application), min(application), object.map(replicas)), object) {
        (Stands::Asleep(depth), _) => is(How::Asleep(depth)),
        (Stands::Up, Some(object)) if sleeps(application).is_some() => up_all_the_same(record, object),
        // Nobody has told it to sleep, or somebody has deployed it since: whoever takes it over takes back what it says.
        (Stands::Up, _) => is(How::Up),
    }
}

/// The agreement says that it sleeps, and it has replicas.
fn up_all_the_same(record: Option<&SleepRecordSpec>, object: &Value) -> Verdict {
    let never = Verdict { standing: How::Up, runs: true };
    let Some(record) = record.filter(|record| record.rest != RestSpec::Awake) else { return never };
    let standing = match is_it(record, object) {
        true if record.generation == generation(object) => return never,
        true => brought_back(record, object, replicas(object)),
        // Made again by a controller that does not keep to the agreement.
        false => How::PutBack,
    };
    Verdict { standing, runs: false }
}

#[cfg(test)]
mod tests {
    use config::link::Depth;
    use config::model::{Workload, WorkloadKind};
    use serde_json::json;

    use super::*;
    use crate::platform::kubernetes::place::Place;
    use crate::platform::kubernetes::record::empty;

    fn application(annotations: &Value) -> Value {
        json!({
            "metadata": { "generation": 7, "annotations": annotations },
            "spec": { "serviceSpec": { "resources": { "replicas": { "min": 1 } } } },
        })
    }

    fn deployment(uid: &str, generation: i64, replicas: i32, by: Option<&str>) -> Value {
        let fields = json!({ "f:spec": { "f:replicas": {} } });
        let managers = by.map(|by| json!([{ "manager": by, "operation": "Update", "fieldsV1": fields }]));
        json!({
            "metadata": { "uid": uid, "generation": generation, "managedFields": managers },
            "spec": { "replicas": replicas },
        })
    }

    /// Of Deployment `a` of generation 1, with one replica.
    fn record(rest: RestSpec) -> SleepRecordSpec {
        let workload = Workload { kind: WorkloadKind::Deployment, name: "resource-12".into() };
        let mut record = empty(&Place { namespace: "wks-7-res-12".into(), workload });
        record.workload.uid = Some("a".to_owned());
        (record.rest, record.replicas, record.generation) = (rest, 1, 1);
        record
    }

    #[test]
    fn how_an_app_of_locos_stands() {
        let awake = application(&json!({}));
        let asleep = |depth: &str, generation: &str| {
            application(
                &json!({ "edge.loco.io/asleep": depth, "edge.loco.io/asleep-generation": generation }),
            )
        };
        let (light, deep, deployed) = (asleep("light", "7"), asleep("deep", "7"), asleep("deep", "6"));
        let (none, some) = (None, |rest| Some(record(rest)));
        type Row<'a> = (&'static str, &'a Value, Option<SleepRecordSpec>, Option<Value>, How, bool);
        let rows: Vec<Row<'_>> = vec![
            ("awake", &awake, none.clone(), Some(deployment("a", 1, 1, None)), How::Up, false),
            ("about to be made", &awake, none.clone(), None, How::Up, false),
            (
                "light",
                &light,
                some(RestSpec::Light),
                Some(deployment("a", 2, 0, None)),
                How::Asleep(Depth::Light),
                false,
            ),
            ("deep", &deep, some(RestSpec::Deep), None, How::Asleep(Depth::Deep), false),
            ("deep, its record deleted", &deep, none.clone(), None, How::Asleep(Depth::Deep), false),
            ("deployed", &deployed, some(RestSpec::Deep), None, How::Up, false),
            ("not scaled", &light, some(RestSpec::Light), Some(deployment("a", 1, 1, None)), How::Up, true),
            ("not deleted", &deep, some(RestSpec::Deep), Some(deployment("a", 1, 1, None)), How::Up, true),
            ("no sleep on record", &light, none, Some(deployment("a", 3, 1, None)), How::Up, true),
            (
                "scaled by hand",
                &light,
                some(RestSpec::Light),
                Some(deployment("a", 3, 1, None)),
                How::Up,
                false,
            ),
            (
                "put back",
                &light,
                some(RestSpec::Light),
                Some(deployment("a", 3, 1, Some("loco"))),
                How::PutBack,
                false,
            ),
            (
                "made again",
                &deep,
                some(RestSpec::Deep),
                Some(deployment("b", 1, 1, Some("loco"))),
                How::PutBack,
                false,
            ),
        ];
        for (what, application, record, object, standing, runs) in rows {
            let verdict = judge(Some(application), record.as_ref(), object.as_ref());
            assert_eq!(verdict, Verdict { standing, runs }, "{what}");
        }
        let gone = judge(None, Some(&record(RestSpec::Deep)), None);
        assert_eq!(gone.standing, How::Nothing, "its Application is gone");
    }
}

//! An Application as the API server has it: read, and changed in the version that was read.

use config::link::Depth;
use kube::api::{Api, ApiResource, DynamicObject, Patch, PatchParams};
use serde_json::{Value, json};

use crate::kubernetes::MANAGER;
use crate::kubernetes::index::Key;
use crate::kubernetes::index::application::{ASLEEP, ASLEEP_GENERATION, Mark, Marked, REPLICAS_MIN};
use crate::platform::kubernetes::cluster::Lane;
use crate::platform::kubernetes::context::Context;
use crate::platform::kubernetes::saved;
use crate::platform::kubernetes::trouble::Trouble;

const RESOURCE: &str = "applications";

/// What an Application is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum To {
    /// That its app runs.
    Awake,
    /// That it sleeps, by `replicas.min`.
    Replicas,
    /// That it sleeps so deep, by the agreement.
    Agreement(Depth),
}

fn api(cx: &Context, key: &Key) -> Api<DynamicObject> {
    let resource = ApiResource {
        group: "infra.loco.io".to_owned(),
        version: "v1alpha1".to_owned(),
        api_version: "infra.loco.io/v1alpha1".to_owned(),
        kind: "Application".to_owned(),
        plural: RESOURCE.to_owned(),
    };
    cx.cluster.dynamic(&key.namespace, &resource)
}

/// The Application, if there is one of this name.
pub(super) async fn read(cx: &Context, lane: Lane, key: &Key) -> Result<Option<Value>, Trouble> {
    let found = cx.cluster.ask(lane, "get", RESOURCE, api(cx, key).get_opt(&key.name)).await?;
    Ok(found.map(|object| serde_json::to_value(object).unwrap_or_default()))
}

/// Has it say so, in this version of it.
pub(super) async fn change(cx: &Context, lane: Lane, key: &Key, now: &Value, to: To) -> Result<(), Trouble> {
    let Some(body) = patch(now, to) else { return Ok(()) };
    let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
    let (api, patch) = (api(cx, key), Patch::Merge(body));
    cx.cluster.ask(lane, "patch", RESOURCE, api.patch(&key.name, &params, &patch)).await.map(|_| ())
}

/// The merge patch that has it say so; `None` if it does.
fn patch(now: &Value, to: To) -> Option<Value> {
    let min = match to {
        To::Replicas => 0,
        To::Awake | To::Agreement(_) => original(now),
    };
    // Each change of the spec is one generation.
    let generation = generation(now) + i64::from(min != replicas(now));
    let said = match to {
        To::Awake => json!({ ASLEEP: null, REPLICAS_MIN: null, ASLEEP_GENERATION: null }),
        To::Replicas => json!({
            ASLEEP: null, REPLICAS_MIN: original(now).to_string(), ASLEEP_GENERATION: generation.to_string(),
        }),
        To::Agreement(depth) => json!({
            ASLEEP: word(depth), REPLICAS_MIN: null, ASLEEP_GENERATION: generation.to_string(),
        }),
    };
    let annotations = &now["metadata"]["annotations"];
    let says_so = said.as_object()?.iter().all(|(name, value)| annotations[name] == *value);
    if says_so && min == replicas(now) {
        return None;
    }
    let mut patch = json!({ "metadata": {
        "uid": now["metadata"]["uid"], "resourceVersion": now["metadata"]["resourceVersion"], "annotations": said,
    }});
    if min != replicas(now) {
        patch["spec"]["serviceSpec"]["resources"]["replicas"]["min"] = json!(min);
    }
    Some(patch)
}

fn word(depth: Depth) -> &'static str {
    match depth {
        Depth::Light => "light",
        Depth::Deep => "deep",
    }
}

/// Whether it is to stay.
pub(super) fn is_there(application: &Value) -> bool {
    !saved::leaving(application)
}

pub(super) fn generation(application: &Value) -> i64 {
    saved::generation(application)
}

/// `replicas.min`.
pub(super) fn replicas(application: &Value) -> i32 {
    let min = application["spec"]["serviceSpec"]["resources"]["replicas"]["min"].as_i64();
    min.map_or(1, |min| i32::try_from(min).unwrap_or(i32::MAX))
}

/// How many replicas it has when it is awake: at least one, or it never could be.
pub(super) fn original(application: &Value) -> i32 {
    let min = match (replicas(application), mark(application)) {
        (0, Some(Mark { how: Marked::Replicas(before), .. })) => before,
        (now, _) => now,
    };
    min.max(1)
}

/// How it was put to sleep, if it was.
pub(super) fn mark(application: &Value) -> Option<Mark> {
    let annotations = &application["metadata"]["annotations"];
    Mark::read(generation(application), |name| annotations[name].as_str())
}

/// The same, unless somebody has deployed it since.
pub(super) fn sleeps(application: &Value) -> Option<Marked> {
    mark(application).filter(|mark| mark.generation == generation(application)).map(|mark| mark.how)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use super::*;

    fn application(generation: i64, min: i32, annotations: &Value) -> Value {
        json!({
            "metadata": { "uid": "u", "resourceVersion": "99", "generation": generation, "annotations": annotations },
            "spec": { "serviceSpec": { "resources": { "replicas": { "min": min, "max": 3 } } } },
        })
    }

    /// What the API server makes of a merge patch (RFC 7396).
    fn patched(now: &Value, patch: &Value) -> Value {
        let mut after = now.clone();
        merge(&mut after, patch);
        if after["spec"] != now["spec"] {
            after["metadata"]["generation"] = json!(generation(now) + 1);
        }
        after
    }

    fn merge(target: &mut Value, patch: &Value) {
        let Some(patch) = patch.as_object() else {
            target.clone_from(patch);
            return;
        };
        if !target.is_object() {
            *target = json!({});
        }
        for (name, value) in patch {
            if value.is_null() {
                target.as_object_mut().unwrap().remove(name);
            } else {
                merge(&mut target[name], value);
            }
        }
    }

    #[test]
    fn what_is_said_of_sleep_is_read_again_and_taken_back_whole() {
        let awake = application(7, 2, &json!({ "other": "stays" }));
        for (to, how) in [
            (To::Replicas, Marked::Replicas(2)),
            (To::Agreement(Depth::Light), Marked::Agreement(Depth::Light)),
            (To::Agreement(Depth::Deep), Marked::Agreement(Depth::Deep)),
        ] {
            let asleep = patched(&awake, &patch(&awake, to).unwrap());
            assert_eq!(sleeps(&asleep), Some(how));
            assert_eq!(original(&asleep), 2);
            assert_eq!(patch(&asleep, to), None, "it says so");
            let again = patched(&asleep, &patch(&asleep, To::Awake).unwrap());
            assert_eq!((&again["spec"], sleeps(&again)), (&awake["spec"], None));
            assert_eq!(again["metadata"]["annotations"], json!({ "other": "stays" }));
            assert_eq!(patch(&again, To::Awake), None);
        }
    }

    #[test]
    fn it_goes_from_one_sleep_to_the_other() {
        let awake = application(7, 2, &json!({}));
        let light = patched(&awake, &patch(&awake, To::Replicas).unwrap());
        assert_eq!(replicas(&light), 0);
        let deep = patched(&light, &patch(&light, To::Agreement(Depth::Deep)).unwrap());
        assert_eq!((sleeps(&deep), replicas(&deep)), (Some(Marked::Agreement(Depth::Deep)), 2));
    }

    #[test]
    fn a_patch_is_for_one_version_of_one_object() {
        let body = patch(&application(7, 1, &json!({})), To::Replicas).unwrap();
        assert_eq!(
            (&body["metadata"]["uid"], &body["metadata"]["resourceVersion"]),
            (&json!("u"), &json!("99"))
        );
    }

    #[test]
    fn a_deploy_is_no_sleep() {
        let awake = application(7, 2, &json!({}));
        let mut asleep = patched(&awake, &patch(&awake, To::Agreement(Depth::Deep)).unwrap());
        asleep["metadata"]["generation"] = json!(8);
        assert!(sleeps(&asleep).is_none() && mark(&asleep).is_some());
        // loco's API writes `min` anew: what was kept of the old one is not put back over it.
        let mut light = patched(&awake, &patch(&awake, To::Replicas).unwrap());
        light["spec"]["serviceSpec"]["resources"]["replicas"]["min"] = json!(3);
        assert_eq!(original(&light), 3);
    }
}

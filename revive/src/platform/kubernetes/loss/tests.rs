use config::link::Depth::{Deep, Light};
use serde_json::{Value, json};

use super::{DEEP_SLEEP, allowed};

fn set(when_scaled: &str, when_deleted: &str) -> Value {
    json!({ "spec": {
        "volumeClaimTemplates": [{}],
        "persistentVolumeClaimRetentionPolicy": { "whenScaled": when_scaled, "whenDeleted": when_deleted },
    }})
}

fn volumes(volumes: &Value) -> Value {
    json!({ "spec": { "template": { "spec": { "volumes": volumes } } } })
}

#[test]
fn nothing_sleeps_so_deep_that_it_loses_data() {
    let owned = |annotations: Value| {
        let owner = json!([{ "kind": "Operator", "name": "o", "controller": true }]);
        json!({ "metadata": { "ownerReferences": owner, "annotations": annotations }, "spec": {} })
    };
    let table = [
        (json!({ "spec": {} }), Some(Deep), false),
        (volumes(&json!([{ "name": "v", "emptyDir": {} }])), Some(Deep), false),
        (volumes(&json!([{ "name": "v", "ephemeral": {} }])), None, true),
        (set("Retain", "Retain"), Some(Deep), false),
        (set("Retain", "Delete"), Some(Light), true),
        (set("Delete", "Retain"), None, true),
        (owned(json!({})), Some(Light), false),
        (owned(json!({ DEEP_SLEEP: "true" })), Some(Deep), false),
    ];
    for (object, depth, loses) in table {
        let allowed = allowed(&object);
        assert_eq!((allowed.of(Deep), allowed.loss().is_some()), (depth, loses), "{object}");
        assert_eq!(allowed.of(Light).is_some(), depth.is_some(), "{object}");
    }
}

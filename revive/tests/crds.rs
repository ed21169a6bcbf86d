//! The definitions in the chart are those of the types. `LOCO_WRITE_CRDS=1 cargo test -p loco-edge-revive --test crds`
//! writes them anew.

#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use revive::kubernetes::crd;

const HEADER: &str = "# Made of the types in revive/src/kubernetes/crd; a test holds it to them.\n";

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../charts/loco-edge/crds")
}

/// By file name, what should be there.
fn made() -> BTreeMap<String, String> {
    let files = crd::definitions().into_iter().map(|definition| {
        let text = serde_saphyr::to_string(&crd::stripped(&definition).unwrap()).unwrap();
        let name = format!("{}.yaml", definition.spec.names.plural);
        (name, format!("{HEADER}{text}"))
    });
    files.collect()
}

/// By file name, what is there.
fn kept() -> BTreeMap<String, String> {
    let files = fs::read_dir(folder()).unwrap().map(|entry| {
        let entry = entry.unwrap();
        (entry.file_name().into_string().unwrap(), fs::read_to_string(entry.path()).unwrap())
    });
    files.collect()
}

#[test]
fn the_chart_has_the_definitions_of_the_types() {
    let made = made();
    if std::env::var_os("LOCO_WRITE_CRDS").is_some() {
        fs::create_dir_all(folder()).unwrap();
        for (name, text) in &made {
            fs::write(folder().join(name), text).unwrap();
        }
    }
    let kept = kept();
    let names = |files: &BTreeMap<String, String>| files.keys().cloned().collect::<Vec<_>>();
    assert_eq!(names(&kept), names(&made), "one file for each resource, and no others");
    for (name, text) in made {
        assert!(
            kept[&name] == text,
            "charts/loco-edge/crds/{name} is not what the types say: LOCO_WRITE_CRDS=1 cargo test -p loco-edge-revive --test crds"
        );
    }
}

#[test]
fn what_is_written_can_be_read_again() {
    for (definition, text) in crd::definitions().iter().zip(made().into_values()) {
        let read: serde_json::Value = serde_saphyr::from_str(&text).unwrap();
        assert_eq!(read, crd::stripped(definition).unwrap());
    }
}

#[test]
fn a_resource_is_namespaced_has_a_status_and_says_what_its_fields_are() {
    for definition in crd::definitions() {
        assert_eq!((&*definition.spec.group, &*definition.spec.scope), (crd::GROUP, "Namespaced"));
        assert_eq!(definition.spec.names.categories, Some(vec!["loco-edge".to_owned()]));
        let version = &definition.spec.versions[0];
        assert!(version.subresources.as_ref().is_some_and(|s| s.status.is_some()), "a status");
        let schema = crd::stripped(&definition).unwrap();
        let spec = &schema["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        let fields = spec["properties"].as_object().unwrap();
        assert!(fields.values().all(|field| field["description"].is_string()), "{fields:#?}");
    }
}

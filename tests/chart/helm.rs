//! Runs helm.

use std::collections::BTreeMap;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use serde_json::Value;

/// Where the release of the tests is.
pub(crate) const NAMESPACE: &str = "edge-system";

/// helm, if it is there; says so if not.
#[allow(clippy::print_stderr)] // A test that silently tests nothing is worse than none.
pub(crate) fn is_there() -> bool {
    let there = Command::new("helm").arg("version").output().is_ok_and(|output| output.status.success());
    if !there {
        eprintln!("skipped: no helm");
    }
    there
}

pub(crate) fn chart() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/loco-edge")
}

fn helm(arguments: &[&str], values: &str) -> Output {
    let mut helm = Command::new("helm");
    let child = helm.args(arguments).arg(chart()).args(["--namespace", NAMESPACE, "--values", "-"]);
    let child = child.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = child.spawn().unwrap();
    child.stdin.take().unwrap().write_all(values.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

/// What the chart makes of these values; otherwise what helm says of them.
pub(crate) fn template(values: &str) -> Result<Vec<Value>, String> {
    let output = helm(&["template", "edge"], values);
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into_owned());
    }
    let text = String::from_utf8(output.stdout).unwrap();
    let objects: Vec<Value> = serde_saphyr::from_multiple(&text).unwrap();
    Ok(objects.into_iter().filter(|object| !object.is_null()).collect())
}

/// The objects of these values, which are right. Made once for all tests: helm makes keys each time, which takes seconds.
pub(crate) fn rendered(values: &str) -> Vec<Value> {
    static MADE: Mutex<BTreeMap<String, Arc<OnceLock<Vec<Value>>>>> = Mutex::new(BTreeMap::new());
    let made =
        MADE.lock().unwrap_or_else(PoisonError::into_inner).entry(values.to_owned()).or_default().clone();
    made.get_or_init(|| template(values).unwrap_or_else(|error| panic!("{error}"))).clone()
}

/// What helm's own check finds.
pub(crate) fn lint(values: &str) -> Result<(), String> {
    let output = helm(&["lint", "--strict"], values);
    let said = || String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() { Ok(()) } else { Err(said()) }
}

/// Those of a kind.
pub(crate) fn of_kind<'a>(objects: &'a [Value], kind: &str) -> Vec<&'a Value> {
    objects.iter().filter(|object| object["kind"] == kind).collect()
}

/// The one of a kind whose name ends so.
pub(crate) fn one<'a>(objects: &'a [Value], kind: &str, ending: &str) -> &'a Value {
    let named = |object: &&&Value| object["metadata"]["name"].as_str().is_some_and(|n| n.ends_with(ending));
    let of_kind = of_kind(objects, kind);
    let found: Vec<&&Value> = of_kind.iter().filter(named).collect();
    assert_eq!(found.len(), 1, "{kind} …{ending} among {:?}", names(objects));
    found[0]
}

fn names(objects: &[Value]) -> Vec<String> {
    objects.iter().map(|object| format!("{}/{}", object["kind"], object["metadata"]["name"])).collect()
}

//! The cluster, through kubectl and helm: what a person would type.

use std::process::{Output, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::io::AsyncWriteExt;
use tokio::process::Command;

use crate::client::within;

/// For one call of kubectl; helm has limits of its own.
const CALL: Duration = Duration::from_secs(60);

/// Whether tests may use a cluster, which `tests/cluster/run` says: that KUBECONFIG is set is not enough, as it may name
/// one that somebody lives on.
#[allow(clippy::print_stderr)] // A test that silently tests nothing is worse than none.
pub(crate) fn is_there() -> bool {
    let there = std::env::var_os("LOCO_TEST_CLUSTER").is_some();
    if !there {
        eprintln!("skipped: no cluster (tests/cluster/run)");
    }
    there
}

pub(crate) fn chart() -> String {
    format!("{}/charts/loco-edge", env!("CARGO_MANIFEST_DIR"))
}

/// An image of `tests/cluster/image`.
pub(crate) fn image(variable: &str) -> String {
    std::env::var(variable).unwrap_or_else(|_| panic!("{variable} is not set: tests/cluster/run sets it"))
}

/// Runs a program; what it wrote, or why it failed.
pub(crate) async fn run(
    program: &str,
    arguments: &[&str],
    input: &str,
    limit: Duration,
) -> Result<String, String> {
    let what = format!("{program} {}", arguments.join(" "));
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.kill_on_drop(true).spawn().unwrap_or_else(|error| panic!("{program}: {error}"));
    let mut stdin = child.stdin.take().expect("a pipe");
    let ended = within(limit, &what, async {
        stdin.write_all(input.as_bytes()).await?;
        drop(stdin);
        child.wait_with_output().await
    });
    let Output { status, stdout, stderr } = ended.await.expect("it runs");
    if status.success() {
        Ok(String::from_utf8_lossy(&stdout).into_owned())
    } else {
        Err(format!("{what}: {}{}", String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr)))
    }
}

/// `kubectl` with these words.
pub(crate) async fn kubectl(arguments: &[&str]) -> Result<String, String> {
    run("kubectl", arguments, "", CALL).await
}

/// `helm` with these words, and values.
pub(crate) async fn helm(arguments: &[&str], values: &str, limit: Duration) -> Result<String, String> {
    run("helm", arguments, values, limit).await
}

/// An object as the API server has it; `None` if there is none.
pub(crate) async fn object(namespace: &str, kind: &str, name: &str) -> Option<Value> {
    let got =
        kubectl(&["get", kind, name, "--namespace", namespace, "--ignore-not-found", "-o", "json"]).await;
    let text = got.unwrap_or_else(|error| panic!("{error}"));
    (!text.trim().is_empty()).then(|| serde_json::from_str(&text).expect("JSON"))
}

/// A namespace of a test, which goes with it.
#[derive(Debug)]
pub(crate) struct Namespace {
    name: String,
}

impl Namespace {
    /// A new one, with a name that begins so.
    pub(crate) async fn new(about: &str) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("edge-test-{about}-{}-{number}", std::process::id());
        kubectl(&["create", "namespace", &name]).await.unwrap_or_else(|error| panic!("{error}"));
        Self { name }
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// `kubectl apply`.
    pub(crate) async fn apply(&self, yaml: &str) -> Result<String, String> {
        run("kubectl", &["apply", "--namespace", &self.name, "-f", "-"], yaml, CALL).await
    }

    /// The same, of what is right.
    pub(crate) async fn must_apply(&self, yaml: &str) {
        self.apply(yaml).await.unwrap_or_else(|error| panic!("{error}"));
    }

    /// `kubectl`, here.
    pub(crate) async fn kubectl(&self, arguments: &[&str]) -> Result<String, String> {
        let mut words = arguments.to_vec();
        words.extend(["--namespace", &self.name]);
        kubectl(&words).await
    }

    pub(crate) async fn object(&self, kind: &str, name: &str) -> Option<Value> {
        object(&self.name, kind, name).await
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // Not waited for: nobody uses its name again. One that fails leaves a namespace whose name says whose it was.
        let _left = quietly(&["delete", "namespace", &self.name, "--wait=false", "--ignore-not-found"]);
        // The edge whose records have a finalizer may have ended, and they would keep the namespace.
        let records = quietly(&["get", "sleeprecords", "--namespace", &self.name, "-o", "name"]);
        for record in records.iter().flat_map(|text| text.lines()) {
            let none = "--patch={\"metadata\":{\"finalizers\":null}}";
            let _gone = quietly(&["patch", record, "--namespace", &self.name, "--type=merge", none]);
        }
    }
}

/// `kubectl`, for what may fail; what it wrote.
fn quietly(words: &[&str]) -> Option<String> {
    let ran = std::process::Command::new("kubectl").args(words).stderr(Stdio::null()).output().ok()?;
    String::from_utf8(ran.stdout).ok()
}

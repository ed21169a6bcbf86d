//! `loco-edge export`: a file of apps as Kubernetes objects, which say the same.

use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use config::load;
use config::model::{App, Source};
use gateway_api::httproutes::HttpRoute;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Service;
use k8s_openapi::api::discovery::v1::EndpointSlice;
use revive::kubernetes::crd::{LimitPolicy, SleepPolicy};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use tempfile::TempDir;

use crate::harness::command;

/// All that a file of apps can say, and most of what Kubernetes cannot.
const WILD: &str = r##"
[[app]]
name = "7up"
command = ["sh", "-c", "serve $PORT ${PORT} $(date) $$"]
env = { A = "$(PORT)", B = "on", C = "08:30", D = "1_000", E = "two\nlines\n", F = " x", G = "# no", H = "a: b" }
health = { http = "/h?x=1", timeout = "1500ms", grace = "2m" }
wake = "page"
max_held = 5
passersby = { crawlers = "answer-503", budget = "1h" }
remove_after = "never"
idle_after = "90s"
hosts = ["a_b.example.com", "x.example.com", "*.y.example.com"]
paths = ["/a", "/b"]
protocol = "http1"
tenant = { org = "acme", workspace = "a/b" }

[[app]]
name = "calls"
command = ["sh"]
protocol = "h2c"
health = { grpc = "shop.v1.Cart" }
idle_after = "never"

[[app]]
name = "up"
upstreams = ["10.0.0.5:9000", "10.0.0.6:9001", { address = "10.0.0.7:9000", weight = 3 }, "[fd00::1]:80", "127.0.0.1:80"]

[[limit]]
name = "a.b"
key = "header:x-api-key"
rate = "10/30s"
burst = 20
concurrency = 3
match = { hosts = ["*.example.com"], paths = ["/a"], methods = ["POST"] }

[gateway]
max_body = "1MiB"
"##;

fn examples() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let files = fs::read_dir(folder).expect("the examples").map(|entry| entry.expect("an example").path());
    let files: Vec<_> = files.filter(|path| path.extension().is_some_and(|end| end == "toml")).collect();
    assert!(!files.is_empty());
    files
}

fn wild() -> (TempDir, PathBuf) {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    let file = directory.path().join("apps.toml");
    fs::write(&file, WILD).expect("the file is written");
    (directory, file)
}

fn export(file: &Path, more: &[&str]) -> Output {
    let directory = file.parent().expect("a directory");
    let name = file.file_name().and_then(|name| name.to_str()).expect("a name");
    let arguments: Vec<&str> = ["export", name].iter().chain(more).copied().collect();
    command(directory, &arguments).stdout(Stdio::piped()).stderr(Stdio::piped()).output().expect("it runs")
}

fn text(output: &Output) -> String {
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{err}");
    out.into_owned()
}

fn objects(text: &str) -> Vec<Value> {
    serde_saphyr::from_multiple(text).expect("YAML")
}

/// The objects of a kind, whose type has a place for each of their words.
fn of_kind<T: DeserializeOwned + Serialize>(objects: &[Value], kind: &str) -> Vec<T> {
    let ours = objects.iter().filter(|object| object["kind"] == kind);
    let read = ours.map(|object| {
        let read: T = serde_json::from_value(object.clone()).expect(kind);
        assert_eq!(serde_json::to_value(&read).expect("JSON"), *object);
        read
    });
    read.collect()
}

/// Each app of the file sleeps, wakes and is reached there as here.
fn assert_the_same(file: &Path, text: &str) {
    let loaded = load::load(file, &[]).expect("a right file");
    let objects = objects(text);
    let deployments: Vec<Deployment> = of_kind(&objects, "Deployment");
    let services: Vec<Service> = of_kind(&objects, "Service");
    let routes: Vec<HttpRoute> = of_kind(&objects, "HTTPRoute");
    let policies: Vec<SleepPolicy> = of_kind(&objects, "SleepPolicy");
    let limits: Vec<LimitPolicy> = of_kind(&objects, "LimitPolicy");
    let slices: Vec<EndpointSlice> = of_kind(&objects, "EndpointSlice");
    let known =
        deployments.len() + services.len() + routes.len() + policies.len() + limits.len() + slices.len();
    assert_eq!(known, objects.len(), "nothing but these");

    let runs = |app: &&App| matches!(app.source, Source::Process(_));
    let apps: Vec<&App> = loaded.apps.iter().map(|app| &**app).collect();
    assert_eq!(deployments.len(), apps.iter().copied().filter(|app| runs(app)).count());
    assert_eq!(services.len(), apps.len());
    for app in apps.into_iter().filter(runs) {
        let name = if app.name.as_str() == "7up" { "app-7up" } else { app.name.as_str() };
        let named = |policy: &&SleepPolicy| policy.metadata.name.as_deref() == Some(name);
        let policy = policies.iter().find(named).expect("a SleepPolicy");
        let settled = policy.spec.parsed().expect("right").settled();
        assert_eq!((settled.sleep, settled.wake), (app.sleep, app.wake), "{name}");
    }
    let written: Vec<_> =
        limits.iter().flat_map(|policy| policy.spec.limits("n", "p").expect("right")).collect();
    assert_eq!(written.len(), loaded.limits.len());
    for (written, limit) in written.iter().zip(&loaded.limits) {
        assert_eq!(
            (&written.matches, &written.key, written.rate, written.concurrency),
            (&limit.matches, &limit.key, limit.rate, limit.concurrency)
        );
    }
}

#[test]
fn what_is_exported_says_the_same_in_the_types_of_the_cluster() {
    let (_directory, wild) = wild();
    for file in examples().into_iter().chain([wild]) {
        assert_the_same(&file, &text(&export(&file, &[])));
    }
}

#[test]
fn values_and_commands_come_out_as_they_are_written() {
    let (_directory, file) = wild();
    let objects = objects(&text(&export(&file, &["--image", "7up=registry.test/up:7"])));
    let deployments: Vec<Deployment> = of_kind(&objects, "Deployment");
    let pod = deployments[0].spec.as_ref().unwrap().template.spec.as_ref().unwrap();
    assert_eq!(pod.automount_service_account_token, Some(false));
    let container = &pod.containers[0];
    assert_eq!(container.image.as_deref(), Some("registry.test/up:7"));
    assert_eq!(
        container.args.as_deref(),
        Some(&["-c".to_owned(), "serve $(PORT) $(PORT) $$(date) $$$".to_owned()][..])
    );
    let value = |name: &str| {
        let mut all = container.env.iter().flatten().filter(|variable| variable.name == name);
        let found = all.next().and_then(|variable| variable.value.clone());
        assert_eq!(all.next(), None, "{name} is there once");
        found.unwrap_or_default()
    };
    let written = [
        ("PORT", "8080"),
        ("A", "$$(PORT)"),
        ("B", "on"),
        ("C", "08:30"),
        ("D", "1_000"),
        ("E", "two\nlines\n"),
        ("F", " x"),
        ("G", "# no"),
        ("H", "a: b"),
    ];
    for (name, expected) in written {
        assert_eq!(value(name), expected, "{name}");
    }
}

#[test]
fn what_kubernetes_has_no_word_for_is_said() {
    let (_directory, file) = wild();
    let output = export(&file, &[]);
    let said = String::from_utf8_lossy(&output.stderr);
    for what in [
        "app `7up`: its objects are called app-7up",
        "--image 7up=",
        "a_b.example.com cannot be the host",
        "app `up`: an EndpointSlice has no weights",
        "127.0.0.1:80",
        "limit `a.b`: it is called a-b",
        "[gateway]",
        "LOCO_<APP>_URL",
        "the apps are several tenants'",
    ] {
        assert!(said.contains(what), "not said: {what:?} in:\n{said}");
    }
}

#[test]
fn a_file_with_mistakes_is_not_exported() {
    let (directory, _) = wild();
    let file = directory.path().join("bad.toml");
    fs::write(&file, "[[app]]\nnmae = \"x\"\n").expect("written");
    let output = export(&file, &[]);
    assert_eq!(output.status.code(), Some(1));
    assert_eq!(String::from_utf8_lossy(&output.stdout), "");
    assert!(String::from_utf8_lossy(&output.stderr).contains("bad.toml:2"));
}

#[test]
fn an_image_for_nobody_is_a_mistake() {
    let (_directory, file) = wild();
    let output = export(&file, &["--image", "up=x"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("--image up="));
}

/// A namespace of this test's own, which it takes away again.
struct Namespace(String);

impl Namespace {
    fn make() -> Self {
        let name = format!("loco-export-{}", std::process::id());
        kubectl(&["create", "namespace", &name], "");
        Self(name)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        let _gone = Command::new("kubectl")
            .args(["delete", "namespace", &self.0, "--wait=false"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

fn kubectl(arguments: &[&str], input: &str) -> String {
    let mut child = Command::new("kubectl")
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("kubectl");
    child.stdin.take().expect("a pipe").write_all(input.as_bytes()).expect("written");
    let output = child.wait_with_output().expect("it ends");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "kubectl {arguments:?}:\n{said}");
    said
}

#[test]
#[allow(clippy::print_stderr)] // A test that silently tests nothing is worse than none.
fn the_api_server_takes_what_is_exported() {
    if std::env::var_os("KUBECONFIG").is_none() {
        eprintln!("skipped: KUBECONFIG names no cluster");
        return;
    }
    let crds = Path::new(env!("CARGO_MANIFEST_DIR")).join("charts/loco-edge/crds");
    kubectl(&["apply", "--server-side", "--force-conflicts", "-f", crds.to_str().expect("UTF-8")], "");
    let (_directory, wild) = wild();
    let namespace = Namespace::make();
    for file in examples().into_iter().chain([wild]) {
        let text = text(&export(&file, &["--namespace", &namespace.0, "--gateway", "edge"]));
        let taken = kubectl(&["apply", "--dry-run=server", "--validate=strict", "-f", "-"], &text);
        let count = taken.lines().filter(|line| line.ends_with("(server dry run)")).count();
        assert_eq!(count, objects(&text).len(), "{}:\n{taken}", file.display());
    }
}

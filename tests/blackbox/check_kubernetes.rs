//! `loco-edge check` of Kubernetes YAML: what the edge would make of it, and everything that is wrong with it.

use std::fs;
use std::io::Write as _;
use std::process::Stdio;

use serde_json::Value;
use tempfile::TempDir;

use crate::harness::{Ran, command};

const PLATFORM: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: loco}
spec: {controllerName: edge.loco.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra}
spec:
  gatewayClassName: loco
  listeners:
  - name: http
    port: 80
    protocol: HTTP
    allowedRoutes: {namespaces: {from: All}}
";

const APP: &str = "apiVersion: apps/v1
kind: Deployment
metadata: {name: cart}
spec:
  selector: {matchLabels: {app: cart}}
  template:
    metadata: {labels: {app: cart}}
    spec:
      automountServiceAccountToken: false
      containers:
      - name: cart
        image: registry.test/cart:1
        ports: [{containerPort: 8080, name: http}]
        resources: {requests: {cpu: 1}}
        readinessProbe: {httpGet: {path: /healthz, port: http}, periodSeconds: 1}
---
apiVersion: v1
kind: Service
metadata: {name: cart}
spec:
  selector: {app: cart}
  ports: [{port: 80, targetPort: http}]
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: edge, namespace: infra}]
  hostnames: [cart.example.com]
  rules:
  - matches: [{path: {value: /api}}]
    backendRefs: [{name: cart, port: 80}]
---
apiVersion: edge.loco.io/v1alpha1
kind: SleepPolicy
metadata: {name: cart}
spec:
  targetRefs: [{kind: Deployment, name: cart}]
  idleAfter: 10m
  removeAfter: 7d
  wake: {mode: page}
";

/// A directory with these files.
fn directory(files: &[(&str, &str)]) -> TempDir {
    let directory = TempDir::with_prefix("loco-edge-").expect("a directory");
    for (name, text) in files {
        fs::write(directory.path().join(name), text).expect("the file is written");
    }
    directory
}

fn run(directory: &TempDir, arguments: &[&str], input: &str) -> Ran {
    let mut command = command(directory.path(), arguments);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("it runs");
    // Who does not read it has ended.
    let _written = child.stdin.take().expect("a pipe").write_all(input.as_bytes());
    let output = child.wait_with_output().expect("it ends");
    let said =
        String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
    assert!(!said.contains("panicked"), "{said}");
    Ran { status: output.status, said }
}

fn check(text: &str) -> Ran {
    run(&directory(&[("x.yaml", text)]), &["check", "x.yaml"], "")
}

fn json(directory: &TempDir, arguments: &[&str]) -> Value {
    let all: Vec<&str> = ["check", "--json"].iter().chain(arguments).copied().collect();
    serde_json::from_str(&run(directory, &all, "").said).expect("JSON")
}

fn assert_says(ran: &Ran, status: i32, said: &[&str]) {
    assert_eq!(ran.status.code(), Some(status), "{}", ran.said);
    for text in said {
        assert!(ran.said.contains(text), "not said: {text:?} in:\n{}", ran.said);
    }
}

#[test]
fn a_directory_is_taken_together_and_its_app_is_told() {
    let directory = directory(&[("a.yaml", PLATFORM), ("b.yml", APP), ("notes.txt", "not looked at: [")]);
    let ran = run(&directory, &["check", ".", "--namespace", "shop"], "");
    assert_says(
        &ran,
        0,
        &[
            "app shop/cart",
            "Deployment shop/cart, behind Service shop/cart",
            "cart.example.com/api",
            "idle for 10m: no replicas; for 7d: no Deployment",
            "page: browsers see the waiting page at once",
            "GET /healthz is answered",
            "gateway infra/edge\n  http  HTTP 80, any host: 1 route\n",
            "cart.example.com /api* → shop/cart  (httproute/shop/cart/0)",
            "1 app, no mistakes",
        ],
    );
    assert!(!ran.said.contains("warning") && !ran.said.contains("hint"), "{}", ran.said);
}

#[test]
fn the_same_is_told_to_programs() {
    let directory = directory(&[("a.yaml", PLATFORM), ("b.yaml", APP)]);
    let told = json(&directory, &["a.yaml", "b.yaml"]);
    assert_eq!(told["mistakes"], Value::Array(Vec::new()));
    let app = &told["apps"][0];
    assert_eq!((&app["id"], &app["idle_after"]), (&"default/cart".into(), &"10m".into()));
    assert_eq!((&app["wake"], &app["health"]), (&"page".into(), &"http /healthz".into()));
    assert_eq!(told["gateways"][0]["listeners"][0]["works"], true);
    assert_eq!(told["routes"][0]["to"][0], "default/cart");
}

#[test]
fn what_is_not_in_the_files_is_a_warning_and_the_app_is_told_all_the_same() {
    let app = APP.replace("removeAfter: 7d", "removeAfter: 7d\n  wakeWith: [{kind: Service, name: db}]");
    let app = app.replace(
        "backendRefs: [{name: cart, port: 80}]",
        "backendRefs: [{name: cart, port: 80}, {name: other, port: 80}]",
    );
    let ran = check(&app);
    assert_says(
        &ran,
        0,
        &[
            "warning: Gateway infra/edge is not in these files",
            "warning: Service default/other is not in these files",
            "warning: Service default/db is not in these files",
            "gateway infra/edge (not in these files)",
            "app default/cart",
        ],
    );
}

#[test]
fn everything_that_is_wrong_is_said_at_once_each_with_its_line() {
    let bad = "apiVersion: v1
kind: Service
metadata: {name: x}
spec: {ports: [{port: \"eighty\"}]}
---
kind: Deployment
 metadata: [
---
apiVersion: edge.loco.io/v1alpha1
kind: SleepPolicy
metadata: {name: x}
spec:
  targetRefs: [{kind: Namespace}]
  idleAftr: 15m
  wake:
    pageAfter: soon
---
apiVersion: edge.loco.io/v1
kind: SleepRule
metadata: {name: x}
---
name: nothing
---
apiVersion: apps/v1beta1
kind: Deployment
metadata: {name: old}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: x}
spec:
  parentRefs: [{name: edge}]
  rules:
  - filters: [{type: RequestMirror, requestMirror: {backendRef: {name: x, port: 80}}}]
";
    let ran = check(bad);
    let said = [
        "did you mean `idleAfter`?",
        "did you mean `apps/v1`?",
        "SleepPolicy, LimitPolicy",
        "pageAfter",
        "mapping",
    ];
    assert_says(&ran, 1, &said);
    for line in [4, 7, 14, 16, 19, 22, 24, 34] {
        assert!(ran.said.contains(&format!("x.yaml:{line}:")), "nothing at line {line} in:\n{}", ran.said);
    }
}

#[test]
fn listeners_and_routes_that_do_not_work_are_errors() {
    let platform = PLATFORM.replace("port: 80", "port: 8888");
    let said = ["listener http: port 8888", "x.yaml:12"];
    assert_says(&check(&format!("{platform}---\n{APP}")), 1, &said);
    let closed = PLATFORM.replace("from: All", "from: Same");
    let said = ["error: allowedRoutes of the listeners does not let it in"];
    assert_says(&check(&format!("{closed}---\n{APP}")), 1, &said);
    let labelled = PLATFORM.replace("from: All", "from: Selector, selector: {matchLabels: {a: b}}");
    let said = [
        "warning: allowedRoutes of the listeners does not let it in",
        "Namespace default is not in these files",
    ];
    assert_says(&check(&format!("{labelled}---\n{APP}")), 0, &said);
    let other_port = APP.replace("{name: cart, port: 80}", "{name: cart, port: 81}");
    assert_says(&check(&format!("{PLATFORM}---\n{other_port}")), 1, &["Service default/cart has no port 81"]);
}

#[test]
fn owners_are_told_what_would_be_better() {
    let app = APP
        .replace("      automountServiceAccountToken: false\n", "")
        .replace("periodSeconds: 1", "periodSeconds: 30, initialDelaySeconds: 15");
    let said = [
        "hint: each wake waits about 0.25 s",
        "automountServiceAccountToken: false",
        "only after 15 s, then every 30 s",
        "the edge asks by itself",
    ];
    assert_says(&check(&format!("{PLATFORM}---\n{app}")), 0, &said);
    let never = app.replace("idleAfter: 10m\n  removeAfter: 7d", "idleAfter: never");
    let ran = check(&format!("{PLATFORM}---\n{never}"));
    assert!(!ran.said.contains("hint"), "an app that never sleeps needs no advice about it:\n{}", ran.said);
}

#[test]
fn what_sleep_would_lose_is_said() {
    let app = APP.replace(
        "      containers:",
        "      volumes: [{name: data, ephemeral: {volumeClaimTemplate: {spec: {accessModes: [ReadWriteOnce]}}}}]\n      containers:",
    );
    let said = ["Deployment default/cart never sleeps", "the generic ephemeral volume data"];
    assert_says(&check(&format!("{PLATFORM}---\n{app}")), 0, &said);
}

#[test]
fn what_changes_nothing_is_named() {
    let others = "apiVersion: v1
kind: ConfigMap
metadata: {name: words}
---
apiVersion: v1
kind: Service
metadata: {name: alone}
spec: {selector: {app: alone}, ports: [{port: 80}]}
";
    let said = ["ConfigMap default/words: of a kind", "Service default/alone: named by no route"];
    assert_says(&check(others), 0, &said);
}

#[test]
fn the_lines_of_a_secret_are_shown_to_nobody() {
    let secret = "apiVersion: v1
kind: Secret
metadata: {name: x}
stringDta: {password: hunter2}
data: {password: hunter3
";
    let ran = check(secret);
    assert_eq!(ran.status.code(), Some(1), "{}", ran.said);
    assert!(ran.said.contains("x.yaml:") && !ran.said.contains("hunter"), "{}", ran.said);
    let ran = check(&secret.replace("data: {password: hunter3\n", ""));
    assert!(ran.said.contains("stringDta") && !ran.said.contains("hunter"), "{}", ran.said);
}

#[test]
fn a_pipe_is_known_by_what_it_says() {
    let directory = directory(&[]);
    assert_says(&run(&directory, &["check", "-"], APP), 0, &["app default/cart", "standard input"]);
    let apps = "[[app]]\nname = \"hello\"\ncommand = [\"true\"]\n";
    assert_says(&run(&directory, &["check", "-"], apps), 0, &["1 app, no mistakes"]);
}

#[test]
fn what_is_exported_is_understood() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/apps.toml");
    let directory = directory(&[]);
    let exported =
        command(directory.path(), &["export", examples, "--namespace", "shop"]).output().expect("it runs");
    let exported = String::from_utf8(exported.stdout).expect("UTF-8");
    let said = [
        "app shop/hello",
        "idle for 30s: no replicas; for 7d: no Deployment",
        "hold: all are held",
        "its gRPC health service says SERVING",
        "hello.localhost /api* → shop/api",
        "loco-edge.apps.time: 60/min",
    ];
    let ran = run(&directory, &["check", "-"], &exported);
    assert_says(&ran, 0, &said);
    assert!(!ran.said.contains("hint"), "{}", ran.said);
}

#[test]
fn the_platforms_file_says_what_holds_where_no_policy_does() {
    let settings = "[defaults]\nidle_after = \"5m\"\n\n[kubernetes]\nports = [8888]\ntenant_pattern = \"wks-{workspace}-res-{app}\"\n";
    let directory =
        directory(&[("edge.toml", settings), ("x.yaml", &PLATFORM.replace("port: 80", "port: 8888"))]);
    let (unsaid, _) = APP.split_once("---\napiVersion: edge.loco.io").expect("a policy");
    fs::write(directory.path().join("y.yaml"), unsaid).expect("written");
    let arguments = ["check", "x.yaml", "y.yaml", "--config", "edge.toml", "--namespace", "wks-7-res-12"];
    assert_says(
        &run(&directory, &arguments, ""),
        0,
        &["workspace 7", "idle for 5m: no replicas\n", "HTTP 8888"],
    );
}

//! Apps of loco, beside a controller that behaves as loco's does: its loop looks at each Application about once a second.

use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::Mutex;

use crate::client::{Request, eventually};
use crate::cluster::{Namespace, image, is_there, kubectl, object, run};
use crate::edge::Edge;
use crate::host::Half;
use crate::sleeping::TO_SLEEP;

const AGREEMENT: &str = "[kubernetes]\nloco = true\nloco_sleep = \"agreement\"\n";
const REPLICAS: &str = "[kubernetes]\nloco = true\nloco_sleep = \"replicas\"\n";
/// One at a time: an edge with `loco = true` takes every Application of the cluster, so two would put each other's apps
/// to sleep.
static ALONE: Mutex<()> = Mutex::const_new(());
/// How often the controller looks at what sleeps, at least, before it counts as left alone.
const LOOKS: usize = 3;

/// loco's controller, for the Applications of one namespace.
#[derive(Debug)]
struct Controller(Child);

impl Controller {
    async fn start(here: &Namespace, edge: &Edge, more: &[&str]) -> Self {
        let definition =
            run(program().to_str().expect("text"), &["--crd"], "", TO_SLEEP).await.expect("a definition");
        run("kubectl", &["apply", "--server-side", "--force-conflicts", "-f", "-"], &definition, TO_SLEEP)
            .await
            .unwrap_or_else(|error| panic!("{error}"));
        let wait = ["wait", "--for=condition=Established", "crd/applications.infra.loco.io"];
        kubectl(&wait).await.unwrap_or_else(|error| panic!("{error}"));
        let (namespace, gateway) = edge.gateway();
        let mut command = Command::new(program());
        command.args(["--gateway", &format!("{namespace}/{gateway}"), "--namespace", here.name()]).args(more);
        Self(command.stdin(Stdio::null()).spawn().expect("the controller"))
    }
}

impl Drop for Controller {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

/// The controller's program, which `tests/cluster/run` builds: it is beside the edge's.
fn program() -> PathBuf {
    let program = PathBuf::from(env!("CARGO_BIN_EXE_loco-edge")).with_file_name("fake-loco");
    assert!(program.is_file(), "not built: cargo build -p fake-loco");
    program
}

/// An app of loco's.
struct App<'n> {
    /// Where its Application is.
    home: &'n Namespace,
    workspace: u32,
    resource: u32,
    idle_timeout: u32,
    /// How many seconds its pods take to go.
    drain: u32,
}

impl<'n> App<'n> {
    /// One that nobody else has.
    fn new(home: &'n Namespace, idle_timeout: u32) -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(1);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        Self { home, workspace: 1_000_000 + std::process::id(), resource: number, idle_timeout, drain: 0 }
    }

    fn name(&self) -> String {
        format!("resource-{}", self.resource)
    }

    fn namespace(&self) -> String {
        format!("wks-{}-res-{}", self.workspace, self.resource)
    }

    fn host(&self) -> String {
        format!("app-{}.loco.test", self.resource)
    }

    /// What loco's API writes when somebody deploys it.
    async fn deploy(&self, body: &str) {
        let Self { workspace, resource, idle_timeout, drain, .. } = self;
        let yaml = format!(
            "
apiVersion: infra.loco.io/v1alpha1
kind: Application
metadata: {{ name: {name} }}
spec:
  type: SERVICE
  resourceId: {resource}
  workspaceId: {workspace}
  region: here
  serviceSpec:
    deployment:
      image: {image}
      port: 8080
      env: {{ BIND: 0.0.0.0, BODY: {body:?}, DRAIN: '{drain}' }}
      healthCheck: {{ path: /readyz, interval: 30, timeout: 5, failThreshold: 3, startupGracePeriod: 15 }}
    resources: {{ cpu: 10m, memory: 16Mi, replicas: {{ min: 1, max: 1 }} }}
    routing: {{ hostName: {host}, pathPrefix: /, idleTimeout: {idle_timeout} }}
",
            name = self.name(),
            host = self.host(),
            image = image("LOCO_APP_IMAGE"),
        );
        // Who writes `min` anew writes it whatever it is: `apply` would see that nothing has changed.
        let words =
            ["apply", "--server-side", "--force-conflicts", "--namespace", self.home.name(), "-f", "-"];
        run("kubectl", &words, &yaml, TO_SLEEP).await.unwrap_or_else(|error| panic!("{error}"));
    }

    async fn application(&self) -> Value {
        self.home.object("applications.infra.loco.io", &self.name()).await.expect("the Application")
    }

    async fn annotation(&self, name: &str) -> Value {
        self.application().await["metadata"]["annotations"][name].clone()
    }

    async fn deployment(&self) -> Option<Value> {
        object(&self.namespace(), "deployment", &self.name()).await
    }

    /// Deep sleep after two seconds, in its own namespace.
    async fn remove_soon(&self) {
        let policy = "
apiVersion: edge.loco.io/v1alpha1
kind: SleepPolicy
metadata: { name: soon }
spec: { targetRefs: [{ kind: Namespace }], idleAfter: 1s, removeAfter: 2s }
";
        let namespace = self.namespace();
        eventually(TO_SLEEP, "its namespace", async || {
            run("kubectl", &["apply", "--namespace", &namespace, "-f", "-"], policy, TO_SLEEP).await
        })
        .await;
    }

    async fn until_light(&self) {
        eventually(TO_SLEEP, "no replicas", async || match self.deployment().await {
            Some(one)
                if one["spec"]["replicas"] == 0 && one["status"]["replicas"].as_u64().unwrap_or(0) == 0 =>
            {
                Ok(())
            }
            other => Err(format!("{other:?}")),
        })
        .await;
    }

    async fn until_deep(&self) {
        eventually(TO_SLEEP, "no Deployment", async || match self.deployment().await {
            None => Ok(()),
            Some(one) => Err(one["spec"]["replicas"].to_string()),
        })
        .await;
    }

    /// Its controller has looked at it some times more; `holds` each time.
    async fn through_looks(&self, holds: impl AsyncFn()) {
        for _ in 0..LOOKS {
            let before = self.application().await["status"]["updatedAt"].clone();
            eventually(TO_SLEEP, "its controller looks at it", async || {
                let now = self.application().await["status"]["updatedAt"].clone();
                if now == before { Err(now) } else { Ok(()) }
            })
            .await;
            holds().await;
        }
    }
}

impl Drop for App<'_> {
    fn drop(&mut self) {
        // Its controller may have ended before it could.
        let words = ["delete", "namespace", &self.namespace(), "--wait=false", "--ignore-not-found"];
        drop(Command::new("kubectl").args(words).stdout(Stdio::null()).stderr(Stdio::null()).status());
    }
}

async fn answers(edge: &Edge, app: &App<'_>, body: &str) {
    let answer = edge.ask(&Request::new("GET", &app.host(), "/")).await;
    assert_eq!((answer.status, answer.text().trim()), (200, body));
}

#[tokio::test]
async fn light_sleep_by_the_agreement_is_left_alone() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (edge, here) = (Edge::on_host_with(AGREEMENT).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &["--agreement"]).await;
    let app = App::new(&here, 1);
    app.deploy("first").await;
    edge.until_served(&app.host()).await;
    app.until_light().await;
    assert_eq!(app.annotation("edge.loco.io/asleep").await, "light");
    let min = app.application().await["spec"]["serviceSpec"]["resources"]["replicas"]["min"].clone();
    assert_eq!(min, 1, "its spec is not touched");
    app.through_looks(async || {
        assert_eq!(app.deployment().await.expect("the Deployment")["spec"]["replicas"], 0);
    })
    .await;
    answers(&edge, &app, "first").await;
    eventually(TO_SLEEP, "nothing is said of sleep", async || {
        match app.annotation("edge.loco.io/asleep").await {
            Value::Null => Ok(()),
            said => Err(said),
        }
    })
    .await;
}

#[tokio::test]
async fn deep_sleep_by_the_agreement_and_a_deploy_while_asleep() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (edge, here) = (Edge::on_host_with(AGREEMENT).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &["--agreement"]).await;
    let app = App::new(&here, 60);
    app.deploy("first").await;
    app.remove_soon().await;
    edge.until_served(&app.host()).await;
    app.until_deep().await;
    assert_eq!(app.annotation("edge.loco.io/asleep").await, "deep");
    app.through_looks(async || assert!(app.deployment().await.is_none(), "it is back")).await;
    let record = object(&app.namespace(), "sleeprecord", &format!("deployment-{}", app.name())).await;
    let record = record.expect("people see what sleeps");
    assert_eq!(record["spec"]["rest"], "Deep");
    assert_eq!(record["spec"]["application"]["name"], app.name());
    assert!(record["spec"]["saved"].is_null(), "nothing is saved");

    answers(&edge, &app, "first").await;
    app.until_deep().await;
    app.deploy("second").await;
    let back = async || app.deployment().await.ok_or("it sleeps");
    eventually(TO_SLEEP, "who deploys it wakes it", back).await;
    answers(&edge, &app, "second").await;
}

#[tokio::test]
async fn light_sleep_beside_a_controller_that_knows_of_nothing() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (edge, here) = (Edge::on_host_with(REPLICAS).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &[]).await;
    let app = App::new(&here, 1);
    app.deploy("first").await;
    // Says more than this way of sleeping can do.
    app.remove_soon().await;
    edge.until_served(&app.host()).await;
    app.until_light().await;
    let min = async || app.application().await["spec"]["serviceSpec"]["resources"]["replicas"]["min"].clone();
    assert_eq!((min().await, app.annotation("edge.loco.io/replicas-min").await), (0.into(), "1".into()));
    app.through_looks(async || {
        assert_eq!(app.deployment().await.expect("the Deployment")["spec"]["replicas"], 0);
    })
    .await;
    answers(&edge, &app, "first").await;
    assert_eq!((min().await, app.annotation("edge.loco.io/replicas-min").await), (1.into(), Value::Null));

    app.until_light().await;
    app.deploy("second").await;
    eventually(TO_SLEEP, "who deploys it wakes it", async || {
        let replicas = app.deployment().await.map(|one| one["spec"]["replicas"].clone());
        if replicas == Some(1.into()) { Ok(()) } else { Err(format!("{replicas:?}")) }
    })
    .await;
    answers(&edge, &app, "second").await;
}

#[tokio::test]
async fn nothing_is_left_of_an_application_that_is_deleted_while_it_sleeps() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (edge, here) = (Edge::on_host_with(AGREEMENT).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &["--agreement"]).await;
    let app = App::new(&here, 60);
    app.deploy("first").await;
    app.remove_soon().await;
    edge.until_served(&app.host()).await;
    app.until_deep().await;
    here.kubectl(&["delete", "application", &app.name()]).await.unwrap_or_else(|error| panic!("{error}"));
    let request = Request::new("GET", &app.host(), "/");
    eventually(Duration::from_secs(2), "it is nobody's", async || {
        let answer = edge.ask(&request).await;
        assert_ne!(answer.status, 200, "it was woken once more");
        if answer.status == 404 { Ok(()) } else { Err(answer.status) }
    })
    .await;
    eventually(TO_SLEEP * 2, "its namespace goes", async || {
        let left =
            kubectl(&["get", "namespace", &app.namespace(), "--ignore-not-found", "-o", "name"]).await?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

/// The setting is wrong for this controller: whatever is put down is back within a second.
#[tokio::test]
async fn an_app_stays_awake_whose_controller_does_not_keep_to_the_agreement() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (mut edge, here) = (Edge::on_host_with(AGREEMENT).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &[]).await;
    // New pods are there before the old are gone.
    let app = App { drain: 3, ..App::new(&here, 1) };
    app.deploy("first").await;
    edge.until_served(&app.host()).await;
    let path = format!("/v1/apps/{}.{}", app.name(), app.namespace());
    eventually(TO_SLEEP * 2, "it is given up", async || {
        let told = edge.halves().tell(Half::Revive, "GET", &path).await.text();
        if told.contains("UndoneBy") { Ok(()) } else { Err(told) }
    })
    .await;
    eventually(TO_SLEEP, "nothing is said of sleep", async || {
        match app.annotation("edge.loco.io/asleep").await {
            Value::Null => Ok(()),
            said => Err(said),
        }
    })
    .await;
    answers(&edge, &app, "first").await;
    assert_eq!(app.deployment().await.expect("the Deployment")["spec"]["replicas"], 1);
}

/// Nothing can be compiled of what is not taken in. (How often all is compiled says nothing here: other tests use the
/// same cluster.)
#[tokio::test]
async fn the_loop_of_locos_controller_costs_nothing() {
    if !is_there() {
        return;
    }
    let _alone = ALONE.lock().await;
    let (mut edge, here) = (Edge::on_host_with(AGREEMENT).await, Namespace::new("loco").await);
    let _loco = Controller::start(&here, &edge, &["--agreement"]).await;
    let app = App::new(&here, 0);
    app.deploy("first").await;
    edge.until_served(&app.host()).await;
    // Once, so that everything is there that its controller makes.
    app.through_looks(async || {}).await;
    let before = taken_in(&mut edge).await;
    app.through_looks(async || {}).await;
    assert_eq!(taken_in(&mut edge).await, before, "a status has changed {LOOKS} times, and nothing else");
    assert!(before >= 2.0, "its list and itself: {before}");
}

/// Changes of Applications that revive has taken in.
async fn taken_in(edge: &mut Edge) -> f64 {
    let text = edge.halves().tell(Half::Revive, "GET", "/metrics").await.text();
    let sample = |line: &str| {
        let (series, value) = line.rsplit_once(' ')?;
        let is_it = series == "loco_edge_kubernetes_changes_total{kind=\"Application\"}";
        is_it.then(|| value.parse::<f64>().ok())?
    };
    text.lines().find_map(sample).unwrap_or_else(|| panic!("no such figure in\n{text}"))
}

//! An API server of two hundred lines, whose requests a test can stop on their way, and a sight that lags as far behind
//! as a test wants. For the moments that a real cluster passes through in milliseconds.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use config::link::Instance;
use config::model::{App, WorkloadKind};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference;
use kube::{Client, Config};
use revive::platform::kubernetes::pod::{Pod, PodPhase, Scheduled};
use revive::platform::kubernetes::sight::{Changes, Seen, SeenRecord, Sight};
use revive::platform::kubernetes::{Access, KubernetesPlatform, Place, Settings, View};
use revive::platform::{Command, Event, Platform as _, Report, Standing};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::rig::{an_app, pod, workload};

/// Longer than anything here takes on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(20);

/// What is kept, by path.
#[derive(Default)]
struct Kept {
    objects: BTreeMap<String, Value>,
    version: u64,
    gate: Option<Gate>,
}

/// The next request of this kind stops here.
struct Gate {
    method: Method,
    ends: &'static str,
    arrived: oneshot::Sender<oneshot::Sender<()>>,
}

#[derive(Clone, Default)]
struct Server(Arc<Mutex<Kept>>);

impl Server {
    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn passes(&self, method: &Method, path: &str) -> Option<oneshot::Receiver<()>> {
        let mut kept = self.kept();
        let gate = kept.gate.take_if(|gate| gate.method == *method && path.ends_with(gate.ends))?;
        let (open, opened) = oneshot::channel();
        gate.arrived.send(open).unwrap();
        Some(opened)
    }
}

async fn answer(State(server): State<Server>, method: Method, uri: Uri, body: Bytes) -> (StatusCode, String) {
    if let Some(opened) = server.passes(&method, uri.path()) {
        let _ = opened.await;
    }
    let body: Value = serde_json::from_slice(&body).unwrap_or_default();
    let done = server.kept().take(&method, uri.path(), body);
    match done {
        Ok(object) => (StatusCode::OK, object.to_string()),
        Err(code) => {
            // An empty reason would be one, too: `StatusReasonUnknown`.
            let reason = if code == 404 { "NotFound" } else { "Conflict" };
            let status = json!({ "kind": "Status", "code": code, "message": "no", "reason": reason });
            (StatusCode::from_u16(code).unwrap(), status.to_string())
        }
    }
}

impl Kept {
    fn take(&mut self, method: &Method, path: &str, body: Value) -> Result<Value, u16> {
        if path.ends_with("/events") {
            return Ok(json!({ "metadata": {}, "items": [] }));
        }
        if let Some(parent) = path.strip_suffix("/scale") {
            let whole = self.patch(parent, &body)?;
            return Ok(json!({ "metadata": {}, "spec": { "replicas": whole["spec"]["replicas"] } }));
        }
        if let Some(parent) = path.strip_suffix("/status") {
            return self.objects.get(parent).cloned().ok_or(404);
        }
        match *method {
            Method::GET => self.objects.get(path).cloned().ok_or(404),
            Method::POST => {
                let path = format!("{path}/{}", body["metadata"]["name"].as_str().unwrap());
                if self.objects.contains_key(&path) { Err(409) } else { Ok(self.put(path, body)) }
            }
            Method::PUT => {
                self.check(path, &body["metadata"]["resourceVersion"])?;
                Ok(self.put(path.to_owned(), body))
            }
            // Ours is the only apply, and only ever makes.
            Method::PATCH if !self.objects.contains_key(path) => Ok(self.put(path.to_owned(), body)),
            Method::PATCH => self.patch(path, &body),
            Method::DELETE => {
                self.check(path, &body["preconditions"]["resourceVersion"])?;
                self.objects.remove(path).ok_or(404)
            }
            _ => Err(405),
        }
    }

    fn check(&self, path: &str, version: &Value) -> Result<(), u16> {
        let found = self.objects.get(path).ok_or(404_u16)?;
        let same = version.is_null() || found["metadata"]["resourceVersion"] == *version;
        if same { Ok(()) } else { Err(409) }
    }

    fn patch(&mut self, path: &str, patch: &Value) -> Result<Value, u16> {
        self.check(path, &patch["metadata"]["resourceVersion"])?;
        let mut object = self.objects.get(path).cloned().ok_or(404_u16)?;
        let uid = &patch["metadata"]["uid"];
        if !uid.is_null() && object["metadata"]["uid"] != *uid {
            return Err(409);
        }
        merge(&mut object, patch);
        Ok(self.put(path.to_owned(), object))
    }

    fn put(&mut self, path: String, mut object: Value) -> Value {
        self.version += 1;
        let before = self.objects.get(&path);
        let generation = before.map_or(0, |before| before["metadata"]["generation"].as_i64().unwrap());
        let is_new = before.is_none_or(|before| before["spec"] != object["spec"]);
        object["metadata"]["generation"] = json!(generation + i64::from(is_new));
        let made = || json!(format!("uid-{}", self.version));
        object["metadata"]["uid"] = before.map_or_else(made, |before| before["metadata"]["uid"].clone());
        object["metadata"]["resourceVersion"] = json!(self.version.to_string());
        self.objects.insert(path, object.clone());
        object
    }
}

/// Of what it asks for, but for how many pods.
fn hash(object: &Value) -> u64 {
    let mut spec = object["spec"].clone();
    spec.as_object_mut().unwrap().remove("replicas");
    let mut hasher = DefaultHasher::new();
    spec.to_string().hash(&mut hasher);
    hasher.finish()
}

/// RFC 7396.
fn merge(object: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        *object = patch.clone();
        return;
    };
    if !object.is_object() {
        *object = json!({});
    }
    for (key, value) in patch {
        if value.is_null() {
            object.as_object_mut().unwrap().remove(key);
        } else {
            merge(&mut object[key], value);
        }
    }
}

/// What is seen: a copy of the past.
#[derive(Default)]
struct Past {
    workload: Option<Seen>,
    record: Option<SeenRecord>,
    pods: Vec<Pod>,
}

struct Lagging(Arc<Mutex<Past>>);

impl Lagging {
    fn past(&self) -> std::sync::MutexGuard<'_, Past> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Sight for Lagging {
    fn workload(&self, _: &Place) -> Option<Seen> {
        self.past().workload.clone()
    }

    fn pods(&self, _: &Place) -> Vec<Pod> {
        self.past().pods.clone()
    }

    fn record(&self, _: &Place) -> Option<SeenRecord> {
        self.past().record.clone()
    }

    fn port(&self, _: &App, _: &Pod) -> Option<u16> {
        Some(8080)
    }

    fn owners(&self, _: &Place) -> Vec<OwnerReference> {
        Vec::new()
    }
}

/// A platform on the toy, with one app `app`.
pub(crate) struct Toy {
    pub(crate) platform: KubernetesPlatform,
    pub(crate) app: Arc<App>,
    server: Server,
    past: Arc<Mutex<Past>>,
    changes: Arc<Changes>,
    reports: mpsc::UnboundedReceiver<Report>,
}

const WORKLOAD: &str = "/apis/apps/v1/namespaces/n/deployments/app";
const RECORD: &str = "/apis/edge.loco.io/v1alpha1/namespaces/n/sleeprecords/deployment-app";

impl Toy {
    /// The app is deployed with so many replicas, and known.
    pub(crate) async fn with(replicas: i32) -> Self {
        let mut toy = Self::of(an_app("n", WorkloadKind::Deployment, "app")).await;
        toy.deploy(workload(WorkloadKind::Deployment, "app", replicas, pod(json!({}))));
        toy.see();
        toy.platform.know(vec![Arc::clone(&toy.app)]);
        toy.hears(|report| matches!(report, Report::Stands { .. }).then_some(())).await;
        toy
    }

    /// Nothing is there.
    pub(crate) async fn of(app: App) -> Self {
        let server = Server::default();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().fallback(answer).with_state(server.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        let mut config = Config::new(url.parse().unwrap());
        config.default_retry = false;
        let client = Client::try_from(config).unwrap();
        let (past, changes) = (Arc::new(Mutex::new(Past::default())), Arc::new(Changes::default()));
        let view = View {
            sight: Arc::new(Lagging(Arc::clone(&past))),
            changes: Arc::clone(&changes),
            room: Arc::default(),
        };
        let (tell, reports) = mpsc::unbounded_channel();
        let platform = KubernetesPlatform::new(client, view, Access::default(), Settings::default(), 1, tell);
        Self { platform, app: Arc::new(app), server, past, changes, reports }
    }

    /// Somebody applies this.
    pub(crate) fn deploy(&mut self, object: Value) {
        self.server.kept().put(WORKLOAD.to_owned(), object);
    }

    /// The workload as it is.
    pub(crate) fn workload(&self) -> Option<Value> {
        self.server.kept().objects.get(WORKLOAD).cloned()
    }

    /// The watches catch up.
    pub(crate) fn see(&self) {
        let kept = self.server.kept();
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let workload = kept.objects.get(WORKLOAD).map(|object| Seen {
            uid: text(&object["metadata"]["uid"]),
            generation: object["metadata"]["generation"].as_i64().unwrap(),
            replicas: i32::try_from(object["spec"]["replicas"].as_i64().unwrap()).unwrap(),
            version: hash(object),
            leaving: false,
            pull_secrets: Vec::new(),
        });
        let record = kept.objects.get(RECORD);
        let record =
            record.map(|object| SeenRecord { uid: text(&object["metadata"]["uid"]), leaving: false });
        drop(kept);
        self.change(|past| (past.workload, past.record) = (workload, record));
    }

    /// These are its pods: each with the last part of its address, and whether it is ready.
    pub(crate) fn pods(&self, pods: &[(u8, bool)]) {
        let pods = pods.iter().map(|(last, ready)| Pod {
            name: format!("app-{last}"),
            uid: format!("pod-{last}"),
            phase: PodPhase::Running,
            ip: Some([10, 0, 0, *last].into()),
            ready: *ready,
            scheduled: Scheduled::Yes,
            ..Pod::default()
        });
        let pods = pods.collect();
        self.change(|past| past.pods = pods);
    }

    fn change(&self, change: impl FnOnce(&mut Past)) {
        change(&mut self.past.lock().unwrap_or_else(PoisonError::into_inner));
        self.changes.mark(Place::of(&self.app).unwrap());
    }

    /// Until this is so; the server has no bell.
    pub(crate) async fn until(&self, is_so: impl Fn(&Self) -> bool) {
        let asked = async {
            while !is_so(self) {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        timeout(LONG, asked).await.unwrap();
    }

    /// Until the workload is there, with replicas.
    pub(crate) async fn made_again(&self) {
        let runs = |object: serde_json::Value| object["spec"]["replicas"].as_i64() > Some(0);
        self.until(|toy| toy.workload().is_some_and(runs)).await;
    }

    /// Says this, and stops the next such request when it arrives; it goes on when what this returns is used or dropped.
    pub(crate) async fn stopped(
        &mut self,
        command: Command,
        method: Method,
        ends: &'static str,
    ) -> oneshot::Sender<()> {
        let (arrived, arrives) = oneshot::channel();
        self.server.kept().gate = Some(Gate { method, ends, arrived });
        self.platform.submit(command);
        let Ok(arrived) = timeout(LONG, arrives).await else {
            let told: Vec<_> = std::iter::from_fn(|| self.reports.try_recv().ok()).collect();
            panic!("no such request; only told {told:#?}");
        };
        arrived.unwrap()
    }

    pub(crate) fn start(&mut self, instance: u64) {
        let app = Arc::clone(&self.app);
        self.platform.submit(Command::Start { app, instance: Instance(instance) });
    }

    pub(crate) fn adopt(&mut self, instance: u64) {
        let app = Arc::clone(&self.app);
        self.platform.submit(Command::Adopt { app, instance: Instance(instance) });
    }

    /// The next event of an instance that is one of those.
    pub(crate) async fn happens<T>(&mut self, instance: u64, pick: impl Fn(&Event) -> Option<T>) -> T {
        self.hears(|report| match report {
            Report::Happened { instance: of, event, .. } if *of == Instance(instance) => pick(event),
            Report::Happened { .. } | Report::Stands { .. } | Report::Noted { .. } => None,
        })
        .await
    }

    pub(crate) async fn stands(&mut self) -> Standing {
        self.hears(|report| match report {
            Report::Stands { standing, .. } => Some(standing.clone()),
            Report::Happened { .. } | Report::Noted { .. } => None,
        })
        .await
    }

    pub(crate) async fn hears<T>(&mut self, pick: impl Fn(&Report) -> Option<T>) -> T {
        let mut said = Vec::new();
        loop {
            let Ok(report) = timeout(LONG, self.reports.recv()).await else { panic!("only heard {said:#?}") };
            let report = report.unwrap();
            if let Some(picked) = pick(&report) {
                return picked;
            }
            said.push(report);
        }
    }
}

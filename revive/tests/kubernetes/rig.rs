//! A platform in a namespace of its own, that is gone afterwards.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::{Duration, Instant};

use config::link::{Depth, Instance};
use config::model::{
    After, App, AppId, AppName, Check, Health, HostPattern, Label, Passersby, PathPrefix, Protocol,
    RouteMatch, Service, SleepPolicy, Source, Tenant, WakeMode, WakePolicy, Workload, WorkloadKind,
};
use k8s_openapi::apiextensions_apiserver::pkg::apis::apiextensions::v1::CustomResourceDefinition;
use kube::api::{Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams};
use kube::{Client, CustomResourceExt};
use revive::kubernetes;
use revive::kubernetes::crd::{self, SleepRecord};
use revive::platform::kubernetes::indexed::{Indexed, follow};
use revive::platform::kubernetes::sight::Changes;
use revive::platform::kubernetes::{Access, KubernetesPlatform, Place, Settings, View};
use revive::platform::{Command, Event, Platform, Report, Rest, Standing};
use serde_json::{Value, json};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::timeout;

/// Longer than anything here takes on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

/// A platform, and what it has said.
pub(crate) struct Rig {
    pub(crate) client: Client,
    pub(crate) namespace: String,
    pub(crate) platform: KubernetesPlatform,
    view: View,
    reports: mpsc::UnboundedReceiver<Report>,
    said: VecDeque<Report>,
    instances: u64,
    _watched: kubernetes::Watched,
    _tasks: JoinSet<()>,
}

impl Rig {
    pub(crate) async fn new(name: &str) -> Option<Self> {
        Self::with(name, Settings::default()).await
    }

    /// `None`, and a line that says so, where there is no cluster.
    pub(crate) async fn with(name: &str, settings: Settings) -> Option<Self> {
        if std::env::var_os("KUBECONFIG").is_none() {
            println!("skipped: {name}: KUBECONFIG names no cluster");
            return None;
        }
        let client = Client::try_default().await.unwrap();
        define(&client).await;
        let namespace = format!("platform-{}-{}", name.replace('_', "-"), std::process::id());
        let namespace: String =
            namespace.chars().take(63).collect::<String>().trim_end_matches('-').to_owned();
        apply_all(
            &client,
            &namespace,
            json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": namespace } }),
        )
        .await;
        let changes = Arc::new(Changes::default());
        let of_cluster = kubernetes::Settings::new("acme", "local", "dev").unwrap();
        let mut watched = kubernetes::start(&client, Arc::new(of_cluster));
        timeout(LONG, watched.compiled.wait_for(Option::is_some)).await.unwrap().unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(follow(watched.view.clone(), Arc::clone(&changes)));
        let sight = Arc::new(Indexed::new(watched.view.clone(), watched.compiled.clone()));
        let view = View { sight, changes, room: Arc::default() };
        let (platform, reports) = platform(&client, &view, settings, 1);
        Some(Self {
            client,
            namespace,
            platform,
            view,
            reports,
            said: VecDeque::new(),
            instances: 0,
            _watched: watched,
            _tasks: tasks,
        })
    }

    /// Another leader, of this epoch, who knows nothing but the cluster.
    pub(crate) fn next_leader(&mut self, epoch: i64) {
        (self.platform, self.reports) = platform(&self.client, &self.view, Settings::default(), epoch);
        self.said.clear();
    }

    pub(crate) async fn end(self) {
        let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(self.client.clone());
        // Records with a finalizer would keep the namespace.
        let records: Api<SleepRecord> = Api::namespaced(self.client.clone(), &self.namespace);
        for record in records.list(&Default::default()).await.unwrap() {
            let patch = Patch::Merge(json!({ "metadata": { "finalizers": null } }));
            let name = record.metadata.name.unwrap();
            let _ = records.patch(&name, &PatchParams::default(), &patch).await;
        }
        api.delete(&self.namespace, &DeleteParams::default()).await.unwrap();
    }

    /// A Deployment or StatefulSet with a Service, as its owner applies it.
    pub(crate) async fn deploy(&self, kind: WorkloadKind, name: &str, pod: Value) {
        self.apply("owner", service(name)).await;
        self.apply("owner", workload(kind, name, 1, pod)).await;
    }

    /// `kubectl apply --server-side`, by this manager; no conflict is overridden.
    pub(crate) async fn apply(&self, manager: &str, object: Value) {
        self.try_apply(manager, object).await.unwrap();
    }

    pub(crate) async fn try_apply(&self, manager: &str, object: Value) -> kube::Result<DynamicObject> {
        let api = self.objects(&object);
        let name = object["metadata"]["name"].as_str().unwrap().to_owned();
        api.patch(&name, &PatchParams::apply(manager), &Patch::Apply(object)).await
    }

    fn objects(&self, object: &Value) -> Api<DynamicObject> {
        let kind = object["kind"].as_str().unwrap();
        let version = object["apiVersion"].as_str().unwrap();
        let (group, version) = version.split_once('/').unwrap_or(("", version));
        let resource = ApiResource::from_gvk(&kube::api::GroupVersionKind::gvk(group, version, kind));
        Api::namespaced_with(self.client.clone(), &self.namespace, &resource)
    }

    pub(crate) fn workloads(&self, kind: WorkloadKind) -> Api<DynamicObject> {
        self.objects(&json!({ "apiVersion": "apps/v1", "kind": kind.as_str() }))
    }

    pub(crate) async fn workload(&self, kind: WorkloadKind, name: &str) -> Option<Value> {
        let found = self.workloads(kind).get_opt(name).await.unwrap();
        found.map(|object| serde_json::to_value(object).unwrap())
    }

    pub(crate) async fn delete(&self, kind: WorkloadKind, name: &str) {
        self.workloads(kind).delete(name, &DeleteParams::background()).await.unwrap();
    }

    pub(crate) fn records(&self) -> Api<SleepRecord> {
        Api::namespaced(self.client.clone(), &self.namespace)
    }

    pub(crate) async fn record(&self, app: &App) -> Option<SleepRecord> {
        self.records().get_opt(&Place::of(app).unwrap().record()).await.unwrap()
    }

    pub(crate) fn app(&self, kind: WorkloadKind, name: &str) -> Arc<App> {
        Arc::new(an_app(&self.namespace, kind, name))
    }

    fn instance(&mut self) -> Instance {
        self.instances += 1;
        Instance(self.instances)
    }

    pub(crate) fn start(&mut self, app: &Arc<App>) -> Instance {
        let instance = self.instance();
        self.platform.submit(Command::Start { app: Arc::clone(app), instance });
        instance
    }

    pub(crate) fn adopt(&mut self, app: &Arc<App>) -> Instance {
        let instance = self.instance();
        self.platform.submit(Command::Adopt { app: Arc::clone(app), instance });
        instance
    }

    /// From what runs to what sleeps.
    pub(crate) async fn put_to_sleep(&mut self, instance: Instance, depth: Depth) {
        self.platform.submit(Command::Stop { instance, depth });
        self.happens(instance, |event| matches!(event, Event::Exited(_)).then_some(())).await;
    }

    /// Deploys an app, and takes it over once it takes requests.
    pub(crate) async fn running(&mut self, kind: WorkloadKind, name: &str) -> (Arc<App>, Instance) {
        self.deploy(kind, name, pod(json!({}))).await;
        let app = self.app(kind, name);
        let place = Place::of(&app).unwrap();
        self.until("the workload is seen", |view| view.sight.workload(&place).is_some()).await;
        self.platform.know(vec![Arc::clone(&app)]);
        self.stands_up(&app).await;
        let instance = self.adopt(&app);
        self.ready(instance).await;
        (app, instance)
    }

    /// Looks again whenever something of the namespace may have changed: what is watched has no other bell here.
    pub(crate) async fn until(&self, what: &str, is_so: impl Fn(&View) -> bool) {
        let begun = Instant::now();
        while !is_so(&self.view) {
            assert!(begun.elapsed() < LONG, "waited too long until {what}");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    pub(crate) async fn is_put_down(&mut self, instance: Instance, rest: Rest) {
        self.happens(instance, |event| (*event == Event::PutDown(rest)).then_some(())).await;
    }

    pub(crate) async fn ready(&mut self, instance: Instance) {
        let ready = |event: &Event| matches!(event, Event::Endpoints(at) if !at.is_empty()).then_some(());
        self.happens(instance, ready).await;
    }

    pub(crate) async fn happens<T>(&mut self, instance: Instance, pick: impl Fn(&Event) -> Option<T>) -> T {
        let pick = |report: &Report| match report {
            Report::Happened { instance: of, event, .. } if *of == instance => pick(event),
            Report::Happened { .. } | Report::Stands { .. } | Report::Noted { .. } => None,
        };
        self.hears("an event", pick).await
    }

    pub(crate) async fn stands(&mut self, app: &Arc<App>, wanted: &Standing) {
        let id = app.id.clone();
        let pick = |report: &Report| {
            let Report::Stands { app, standing } = report else { return None };
            (*app == id && standing == wanted).then_some(())
        };
        self.hears(&format!("that it stands {wanted:?}"), pick).await;
    }

    pub(crate) async fn stands_up(&mut self, app: &Arc<App>) {
        let id = app.id.clone();
        let pick = |report: &Report| match report {
            Report::Stands { app, standing: Standing::Up { .. } } => (*app == id).then_some(()),
            Report::Stands { .. } | Report::Happened { .. } | Report::Noted { .. } => None,
        };
        self.hears("that it stands up", pick).await;
    }

    /// Waits for a report; those before it are passed over.
    pub(crate) async fn hears<T>(&mut self, what: &str, pick: impl Fn(&Report) -> Option<T>) -> T {
        let begun = Instant::now();
        loop {
            let left = LONG.saturating_sub(begun.elapsed());
            let Ok(Some(report)) = timeout(left, self.reports.recv()).await else {
                panic!("waited in vain for {what}; heard {:#?}", self.said);
            };
            let picked = pick(&report);
            self.said.push_back(report);
            if let Some(picked) = picked {
                return picked;
            }
        }
    }

    /// What was reported so far.
    pub(crate) fn said(&mut self) -> &VecDeque<Report> {
        while let Ok(report) = self.reports.try_recv() {
            self.said.push_back(report);
        }
        &self.said
    }
}

fn platform(
    client: &Client,
    view: &View,
    settings: Settings,
    epoch: i64,
) -> (KubernetesPlatform, mpsc::UnboundedReceiver<Report>) {
    let (reports, received) = mpsc::unbounded_channel();
    (
        KubernetesPlatform::new(client.clone(), view.clone(), Access::default(), settings, epoch, reports),
        received,
    )
}

/// Waits until the definition is served, too.
async fn define(client: &Client) {
    let api: Api<CustomResourceDefinition> = Api::all(client.clone());
    let name = SleepRecord::crd_name();
    let definition = crd::stripped(&SleepRecord::crd()).unwrap();
    api.patch(name, &PatchParams::apply("loco-edge-tests").force(), &Patch::Apply(definition)).await.unwrap();
    let is_served = kube::runtime::conditions::is_crd_established();
    timeout(LONG, kube::runtime::wait::await_condition(api, name, is_served)).await.unwrap().unwrap();
}

async fn apply_all(client: &Client, name: &str, object: Value) {
    let api: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
    api.patch(name, &PatchParams::apply("loco-edge-tests").force(), &Patch::Apply(object)).await.unwrap();
}

pub(crate) fn service(name: &str) -> Value {
    json!({
        "apiVersion": "v1", "kind": "Service", "metadata": { "name": name },
        "spec": { "selector": { "app": name }, "ports": [{ "port": 80, "targetPort": 8080 }] },
    })
}

pub(crate) fn workload(kind: WorkloadKind, name: &str, replicas: i32, pod: Value) -> Value {
    let mut object = json!({
        "apiVersion": "apps/v1", "kind": kind.as_str(), "metadata": { "name": name, "labels": { "by": "owner" } },
        "spec": {
            "replicas": replicas,
            "selector": { "matchLabels": { "app": name } },
            "template": { "metadata": { "labels": { "app": name } }, "spec": pod },
        },
    });
    if kind == WorkloadKind::StatefulSet {
        object["spec"]["serviceName"] = json!(name);
    }
    object
}

/// The spec of a pod with the test app, and with what `container` says of it.
pub(crate) fn pod(container: Value) -> Value {
    let mut app = json!({
        "name": "app", "image": "loco.test/app:v1", "imagePullPolicy": "IfNotPresent",
        "ports": [{ "containerPort": 8080 }],
        "readinessProbe": { "httpGet": { "path": "/readyz", "port": 8080 }, "periodSeconds": 1 },
    });
    for (key, value) in container.as_object().unwrap() {
        app[key] = value.clone();
    }
    json!({ "automountServiceAccountToken": false, "terminationGracePeriodSeconds": 1, "containers": [app] })
}

pub(crate) fn an_app(namespace: &str, kind: WorkloadKind, name: &str) -> App {
    let label = |text| Label::parse(text).unwrap();
    let own = AppName::parse(name).unwrap();
    let host = HostPattern::parse(&format!("{name}.localhost")).unwrap();
    App {
        id: AppId::from_name(&own),
        name: own,
        tenant: Tenant {
            org: label("acme"),
            workspace: label("shop"),
            region: label("local"),
            environment: label("dev"),
        },
        routes: vec![RouteMatch { host, path: PathPrefix::parse("/").unwrap() }],
        source: Source::Service(Service {
            namespace: namespace.into(),
            name: name.into(),
            cluster: None,
            workload: Some(Workload { kind, name: name.into() }),
        }),
        protocol: Protocol::default(),
        health: Health { check: Check::Tcp, timeout: Duration::from_secs(1), grace: Duration::from_secs(30) },
        sleep: SleepPolicy { idle_after: After::Never, remove_after: After::Never },
        wake: WakePolicy {
            mode: WakeMode::Auto,
            page_after: Duration::from_secs(2),
            hold_timeout: Duration::from_secs(30),
            max_held: 10,
            passersby: Passersby::default(),
        },
        response_timeout: Duration::from_secs(30),
    }
}

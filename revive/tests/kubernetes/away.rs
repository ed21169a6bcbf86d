//! The API server away, refusing, or slow: one that is made here, because the cluster's is needed by others.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse, Response};
use config::link::Failure;
use config::model::WorkloadKind::Deployment;
use kube::{Client, Config};
use revive::platform::kubernetes::sight::{Seen, SeenRecord, Sight};
use revive::platform::kubernetes::{Access, KubernetesPlatform, Place, Renewal, Settings, View};
use revive::platform::{Command, Event, Platform as _, Report};
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::rig::an_app;

const LONG: Duration = Duration::from_secs(30);

/// A Deployment that sleeps lightly, pulls with these secrets, and nothing else.
struct Asleep(Vec<String>);

impl Sight for Asleep {
    fn workload(&self, _: &Place) -> Option<Seen> {
        Some(Seen {
            uid: "u".into(),
            generation: 2,
            replicas: 0,
            version: 0,
            leaving: false,
            pull_secrets: self.0.clone(),
        })
    }

    fn pods(&self, _: &Place) -> Vec<revive::platform::kubernetes::pod::Pod> {
        Vec::new()
    }

    fn record(&self, _: &Place) -> Option<SeenRecord> {
        Some(SeenRecord { uid: "r".into(), leaving: false })
    }

    fn port(&self, _: &config::model::App, _: &revive::platform::kubernetes::pod::Pod) -> Option<u16> {
        Some(8080)
    }

    fn owners(&self, _: &Place) -> Vec<k8s_openapi::apimachinery::pkg::apis::meta::v1::OwnerReference> {
        Vec::new()
    }
}

/// What was asked, and how scaling is answered: the first so many times badly.
#[derive(Clone)]
struct Server {
    asked: mpsc::UnboundedSender<(Instant, String)>,
    bad: Arc<Mutex<Vec<(StatusCode, &'static str)>>>,
    /// When the pull secret expires, and when it does after the hook was called.
    expiry: Arc<Mutex<(&'static str, &'static str)>>,
}

async fn answer(State(server): State<Server>, method: Method, uri: Uri, _: Bytes) -> Response {
    server.asked.send((Instant::now(), format!("{method} {}", uri.path()))).unwrap();
    if uri.path().ends_with("/scale")
        && let Some((code, message)) = server.bad.lock().unwrap().pop()
    {
        let status = json!({ "kind": "Status", "status": "Failure", "code": code.as_u16(), "message": message, "reason": "" });
        return (code, status.to_string()).into_response();
    }
    if uri.path() == "/renew" {
        let mut expiry = server.expiry.lock().unwrap();
        expiry.0 = expiry.1;
        return StatusCode::NO_CONTENT.into_response();
    }
    if uri.path() == "/api/v1/namespaces/n/secrets/pull" {
        let expiry = server.expiry.lock().unwrap().0;
        let secret = json!({
            "apiVersion": "meta.k8s.io/v1", "kind": "PartialObjectMetadata",
            "metadata": { "name": "pull", "annotations": { "tokenExpiry": expiry } },
        });
        return secret.to_string().into_response();
    }
    if uri.path().ends_with("/scale") {
        return json!({ "metadata": {}, "spec": { "replicas": 2 } }).to_string().into_response();
    }
    if uri.path().ends_with("/deployment-away") && method == Method::GET {
        let workload = json!({ "apiVersion": "apps/v1", "kind": "Deployment", "name": "away", "uid": "u" });
        let spec = json!({ "workload": workload, "rest": "Light", "replicas": 2, "epoch": 1 });
        let record = json!({
            "apiVersion": "edge.loco.io/v1alpha1", "kind": "SleepRecord",
            "metadata": { "name": "deployment-away", "resourceVersion": "5" }, "spec": spec,
        });
        return record.to_string().into_response();
    }
    if uri.path().ends_with("/deployments/away") && method == Method::GET {
        let object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": { "name": "away", "uid": "u", "resourceVersion": "7", "generation": 2 },
            "spec": { "replicas": 0 },
        });
        return object.to_string().into_response();
    }
    (
        StatusCode::NOT_FOUND,
        json!({ "kind": "Status", "code": 404, "message": "none", "reason": "NotFound" }).to_string(),
    )
        .into_response()
}

struct Away {
    platform: KubernetesPlatform,
    reports: mpsc::UnboundedReceiver<Report>,
    asked: mpsc::UnboundedReceiver<(Instant, String)>,
}

async fn away(bad: Vec<(StatusCode, &'static str)>) -> Away {
    with_secret(bad, Vec::new(), NEVER).await
}

/// Long over.
const OVER: &str = "2020-01-01T00:00:00Z";
/// Good for as long as this is tested.
const NEVER: &str = "2999-01-01T00:00:00Z";

/// Its pull secrets have expired, and after a call of the hook are good until `renewed`.
async fn with_secret(
    bad: Vec<(StatusCode, &'static str)>,
    secrets: Vec<String>,
    renewed: &'static str,
) -> Away {
    let (asked, received) = mpsc::unbounded_channel();
    let server =
        Server { asked, bad: Arc::new(Mutex::new(bad)), expiry: Arc::new(Mutex::new((OVER, renewed))) };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let router = Router::new().fallback(answer).with_state(server);
    tokio::spawn(async move { axum::serve(listener, router).await });
    let mut config = Config::new(url.parse().unwrap());
    config.default_retry = false;
    let client = Client::try_from(config).unwrap();
    let (tell, reports) = mpsc::unbounded_channel();
    let view = View { sight: Arc::new(Asleep(secrets)), changes: Arc::default(), room: Arc::default() };
    let renewal = Renewal { url: format!("{url}/renew").parse().unwrap(), deadline: Duration::from_secs(1) };
    let settings = Settings { renewal: Some(renewal), ..Settings::default() };
    let platform = KubernetesPlatform::new(client, view, Access::default(), settings, 1, tell);
    Away { platform, reports, asked: received }
}

impl Away {
    async fn event(&mut self, wanted: &Event) {
        let told = async {
            loop {
                match self.reports.recv().await.unwrap() {
                    Report::Happened { event, .. } if event == *wanted => return,
                    Report::Happened { .. } | Report::Stands { .. } | Report::Noted { .. } => {}
                }
            }
        };
        timeout(LONG, told).await.unwrap();
    }

    /// When this was asked, and what was since the last time, but for what is told to people beside.
    async fn asks(&mut self, wanted: &str) -> (Instant, Vec<String>) {
        let mut before = Vec::new();
        let asked = async {
            loop {
                let (at, request) = self.asked.recv().await.unwrap();
                if request.ends_with(wanted) {
                    return at;
                }
                let beside = ["/events", "/status"].iter().any(|end| request.ends_with(end));
                if !beside {
                    before.push(request);
                }
            }
        };
        let at = timeout(LONG, asked).await.unwrap();
        (at, before)
    }
}

/// Waits until how the app stands is known.
async fn known(away: &mut Away) -> Arc<config::model::App> {
    let app = Arc::new(an_app("n", Deployment, "away"));
    away.platform.know(vec![Arc::clone(&app)]);
    loop {
        match timeout(LONG, away.reports.recv()).await.unwrap().unwrap() {
            Report::Stands { .. } => return app,
            Report::Happened { .. } | Report::Noted { .. } => {}
        }
    }
}

#[tokio::test]
async fn a_wake_is_one_request_and_nothing_is_asked_before_it() {
    let mut away = away(Vec::new()).await;
    let app = known(&mut away).await;
    while away.asked.try_recv().is_ok() {}
    let begun = Instant::now();
    away.platform.submit(Command::Start { app, instance: config::link::Instance(1) });
    let (at, before) = away.asks("/apis/apps/v1/namespaces/n/deployments/away/scale").await;
    println!("command to PATCH at the API server: {:?}", at - begun);
    assert_eq!(before, Vec::<String>::new());
}

#[tokio::test]
async fn a_server_that_is_away_is_said_to_be_and_asked_again() {
    let busy = (StatusCode::SERVICE_UNAVAILABLE, "not now");
    let mut away = away(vec![busy, busy, busy]).await;
    let app = known(&mut away).await;
    away.platform.submit(Command::Start { app, instance: config::link::Instance(1) });
    away.event(&Event::Ails(Failure::PlatformDown)).await;
    for _ in 0..4 {
        away.asks("/scale").await;
    }
}

#[tokio::test]
async fn a_refusal_is_told_at_once_with_its_type() {
    for (message, failure) in [
        ("deployments.apps \"away\" is forbidden: exceeded quota: q", Failure::Quota),
        ("admission webhook \"w\" denied the request: no", Failure::Denied),
    ] {
        let mut away = away(vec![(StatusCode::FORBIDDEN, message)]).await;
        let app = known(&mut away).await;
        away.platform.submit(Command::Start { app, instance: config::link::Instance(1) });
        away.event(&Event::NotCreated(failure)).await;
    }
}

#[tokio::test]
async fn an_expired_pull_secret_is_renewed_before_the_wake() {
    let mut away = with_secret(Vec::new(), vec!["pull".to_owned()], NEVER).await;
    let app = known(&mut away).await;
    while away.asked.try_recv().is_ok() {}
    away.platform.submit(Command::Start { app, instance: config::link::Instance(1) });
    let secret = "GET /api/v1/namespaces/n/secrets/pull";
    let (_, before) = away.asks("/scale").await;
    assert_eq!(before, [secret, "POST /renew", secret]);
}

#[tokio::test]
async fn a_pull_secret_that_nobody_renews_is_told_within_the_deadline() {
    let mut away = with_secret(Vec::new(), vec!["pull".to_owned()], OVER).await;
    let app = known(&mut away).await;
    away.platform.submit(Command::Start { app, instance: config::link::Instance(1) });
    away.event(&Event::NotCreated(Failure::ImagePull)).await;
    assert!(away.asks("/renew").await.1.iter().all(|request| !request.ends_with("/scale")));
}

//! What others do to apps that sleep: deploy, delete, put back, depend on one another.
#![allow(clippy::print_stdout, reason = "what was seen is shown with the test")]

use std::time::{Duration, Instant};

use crate::apps::App;
use crate::client::{PATIENCE, Request, eventually};
use crate::cluster::{Namespace, is_there, run};
use crate::edge::Edge;
use crate::sleeping::{DEEP, LIGHT, TO_SLEEP, app, deployed, until_deep, until_light};

/// Long enough for an app to fall asleep several times that stays awake because something keeps it so.
const STAYS: Duration = Duration::from_secs(15);

fn get(app: &App) -> Request {
    Request::new("GET", &app.host(), "/")
}

/// All that belongs to an app of that name, as its owner deletes it. What is gone already is no mistake.
async fn delete(here: &Namespace, name: &str) {
    let kinds = ["httproute", "service", "sleeppolicy", "deployment"].map(|kind| format!("{kind}/{name}"));
    let mut words = vec!["delete", "--ignore-not-found", "--wait=false"];
    words.extend(kinds.iter().map(String::as_str));
    here.kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
}

async fn until_nothing_is_left(here: &Namespace) {
    eventually(TO_SLEEP, "nothing is left", async || {
        let left = here.kubectl(&["get", "sleeprecords,deployments,replicasets,pods", "-o", "name"]).await?;
        if left.trim().is_empty() { Ok(()) } else { Err(left) }
    })
    .await;
}

async fn replicas(here: &Namespace, app: &App) -> Option<u64> {
    let (kind, name) = app.workload();
    here.object(kind, name).await.and_then(|workload| workload["spec"]["replicas"].as_u64())
}

#[tokio::test]
async fn an_app_wakes_those_that_it_needs() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("group").await);
    let front = App::new("front", edge.gateway())
        .sleeping("idleAfter: 1s\n  wakeWith: [{ kind: Deployment, name: back }]");
    let back = app(&edge, "back", DEEP);
    deployed(&edge, &here, &back).await;
    deployed(&edge, &here, &front).await;
    until_light(&here, &front).await;
    until_deep(&here, &back).await;
    let asked = Instant::now();
    let answer = edge.ask(&get(&front)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    eventually(PATIENCE, "what it needs is up", async || match replicas(&here, &back).await {
        Some(1) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    println!("the other was there {:?} after the request", asked.elapsed());
}

#[tokio::test]
async fn who_deploys_what_sleeps_lightly_wakes_the_new_version() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("anew").await);
    let first = app(&edge, "anew", LIGHT).variable("BODY", "first");
    deployed(&edge, &here, &first).await;
    until_light(&here, &first).await;
    let second = app(&edge, "anew", LIGHT).variable("BODY", "second");
    here.must_apply(&second.workload_yaml()).await;
    // Nobody asks: it is up because it was deployed.
    eventually(PATIENCE, "it runs", async || match replicas(&here, &second).await {
        Some(1) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    assert_eq!(edge.ask(&get(&first)).await.text(), "second");
}

#[tokio::test]
async fn nothing_is_left_of_an_app_that_is_deleted_on_its_way_down() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("down").await);
    let app = app(&edge, "down", LIGHT).variable("DRAIN", "4");
    deployed(&edge, &here, &app).await;
    eventually(TO_SLEEP, "no replicas are wanted", async || match replicas(&here, &app).await {
        Some(0) => Ok(()),
        other => Err(format!("{other:?}")),
    })
    .await;
    delete(&here, "down").await;
    edge.until_gone(&app.host()).await;
    until_nothing_is_left(&here).await;
}

#[tokio::test]
async fn nothing_is_left_of_an_app_that_is_deleted_on_its_way_up() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("up").await);
    let app = app(&edge, "up", DEEP).variable("START_DELAY", "8");
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let request = get(&app);
    let held = async {
        let answer = edge.ask(&request).await;
        (answer, Instant::now())
    };
    let deleting = async {
        eventually(PATIENCE, "it is there again", async || match replicas(&here, &app).await {
            Some(1) => Ok(()),
            other => Err(format!("{other:?}")),
        })
        .await;
        let deleted = Instant::now();
        delete(&here, "up").await;
        deleted
    };
    let ((answer, answered), deleted) = tokio::join!(held, deleting);
    println!("who was held was told {:?} after the deletion", answered.saturating_duration_since(deleted));
    // Each kind has a watch of its own: the end of its Service may be heard before that of its route.
    match answer.status {
        503 => answer.assert_refused(503, "no-endpoints"),
        _ => answer.assert_refused(404, "unknown-host"),
    }
    edge.until_gone(&app.host()).await;
    assert!(answered.saturating_duration_since(deleted) < Duration::from_secs(5));
    until_nothing_is_left(&here).await;
}

/// Who manages which fields, but for those of the status.
async fn managers(here: &Namespace, name: &str) -> Result<Vec<(String, String, String)>, String> {
    let words = ["get", "deployment", name, "--show-managed-fields", "-o", "json"];
    let object = here.kubectl(&words).await?;
    let object: serde_json::Value = serde_json::from_str(&object).expect("JSON");
    let managers = object["metadata"]["managedFields"].as_array().cloned().unwrap_or_default();
    let managers = managers.iter().filter(|manager| manager["subresource"] != "status");
    let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
    let mut said: Vec<_> = managers
        .map(|manager| {
            (text(&manager["manager"]), text(&manager["operation"]), manager["fieldsV1"].to_string())
        })
        .collect();
    said.sort_unstable();
    Ok(said)
}

#[tokio::test]
async fn who_managed_a_field_manages_it_after_a_deep_sleep() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("managers").await);
    let app = app(&edge, "managers", "{ idleAfter: 4s, removeAfter: 5s }");
    let words = ["apply", "--server-side", "--field-manager=other", "--namespace", here.name(), "-f", "-"];
    let apply = async |yaml: &str| run("kubectl", &words, yaml, PATIENCE).await;
    apply(&app.yaml()).await.unwrap_or_else(|error| panic!("{error}"));
    edge.until_served(&app.host()).await;
    let before = managers(&here, "managers").await.unwrap_or_else(|error| panic!("{error}"));
    until_deep(&here, &app).await;
    // It shall not sleep again while we look: light sleep takes the replicas from whoever manages them.
    let long = r#"{"spec":{"idleAfter":"1h"}}"#;
    let patched = here.kubectl(&["patch", "sleeppolicy", "managers", "--type=merge", "--patch", long]).await;
    patched.unwrap_or_else(|error| panic!("{error}"));
    assert_eq!(edge.ask(&get(&app)).await.status, 200);
    eventually(PATIENCE, "the managers are the same", async || {
        let now = managers(&here, "managers").await?;
        if now == before { Ok(()) } else { Err(format!("{now:?}\n{before:?}")) }
    })
    .await;
    // Without --force-conflicts: a field that somebody else manages would be one.
    let other =
        app.workload_yaml().replace("terminationGracePeriodSeconds: 5", "terminationGracePeriodSeconds: 6");
    apply(&other).await.unwrap_or_else(|error| panic!("{error}"));
}

/// As a GitOps controller does it: again and again, whatever is there.
#[tokio::test]
async fn what_is_put_back_unchanged_is_let_be_in_the_end() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::on_host().await, Namespace::new("gitops").await);
    let app = app(&edge, "gitops", DEEP);
    deployed(&edge, &here, &app).await;
    let (mut since, mut put_back, mut asked, mut lost) = (Instant::now(), 0, 0, 0);
    let begun = Instant::now();
    while since.elapsed() < STAYS {
        assert!(begun.elapsed() < TO_SLEEP, "it sleeps again and again: put back {put_back} times");
        if replicas(&here, &app).await != Some(1) {
            // It may go between kubectl's look and its write: the next round is as good.
            if here.apply(&app.workload_yaml()).await.is_err() {
                continue;
            }
            put_back += 1;
            since = Instant::now();
            asked += 1;
            lost += usize::from(edge.ask(&get(&app)).await.status != 200);
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    println!("put back {put_back} times, then it stayed; {lost} of {asked} requests lost");
    // Two rounds are enough. A request that comes before the edge has seen what was put back wakes the app itself, so
    // that round says nothing of whoever puts it back.
    assert!((2..=5).contains(&put_back), "put back {put_back} times");
    assert_eq!(lost, 0);
}

/// Who cleans up and does not know what a record is for.
#[tokio::test]
async fn what_a_record_saved_is_there_after_somebody_has_deleted_it() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("tombstone").await);
    let app = app(&edge, "tombstone", DEEP);
    deployed(&edge, &here, &app).await;
    until_deep(&here, &app).await;
    let kubectl = async |words: &[&str]| here.kubectl(words).await.unwrap_or_else(|error| panic!("{error}"));
    kubectl(&["delete", "sleeprecord", "deployment-tombstone"]).await;
    // As docs/kubernetes.md tells it.
    let tombstones = ["get", "sleeprecords", "-l", "edge.loco.io/tombstone=true", "-o"];
    let saved = eventually(PATIENCE, "a tombstone", async || {
        let saved = kubectl(&[&tombstones[..], &["jsonpath={.items[*].spec.saved}"]].concat()).await;
        if saved.is_empty() { Err("none") } else { Ok(saved) }
    })
    .await;
    let answer = edge.ask(&get(&app)).await;
    assert_eq!(answer.status, 503, "nobody can start it: {}", answer.text());
    let created = run("kubectl", &["create", "--namespace", here.name(), "-f", "-"], &saved, PATIENCE).await;
    created.unwrap_or_else(|error| panic!("{error}"));
    edge.until_served(&app.host()).await;
}

/// A volume that is there before it is asked for: not every cluster makes them.
struct Volume(String);

impl Volume {
    async fn new(here: &Namespace) -> Self {
        let name = here.name().to_owned();
        let yaml = format!(
            "
apiVersion: v1
kind: PersistentVolume
metadata: {{ name: {name} }}
spec:
  capacity: {{ storage: 1Mi }}
  accessModes: [ReadWriteOnce]
  storageClassName: {name}
  hostPath: {{ path: /tmp/{name}, type: DirectoryOrCreate }}
"
        );
        let applied = run("kubectl", &["apply", "-f", "-"], &yaml, PATIENCE).await;
        applied.unwrap_or_else(|error| panic!("{error}"));
        Self(name)
    }
}

impl Drop for Volume {
    fn drop(&mut self) {
        let mut kubectl = std::process::Command::new("kubectl");
        drop(
            kubectl
                .args(["delete", "pv", &self.0, "--wait=false"])
                .stdout(std::process::Stdio::null())
                .status(),
        );
    }
}

#[tokio::test]
async fn a_stateful_set_whose_volumes_would_go_is_never_put_to_sleep() {
    if !is_there() {
        return;
    }
    let (edge, here) = (Edge::any().await, Namespace::new("volumes").await);
    let volume = Volume::new(&here).await;
    let app = app(&edge, "volumes", LIGHT).stateful();
    let claims = format!(
        "spec:
  persistentVolumeClaimRetentionPolicy: {{ whenScaled: Delete, whenDeleted: Delete }}
  volumeClaimTemplates: [{{ metadata: {{ name: data }}, spec: {{ accessModes: [ReadWriteOnce], storageClassName: {},
    resources: {{ requests: {{ storage: 1Mi }} }} }} }}]",
        volume.0
    );
    here.must_apply(&app.yaml().replacen("spec:", &claims, 1)).await;
    edge.until_served(&app.host()).await;
    let begun = Instant::now();
    while begun.elapsed() < STAYS {
        assert_eq!(replicas(&here, &app).await, Some(1), "after {:?}", begun.elapsed());
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    eventually(PATIENCE, "its owner is told", async || {
        let said = here.kubectl(&["get", "events", "-o", "jsonpath={.items[*].reason}"]).await?;
        if said.contains("WouldLoseData") { Ok(()) } else { Err(said) }
    })
    .await;
    assert_eq!(edge.ask(&get(&app)).await.status, 200);
}

//! Wakes that cannot be, each a typed answer before anything is made, and healed without a restart.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use crate::apps::App;
use crate::client::{Answer, PATIENCE, Request, eventually};
use crate::cluster::{Namespace, is_there};
use crate::edge::Edge;
use crate::host::Half;
use crate::sleeping::{LIGHT, app, deployed, until_light};

async fn ask(edge: &Edge, app: &App) -> Answer {
    edge.ask(&Request::new("GET", &app.host(), "/")).await
}

/// The answer names the failure; no app here is called after one.
async fn fails(edge: &Edge, app: &App, code: &str) {
    let answer = ask(edge, app).await;
    assert_eq!(answer.status, 503, "{}", answer.text());
    assert!(answer.text().contains(code), "{code}: {}", answer.text());
}

/// The cause is gone: the backoff ends by itself.
async fn until_healed(edge: &Edge, app: &App) {
    eventually(PATIENCE * 3, "it is woken", async || {
        let answer = ask(edge, app).await;
        if answer.status == 200 { Ok(()) } else { Err(format!("{}: {}", answer.status, answer.text())) }
    })
    .await;
}

/// What revive says of room here.
async fn room(edge: &mut Edge, namespace: &str) -> Value {
    let path = format!("/v1/capacity?factor=1&namespace={namespace}");
    edge.halves().tell(Half::Revive, "GET", &path).await.json()
}

#[tokio::test]
async fn a_quota_that_is_used_up_fails_a_wake_before_anything_is_made() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("spent").await);
    let app = app(&edge, "spent", LIGHT);
    deployed(&edge, &here, &app).await;
    until_light(&here, &app).await;
    assert_eq!(room(&mut edge, here.name()).await["fits"], true);
    let (kind, name) = app.workload();
    let before = here.object(kind, name).await.expect("the Deployment")["metadata"]["generation"].clone();
    here.must_apply(
        "{apiVersion: v1, kind: ResourceQuota, metadata: {name: none}, spec: {hard: {pods: '0'}}}",
    )
    .await;
    eventually(PATIENCE, "the quota is seen", async || match room(&mut edge, here.name()).await {
        answer if answer["lacks"]["code"] == "quota" => Ok(()),
        answer => Err(answer.to_string()),
    })
    .await;
    fails(&edge, &app, "quota").await;
    fails(&edge, &app, "quota").await;
    let after = here.object(kind, name).await.expect("the Deployment");
    assert_eq!(
        (&after["metadata"]["generation"], &after["spec"]["replicas"]),
        (&before, &0.into()),
        "nothing was done"
    );
    here.kubectl(&["delete", "resourcequota", "none"]).await.unwrap_or_else(|error| panic!("{error}"));
    until_healed(&edge, &app).await;
}

#[tokio::test]
async fn a_pod_that_no_node_takes_fails_a_wake_before_anything_is_made() {
    if !is_there() {
        return;
    }
    let (mut edge, here) = (Edge::on_host().await, Namespace::new("nowhere").await);
    let app = app(&edge, "nowhere", LIGHT);
    let spec = "automountServiceAccountToken: false";
    let asleep = app.yaml().replace("replicas: 1", "replicas: 0");
    here.must_apply(&asleep.replace(spec, &format!("nodeSelector: {{ disk: nobodys }}\n      {spec}"))).await;
    eventually(PATIENCE, "its route is served", async || match ask(&edge, &app).await {
        answer if answer.status == 503 && answer.text().contains("unschedulable") => Ok(()),
        answer => Err(format!("{}: {}", answer.status, answer.text())),
    })
    .await;
    fails(&edge, &app, "unschedulable").await;
    let (kind, name) = app.workload();
    assert_eq!(
        here.object(kind, name).await.expect("the Deployment")["spec"]["replicas"],
        0,
        "nothing was done"
    );
    let told = edge.halves().tell(Half::Revive, "GET", "/v1/apps").await.json();
    let mine = told["apps"]
        .as_array()
        .expect("apps")
        .iter()
        .find(|one| one["name"].as_str().is_some_and(|name| name.contains("nowhere")));
    let message = mine.expect("the app")["message"].to_string();
    assert!(message.contains("its nodeSelector disk=nobodys"), "{message}");
    let selector = r#"{"spec":{"template":{"spec":{"nodeSelector":null}}}}"#;
    let patched = here.kubectl(&["patch", "deployment", name, "-p", selector]).await;
    patched.unwrap_or_else(|error| panic!("{error}"));
    until_healed(&edge, &app).await;
}

/// What renews pull secrets, once it works: as a platform would, by writing the Secret.
async fn renewer(namespace: Arc<str>, works: Arc<AtomicBool>, listener: TcpListener) {
    while let Ok((mut socket, _)) = listener.accept().await {
        let mut asked = vec![0; 4_096];
        let read = socket.read(&mut asked).await.unwrap_or_default();
        assert!(asked[..read].starts_with(b"POST /renew "), "{}", String::from_utf8_lossy(&asked[..read]));
        let answer: &[u8] = if works.load(Ordering::Relaxed) {
            let words = [
                "annotate",
                "secret",
                "pull",
                "--overwrite",
                "tokenExpiry=2099-01-01T00:00:00Z",
                "--namespace",
                &namespace,
            ];
            crate::cluster::kubectl(&words).await.unwrap_or_else(|error| panic!("{error}"));
            b"HTTP/1.1 204 Renewed\r\n\r\n"
        } else {
            b"HTTP/1.1 503 Not now\r\ncontent-length: 0\r\n\r\n"
        };
        drop(socket.write_all(answer).await);
    }
}

#[tokio::test]
async fn an_expired_pull_secret_is_renewed_before_a_wake_or_fails_it() {
    if !is_there() {
        return;
    }
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.expect("a port");
    let address = listener.local_addr().expect("its address");
    let hook = format!("[kubernetes]\npull_secret_hook = \"http://{address}/renew\"\n");
    let (edge, here) = (Edge::on_host_with(&hook).await, Namespace::new("pull").await);
    let works = Arc::new(AtomicBool::new(false));
    let serving = tokio::spawn(renewer(here.name().into(), works.clone(), listener));
    let app = app(&edge, "pull", LIGHT);
    let secret = "apiVersion: v1
kind: Secret
metadata: { name: pull, annotations: { tokenExpiry: '2020-01-01T00:00:00Z' } }
type: kubernetes.io/dockerconfigjson
stringData: { .dockerconfigjson: '{\"auths\":{}}' }
---";
    let spec = "automountServiceAccountToken: false";
    let pulling = app.yaml().replace(spec, &format!("imagePullSecrets: [{{ name: pull }}]\n      {spec}"));
    here.must_apply(&format!("{secret}{pulling}")).await;
    edge.until_served(&app.host()).await;
    until_light(&here, &app).await;
    fails(&edge, &app, "image-pull").await;
    fails(&edge, &app, "image-pull").await;
    let (kind, name) = app.workload();
    assert_eq!(
        here.object(kind, name).await.expect("the Deployment")["spec"]["replicas"],
        0,
        "nothing was done"
    );
    works.store(true, Ordering::Relaxed);
    until_healed(&edge, &app).await;
    let secret = here.object("secret", "pull").await.expect("the Secret");
    assert_eq!(secret["metadata"]["annotations"]["tokenExpiry"], "2099-01-01T00:00:00Z", "it was asked for");
    serving.abort();
}

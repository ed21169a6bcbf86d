//! Pull secrets whose time is over are renewed before a pod needs them.

use std::future::Future;
use std::time::{Duration, SystemTime};

use hyper_util::rt::TokioIo;
use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout_at};

use super::cluster::Lane;
use super::context::Context;
use super::place::Place;
use super::sight::Seen;
use super::wake::Kept;

/// The annotation that says until when a pull secret is good (RFC 3339).
pub const TOKEN_EXPIRY: &str = "tokenExpiry";

/// How often a secret is looked at while it is being renewed.
const LOOK: Duration = Duration::from_millis(250);

/// How an expired pull secret is renewed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Renewal {
    /// What is asked with `POST` and `{"namespace", "secret", "workload"}`: `http://HOST[:PORT]/PATH`, within the cluster.
    pub url: http::Uri,
    /// How long it may take until the secret is good again.
    pub deadline: Duration,
}

/// Sees to it that what the workload pulls with is good; if not, says why. Without a way to renew it nobody looks.
pub(super) async fn fresh(
    cx: &Context,
    place: &Place,
    kept: &Kept,
    seen: Option<&Seen>,
) -> Result<(), String> {
    let Some(renewal) = &cx.settings.renewal else { return Ok(()) };
    for secret in secrets(kept, seen) {
        if let Some(expired) = expiry(cx, place, &secret).await {
            renewed(cx, renewal, place, &secret, &expired).await?;
        }
    }
    Ok(())
}

/// The names of the secrets it pulls with.
fn secrets(kept: &Kept, seen: Option<&Seen>) -> Vec<String> {
    match (seen, kept) {
        (Some(seen), _) => seen.pull_secrets.clone(),
        (None, Kept::Deep(body)) => {
            let body: Value = serde_json::from_str(body).unwrap_or_default();
            let names =
                body["spec"]["template"]["spec"]["imagePullSecrets"].as_array().cloned().unwrap_or_default();
            names.iter().filter_map(|one| one["name"].as_str().map(str::to_owned)).collect()
        }
        (None, Kept::Light(_) | Kept::Unknown) => Vec::new(),
    }
}

/// When the secret's time was over, if it is. Only its metadata is asked for. Of one that cannot be seen the kubelet says
/// what there is to say.
async fn expiry(cx: &Context, place: &Place, secret: &str) -> Option<String> {
    let api = cx.cluster.api::<Secret>(&place.namespace);
    let found = cx.cluster.ask(Lane::Wake, "get", "secrets", api.get_metadata(secret)).await.ok()?;
    let text = found.metadata.annotations?.remove(TOKEN_EXPIRY)?;
    let expires = humantime::parse_rfc3339(&text).ok()?;
    (expires <= SystemTime::now()).then_some(text)
}

async fn renewed(
    cx: &Context,
    renewal: &Renewal,
    place: &Place,
    secret: &str,
    expired: &str,
) -> Result<(), String> {
    let deadline = Instant::now() + renewal.deadline;
    let asked =
        call(renewal, json!({ "namespace": &*place.namespace, "secret": secret, "workload": place.name() }));
    within(deadline, asked).await.map_err(|why| {
        format!("pull secret {secret} expired at {expired}, and asking for another one failed: {why}")
    })?;
    let renewed = async {
        while expiry(cx, place, secret).await.is_some() {
            sleep(LOOK).await;
        }
        Ok(())
    };
    within(deadline, renewed).await.map_err(|_| {
        format!(
            "pull secret {secret} expired at {expired}, and was not renewed within {:?}",
            renewal.deadline
        )
    })
}

async fn within(deadline: Instant, work: impl Future<Output = Result<(), String>>) -> Result<(), String> {
    timeout_at(deadline, work).await.unwrap_or_else(|_| Err("it took too long".to_owned()))
}

/// One call of the hook. Any answer from 200 to 299 is a yes.
async fn call(renewal: &Renewal, body: Value) -> Result<(), String> {
    let authority = renewal.url.authority().ok_or("the hook has no host")?;
    let to = (authority.host(), authority.port_u16().unwrap_or(80));
    let socket = TcpStream::connect(to).await.map_err(|error| error.to_string())?;
    let (mut send, connection) = hyper::client::conn::http1::handshake(TokioIo::new(socket))
        .await
        .map_err(|error| error.to_string())?;
    let request = http::Request::post(renewal.url.path_and_query().map_or("/", |path| path.as_str()))
        .header(http::header::HOST, authority.as_str())
        .header(http::header::CONTENT_TYPE, "application/json")
        .body(body.to_string())
        .map_err(|error| error.to_string())?;
    let exchange = async { send.send_request(request).await.map_err(|error| error.to_string()) };
    let answer = tokio::select! {
        answer = exchange => answer?,
        ended = connection => return Err(ended.err().map_or_else(|| "the connection ended".to_owned(), |e| e.to_string())),
    };
    if answer.status().is_success() { Ok(()) } else { Err(format!("it answered {}", answer.status())) }
}

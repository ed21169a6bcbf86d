//! Pull secrets whose time is over are renewed before a pod needs them.

use std::future::Future;
use std::time::{Duration, SystemTime};

use k8s_openapi::api::core::v1::Secret;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep, timeout_at};

use super::cluster::Lane;
use super::context::Context;
use super::place::Place;
use super::sight::Seen;
use super::wake::Kept;
use crate::hook;

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
    let body = json!({ "namespace": &*place.namespace, "secret": secret, "workload": place.name() });
    let asked = hook::post(&renewal.url, &body);
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

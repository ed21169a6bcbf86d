//! The watch of one Secret, by its name.

use futures_util::StreamExt;
use k8s_openapi::api::core::v1;
use kube::Api;
use kube::runtime::WatchStreamExt;
use kube::runtime::watcher::{self, Config, Event};

use super::kind::{Kind, not_to_be_had};
use super::retry::Delays;
use super::trim;
use crate::kubernetes::index::{Key, Update};

/// Watches it for as long as anybody listens. What may not be read counts as not there, and is asked for again.
pub(super) async fn watch(kind: Kind, key: Key) {
    let api: Api<v1::Secret> = Api::namespaced(kind.client.clone(), &key.namespace);
    let config = Config::default().fields(&format!("metadata.name={}", key.name));
    let events = watcher::watcher(api, config).backoff(Delays::default());
    let mut events = std::pin::pin!(events);
    let mut found = None;
    while let Some(event) = events.next().await {
        let told = match event {
            Ok(Event::Init) => {
                found = None;
                continue;
            }
            Ok(Event::InitApply(secret)) => {
                found = trim::secret(secret, &kind.keeps);
                continue;
            }
            Ok(Event::InitDone) => found.take(),
            Ok(Event::Apply(secret)) => trim::secret(secret, &kind.keeps),
            Ok(Event::Delete(_)) => None,
            Err(error) => match not_to_be_had(&error) {
                Some(why) => {
                    tracing::warn!(secret = %key, %why, "a listener's certificate");
                    None
                }
                // The server is away: what was seen last counts.
                None => continue,
            },
        };
        if kind.tx.send(Update::Secret(key.clone(), told)).await.is_err() {
            return;
        }
    }
}

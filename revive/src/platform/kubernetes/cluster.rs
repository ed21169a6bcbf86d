//! The one way to the API server: bounded, timed, counted.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use k8s_openapi::NamespaceResourceScope;
use kube::api::{
    Api, ApiResource, DeleteParams, DynamicObject, Patch, PatchParams, Preconditions, PropagationPolicy,
};
use kube::{Client, Resource};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::time::timeout;

use super::place::Place;
use super::trouble::Trouble;
use crate::kubernetes::MANAGER;

/// What a request is for: the ones do not wait for the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lane {
    /// Somebody waits for it.
    Wake,
    /// Nobody does.
    Beside,
}

/// How much may be asked of the API server, and how long.
#[derive(Clone, Debug)]
pub struct Bounds {
    /// Requests at once of wakes.
    pub wakes: usize,
    /// Requests at once of all else.
    pub beside: usize,
    /// How long one request may take, its wait for its turn included.
    pub timeout: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self { wakes: 32, beside: 8, timeout: Duration::from_secs(10) }
    }
}

/// The API server.
#[derive(Clone)]
pub(super) struct Cluster {
    client: Client,
    shared: Arc<Shared>,
}

struct Shared {
    wakes: Semaphore,
    beside: Semaphore,
    timeout: Duration,
    requests: Requests,
}

/// Requests to the API server, by verb, resource and code.
#[derive(Clone, Debug, Default)]
pub struct Requests(Family<Vec<(&'static str, String)>, Counter>);

impl Requests {
    /// A registry that shows them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests to the API server, by verb, resource and code of the answer";
        registry.register("loco_edge_kubernetes_requests", help, self.0.clone());
    }

    fn count(&self, verb: &'static str, resource: &'static str, code: String) {
        let labels = vec![("verb", verb.to_owned()), ("resource", resource.to_owned()), ("code", code)];
        self.0.get_or_create(&labels).inc();
    }
}

impl Cluster {
    pub(super) fn new(client: Client, bounds: &Bounds, requests: Requests) -> Self {
        let shared = Shared {
            wakes: Semaphore::new(bounds.wakes),
            beside: Semaphore::new(bounds.beside),
            timeout: bounds.timeout,
            requests,
        };
        Self { client, shared: Arc::new(shared) }
    }

    /// A request: in its turn, within its time, counted.
    pub(super) async fn ask<T>(
        &self,
        lane: Lane,
        verb: &'static str,
        resource: &'static str,
        request: impl Future<Output = kube::Result<T>>,
    ) -> Result<T, Trouble> {
        let turn = match lane {
            Lane::Wake => &self.shared.wakes,
            Lane::Beside => &self.shared.beside,
        };
        let in_turn = async {
            let _turn = turn.acquire().await;
            request.await
        };
        let result = match timeout(self.shared.timeout, in_turn).await {
            Ok(answer) => answer.map_err(Trouble::from),
            Err(_) => Err(Trouble::Away(format!("no answer within {:?}", self.shared.timeout))),
        };
        self.shared.requests.count(verb, resource, code(&result));
        result
    }

    /// The objects of a kind of a namespace.
    pub(super) fn api<K>(&self, namespace: &str) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>,
    {
        Api::namespaced(self.client.clone(), namespace)
    }

    /// The objects of a kind of all namespaces.
    pub(super) fn everywhere<K>(&self) -> Api<K>
    where
        K: Resource<Scope = NamespaceResourceScope, DynamicType: Default>,
    {
        Api::all(self.client.clone())
    }

    /// The objects of a kind of which we have no type, of a namespace.
    pub(super) fn dynamic(&self, namespace: &str, resource: &ApiResource) -> Api<DynamicObject> {
        Api::namespaced_with(self.client.clone(), namespace, resource)
    }

    /// Workloads of a kind, as the API server has them: our types would drop what they do not know.
    fn workloads(&self, place: &Place) -> Api<DynamicObject> {
        self.dynamic(&place.namespace, &place.resource())
    }

    /// The workload, if it is there.
    pub(super) async fn workload(&self, lane: Lane, place: &Place) -> Result<Option<Value>, Trouble> {
        let api = self.workloads(place);
        let found = self.ask(lane, "get", place.plural(), api.get_opt(place.name())).await?;
        Ok(found.map(|object| serde_json::to_value(object).unwrap_or_default()))
    }

    /// Sets the replicas of the workload with this uid, and, if it is said, no other version.
    pub(super) async fn scale(
        &self,
        lane: Lane,
        place: &Place,
        identity: &Identity,
        replicas: i32,
    ) -> Result<(), Trouble> {
        let body = json!({ "metadata": identity.metadata(), "spec": { "replicas": replicas } });
        let api = self.workloads(place);
        let (params, patch) = (
            PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() },
            Patch::Merge(body),
        );
        let request = api.patch_scale(place.name(), &params, &patch);
        self.ask(lane, "patch", place.plural(), request).await.map(|_| ())
    }

    /// Makes the workload, if it is not there. A version is named that no object has: the server compares it with one
    /// that is there, and does not ask for it if there is none (tried with 1.37), so this never changes what somebody
    /// else has made meanwhile.
    pub(super) async fn make(&self, lane: Lane, place: &Place, body: &Value) -> Result<(), Trouble> {
        let mut body = body.clone();
        body["metadata"]["resourceVersion"] = json!("1");
        let api = self.workloads(place);
        let (params, patch) = (PatchParams::apply(MANAGER).force(), Patch::Apply(body));
        let request = api.patch(place.name(), &params, &patch);
        self.ask(lane, "apply", place.plural(), request).await.map(|_| ())
    }

    /// Says who manages which fields of the workload, of just this version.
    pub(super) async fn manage(
        &self,
        place: &Place,
        identity: &Identity,
        managers: &[Value],
    ) -> Result<(), Trouble> {
        let mut metadata = identity.metadata();
        metadata["managedFields"] = managers.into();
        let params = PatchParams { field_manager: Some(MANAGER.to_owned()), ..PatchParams::default() };
        let patch = Patch::Merge(json!({ "metadata": metadata }));
        let api = self.workloads(place);
        self.ask(Lane::Beside, "patch", place.plural(), api.patch(place.name(), &params, &patch))
            .await
            .map(|_| ())
    }

    /// Deletes just this version of the workload. Its pods go in the background: in the foreground the workload would
    /// stay until they are gone, and could not be made again by a wake before that.
    pub(super) async fn delete(&self, place: &Place, identity: &Identity) -> Result<(), Trouble> {
        let preconditions =
            Preconditions { uid: Some(identity.uid.clone()), resource_version: identity.version.clone() };
        let params = DeleteParams {
            propagation_policy: Some(PropagationPolicy::Background),
            preconditions: Some(preconditions),
            ..DeleteParams::default()
        };
        let api = self.workloads(place);
        self.ask(Lane::Beside, "delete", place.plural(), api.delete(place.name(), &params)).await.map(|_| ())
    }
}

/// Which object it is, and which version of it, if that matters.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Identity {
    pub(super) uid: String,
    pub(super) version: Option<String>,
}

impl Identity {
    fn metadata(&self) -> Value {
        match &self.version {
            Some(version) => json!({ "uid": self.uid, "resourceVersion": version }),
            None => json!({ "uid": self.uid }),
        }
    }
}

fn code<T>(result: &Result<T, Trouble>) -> String {
    match result {
        Ok(_) => "ok".to_owned(),
        Err(Trouble::NotFound) => "404".to_owned(),
        Err(Trouble::Conflict(_)) => "409".to_owned(),
        Err(Trouble::Refused { code, .. }) => code.to_string(),
        Err(Trouble::Away(_)) => "away".to_owned(),
    }
}

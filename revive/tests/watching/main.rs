//! A real cluster, whichever `KUBECONFIG` names, is watched, and objects get their conditions. Without one nothing is
//! tested, and that is said.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::print_stdout,
    reason = "a test ends where it is wrong, and says where it tested nothing"
)]

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use gateway_api::gatewayclasses::GatewayClass;
use gateway_api::gateways::Gateway;
use gateway_api::httproutes::HttpRoute;
use k8s_openapi::api::core::v1::{Namespace, Service};
use kube::api::{DeleteParams, Patch, PatchParams};
use kube::{Api, Client};
use revive::kubernetes::settings::Addresses;
use revive::kubernetes::status::Writer;
use revive::kubernetes::{Settings, Watched, start};
use serde_json::{Value, json};
use tokio::sync::watch;
use tokio::time::timeout;

/// Longer than anything here takes on a machine that is busy with other things.
const LONG: Duration = Duration::from_secs(60);

/// A class, a namespace and a controller's name of our own, gone afterwards.
struct Place {
    client: Client,
    name: String,
}

impl Place {
    async fn new(test: &str) -> Option<Self> {
        if std::env::var_os("KUBECONFIG").is_none() {
            println!("skipped: {test}: KUBECONFIG names no cluster");
            return None;
        }
        let client = Client::try_default().await.unwrap();
        let name = format!("compile-{test}-{}", std::process::id());
        let place = Self { client, name };
        place
            .all::<Namespace>(
                json!({ "apiVersion": "v1", "kind": "Namespace", "metadata": { "name": place.name } }),
            )
            .await;
        Some(place)
    }

    fn settings(&self) -> Arc<Settings> {
        let mut settings = Settings::new("acme", "here", "test").unwrap();
        settings.controller = format!("example.com/{}", self.name).into();
        settings.addresses = Addresses::Fixed(vec!["192.0.2.1".into()]);
        Arc::new(settings)
    }

    async fn all<K>(&self, object: Value)
    where
        K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
    {
        apply(&Api::<K>::all(self.client.clone()), object).await;
    }

    async fn mine<K>(&self, mut object: Value)
    where
        K: kube::Resource<DynamicType = (), Scope = kube::core::NamespaceResourceScope>
            + Clone
            + serde::de::DeserializeOwned
            + std::fmt::Debug,
    {
        object["metadata"]["namespace"] = json!(self.name);
        apply(&Api::<K>::namespaced(self.client.clone(), &self.name), object).await;
    }

    async fn gone(self) {
        let classes: Api<GatewayClass> = Api::all(self.client.clone());
        let namespaces: Api<Namespace> = Api::all(self.client.clone());
        let _ = classes.delete(&self.name, &DeleteParams::default()).await;
        namespaces.delete(&self.name, &DeleteParams::default()).await.unwrap();
    }
}

async fn apply<K>(api: &Api<K>, object: Value)
where
    K: kube::Resource<DynamicType = ()> + Clone + serde::de::DeserializeOwned + std::fmt::Debug,
{
    let name = object["metadata"]["name"].as_str().unwrap().to_owned();
    let params = PatchParams::apply("test").force();
    api.patch(&name, &params, &Patch::Apply(object)).await.unwrap();
}

/// Asks the cluster until it says so, again whenever there is something else to be written.
async fn until<F: Future<Output = Result<(), String>>>(watched: &mut Watched, look: impl Fn() -> F) {
    let mut last = String::new();
    let waited = timeout(LONG, async {
        while let Err(seen) = look().await {
            last = seen;
            watched.writes.changed().await.unwrap();
        }
    });
    if waited.await.is_err() {
        panic!("not in a minute; last: {last}");
    }
}

/// `Accepted=True` and the like, of conditions as an API has them.
fn shown(conditions: &Value) -> String {
    let one = |condition: &Value| {
        format!("{}={}", condition["type"].as_str().unwrap(), condition["status"].as_str().unwrap())
    };
    conditions.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(" ")
}

/// The status of an object.
async fn status<K>(api: &Api<K>, name: &str) -> Value
where
    K: Clone + serde::de::DeserializeOwned + std::fmt::Debug + serde::Serialize,
{
    let object = api.get(name).await.unwrap();
    serde_json::to_value(object).unwrap()["status"].clone()
}

impl Place {
    async fn objects(&self, controller: &str) {
        const API: &str = "gateway.networking.k8s.io/v1";
        let name = &self.name;
        let class = json!({ "apiVersion": API, "kind": "GatewayClass", "metadata": { "name": name },
            "spec": { "controllerName": controller } });
        self.all::<GatewayClass>(class).await;
        let gateway = json!({ "apiVersion": API, "kind": "Gateway", "metadata": { "name": "edge" },
            "spec": { "gatewayClassName": name, "listeners": [{ "name": "web", "port": 80, "protocol": "HTTP" }] } });
        self.mine::<Gateway>(gateway).await;
        let service = json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
            "spec": { "selector": { "app": "web" }, "ports": [{ "port": 80, "targetPort": 8080 }] } });
        self.mine::<Service>(service).await;
        self.mine::<HttpRoute>(self.route(80)).await;
    }

    fn route(&self, port: u16) -> Value {
        json!({ "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": { "name": "r" },
            "spec": { "parentRefs": [{ "name": "edge" }], "hostnames": [format!("{}.test", self.name)],
                "rules": [{ "backendRefs": [{ "name": "web", "port": port }] }] } })
    }
}

#[tokio::test]
async fn a_gateway_and_its_route_get_their_conditions_and_are_left_alone_then() {
    let Some(place) = Place::new("conditions").await else { return };
    let settings = place.settings();
    let mut watched = start(&place.client, settings.clone());
    let (_leads, leading) = watch::channel(true);
    let writer = tokio::spawn(Writer::new(place.client.clone(), watched.writes.clone(), leading).run());
    place.objects(&settings.controller).await;

    let gateways: Api<Gateway> = Api::namespaced(place.client.clone(), &place.name);
    let routes: Api<HttpRoute> = Api::namespaced(place.client.clone(), &place.name);
    let same = |seen: String, wanted: &str| if seen == wanted { Ok(()) } else { Err(seen) };
    until(&mut watched, || async {
        let status = status(&gateways, "edge").await;
        same(shown(&status["conditions"]), "Accepted=True Programmed=True")?;
        let routes = &status["listeners"][0]["attachedRoutes"];
        if *routes == json!(1) { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    until(&mut watched, || async {
        let status = status(&routes, "r").await;
        same(shown(&status["parents"][0]["conditions"]), "Accepted=True ResolvedRefs=True")
    })
    .await;

    place.mine::<HttpRoute>(place.route(81)).await;
    until(&mut watched, || async {
        let status = status(&routes, "r").await;
        same(shown(&status["parents"][0]["conditions"]), "Accepted=True ResolvedRefs=False")
    })
    .await;
    let mut writes = watched.writes.clone();
    timeout(LONG, writes.wait_for(|writes| writes.is_empty())).await.unwrap().unwrap();
    let before = routes.get("r").await.unwrap().metadata.resource_version;
    let compiled = watched.compiled.borrow().clone().unwrap();
    assert!(compiled.rules.iter().any(|rule| rule.name.contains(&place.name)));

    // What changes nothing is not answered by a write.
    let noted = json!({ "metadata": { "annotations": { "note": "a" } } });
    routes.patch("r", &PatchParams::default(), &Patch::Merge(noted)).await.unwrap();
    let after = routes.get("r").await.unwrap().metadata.resource_version;
    place
        .mine::<Service>(json!({ "apiVersion": "v1", "kind": "Service", "metadata": { "name": "web" },
        "spec": { "selector": { "app": "other" }, "ports": [{ "port": 80, "targetPort": 8080 }] } }))
        .await;
    watched.compiled.changed().await.unwrap();
    assert_ne!(before, after, "the note");
    assert_eq!(routes.get("r").await.unwrap().metadata.resource_version, after, "and nothing more");

    writer.abort();
    watched.stop().await;
    place.gone().await;
}

//! A controller that behaves as loco's does, hot loop included: it looks at each Application whenever that changes, and
//! writes `status.updatedAt` each time, which is a change. So a Deployment that somebody else deletes or scales is back
//! within about a second.
//!
//! With `--agreement` it keeps the one agreement that the edge asks for: while an Application carries the annotation
//! `edge.loco.io/asleep`, it leaves the Deployment alone (`light`) or out (`deep`).

mod application;
mod objects;

use std::collections::HashMap;
use std::pin::pin;
use std::time::Duration;

use clap::Parser;
use futures_util::StreamExt as _;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::jiff::{SignedDuration, Timestamp};
use kube::api::{Api, ApiResource, DynamicObject, GroupVersionKind, Patch, PatchParams};
use kube::runtime::watcher::{self, Event};
use kube::{Client, CustomResourceExt as _, Resource as _, ResourceExt as _};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use application::Application;

/// Between two looks at an Application: what loco's own loop comes to.
const PACE: Duration = Duration::from_secs(1);
/// How long a pull token lives, and how often it is renewed while this runs.
const TOKEN: (SignedDuration, Duration) = (SignedDuration::from_secs(3_600), Duration::from_secs(600));
/// What the edge and the controller agree on.
const ASLEEP: &str = "edge.loco.io/asleep";

/// A controller that behaves as loco's does.
#[derive(Debug, Parser)]
struct Arguments {
    /// Print the Application's definition, and end.
    #[arg(long)]
    crd: bool,
    /// Leave Deployments alone while the edge says that their app sleeps.
    #[arg(long)]
    agreement: bool,
    /// The Gateway that routes belong to, NAMESPACE/NAME.
    #[arg(long, default_value = "loco/eg")]
    gateway: String,
    /// Look only at the Applications of this namespace.
    #[arg(long)]
    namespace: Option<String>,
}

type Failure = Box<dyn std::error::Error + Send + Sync>;

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<(), Failure> {
    let arguments = Arguments::parse();
    if arguments.crd {
        let definition = serde_json::to_string_pretty(&Application::crd())?;
        return Ok(std::io::Write::write_all(&mut std::io::stdout(), definition.as_bytes())?);
    }
    let client = Client::try_default().await?;
    let applications: Api<Application> = match &arguments.namespace {
        Some(namespace) => Api::namespaced(client.clone(), namespace),
        None => Api::all(client.clone()),
    };
    let mut changes = pin!(watcher::watcher(applications, watcher::Config::default()));
    let (again, mut due) = mpsc::unbounded_channel::<(String, String)>();
    let mut known: HashMap<(String, String), Application> = HashMap::new();
    let mut waiting: HashMap<(String, String), ()> = HashMap::new();
    loop {
        tokio::select! {
            Some(event) = changes.next() => match event? {
                Event::Apply(application) | Event::InitApply(application) => {
                    let id = (application.namespace().unwrap_or_default(), application.name_any());
                    known.insert(id.clone(), application);
                    // Its own write of the status comes back as a change: this is the loop.
                    if waiting.insert(id.clone(), ()).is_none() {
                        let again = again.clone();
                        tokio::spawn(async move {
                            tokio::time::sleep(PACE).await;
                            again.send(id)
                        });
                    }
                }
                Event::Delete(application) => {
                    let id = (application.namespace().unwrap_or_default(), application.name_any());
                    known.remove(&id);
                    let namespace = objects::namespace(&application.spec);
                    let namespaces: Api<k8s_openapi::api::core::v1::Namespace> = Api::all(client.clone());
                    let _gone = namespaces.delete(&namespace, &kube::api::DeleteParams::default()).await;
                }
                Event::Init | Event::InitDone => {}
            },
            Some(id) = due.recv() => {
                waiting.remove(&id);
                if let Some(application) = known.get(&id)
                    && let Err(error) = reconcile(&client, application, &arguments).await
                {
                    let line = format!("{}/{}: {error}\n", id.0, id.1);
                    std::io::Write::write_all(&mut std::io::stderr(), line.as_bytes())?;
                    let again = again.clone();
                    tokio::spawn(async move {
                        tokio::time::sleep(PACE).await;
                        again.send(id)
                    });
                }
            }
        }
    }
}

async fn reconcile(client: &Client, application: &Application, arguments: &Arguments) -> Result<(), Failure> {
    let gateway = arguments.gateway.split_once('/').ok_or("--gateway is NAMESPACE/NAME")?;
    // Rounded to when it is renewed, so that it is the same each second in between.
    let renewal = i64::try_from(TOKEN.1.as_secs())?;
    let renewed = Timestamp::from_second(Timestamp::now().as_second() / renewal * renewal)?;
    let expiry = renewed.checked_add(TOKEN.0)?.to_string();
    for object in objects::around(application, gateway, &expiry) {
        apply(client, object).await?;
    }
    let asleep = application.annotations().get(ASLEEP).filter(|_| arguments.agreement);
    if asleep.is_none() {
        apply(client, objects::deployment(application)).await?;
    }
    let (namespace, name) = (objects::namespace(&application.spec), objects::name(&application.spec));
    let deployments: Api<Deployment> = Api::namespaced(client.clone(), &namespace);
    let deployment = deployments.get_opt(&name).await?;
    let ready = deployment.and_then(|d| d.status?.ready_replicas).unwrap_or(0);
    let phase = if ready >= 1 { "Ready" } else { "Deploying" };
    let status = json!({ "status": { "phase": phase, "updatedAt": Timestamp::now().to_string() } });
    let own = application.namespace().unwrap_or_default();
    let applications: Api<Application> = Api::namespaced(client.clone(), &own);
    applications
        .patch_status(&application.name_any(), &PatchParams::default(), &Patch::Merge(status))
        .await?;
    Ok(())
}

/// Creates it, or changes what is other than it should be: by update, as loco does.
async fn apply(client: &Client, object: Value) -> Result<(), Failure> {
    let object: DynamicObject = serde_json::from_value(object)?;
    let types = object.types.clone().unwrap_or_default();
    let kind = GroupVersionKind::try_from(&types)?;
    let resource = ApiResource::from_gvk(&kind);
    let api: Api<DynamicObject> = match object.meta().namespace.as_deref() {
        Some(namespace) => Api::namespaced_with(client.clone(), namespace, &resource),
        None => Api::all_with(client.clone(), &resource),
    };
    let name = object.name_any();
    match api.get_opt(&name).await? {
        None => api.create(&kube::api::PostParams::default(), &object).await.map(drop)?,
        Some(_) => {
            let parameters = PatchParams::default();
            api.patch(&name, &parameters, &Patch::Merge(&object)).await.map(drop)?;
        }
    }
    Ok(())
}

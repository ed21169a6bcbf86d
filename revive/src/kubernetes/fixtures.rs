//! Objects as people write them, for tests.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it is wrong")]

use config::model::{HostPattern, PathMatch, Rule};
use config::settings::LocoSleep;
use serde_json::Value;

use super::compile::said::Said;
use super::compile::{Compiled, compile};
use super::index::{Index, Update};
use super::settings::{Addresses, Settings};

/// Settings for tests.
pub(super) fn settings() -> Settings {
    let mut settings = Settings::new("acme", "here", "test").unwrap();
    settings.addresses = Addresses::Fixed(vec!["192.0.2.1".into()]);
    settings.loco = Some(LocoSleep::Agreement);
    settings
}

/// The objects of a YAML file.
pub(super) fn objects(yaml: &str) -> Vec<Value> {
    let documents = yaml.split("\n---").filter(|text| !text.trim().is_empty());
    documents
        .map(|text| serde_saphyr::from_str(text).unwrap_or_else(|error| panic!("{error}\n{text}")))
        .collect()
}

/// What watches would tell of them.
pub(crate) fn updates(yaml: &str) -> Vec<Update> {
    let read = |object: Value| {
        super::read(object.clone(), &settings()).unwrap_or_else(|error| panic!("{error}: {object}"))
    };
    objects(yaml).into_iter().map(read).collect()
}

/// What is known once they have been seen.
pub(crate) fn index(yaml: &str) -> Index {
    let mut index = Index::default();
    for update in updates(yaml) {
        index.apply(update);
    }
    index
}

/// What is made of them.
pub(super) fn compiled(yaml: &str) -> Compiled {
    compile(&index(yaml), &settings(), None)
}

/// A class and a Gateway of it, on port 80 for all hosts and all namespaces.
pub(super) const GATEWAY: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: loco}
spec: {controllerName: edge.loco.io/gateway-controller}
---
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge, namespace: infra, generation: 1}
spec:
  gatewayClassName: loco
  listeners:
  - name: web
    port: 80
    protocol: HTTP
    allowedRoutes: {namespaces: {from: All}}
";

/// A Service and the Deployment behind it.
pub(super) fn app(namespace: &str, name: &str) -> String {
    format!(
        "
---
apiVersion: v1
kind: Service
metadata: {{name: {name}, namespace: {namespace}}}
spec:
  clusterIP: 10.96.0.7
  selector: {{app: {name}}}
  ports: [{{name: http, port: 80, targetPort: 8080}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: {name}, namespace: {namespace}, uid: u-{name}}}
spec:
  replicas: 1
  selector: {{matchLabels: {{app: {name}}}}}
  template:
    metadata: {{labels: {{app: {name}, tier: web}}}}
    spec:
      containers: [{{name: main, image: app, ports: [{{name: http, containerPort: 8080}}]}}]
"
    )
}

/// An Application of loco's: resource 12 of workspace 7, generation 4, with more metadata in YAML's flow style.
pub(super) fn application(namespace: &str, name: &str, metadata: &str) -> String {
    format!(
        "
apiVersion: infra.loco.io/v1alpha1
kind: Application
metadata: {{name: {name}, namespace: {namespace}, generation: 4, creationTimestamp: '2026-01-01T00:00:00Z', {metadata}}}
spec:
  type: SERVICE
  resourceId: 12
  workspaceId: 7
  region: us-east-1
  serviceSpec:
    deployment:
      image: app
      port: 8080
      healthCheck: {{path: /healthz, interval: 20, timeout: 4, failThreshold: 2, startupGracePeriod: 10}}
    resources: {{cpu: 100m, memory: 64Mi, replicas: {{min: 2, max: 3}}}}
    routing: {{hostName: cart.example.com, pathPrefix: /shop, idleTimeout: 90}}
status: {{phase: Ready, updatedAt: '2026-01-01T00:00:00Z'}}
"
    )
}

/// A route of one kind, with the rest of its spec as YAML of two spaces.
pub(super) fn route(kind: &str, namespace: &str, name: &str, spec: &str) -> String {
    format!(
        "
---
apiVersion: gateway.networking.k8s.io/v1
kind: {kind}
metadata: {{name: {name}, namespace: {namespace}, generation: 3, creationTimestamp: '2026-01-01T00:00:00Z'}}
spec:
  parentRefs: [{{name: edge, namespace: infra}}]
{spec}
"
    )
}

/// A condition in a line: `Accepted=False/NoMatchingParent`.
fn shown(said: &Said) -> String {
    format!("{}={}/{}", said.r#type, if said.holds { "True" } else { "False" }, said.reason)
}

fn all_shown(said: &[Said]) -> String {
    said.iter().map(shown).collect::<Vec<_>>().join(" ")
}

/// What is said of a route, to each of its parents.
pub(super) fn of_route(compiled: &Compiled, name: &str) -> Vec<String> {
    let routes = compiled.statuses.routes.iter().filter(|((_, key), _)| *key.name == *name);
    routes.flat_map(|(_, said)| said.parents.iter().map(|parent| all_shown(&parent.conditions))).collect()
}

/// What is said to people of a route's first refusal.
pub(super) fn why(compiled: &Compiled, name: &str) -> String {
    let routes = compiled.statuses.routes.iter().filter(|((_, key), _)| *key.name == *name);
    let said = routes.flat_map(|(_, said)| said.parents.iter().flat_map(|parent| &parent.conditions));
    said.filter(|said| !said.holds).map(|said| said.message.clone()).next().unwrap_or_default()
}

/// What is said of a Gateway, then of each of its listeners.
pub(super) fn of_gateway(compiled: &Compiled, name: &str) -> Vec<String> {
    let (_, said) = compiled.statuses.gateways.iter().find(|(key, _)| *key.name == *name).unwrap();
    let listeners = said.listeners.iter().map(|one| {
        let kinds = one.kinds.iter().map(|kind| kind.as_str()).collect::<Vec<_>>().join(",");
        format!("{} [{kinds}] {}: {}", one.name, one.attached, all_shown(&one.conditions))
    });
    std::iter::once(all_shown(&said.conditions)).chain(listeners).collect()
}

/// A rule in a line: `shop.test:80 /a GET -> default/web*1`.
pub(super) fn rule(rule: &Rule) -> String {
    let host = rule.host.as_ref().map_or_else(|| "*".to_owned(), HostPattern::to_string);
    let ports: Vec<String> = rule.ports.iter().map(u16::to_string).collect();
    let path = match &rule.matches.path {
        PathMatch::Prefix(prefix) => format!("{prefix}*"),
        PathMatch::Exact(path) => path.to_string(),
        PathMatch::Regex(pattern) => format!("~{pattern}"),
    };
    let method = rule.matches.method.as_ref().map(|method| format!(" {method}")).unwrap_or_default();
    let headers = rule.matches.headers.iter().map(|one| format!(" {}", one.name)).collect::<String>();
    let query = rule.matches.query.iter().map(|one| format!(" ?{}", one.name)).collect::<String>();
    let backends = rule.then.backends.iter().map(|one| {
        let app = one.app.as_ref().map_or("nothing", |app| app.as_str());
        let port = one.port.map(|port| format!(":{port}")).unwrap_or_default();
        format!(" {app}{port}*{}", one.weight)
    });
    format!("{host}:{} {path}{method}{headers}{query} ->{}", ports.join(","), backends.collect::<String>())
}

/// All rules, each in a line.
pub(super) fn rules(compiled: &Compiled) -> Vec<String> {
    compiled.rules.iter().map(|one| rule(one)).collect()
}

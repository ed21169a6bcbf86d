//! From Services to apps.

use std::time::Duration;

use config::link::Depth;
use config::model::{Check, Protocol, Source, WorkloadKind};

use crate::kubernetes::compile::{Compiled, TargetPort};
use crate::kubernetes::fixtures::{GATEWAY, app, compiled, objects, route, rules};
use crate::platform::Standing;

const TO_WEB: &str = "  hostnames: [shop.test]\n  rules: [{backendRefs: [{name: web, port: 80}]}]";

fn to_web() -> String {
    route("HTTPRoute", "shop", "r", TO_WEB)
}

fn service(compiled: &Compiled, at: usize) -> config::model::Service {
    let Source::Service(service) = &compiled.apps[at].source else { unreachable!() };
    service.clone()
}

#[test]
fn a_service_and_the_workload_that_it_selects_are_an_app() {
    let compiled = compiled(&[GATEWAY, &app("shop", "web"), &to_web()].concat());
    let [app] = &compiled.apps[..] else { unreachable!() };
    assert_eq!((app.id.as_str(), app.name.as_str()), ("shop/web", "web.shop"));
    let service = service(&compiled, 0);
    assert_eq!(service.cluster, Some("10.96.0.7:80".parse().unwrap()));
    assert_eq!(
        service.workload.map(|one| (one.kind, one.name)),
        Some((WorkloadKind::Deployment, "web".into()))
    );
    assert_eq!(
        app.routes.iter().map(|one| format!("{}{}", one.host, one.path)).collect::<Vec<_>>(),
        ["shop.test/"]
    );
    let target = &compiled.targets[&app.id];
    assert_eq!((&target.port, target.selector.len()), (&TargetPort::Number(8080), 1));
    assert_eq!(compiled.standings[&app.id], up());
    assert_eq!(app.tenant.workspace.as_str(), "shop", "the namespace, where nothing says more");
}

#[test]
fn a_service_that_selects_two_workloads_or_none_is_nobodys_to_put_to_sleep() {
    let second = app("shop", "web").replace("name: web", "name: canary").replace("app: canary", "app: web");
    let second = second.split("\n---").last().unwrap().to_owned();
    let two = [GATEWAY, &app("shop", "web"), "\n---", &second, &to_web()].concat();
    let none =
        [GATEWAY, app("shop", "web").split("\n---\napiVersion: apps").next().unwrap(), &to_web()].concat();
    for text in [two, none] {
        let compiled = compiled(&text);
        assert_eq!((service(&compiled, 0).workload, compiled.apps.len()), (None, 1), "{text}");
        assert_eq!(compiled.standings.values().next(), Some(&Standing::Nothing));
    }
}

#[test]
fn two_services_of_one_workload_are_one_app_with_two_ports() {
    let admin = "
---
apiVersion: v1
kind: Service
metadata: {name: web-admin, namespace: shop}
spec: {clusterIP: 10.96.0.8, selector: {app: web}, ports: [{port: 9000, targetPort: 9001}]}";
    let spec = "  rules:\n  - backendRefs: [{name: web, port: 80}, {name: web-admin, port: 9000}]";
    let compiled =
        compiled(&[GATEWAY, &app("shop", "web"), admin, &route("HTTPRoute", "shop", "r", spec)].concat());
    assert_eq!(rules(&compiled), ["*:80 /* -> shop/web*1 shop/web:9001*1"]);
    assert_eq!(compiled.targets.values().next().unwrap().services.len(), 2);
}

#[test]
fn a_named_port_is_the_one_that_the_pods_call_so() {
    let named = app("shop", "web").replace("targetPort: 8080", "targetPort: http");
    let compiled = compiled(&[GATEWAY, &named, &to_web()].concat());
    assert_eq!(compiled.targets.values().next().unwrap().port, TargetPort::Number(8080));
}

#[test]
fn what_a_service_says_of_its_protocol_holds() {
    let spoken = |said: &str| {
        let text =
            app("shop", "web").replace("targetPort: 8080", &format!("targetPort: 8080, appProtocol: {said}"));
        let compiled = compiled(&[GATEWAY, &text, &to_web()].concat());
        compiled.apps.first().map(|app| app.protocol)
    };
    assert_eq!(spoken("kubernetes.io/h2c"), Some(Protocol::H2c));
    assert_eq!(spoken("kubernetes.io/ws"), Some(Protocol::Http1));
    assert_eq!(spoken("example.com/own"), Some(Protocol::Auto));
    assert_eq!(spoken("https"), None, "we speak no TLS to apps");
}

#[test]
fn the_readiness_probe_says_when_an_app_is_up() {
    let checked = |probe: &str, more: &str| {
        let text = app("shop", "web")
            .replace("ports: [{name: http, c", &format!("readinessProbe: {probe}, ports: [{{name: http, c"));
        let text = text.replace("  replicas: 1", &format!("  replicas: 1\n{more}"));
        let health = compiled(&[GATEWAY, &text, &to_web()].concat()).apps[0].health.clone();
        (health.check, health.timeout.as_secs(), health.grace)
    };
    let http = |path: &str| Check::Http { path: path.to_owned() };
    assert_eq!(checked("{httpGet: {path: '/up?x=1', port: http}, timeoutSeconds: 5}", "").0, http("/up?x=1"));
    assert_eq!(checked("{httpGet: {path: /up, port: 8080}, timeoutSeconds: 5}", "").1, 5);
    assert_eq!(checked("{httpGet: {path: /up, port: 9999}}", "").0, Check::Tcp, "another port");
    assert_eq!(checked("{httpGet: {path: /up, port: 8080, scheme: HTTPS}}", "").0, Check::Tcp);
    assert_eq!(checked("{grpc: {port: 8080, service: a}}", "").0, Check::Grpc { service: "a".to_owned() });
    assert_eq!(checked("{exec: {command: [x]}}", "  progressDeadlineSeconds: 90").2, Duration::from_secs(90));
    assert_eq!(
        checked("{exec: {command: [x]}}", "  progressDeadlineSeconds: 600").2,
        Duration::from_secs(60),
        "unsaid"
    );
}

/// The record of a Deployment that sleeps deeply.
fn record() -> String {
    let deployment = objects(&app("shop", "web")).pop().unwrap();
    format!(
        "
---
apiVersion: edge.loco.io/v1alpha1
kind: SleepRecord
metadata: {{name: deployment-web, namespace: shop}}
spec:
  workload: {{apiVersion: apps/v1, kind: Deployment, name: web, uid: u-web}}
  replicas: 1
  rest: Deep
  saved: {deployment}
"
    )
}

#[test]
fn an_app_stays_what_it_is_while_its_workload_is_gone() {
    let service_only = app("shop", "web");
    let service_only = service_only.split("\n---\napiVersion: apps").next().unwrap();
    let awake = compiled(&[GATEWAY, &app("shop", "web"), &to_web()].concat());
    let asleep = compiled(&[GATEWAY, service_only, &record(), &to_web()].concat());
    assert_eq!(awake.apps, asleep.apps);
    assert_eq!(awake.rules, asleep.rules);
    assert_eq!(asleep.standings.values().collect::<Vec<_>>(), [&Standing::Asleep(Depth::Deep)]);
    let tombstone =
        record().replace("namespace: shop}", "namespace: shop, labels: {edge.loco.io/tombstone: 'true'}}");
    let gone = compiled(&[GATEWAY, service_only, &tombstone, &to_web()].concat());
    assert_eq!(service(&gone, 0).workload, None);
}

#[test]
fn a_workload_stands_as_its_objects_say() {
    let standing = |text: &str| {
        let compiled = compiled(&[GATEWAY, text, &to_web()].concat());
        compiled.standings.values().next().cloned().unwrap()
    };
    let web = app("shop", "web");
    assert_eq!(standing(&web.replace("replicas: 1", "replicas: 0")), Standing::Asleep(Depth::Light));
    assert_eq!(standing(&[web.clone(), record()].concat()), up(), "it has not been deleted yet");
    let back = web.replace("uid: u-web", "uid: u-again");
    assert_eq!(standing(&[back.clone(), record()].concat()), Standing::PutBack);
    assert_eq!(standing(&[back.replace("replicas: 1", "replicas: 5"), record()].concat()), up(), "scaled");
    let ours = back
        .replace("uid: u-again", "uid: u-again, managedFields: [{manager: edge.loco.io, operation: Apply}]");
    assert_eq!(standing(&[ours, record()].concat()), up(), "we made it again, and have not come to say so");
    assert_eq!(standing(&[back.replace("image: app", "image: next"), record()].concat()), up(), "a deploy");
}

#[test]
fn a_stateful_set_beside_a_deployment_of_one_name_is_another_app() {
    let set = app("shop", "web")
        .replace("kind: Deployment", "kind: StatefulSet")
        .replace("app: web", "app: other")
        .replace("{name: web, namespace: shop}", "{name: other, namespace: shop}")
        .replace("  replicas: 1", "  replicas: 1\n  serviceName: other");
    let to = route("HTTPRoute", "shop", "o", "  rules: [{backendRefs: [{name: other, port: 80}]}]");
    let compiled = compiled(&[GATEWAY, &app("shop", "web"), &to_web(), &set, &to].concat());
    let ids: Vec<_> = compiled.apps.iter().map(|app| app.id.to_string()).collect();
    assert_eq!(ids, ["shop/statefulset:web", "shop/web"]);
}

/// It is to run, and nobody of it is ready.
fn up() -> Standing {
    Standing::Up { endpoints: [].into() }
}

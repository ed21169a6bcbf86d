//! loco's Applications.

use std::time::Duration;

use config::link::Depth;
use config::model::{After, Check, SleepPolicy, Source, WorkloadKind};
use config::settings::LocoSleep;

use crate::kubernetes::compile::compile;
use crate::kubernetes::fixtures::{GATEWAY, application, compiled, index, of_route, route, rules, settings};
use crate::kubernetes::settings::Settings;
use crate::platform::Standing;

const DEEP: &str = "annotations: {edge.loco.io/asleep: deep, edge.loco.io/asleep-generation: '4'}";

/// What loco's controller makes of an Application, but for its route and its Deployment.
fn service() -> String {
    "
---
apiVersion: v1
kind: Service
metadata: {name: resource-12, namespace: wks-7-res-12}
spec:
  clusterIP: 10.96.0.7
  selector: {app: resource-12}
  ports: [{port: 80, targetPort: 8080}]
"
    .to_owned()
}

fn deployment(replicas: i32) -> String {
    format!(
        "
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: resource-12, namespace: wks-7-res-12, uid: u}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: resource-12}}}}
  template:
    metadata: {{labels: {{app: resource-12}}}}
    spec: {{containers: [{{name: app, image: app}}]}}
"
    )
}

fn of(metadata: &str) -> String {
    format!("{GATEWAY}---\n{}{}", application("loco", "resource-12", metadata), service())
}

/// The route that loco's controller writes, to this Gateway.
fn its_route(gateway: &str) -> String {
    let spec = "  hostnames: [cart.example.com]
  rules: [{matches: [{path: {type: PathPrefix, value: /cart}}], backendRefs: [{name: resource-12, port: 80}]}]";
    route("HTTPRoute", "wks-7-res-12", "resource-12-route", spec)
        .replace("name: edge,", &format!("name: {gateway},"))
}

#[test]
fn an_application_is_an_app_in_its_own_words() {
    let compiled = compiled(&(of("") + &deployment(2)));
    let [app] = &compiled.apps[..] else { panic!("{:?}", compiled.apps) };
    assert_eq!(app.id.as_str(), "12");
    let tenant = &app.tenant;
    assert_eq!(
        (tenant.workspace.as_str(), tenant.region.as_str(), tenant.org.as_str()),
        ("7", "us-east-1", "acme")
    );
    let idle =
        SleepPolicy { idle_after: After::Elapsed(Duration::from_secs(90)), remove_after: After::Never };
    assert_eq!(app.sleep, idle);
    assert_eq!(app.health.check, Check::Http { path: "/healthz".to_owned() });
    // Asked after 10 s, then twice 20 s apart: then the kubelet would end it.
    assert_eq!((app.health.timeout, app.health.grace), (Duration::from_secs(4), Duration::from_secs(50)));
    let Source::Service(service) = &app.source else { panic!("{:?}", app.source) };
    let workload = service.workload.as_ref().unwrap();
    assert_eq!((workload.kind, &*workload.name), (WorkloadKind::Deployment, "resource-12"));
    assert!(matches!(compiled.standings[&app.id], Standing::Up { .. }));
}

#[test]
fn where_no_route_of_ours_leads_its_own_routing_does() {
    for routes in [String::new(), its_route("eg")] {
        let compiled = compiled(&(of("") + &deployment(2) + &routes));
        assert_eq!(rules(&compiled), ["cart.example.com:80 /shop* -> 12*1"]);
        assert!(compiled.statuses.routes.is_empty(), "nobody has written it");
        assert_eq!(compiled.statuses.gateways.values().next().unwrap().listeners[0].attached, 0);
    }
}

#[test]
fn where_a_route_of_ours_leads_it_alone_does() {
    let compiled = compiled(&(of("") + &deployment(2) + &its_route("edge")));
    assert_eq!(rules(&compiled), ["cart.example.com:80 /cart* -> 12*1"]);
    assert_eq!(
        of_route(&compiled, "resource-12-route"),
        ["Accepted=True/Accepted ResolvedRefs=True/ResolvedRefs"]
    );
}

#[test]
fn a_listener_that_does_not_let_its_namespace_in_has_no_route_of_it() {
    let same = of("").replace("from: All", "from: Same");
    assert!(compiled(&(same + &deployment(2))).rules.is_empty());
}

#[test]
fn one_that_sleeps_deeply_needs_no_deployment_and_no_record() {
    let compiled = compiled(&of(DEEP));
    assert_eq!(compiled.standings.values().collect::<Vec<_>>(), [&Standing::Asleep(Depth::Deep)]);
    assert_eq!(rules(&compiled), ["cart.example.com:80 /shop* -> 12*1"]);
    let target = compiled.targets.values().next().unwrap();
    assert_eq!(target.port.number(), Some(8080));
}

#[test]
fn who_deploys_one_that_sleeps_wakes_it() {
    let compiled = compiled(&of(&DEEP.replace("'4'", "'3'")));
    assert!(matches!(compiled.standings.values().next(), Some(Standing::Up { .. })));
}

#[test]
fn a_controller_without_the_agreement_is_not_asked_for_deep_sleep() {
    let removed = policy_removing();
    let text = of("") + &deployment(2) + &removed;
    let deep = |loco| {
        let settings = Settings { loco: Some(loco), ..settings() };
        compile(&index(&text), &settings, None).apps[0].sleep.remove_after
    };
    assert_eq!(deep(LocoSleep::Agreement), After::Elapsed(Duration::from_hours(168)));
    assert_eq!(deep(LocoSleep::Replicas), After::Never);
}

fn policy_removing() -> String {
    "
---
apiVersion: edge.loco.io/v1alpha1
kind: SleepPolicy
metadata: {name: week, namespace: wks-7-res-12}
spec: {targetRefs: [{kind: Namespace}], idleAfter: 5m, removeAfter: 7d}
"
    .to_owned()
}

#[test]
fn a_policy_says_more_than_an_application() {
    let compiled = compiled(&(of("") + &deployment(2) + &policy_removing()));
    assert_eq!(compiled.apps[0].sleep.idle_after, After::Elapsed(Duration::from_mins(5)));
}

#[test]
fn two_apps_of_one_id_have_their_places_for_ids() {
    let other = of("").replace("wks-7-", "wks-8-").replace("workspaceId: 7", "workspaceId: 8");
    let other = other.replace("name: resource-12, namespace: loco", "name: other, namespace: loco");
    let compiled = compiled(&format!("{}---\n{}", of(""), other.split_once("---\n").unwrap().1));
    let ids: Vec<&str> = compiled.apps.iter().map(|app| app.id.as_str()).collect();
    assert_eq!(ids, ["12", "wks-8-res-12/resource-12"]);
}

#[test]
fn nothing_leads_to_what_an_application_left_behind() {
    let namespace = "
---
apiVersion: v1
kind: Namespace
metadata: {name: wks-7-res-12}
";
    let mut here = index(&(of(DEEP) + &its_route("edge") + namespace));
    assert_eq!(compile(&here, &settings(), None).rules.len(), 1);
    let gone = crate::kubernetes::index::Key::new("loco", "resource-12");
    here.apply(crate::kubernetes::index::Update::Application(crate::kubernetes::index::Seen::Deleted(gone)));
    let compiled = compile(&here, &settings(), None);
    assert!(compiled.rules.is_empty() && compiled.apps.is_empty(), "{compiled:?}");
}

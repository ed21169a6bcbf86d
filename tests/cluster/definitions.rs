//! Our custom resources, as the API server takes or refuses them.

use crate::cluster::{Namespace, chart, is_there, kubectl};

/// Applies the definitions as an upgrade does, and a namespace to write in.
async fn namespace(about: &str) -> Namespace {
    let crds = format!("{}/crds", chart());
    let applied = kubectl(&["apply", "--server-side", "--force-conflicts", "-f", &crds]).await;
    applied.unwrap_or_else(|error| panic!("{error}"));
    kubectl(&["wait", "--for=condition=Established", "--timeout=30s", "-f", &crds])
        .await
        .unwrap_or_else(|error| panic!("{error}"));
    Namespace::new(about).await
}

fn sleep_policy(spec: &str) -> String {
    format!(
        "{{ apiVersion: edge.loco.io/v1alpha1, kind: SleepPolicy, metadata: {{ name: p }}, spec: {spec} }}"
    )
}

fn limit_policy(limit: &str) -> String {
    let spec = format!("{{ targetRefs: [{{ kind: Gateway, name: g }}], limits: [{limit}] }}");
    format!(
        "{{ apiVersion: edge.loco.io/v1alpha1, kind: LimitPolicy, metadata: {{ name: p }}, spec: {spec} }}"
    )
}

#[tokio::test]
async fn what_is_right_is_taken_and_shown() {
    if !is_there() {
        return;
    }
    let here = namespace("crd").await;
    here.must_apply(&sleep_policy(
        "{ targetRefs: [{ kind: Namespace }, { kind: Deployment, name: x, group: apps }], idleAfter: 1h30m, \
         removeAfter: 7d, depth: deep, wake: { mode: page, passersby: { monitors: answer-200 } }, \
         health: { grpc: '' }, schedule: [{ from: '08:00', to: '24:00' }], wakeWith: [{ kind: Service, name: db }] }",
    ))
    .await;
    here.must_apply(&limit_policy(
        "{ name: a, key: 'header:x-y', rate: 5/min, burst: 2, match: { hosts: ['*.x.test'], paths: [/api], methods: [POST] } }",
    ))
    .await;
    let policy = here.object("sleeppolicy", "p").await.expect("the policy");
    assert_eq!(policy["spec"]["schedule"][0]["timeZone"], "UTC", "a default");
    assert_eq!(policy["spec"]["schedule"][0]["days"].as_array().map(Vec::len), Some(7), "a default");
    let table = here.kubectl(&["get", "loco-edge"]).await.expect("both by their category");
    for word in ["IDLE-AFTER", "REMOVE-AFTER", "ACCEPTED", "1h30m", "7d", "Gateway"] {
        assert!(table.contains(word), "{word} in\n{table}");
    }
    for short in ["slp", "lmp"] {
        here.kubectl(&["get", short]).await.unwrap_or_else(|error| panic!("{error}"));
    }
}

#[tokio::test]
async fn what_is_wrong_is_refused_with_what_would_be_right() {
    if !is_there() {
        return;
    }
    let here = namespace("cel").await;
    let all = "targetRefs: [{ kind: Namespace }]";
    let sleep = [
        (format!("{{ {all}, idleAfter: never, removeAfter: 7d }}"), "what is never idle is never removed"),
        (format!("{{ {all}, depth: light, removeAfter: 7d }}"), "removeAfter is deep sleep"),
        (format!("{{ {all}, idleAfter: 5 min }}"), "spec.idleAfter"),
        (format!("{{ {all}, health: {{ http: /x, grpc: '' }} }}"), "keep one"),
        (format!("{{ {all}, health: {{ tcp: false }} }}"), "true, or leave it out"),
        (format!("{{ {all}, wake: {{ mode: nap }} }}"), "Unsupported value: \"nap\""),
        (format!("{{ {all}, schedule: [{{ from: '8:00', to: '9:00' }}] }}"), "schedule[0].from"),
        (format!("{{ {all}, schedule: [{{ from: '08:00', to: '08:00' }}] }}"), "from and to are the same"),
        ("{ targetRefs: [] }".to_owned(), "at least 1 items"),
        ("{ targetRefs: [{ kind: Service }] }".to_owned(), "name what it is for"),
        ("{ targetRefs: [{ kind: Pod, name: x }] }".to_owned(), "Unsupported value: \"Pod\""),
        ("{ targetRefs: [{ kind: Service, name: x, group: apps }] }".to_owned(), "it can be left out"),
    ];
    for (spec, said) in &sleep {
        let error = here.apply(&sleep_policy(spec)).await.expect_err(spec);
        assert!(error.contains(said), "{spec}: {error}");
    }
    let limits = [
        ("{ name: a, key: client }", "this limit limits nothing"),
        ("{ name: a, key: client, concurrency: 1, burst: 2 }", "burst without rate"),
        ("{ name: a, key: ip, concurrency: 1 }", "limits[0].key"),
        ("{ name: a, key: client, rate: 5/m }", "limits[0].rate"),
        ("{ name: a.b, key: client, rate: 5/min }", "limits[0].name"),
        ("{ name: a, key: client, rate: 5/s }, { name: a, key: client, rate: 1/s }", "Duplicate value"),
    ];
    for (limit, said) in limits {
        let error = here.apply(&limit_policy(limit)).await.expect_err(limit);
        assert!(error.contains(said), "{limit}: {error}");
    }
}

//! What the controller makes of an Application, all of it in one namespace and under one name.

use serde_json::{Value, json};

use crate::application::{Application, ApplicationSpec};

/// The namespace of an app.
pub(crate) fn namespace(spec: &ApplicationSpec) -> String {
    format!("wks-{}-res-{}", spec.workspace_id, spec.resource_id)
}

/// The name of all that belongs to it.
pub(crate) fn name(spec: &ApplicationSpec) -> String {
    format!("resource-{}", spec.resource_id)
}

/// Everything but the Deployment, in the order in which it is made.
pub(crate) fn around(application: &Application, gateway: (&str, &str), expiry: &str) -> Vec<Value> {
    let spec = &application.spec;
    let (namespace, name) = (namespace(spec), name(spec));
    let metadata = |name: String| json!({ "name": name, "namespace": namespace, "labels": { "app": name } });
    let image_pull = json!({
        "name": format!("{name}-image-pull"),
        "namespace": namespace,
        "annotations": { "tokenExpiry": expiry },
    });
    let routing = &spec.service_spec.routing;
    let (parent_namespace, parent) = gateway;
    vec![
        json!({
            "apiVersion": "v1", "kind": "Namespace",
            "metadata": { "name": namespace, "labels": { "loco.dev/app": "true" } },
        }),
        json!({ "apiVersion": "v1", "kind": "ServiceAccount", "metadata": metadata(name.clone()) }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "Role", "metadata": metadata(name.clone()),
            "rules": [{ "apiGroups": [""], "resources": ["secrets"], "resourceNames": [format!("{name}-env")], "verbs": ["get"] }],
        }),
        json!({
            "apiVersion": "rbac.authorization.k8s.io/v1", "kind": "RoleBinding", "metadata": metadata(name.clone()),
            "roleRef": { "apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": name },
            "subjects": [{ "kind": "ServiceAccount", "name": name, "namespace": namespace }],
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": metadata(format!("{name}-env")),
            "stringData": spec.service_spec.deployment.env,
        }),
        json!({
            "apiVersion": "v1", "kind": "Secret", "metadata": image_pull,
            "type": "kubernetes.io/dockerconfigjson", "stringData": { ".dockerconfigjson": "{\"auths\":{}}" },
        }),
        json!({
            "apiVersion": "v1", "kind": "Service", "metadata": metadata(name.clone()),
            "spec": {
                "selector": { "app": name },
                "ports": [{ "port": 80, "targetPort": spec.service_spec.deployment.port }],
            },
        }),
        json!({
            "apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
            "metadata": metadata(format!("{name}-route")),
            "spec": {
                "parentRefs": [{ "name": parent, "namespace": parent_namespace }],
                "hostnames": [routing.host_name],
                "rules": [{
                    "matches": [{ "path": { "type": "PathPrefix", "value": routing.path_prefix } }],
                    "backendRefs": [{ "name": name, "port": 80 }],
                }],
            },
        }),
    ]
}

/// The Deployment, with as many replicas as the Application says at least.
pub(crate) fn deployment(application: &Application) -> Value {
    let spec = &application.spec;
    let (namespace, name) = (namespace(spec), name(spec));
    let run = &spec.service_spec.deployment;
    let check = &run.health_check;
    let probe = json!({
        "httpGet": { "path": check.path, "port": run.port },
        "initialDelaySeconds": check.startup_grace_period,
        "periodSeconds": check.interval,
        "timeoutSeconds": check.timeout,
        "failureThreshold": check.fail_threshold,
    });
    let resources = &spec.service_spec.resources;
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": { "name": name, "namespace": namespace, "labels": { "app": name } },
        "spec": {
            "replicas": resources.replicas.min,
            "selector": { "matchLabels": { "app": name } },
            "template": {
                "metadata": { "labels": { "app": name } },
                "spec": {
                    "serviceAccountName": name,
                    "terminationGracePeriodSeconds": 5,
                    "imagePullSecrets": [{ "name": format!("{name}-image-pull") }],
                    "containers": [{
                        "name": "app",
                        "image": run.image,
                        "imagePullPolicy": "IfNotPresent",
                        "ports": [{ "containerPort": run.port }],
                        "envFrom": [{ "secretRef": { "name": format!("{name}-env"), "optional": true } }],
                        "readinessProbe": probe,
                        "livenessProbe": probe,
                        "resources": { "requests": { "cpu": resources.cpu, "memory": resources.memory } },
                    }],
                },
            },
        },
    })
}

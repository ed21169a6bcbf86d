"""Apps, as their owners would write them: a Deployment, a Service, and for those of the edge a route."""

import concurrent.futures
import time

from api import until

# What loco gives each app: no request may have to wait for it.
LATE = {"periodSeconds": 30, "initialDelaySeconds": 15}
PROMPT = {"periodSeconds": 1}


def namespace(api, name, labels=None):
    api.create("/api/v1/namespaces", {"metadata": {"name": name, "labels": {"loco-edge-bench": "true", **(labels or {})}}})
    # Pods are refused until it has its account.
    until(30, f"the account of {name}", lambda: api.get(f"/api/v1/namespaces/{name}/serviceaccounts/default"))


def policy(api, where, **spec):
    """What holds for all apps of a namespace."""
    api.create(f"/apis/edge.loco.io/v1alpha1/namespaces/{where}/sleeppolicies", {
        "apiVersion": "edge.loco.io/v1alpha1", "kind": "SleepPolicy", "metadata": {"name": "all"},
        "spec": {"targetRefs": [{"kind": "Namespace", "name": where}], "idleAfter": "2h", "removeAfter": "4h", **spec}})


def deployment(name, image, replicas=0, token=False, probe=PROMPT, port=8080, **pod):
    return {
        "apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
        "spec": {
            "replicas": replicas, "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": {
                "automountServiceAccountToken": token, "terminationGracePeriodSeconds": 2,
                "containers": [{
                    "name": "app", "image": image, "imagePullPolicy": "IfNotPresent",
                    "env": [{"name": "BIND", "value": "0.0.0.0"}, {"name": "PORT", "value": str(port)}],
                    "ports": [{"name": "http", "containerPort": port}],
                    "readinessProbe": {"httpGet": {"path": "/readyz", "port": "http"}, **probe}}],
                **pod}}}}


def service(name):
    return {"apiVersion": "v1", "kind": "Service", "metadata": {"name": name},
            "spec": {"selector": {"app": name}, "ports": [{"name": "http", "port": 80, "targetPort": "http"}]}}


def route(name, gateway, host, rules=None):
    return {"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute", "metadata": {"name": name},
            "spec": {"parentRefs": [{"name": "edge", "namespace": gateway}], "hostnames": [host],
                     "rules": rules or [{"backendRefs": [{"name": name, "port": 80}]}]}}


def deployments(where, name=""):
    return f"/apis/apps/v1/namespaces/{where}/deployments" + (f"/{name}" if name else "")


def scale(api, where, name, replicas):
    """By the scale subresource, as the edge does."""
    return api.patch(f"{deployments(where, name)}/scale", {"spec": {"replicas": replicas}})


def make(api, where, workload, gateway=None, host=None):
    """Of the edge, if a gateway is named."""
    name = workload["metadata"]["name"]
    api.create(f"/api/v1/namespaces/{where}/services", service(name))
    if gateway:
        api.create(f"/apis/gateway.networking.k8s.io/v1/namespaces/{where}/httproutes", route(name, gateway, host))
    api.create(deployments(where), workload)


def pods(api, where):
    return api.call("GET", f"/api/v1/namespaces/{where}/pods")["items"]


def each(work, items, at_once=8):
    """Does it for all, a few at once; the first error ends it."""
    with concurrent.futures.ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(work, items))


def gone(api, namespaces, limit=300):
    """Deletes namespaces and waits: while an edge runs, so that it can let go of what it keeps."""
    for name in namespaces:
        api.delete(f"/api/v1/namespaces/{name}")
    for name in namespaces:
        until(limit, f"{name} is gone", lambda name=name: api.get(f"/api/v1/namespaces/{name}") is None, pause=0.3)


def settle(seconds=0.4):
    """What has just been done is over for the kubelet too."""
    time.sleep(seconds)

# Sourced: gives `prepare`, which makes a cluster ready for the tests of tests/cluster and says so to them.

# The version that the standard channel's definitions are of.
GATEWAY_API=v1.6.1

# A cluster of KUBECONFIG, else the kit's, which it starts. Fails where there is neither.
cluster() {
    local kit=${LOCO_CLUSTER:-../shared/cluster}
    if [ -z "${KUBECONFIG:-}" ]; then
        [ -x "$kit/up" ] || {
            echo "No cluster: set KUBECONFIG to one that the tests may use, or LOCO_CLUSTER to a kit that starts one" >&2
            return 1
        }
        local words
        words=$("$kit/up") && eval "$words" || return
    fi
    command -v kubectl >/dev/null && command -v helm >/dev/null && kubectl version >/dev/null
}

# The kinds of the Gateway API, unless the cluster has them.
gateway_api() {
    kubectl get crd httproutes.gateway.networking.k8s.io >/dev/null 2>&1 && return
    local kit=${LOCO_CLUSTER:-../shared/cluster}
    local kept=$kit/conformance/crds/standard.yaml
    local known=https://github.com/kubernetes-sigs/gateway-api/releases/download/$GATEWAY_API/standard-install.yaml
    if [ -f "$kept" ]; then known=$kept; fi
    kubectl apply --server-side -f "$known" &&
        kubectl wait --for=condition=Established --timeout=60s crd/httproutes.gateway.networking.k8s.io \
            crd/grpcroutes.gateway.networking.k8s.io crd/gateways.gateway.networking.k8s.io
}

images() {
    local words
    words=$(tests/cluster/image) || return
    while IFS= read -r word; do export "${word?}"; done <<<"$words"
}

prepare() {
    step "a cluster" cluster && step "the Gateway API" gateway_api && step "images" images || return
    step "a controller that behaves as loco's" cargo build --quiet -p fake-loco || return
    # What the tests look for: KUBECONFIG may name a cluster that somebody lives on.
    export LOCO_TEST_CLUSTER=1
}

# What the tests have installed, and what they would have removed had they not been ended.
tidy() {
    # What fails here must not become the status of what has run before.
    helm uninstall edge --namespace edge-test-chart --ignore-not-found --wait --timeout 60s || :
    kubectl delete gatewayclass edge-test --ignore-not-found --wait=false || :
    kubectl delete namespace edge-test-chart --ignore-not-found --wait=false || :
}

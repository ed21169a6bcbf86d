//! Counts all that a replica asks of the API server: watches, the Lease and statuses too.

use http::{Method, Request, Uri};
use kube::client::{Body, ClientBuilder};
use kube::{Client, Config};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;
use tower::util::MapRequestLayer;

/// Requests that were sent, by verb and resource.
#[derive(Clone, Debug, Default)]
pub struct Sent(Family<Vec<(&'static str, String)>, Counter>);

impl Sent {
    /// A client whose requests are counted here, and shown with `debug` as they are sent.
    ///
    /// # Errors
    /// Where the configuration makes no client.
    pub fn client(&self, config: Config) -> kube::Result<Client> {
        let sent = self.clone();
        let layer = MapRequestLayer::new(move |request: Request<Body>| {
            sent.count(request.method(), request.uri());
            request
        });
        Ok(ClientBuilder::try_from(config)?.with_layer(&layer).build())
    }

    /// A registry that shows them.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Requests that were sent to the API server, watches included, by verb and resource";
        registry.register("loco_edge_kubernetes_sent", help, self.0.clone());
    }

    fn count(&self, method: &Method, uri: &Uri) {
        let verb = verb(method, uri);
        tracing::debug!(verb, path = uri.path(), "asks the API server");
        let labels = vec![("verb", verb.to_owned()), ("resource", resource(uri.path()).to_owned())];
        self.0.get_or_create(&labels).inc();
    }
}

/// As the API server calls it in its own figures.
fn verb(method: &Method, uri: &Uri) -> &'static str {
    let watches = || uri.query().is_some_and(|query| query.split('&').any(|pair| pair.starts_with("watch=")));
    match method.as_str() {
        "GET" if watches() => "watch",
        "GET" => "read",
        "POST" => "create",
        "PUT" => "update",
        "PATCH" => "patch",
        "DELETE" => "delete",
        _ => "other",
    }
}

/// The resource that a path names, such as `deployments` or `deployments/scale`; nothing of a path that names none.
fn resource(path: &str) -> String {
    let mut parts = path.split('/').skip(1);
    // `/api/VERSION` or `/apis/GROUP/VERSION`.
    let before = match parts.next() {
        Some("api") => 1,
        Some("apis") => 2,
        _ => return String::new(),
    };
    let parts: Vec<&str> = parts.skip(before).collect();
    match parts.as_slice() {
        ["namespaces", _, resource, _, part, ..] => format!("{resource}/{part}"),
        ["namespaces", _, resource, ..] | [resource, _] | [resource] => (*resource).to_owned(),
        [resource, _, part, ..] => format!("{resource}/{part}"),
        [] => String::new(),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_resource_is_named_without_its_object() {
        for (path, named) in [
            ("/api/v1/pods", "pods"),
            ("/api/v1/namespaces", "namespaces"),
            ("/api/v1/nodes/one", "nodes"),
            ("/apis/apps/v1/namespaces/a/deployments", "deployments"),
            ("/apis/apps/v1/namespaces/a/deployments/web", "deployments"),
            ("/apis/apps/v1/namespaces/a/deployments/web/scale", "deployments/scale"),
            ("/apis/gateway.networking.k8s.io/v1/gatewayclasses/one/status", "gatewayclasses/status"),
            ("/version", ""),
        ] {
            assert_eq!(resource(path), named, "{path}");
        }
    }

    #[test]
    fn a_watch_is_told_from_a_list() {
        let uri = |text: &str| text.parse::<Uri>().unwrap();
        assert_eq!(verb(&Method::GET, &uri("/api/v1/pods?limit=500")), "read");
        assert_eq!(verb(&Method::GET, &uri("/api/v1/pods?timeoutSeconds=290&watch=true")), "watch");
        assert_eq!(verb(&Method::PATCH, &uri("/api/v1/pods")), "patch");
    }
}

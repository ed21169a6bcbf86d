//! What is counted of the API itself.

use axum::extract::{MatchedPath, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::Response;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::registry::Registry;

type Labels = Vec<(&'static str, String)>;

/// How often the API was asked. Clones share it.
#[derive(Clone, Debug, Default)]
pub struct Counts(Family<Labels, Counter>);

impl Counts {
    /// Figures that a registry shows.
    pub fn register(registry: &mut Registry) -> Self {
        let counts = Self::default();
        let help = "Requests to the admin API, by route, method and status";
        registry.register("loco_edge_admin_requests", help, counts.0.clone());
        counts
    }
}

/// Counts a request, and what came of it.
pub(super) async fn count(State(counts): State<Counts>, request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned();
    let method = known(request.method());
    let response = next.run(request).await;
    let status = response.status().as_u16().to_string();
    let labels = vec![("route", route), ("method", method.to_owned()), ("status", status)];
    counts.0.get_or_create(&labels).inc();
    response
}

/// Clients can think of any number of methods.
fn known(method: &Method) -> &'static str {
    match method.as_str() {
        "GET" => "GET",
        "HEAD" => "HEAD",
        "POST" => "POST",
        "PUT" => "PUT",
        "DELETE" => "DELETE",
        "OPTIONS" => "OPTIONS",
        _ => "other",
    }
}

//! Every route of the API, with who may use it: there is no other way in. `docs/openapi.json` describes each; a test
//! compares the two.

use axum::Router;
use axum::middleware::from_fn_with_state;
use axum::routing::{MethodFilter, MethodRouter, on};
use config::model::Role;

use super::access::{self, Access, Door};
use super::problem::Problem;
use super::{Admin, about, apps, brakes, capacity, limits};

/// One route.
pub(super) struct Route {
    pub(super) method: MethodFilter,
    pub(super) path: &'static str,
    pub(super) access: Access,
    handler: fn(MethodFilter) -> MethodRouter<Admin>,
}

/// A line of the table.
macro_rules! route {
    ($method:ident $path:literal, $access:expr, $handler:path) => {
        Route {
            method: MethodFilter::$method,
            path: $path,
            access: $access,
            handler: |method| on(method, $handler),
        }
    };
}

/// All of them.
pub(super) fn all() -> Vec<Route> {
    const OPEN: Access = Access::Open;
    const VIEWER: Access = Access::Role(Role::Viewer);
    const OPERATOR: Access = Access::Role(Role::Operator);
    const ADMIN: Access = Access::Role(Role::Admin);
    vec![
        route!(GET "/livez", OPEN, about::livez),
        route!(GET "/readyz", OPEN, about::readyz),
        route!(GET "/v1/openapi.json", OPEN, about::openapi),
        route!(GET "/metrics", VIEWER, about::metrics),
        route!(GET "/v1/audit", VIEWER, about::audit),
        route!(GET "/v1/capacity", VIEWER, capacity::show),
        route!(GET "/v1/config", VIEWER, about::configuration),
        route!(GET "/v1/apps", VIEWER, apps::list),
        route!(GET "/v1/apps/{name}", VIEWER, apps::show),
        route!(POST "/v1/apps/{name}/wake", OPERATOR, apps::wake),
        route!(POST "/v1/apps/{name}/sleep", OPERATOR, apps::sleep),
        route!(GET "/v1/sleep", VIEWER, brakes::show),
        route!(POST "/v1/sleep/pause", ADMIN, brakes::pause),
        route!(POST "/v1/sleep/resume", ADMIN, brakes::resume),
        route!(GET "/v1/limits", VIEWER, limits::list),
        route!(GET "/v1/limits/{name}", VIEWER, limits::show),
        route!(PUT "/v1/limits/{name}", ADMIN, limits::set),
        route!(DELETE "/v1/limits/{name}", ADMIN, limits::delete),
        route!(POST "/v1/limits/{name}/restore", ADMIN, limits::restore),
    ]
}

/// All of them, each behind its door.
pub(super) fn router(admin: &Admin) -> Router<Admin> {
    let door = Door { tokens: admin.tokens.clone(), attempts: admin.attempts.clone(), access: Access::Open };
    let routes = all().into_iter().fold(Router::new(), |router, route| {
        let door = Door { access: route.access, ..door.clone() };
        let handler = (route.handler)(route.method);
        router.route(route.path, handler.route_layer(from_fn_with_state(door, access::check)))
    });
    routes
        .fallback(|| async { Problem::not_found("there is nothing at this path; see GET /v1/openapi.json") })
        .method_not_allowed_fallback(|| async { Problem::method_not_allowed() })
}

//! loco's Applications: what they say of their apps, and where they are reached.
//!
//! loco's controller makes an HTTPRoute for each. If one of ours sends requests to the app, that route decides; else, as
//! when it names the Gateway of another edge, the Application's own routing does, at every Gateway of ours that takes it.

use std::sync::Arc;
use std::time::Duration;

use config::model::{After, AppId, Check, Health, Label, Tenant};

use super::gateway::Gateway;
use super::route::Attached;
use crate::kubernetes::crd::Sleeping;
use crate::kubernetes::index::application::Application;
use crate::kubernetes::index::meta::Meta;
use crate::kubernetes::index::route::{
    BackendRef, ParentRef, PathMatch, Route, RouteKind, RouteMatch, RouteRule, RouteSpec,
};
use crate::kubernetes::index::{Index, Key};

/// The id that loco has for it.
pub(super) fn id(application: &Application) -> Option<AppId> {
    Label::parse(&application.resource.to_string()).ok().map(|label| AppId::from_label(&label))
}

/// Whose it is: as its namespace says, but for what it says itself.
pub(super) fn tenant(application: &Application, of_namespace: Tenant) -> Tenant {
    Tenant {
        workspace: Label::parse(&application.workspace.to_string()).unwrap_or(of_namespace.workspace),
        region: Label::parse(&application.region).unwrap_or(of_namespace.region),
        ..of_namespace
    }
}

/// When it sleeps, if no policy says otherwise.
pub(super) fn sleeping(application: &Application) -> Sleeping {
    let idle_after = application.idle_after.map_or(After::Never, After::Elapsed);
    Sleeping { idle_after: Some(idle_after), ..Sleeping::default() }
}

/// When it is up, if no policy says otherwise.
pub(super) fn health(application: &Application, default: &Health) -> Health {
    let asked = &application.health;
    let check = if asked.path.is_empty() {
        default.check.clone()
    } else {
        Check::http(&asked.path).unwrap_or(Check::Tcp)
    };
    // What takes longer than a start may take can never be known.
    Health { check, timeout: asked.timeout.min(asked.grace), grace: asked.grace.max(Duration::from_secs(1)) }
}

/// The routes of Applications to whose app none of ours leads.
pub(super) fn routes(index: &Index, gateways: &[Gateway<'_>], attached: &[Attached<'_>]) -> Vec<Arc<Route>> {
    let parents: Vec<ParentRef> = gateways.iter().map(|gateway| parent(&gateway.object.meta.key)).collect();
    let led_to = |place: &Key| attached.iter().any(|attached| leads(attached.route, place));
    let alone = index.applications.iter().filter(|one| !one.host.is_empty() && !led_to(&one.place));
    alone.filter_map(|application| route(index, application, parents.clone()).map(Arc::new)).collect()
}

fn leads(route: &Route, place: &Key) -> bool {
    let own = &*route.meta.key.namespace;
    let mut backends = route.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
    backends
        .any(|one| *one.name == *place.name && one.namespace.as_deref().unwrap_or(own) == &*place.namespace)
}

fn parent(gateway: &Key) -> ParentRef {
    ParentRef {
        namespace: Some(gateway.namespace.to_string()),
        name: gateway.name.to_string(),
        ..ParentRef::default()
    }
}

/// As loco's controller would write it, to the first port of the app's Service.
fn route(index: &Index, application: &Application, parents: Vec<ParentRef>) -> Option<Route> {
    let place = &application.place;
    let port = index.services.find(place)?.ports.first()?.port;
    let path = if application.path.starts_with('/') { &application.path } else { "/" };
    let rule = RouteRule {
        matches: vec![RouteMatch {
            path: Some(PathMatch { r#type: Some("PathPrefix".to_owned()), value: Some(path.to_owned()) }),
            ..RouteMatch::default()
        }],
        backend_refs: vec![BackendRef {
            name: place.name.to_string(),
            port: Some(i32::from(port)),
            ..BackendRef::default()
        }],
        ..RouteRule::default()
    };
    let meta = Meta { key: place.beside(&format!("{}-route", place.name)), ..application.meta.clone() };
    let hostnames = vec![application.host.to_string()];
    let spec = RouteSpec { parent_refs: parents, hostnames, rules: vec![rule] };
    Some(Route { meta, kind: RouteKind::Http, spec, parents: Vec::new() })
}

//! Where requests for an app come in: HTTPRoutes.

use std::collections::BTreeSet;

use config::model::{App, Host, HostPattern, PathPrefix};
use gateway_api::httproutes::{
    HttpRoute, HttpRouteParentRefs, HttpRouteRules, HttpRouteRulesBackendRefs, HttpRouteRulesMatches,
    HttpRouteRulesMatchesPath, HttpRouteRulesMatchesPathType, HttpRouteSpec,
};

use super::left::Left;
use super::place::Place;
use super::port;

/// Hostnames of an HTTPRoute (gateway.networking.k8s.io/v1).
const MOST_HOSTS: usize = 16;
/// Matches of a rule; all rules of a route may have 128 together.
const MOST_PATHS: usize = 64;

/// The routes of an app: one, unless it has more hosts or paths than one may have.
pub(super) fn routes(app: &App, name: &str, place: Place<'_>, left: &mut Left) -> Vec<HttpRoute> {
    let hosts: BTreeSet<&HostPattern> = app.routes.iter().map(|route| &route.host).collect();
    let paths: BTreeSet<&PathPrefix> = app.routes.iter().map(|route| &route.path).collect();
    let (hosts, no_hosts): (Vec<_>, Vec<_>) = hosts.into_iter().partition(|host| is_hostname(host));
    let (paths, no_paths): (Vec<_>, Vec<_>) = paths.into_iter().partition(|path| is_path(path));
    for host in no_hosts {
        left.app(&app.name, format_args!("{host} cannot be the host of an HTTPRoute, and is left out"));
    }
    for path in no_paths {
        left.app(&app.name, format_args!("{path} cannot be the path of an HTTPRoute, and is left out"));
    }
    let parts =
        hosts.chunks(MOST_HOSTS).flat_map(|hosts| paths.chunks(MOST_PATHS).map(move |paths| (hosts, paths)));
    let routes = parts.enumerate().map(|(at, (hosts, paths))| HttpRoute {
        metadata: place.metadata(if at == 0 { name.to_owned() } else { format!("{name}-{}", at + 1) }),
        spec: spec(name, hosts, paths, place),
        status: None,
    });
    let routes: Vec<_> = routes.collect();
    if routes.is_empty() {
        left.app(&app.name, "no HTTPRoute sends it requests");
    }
    routes
}

fn spec(name: &str, hosts: &[&HostPattern], paths: &[&PathPrefix], place: Place<'_>) -> HttpRouteSpec {
    let gateway = HttpRouteParentRefs {
        name: place.gateway.name.clone(),
        namespace: place.gateway.namespace.clone(),
        ..HttpRouteParentRefs::default()
    };
    let backend = HttpRouteRulesBackendRefs {
        name: name.to_owned(),
        port: Some(port::SERVICE),
        ..HttpRouteRulesBackendRefs::default()
    };
    let below = |path: &&PathPrefix| HttpRouteRulesMatches {
        path: Some(HttpRouteRulesMatchesPath {
            r#type: Some(HttpRouteRulesMatchesPathType::PathPrefix),
            value: Some(path.to_string()),
        }),
        ..HttpRouteRulesMatches::default()
    };
    HttpRouteSpec {
        parent_refs: Some(vec![gateway]),
        hostnames: Some(hosts.iter().map(ToString::to_string).collect()),
        rules: Some(vec![HttpRouteRules {
            matches: Some(paths.iter().map(below).collect()),
            backend_refs: Some(vec![backend]),
            ..HttpRouteRules::default()
        }]),
    }
}

/// `Hostname`: as a [`Host`], but without underscores, and no address.
fn is_hostname(host: &HostPattern) -> bool {
    let name =
        |host: &Host| !host.as_str().contains('_') && host.as_str().parse::<std::net::IpAddr>().is_err();
    match host {
        HostPattern::Exact(host) | HostPattern::Wildcard(host) => name(host),
    }
}

/// `HTTPPathMatch`: the characters of RFC 3986 (`pchar`), and no encoded slash.
fn is_path(path: &PathPrefix) -> bool {
    let path = path.as_str();
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-/._~!$&'()*+,;=:@%".contains(&b);
    let encoded =
        |piece: &str| piece.as_bytes().get(..2).is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit));
    path.len() <= 1_024
        && path.bytes().all(plain)
        && path.split('%').skip(1).all(encoded)
        && !path.to_ascii_lowercase().contains("%2f")
}

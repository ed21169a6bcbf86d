//! What stands before an app: a Service, and for those that somebody else runs where they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use config::model::{App, Endpoint, Protocol};
use k8s_openapi::api::core::v1::{Service, ServicePort, ServiceSpec};
use k8s_openapi::api::discovery::v1::{self as discovery, EndpointPort, EndpointSlice};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::left::Left;
use super::place::{Place, selector};
use super::port;

/// Endpoints of a slice (discovery.k8s.io/v1).
const MOST: usize = 1_000;

/// The Service of what a Deployment runs.
pub(super) fn of_pods(app: &App, name: &str, place: Place<'_>) -> Service {
    let target = Some(IntOrString::String(port::NAME.to_owned()));
    service(app, name, place, Some(selector(name)), target)
}

/// The Service of what somebody else runs.
pub(super) fn of_others(app: &App, name: &str, place: Place<'_>) -> Service {
    service(app, name, place, None, None)
}

fn service(
    app: &App,
    name: &str,
    place: Place<'_>,
    selector: Option<BTreeMap<String, String>>,
    target_port: Option<IntOrString>,
) -> Service {
    Service {
        metadata: place.metadata(name),
        spec: Some(ServiceSpec {
            selector,
            ports: Some(vec![ServicePort {
                name: Some(port::NAME.to_owned()),
                port: port::SERVICE,
                target_port,
                app_protocol: app_protocol(app.protocol),
                ..ServicePort::default()
            }]),
            ..ServiceSpec::default()
        }),
        status: None,
    }
}

/// GEP-1911; what is to be found out is not said.
fn app_protocol(protocol: Protocol) -> Option<String> {
    match protocol {
        Protocol::Auto => None,
        Protocol::Http1 => Some("http".to_owned()),
        Protocol::H2c => Some("kubernetes.io/h2c".to_owned()),
    }
}

/// Where an app is that somebody else runs: a slice for each family of addresses and port.
pub(super) fn slices(
    app: &App,
    name: &str,
    endpoints: &[Endpoint],
    place: Place<'_>,
    left: &mut Left,
) -> Vec<EndpointSlice> {
    say_weights(app, endpoints, left);
    let (there, nowhere): (Vec<&Endpoint>, Vec<&Endpoint>) =
        endpoints.iter().filter(|one| one.weight > 0).partition(|one| is_reachable(one.address.ip()));
    for one in &nowhere {
        left.app(
            &app.name,
            format_args!("{} is nobody's that pods could reach: name the machine's own address", one.address),
        );
    }
    if there.is_empty() {
        left.app(&app.name, "its Service has no endpoints: make an EndpointSlice for it");
    }
    let mut groups: BTreeMap<(&str, u16), Vec<IpAddr>> = BTreeMap::new();
    for one in there {
        let family = if one.address.is_ipv4() { "IPv4" } else { "IPv6" };
        groups.entry((family, one.address.port())).or_default().push(one.address.ip());
    }
    let parts = groups.iter().flat_map(|(of, all)| all.chunks(MOST).map(move |part| (*of, part)));
    parts.enumerate().map(|(at, (of, part))| slice(app, name, at, of, part, place)).collect()
}

fn slice(
    app: &App,
    name: &str,
    at: usize,
    (family, number): (&str, u16),
    addresses: &[IpAddr],
    place: Place<'_>,
) -> EndpointSlice {
    let service = [("kubernetes.io/service-name".to_owned(), name.to_owned())].into();
    let endpoint = |ip: &IpAddr| discovery::Endpoint {
        addresses: vec![ip.to_string()],
        ..discovery::Endpoint::default()
    };
    EndpointSlice {
        metadata: ObjectMeta { labels: Some(service), ..place.metadata(format!("{name}-{}", at + 1)) },
        address_type: family.to_owned(),
        endpoints: addresses.iter().map(endpoint).collect(),
        ports: Some(vec![EndpointPort {
            name: Some(port::NAME.to_owned()),
            port: Some(i32::from(number)),
            app_protocol: app_protocol(app.protocol),
            ..EndpointPort::default()
        }]),
    }
}

/// What the API server takes as the address of an endpoint (`ValidateEndpointIP`).
fn is_reachable(ip: IpAddr) -> bool {
    let link_local = match ip {
        IpAddr::V4(ip) => ip.is_link_local(),
        IpAddr::V6(ip) => ip.is_unicast_link_local(),
    };
    !(ip.is_loopback() || ip.is_unspecified() || ip.is_multicast() || link_local)
}

fn say_weights(app: &App, endpoints: &[Endpoint], left: &mut Left) {
    for one in endpoints.iter().filter(|one| one.weight == 0) {
        left.app(&app.name, format_args!("{} has weight 0, and is left out", one.address));
    }
    let mut weights: Vec<u32> = endpoints.iter().map(|one| one.weight).filter(|weight| *weight > 0).collect();
    weights.sort_unstable();
    weights.dedup();
    if weights.len() > 1 {
        left.app(&app.name, "an EndpointSlice has no weights: all its `upstreams` get the same part");
    }
}

//! Services and EndpointSlices.

use std::net::IpAddr;

use k8s_openapi::api::core::v1;
use k8s_openapi::api::discovery::v1 as discovery;
use k8s_openapi::apimachinery::pkg::util::intstr::IntOrString;

use super::{Keeps, Watched, boxed, labels, meta, port};
use crate::kubernetes::index::service::{EndpointSlice, Service, ServicePort, SliceEndpoint, TargetPort};
use crate::kubernetes::index::{Seen, Update};

/// The label that says whose slice it is (discovery.k8s.io/v1).
const SERVICE_NAME: &str = "kubernetes.io/service-name";

pub(super) fn target(of: IntOrString) -> TargetPort {
    match of {
        IntOrString::Int(number) => TargetPort::Number(port(number)),
        IntOrString::String(name) => TargetPort::Name(name.into()),
    }
}

impl Watched for v1::Service {
    type Kept = Service;

    fn trimmed(self, keeps: &Keeps) -> Option<Service> {
        let spec = self.spec.unwrap_or_default();
        let balancer = self.status.unwrap_or_default().load_balancer.unwrap_or_default();
        let given =
            balancer.ingress.unwrap_or_default().into_iter().filter_map(|one| one.ip.or(one.hostname));
        let outside = given.chain(spec.external_ips.unwrap_or_default());
        Some(Service {
            meta: meta(self.metadata, keeps)?,
            selector: labels(spec.selector.unwrap_or_default()),
            external: spec.type_.as_deref() == Some("ExternalName"),
            cluster_ip: spec.cluster_ip.and_then(|address| address.parse().ok()),
            ingress: outside.map(String::into_boxed_str).collect(),
            ports: spec.ports.unwrap_or_default().into_iter().map(service_port).collect(),
        })
    }

    fn update(seen: Seen<Service>) -> Update {
        Update::Service(seen)
    }
}

fn service_port(of: v1::ServicePort) -> ServicePort {
    let number = port(of.port);
    ServicePort {
        name: boxed(of.name),
        port: number,
        target: of.target_port.map_or(TargetPort::Number(number), target),
        app_protocol: of.app_protocol.map(String::into_boxed_str),
    }
}

impl Watched for discovery::EndpointSlice {
    type Kept = EndpointSlice;

    /// A slice of no Service is nobody's.
    fn trimmed(self, keeps: &Keeps) -> Option<EndpointSlice> {
        let mut meta = meta(self.metadata, keeps)?;
        let service = meta.key.beside(meta.labels.get(SERVICE_NAME)?);
        meta.labels.clear();
        let ports = self.ports.unwrap_or_default().into_iter();
        Some(EndpointSlice {
            meta,
            service,
            ports: ports.filter_map(|one| Some((boxed(one.name), port(one.port?)))).collect(),
            endpoints: self.endpoints.into_iter().filter_map(endpoint).collect(),
        })
    }

    fn update(seen: Seen<EndpointSlice>) -> Update {
        Update::Slice(seen)
    }
}

/// All addresses of an endpoint are the same one's: the first is enough (discovery.k8s.io/v1, `Endpoint.addresses`).
/// What is not said of its conditions is to be read as ready.
fn endpoint(of: discovery::Endpoint) -> Option<SliceEndpoint> {
    let address: IpAddr = of.addresses.first()?.parse().ok()?;
    let conditions = of.conditions.unwrap_or_default();
    let ready = conditions.ready.unwrap_or(true);
    Some(SliceEndpoint {
        address,
        ready,
        serving: conditions.serving.unwrap_or(ready),
        terminating: conditions.terminating.unwrap_or(false),
        pod: of
            .target_ref
            .filter(|target| target.kind.as_deref() == Some("Pod"))
            .and_then(|target| Some(target.name?.into())),
    })
}

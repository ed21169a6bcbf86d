//! Where an app's pods listen.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::sync::Arc;

use config::model::Endpoint;

use crate::kubernetes::index::service::{self, Service};
use crate::kubernetes::index::workload::Template;
use crate::kubernetes::index::{Index, Key, Labels};

/// How the pods of an app are found, and where they listen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Target {
    /// The Service whose port its endpoints are told with.
    pub service: Key,
    /// All of its Services.
    pub services: Vec<Key>,
    /// The labels of its pods; empty if somebody else makes the Service's slices.
    pub selector: Labels,
    /// Where they listen.
    pub port: TargetPort,
    /// What the port is called in the Service and in its slices; empty if it has no name.
    pub port_name: Box<str>,
    /// What runs it, if that is one workload.
    pub workload: Option<Key>,
}

/// A port of pods.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum TargetPort {
    /// This one, of each.
    Number(u16),
    /// The one that each calls so.
    Name(Box<str>),
}

impl TargetPort {
    /// Its number, if that is known.
    pub fn number(&self) -> Option<u16> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Name(_) => None,
        }
    }
}

/// Who of an app takes requests by the cluster's own word, as its Service's slices have it; each once, in order.
pub fn ready(index: &Index, target: &Target) -> Arc<[Endpoint]> {
    let addresses: BTreeSet<SocketAddr> = index
        .slices_of(&target.service)
        .flat_map(|slice| {
            let port = slice.ports.iter().find(|(name, _)| *name == target.port_name).map(|(_, port)| *port);
            let ready = slice.endpoints.iter().filter(|endpoint| endpoint.ready);
            ready.filter_map(move |endpoint| Some(SocketAddr::new(endpoint.address, port?)))
        })
        .collect();
    addresses.into_iter().map(Endpoint::from).collect()
}

/// The pods' port behind a port of a Service: by its number, by the name that the template has for it, or by what the
/// slices say; the name itself while none of them knows it. `None` if the Service has no such port.
pub(super) fn resolved(
    index: &Index,
    service: &Service,
    port: usize,
    template: Option<&Template>,
) -> Option<TargetPort> {
    let port = service.ports.get(port)?;
    let name = match &port.target {
        service::TargetPort::Number(number) => return Some(TargetPort::Number(*number)),
        service::TargetPort::Name(name) => name,
    };
    let called = |ports: &[(Box<str>, u16)], name: &str| {
        ports.iter().find(|(one, _)| **one == *name).map(|(_, number)| *number)
    };
    let in_template = template
        .and_then(|template| template.containers.iter().find_map(|container| called(&container.ports, name)));
    let in_slices = || index.slices_of(&service.meta.key).find_map(|slice| called(&slice.ports, &port.name));
    let number = in_template.or_else(in_slices);
    Some(number.map_or_else(|| TargetPort::Name(name.clone()), TargetPort::Number))
}

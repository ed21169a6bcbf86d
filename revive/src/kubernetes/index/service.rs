//! Services, their slices, and namespaces.

use std::net::IpAddr;
use std::sync::Arc;

use super::meta::{Key, Labels, Meta, Object};

/// A Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Service {
    /// Its metadata.
    pub meta: Meta,
    /// Which pods are its; empty: others make its slices.
    pub selector: Labels,
    /// Whether it only stands for a name elsewhere (`ExternalName`).
    pub external: bool,
    /// Its address within the cluster, if it has one.
    pub cluster_ip: Option<IpAddr>,
    /// Its addresses outside of the cluster: addresses or names.
    pub ingress: Vec<Box<str>>,
    /// Its ports.
    pub ports: Vec<ServicePort>,
}

impl Object for Service {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

/// A port of a Service.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServicePort {
    /// Its name; empty if it has none.
    pub name: Box<str>,
    /// Its number.
    pub port: u16,
    /// The pods' port.
    pub target: TargetPort,
    /// What is spoken there (`appProtocol`).
    pub app_protocol: Option<Box<str>>,
}

/// A port of pods.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TargetPort {
    /// By its number.
    Number(u16),
    /// By the name that a container has for it.
    Name(Box<str>),
}

/// An EndpointSlice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EndpointSlice {
    /// Its metadata.
    pub meta: Meta,
    /// Whose it is.
    pub service: Key,
    /// Its ports, by their names; empty names are ports without one.
    pub ports: Vec<(Box<str>, u16)>,
    /// Its endpoints.
    pub endpoints: Vec<SliceEndpoint>,
}

/// An endpoint of a slice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SliceEndpoint {
    /// Its address.
    pub address: IpAddr,
    /// Whether it takes requests.
    pub ready: bool,
    /// Whether it serves, even if it is about to end.
    pub serving: bool,
    /// Whether it is about to end.
    pub terminating: bool,
    /// The pod behind it.
    pub pod: Option<Arc<str>>,
}

impl Object for EndpointSlice {
    fn meta(&self) -> &Meta {
        &self.meta
    }

    /// Of a slice, the table depends on the ports and on whether anybody is ready at all.
    fn compiles_like(&self, other: &Self) -> bool {
        (&self.service, &self.ports, self.any_ready()) == (&other.service, &other.ports, other.any_ready())
    }
}

impl EndpointSlice {
    /// Whether any endpoint takes requests.
    pub fn any_ready(&self) -> bool {
        self.endpoints.iter().any(|endpoint| endpoint.ready)
    }
}

/// A Namespace; its key has no namespace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// Its metadata.
    pub meta: Meta,
}

impl Object for Namespace {
    fn meta(&self) -> &Meta {
        &self.meta
    }
}

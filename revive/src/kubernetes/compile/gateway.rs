//! Gateways of our classes.

use std::collections::BTreeSet;
use std::net::IpAddr;
use std::sync::Arc;

use super::certificate::{self, Certificate};
use super::listener::{Listener, listeners};
use super::said::{GatewaySaid, Said, Statuses};
use crate::kubernetes::index::gateway::{Address, Gateway as Object};
use crate::kubernetes::index::{Index, Key};
use crate::kubernetes::settings::{Addresses, Settings};

/// A Gateway of ours.
#[derive(Debug)]
pub(super) struct Gateway<'i> {
    /// As it is written.
    pub object: &'i Object,
    /// Its listeners.
    pub listeners: Vec<Listener<'i>>,
}

/// The Gateways of these classes, by their keys' order.
pub(super) fn ours<'i>(index: &'i Index, settings: &Settings, classes: &BTreeSet<&str>) -> Vec<Gateway<'i>> {
    let of_us = |gateway: &&Arc<Object>| classes.contains(&*gateway.spec.gateway_class_name);
    let gateways = index.gateways.iter().filter(of_us);
    gateways.map(|object| Gateway { object, listeners: listeners(index, settings, object) }).collect()
}

/// The Secrets that listeners of Gateways of these classes name.
pub(super) fn secrets(gateways: &[Gateway<'_>]) -> BTreeSet<Key> {
    let references = gateways.iter().flat_map(|gateway| {
        let tls = gateway.listeners.iter().filter_map(|listener| listener.spec.tls.as_ref());
        let references = tls.flat_map(|tls| tls.certificate_refs.iter().flatten());
        references.filter_map(|reference| certificate::named(gateway.object, reference))
    });
    references.collect()
}

impl Gateway<'_> {
    /// The certificates of its listeners that work.
    pub(super) fn certificates(&self) -> impl Iterator<Item = Certificate> {
        self.listeners.iter().filter(|listener| listener.works()).flat_map(|listener| {
            listener.certificates.iter().map(|secret| Certificate {
                gateway: self.object.meta.key.clone(),
                listener: listener.spec.name.as_str().into(),
                port: listener.port,
                host: listener.host.clone(),
                secret: secret.clone(),
            })
        })
    }

    /// Says how it stands, once its routes have been counted.
    pub(super) fn say(&self, index: &Index, settings: &Settings, statuses: &mut Statuses) {
        let key = self.object.meta.key.clone();
        if self.listeners.iter().any(|listener| listener.pending) {
            statuses.pending.push(key);
            return;
        }
        let addresses = addresses(index, settings);
        let said = GatewaySaid {
            generation: self.object.meta.generation,
            conditions: vec![self.accepted(), self.programmed(&addresses)],
            listeners: self.listeners.iter().map(Listener::said).collect(),
            addresses,
        };
        statuses.gateways.insert(key, said);
    }

    fn accepted(&self) -> Said {
        let asked = self.object.spec.addresses.iter().flatten();
        let strange = |kind: &str| !matches!(kind, "IPAddress" | "Hostname");
        if let Some(kind) = asked.filter_map(|one| one.r#type.as_deref()).find(|kind| strange(kind)) {
            return Said::no(
                "Accepted",
                "UnsupportedAddress",
                format!("addresses of type {kind} cannot be had"),
            );
        }
        let wrong: Vec<&str> =
            self.listeners.iter().filter(|one| !one.works()).map(|one| &*one.spec.name).collect();
        if wrong.is_empty() {
            return Said::yes("Accepted", "Accepted");
        }
        let why = format!("not in use: {}; see status.listeners", wrong.join(", "));
        if wrong.len() == self.listeners.len() {
            Said::no("Accepted", "ListenersNotValid", why)
        } else {
            Said::yes("Accepted", "ListenersNotValid").because(why)
        }
    }

    fn programmed(&self, addresses: &[Address]) -> Said {
        let asked = self.object.spec.addresses.iter().flatten().filter_map(|one| one.value.as_deref());
        let mut strange = asked.filter(|value| addresses.iter().all(|one| one.value != *value));
        if let Some(value) = strange.next() {
            return Said::no(
                "Programmed",
                "AddressNotUsable",
                format!("{value} is no address of the edge's"),
            );
        }
        if !self.listeners.iter().any(Listener::works) {
            return Said::no("Programmed", "Invalid", "no listener can be used; see status.listeners");
        }
        if addresses.is_empty() {
            return Said::no("Programmed", "AddressNotAssigned", "the edge has no address yet");
        }
        Said::yes("Programmed", "Programmed")
    }
}

/// Where gateways are reached.
fn addresses(index: &Index, settings: &Settings) -> Vec<Address> {
    let values: Vec<String> = match &settings.addresses {
        Addresses::Fixed(values) => values.iter().map(ToString::to_string).collect(),
        Addresses::Service(key) => {
            let service = index.services.find(key);
            let outside =
                service.map(|service| service.ingress.iter().map(ToString::to_string).collect::<Vec<_>>());
            let inside = || service.and_then(|service| service.cluster_ip).map(|ip| ip.to_string());
            outside.filter(|some| !some.is_empty()).unwrap_or_else(|| inside().into_iter().collect())
        }
    };
    let address = |value: String| {
        let kind = if value.parse::<IpAddr>().is_ok() { "IPAddress" } else { "Hostname" };
        Address { r#type: Some(kind.to_owned()), value }
    };
    values.into_iter().map(address).collect()
}

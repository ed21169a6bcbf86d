//! Listeners of a Gateway: which can be used, and which routes they take.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::model::HostPattern;
use gateway_api::gateways::{
    GatewayListeners as Spec, GatewayListenersAllowedRoutesNamespacesFrom as FromNamespaces,
    GatewayListenersAllowedRoutesNamespacesSelector as Selector, GatewayListenersTlsMode as TlsMode,
};

use super::certificate::{self, Found};
use super::grant::GATEWAY_API;
use super::said::{ListenerSaid, Said, listed};
use crate::kubernetes::index::gateway::Gateway;
use crate::kubernetes::index::route::{Route, RouteKind};
use crate::kubernetes::index::secret::Secret;
use crate::kubernetes::index::{Index, Key, Labels};
use crate::kubernetes::settings::Settings;

/// A listener, and what has become of it.
#[derive(Debug)]
pub(super) struct Listener<'i> {
    /// As it is written.
    pub spec: &'i Spec,
    /// Its port.
    pub port: u16,
    /// Its hosts; `None`: any.
    pub host: Option<HostPattern>,
    /// The kinds of routes that it takes.
    pub kinds: Vec<RouteKind>,
    /// Its certificates.
    pub certificates: Vec<Arc<Secret>>,
    /// Whether a certificate is still being asked for.
    pub pending: bool,
    /// How many routes it has.
    pub attached: i32,
    accepted: Said,
    resolved: Said,
    conflicted: Said,
}

/// What a listener speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Protocol {
    Http,
    Https,
    Other,
}

impl Protocol {
    fn of(spec: &Spec) -> Self {
        let passes_on = spec.tls.as_ref().is_some_and(|tls| tls.mode == Some(TlsMode::Passthrough));
        match &*spec.protocol {
            "HTTP" => Self::Http,
            "HTTPS" if !passes_on => Self::Https,
            _ => Self::Other,
        }
    }
}

/// The listeners of a Gateway.
pub(super) fn listeners<'i>(index: &Index, settings: &Settings, gateway: &'i Gateway) -> Vec<Listener<'i>> {
    let conflicts = Conflicts::among(&gateway.spec.listeners);
    let listener = |spec| Listener::new(index, settings, gateway, spec, &conflicts);
    gateway.spec.listeners.iter().map(listener).collect()
}

impl<'i> Listener<'i> {
    fn new(
        index: &Index,
        settings: &Settings,
        gateway: &Gateway,
        spec: &'i Spec,
        conflicts: &Conflicts<'_>,
    ) -> Self {
        let (protocol, port) = (Protocol::of(spec), u16::try_from(spec.port).unwrap_or_default());
        let hostname = spec.hostname.as_deref().filter(|name| !name.is_empty());
        let host = hostname.map(HostPattern::parse);
        let accepted = match (&host, protocol) {
            (Some(Err(why)), _) => Said::no("Accepted", "UnsupportedValue", format!("hostname: {why}")),
            (Some(Ok(_)) | None, protocol) => accepted(settings, spec, protocol, port),
        };
        let (kinds, strange) = kinds(spec, protocol);
        let mut certificates = Certificates::default();
        if protocol == Protocol::Https {
            certificates.find(index, gateway, spec);
        }
        let resolved = match (strange, certificates.unusable) {
            (Some(strange), _) => Said::no("ResolvedRefs", "InvalidRouteKinds", strange),
            (None, Some((reason, why))) => Said::no("ResolvedRefs", reason, why),
            (None, None) => Said::yes("ResolvedRefs", "ResolvedRefs"),
        };
        Self {
            spec,
            port,
            host: host.and_then(Result::ok),
            kinds,
            certificates: certificates.found,
            pending: certificates.pending,
            attached: 0,
            accepted,
            resolved,
            conflicted: conflicts.of(spec),
        }
    }

    /// Whether requests can come in here: a host that two listeners claim is neither's.
    pub(super) fn works(&self) -> bool {
        let certified = Protocol::of(self.spec) != Protocol::Https || !self.certificates.is_empty();
        self.accepted.holds && !self.conflicted.holds && certified && !self.kinds.is_empty()
    }

    /// What is to be said of it.
    pub(super) fn said(&self) -> ListenerSaid {
        let accepted = if self.conflicted.holds {
            Said::no("Accepted", self.conflicted.reason, self.conflicted.message.clone())
        } else {
            self.accepted.clone()
        };
        let programmed = if self.works() {
            Said::yes("Programmed", "Programmed")
        } else {
            let why = [&accepted, &self.resolved].map(|said| if said.holds { "" } else { &*said.message });
            Said::no("Programmed", "Invalid", why.join(" ").trim())
        };
        ListenerSaid {
            name: self.spec.name.clone(),
            kinds: self.kinds.clone(),
            attached: self.attached,
            conditions: vec![accepted, programmed, self.resolved.clone(), self.conflicted.clone()],
        }
    }

    /// Whether it takes routes of this kind from that namespace.
    pub(super) fn takes(&self, index: &Index, gateway: &Gateway, route: &Route) -> bool {
        let from = self.spec.allowed_routes.as_ref().and_then(|allowed| allowed.namespaces.as_ref());
        let own = gateway.meta.key.namespace == route.meta.key.namespace;
        let selected = |selector: Option<&Selector>| {
            let namespace = Key::new("", &route.meta.key.namespace);
            let labels = index.namespaces.find(&namespace).map(|namespace| &namespace.meta.labels);
            selector.zip(labels).is_some_and(|(selector, labels)| selects(selector, labels))
        };
        let near = match from.and_then(|from| from.from.as_ref()) {
            Some(FromNamespaces::All) => true,
            Some(FromNamespaces::Selector) => selected(from.and_then(|from| from.selector.as_ref())),
            Some(FromNamespaces::Same) | None => own,
        };
        near && self.kinds.contains(&route.kind)
    }
}

fn accepted(settings: &Settings, spec: &Spec, protocol: Protocol, port: u16) -> Said {
    let served = match protocol {
        Protocol::Http => &settings.ports.http,
        Protocol::Https => &settings.ports.https,
        Protocol::Other => {
            let why = format!("{}: only HTTP, and HTTPS that ends here, are served", spec.protocol);
            return Said::no("Accepted", "UnsupportedProtocol", why);
        }
    };
    if served.contains(&port) {
        return Said::yes("Accepted", "Accepted");
    }
    let ports: Vec<String> = served.iter().map(u16::to_string).collect();
    let there = if ports.is_empty() { "none".to_owned() } else { ports.join(", ") };
    Said::no("Accepted", "PortUnavailable", format!("port {port}: served for {} are {there}", spec.protocol))
}

/// The kinds of routes that a listener takes, and what else it names.
fn kinds(spec: &Spec, protocol: Protocol) -> (Vec<RouteKind>, Option<String>) {
    let ours = [RouteKind::Http, RouteKind::Grpc];
    let named = spec.allowed_routes.as_ref().and_then(|allowed| allowed.kinds.as_ref());
    let Some(named) = named.filter(|named| !named.is_empty()) else {
        let kinds = if protocol == Protocol::Other { Vec::new() } else { ours.to_vec() };
        return (kinds, None);
    };
    let (mut kinds, mut strange) = (Vec::new(), Vec::new());
    for one in named {
        let group = one.group.as_deref().unwrap_or(GATEWAY_API) == GATEWAY_API;
        match ours.into_iter().find(|kind| group && kind.as_str() == one.kind && protocol != Protocol::Other)
        {
            Some(kind) if kinds.contains(&kind) => {}
            Some(kind) => kinds.push(kind),
            None => strange.push(&*one.kind),
        }
    }
    let strange =
        (!strange.is_empty()).then(|| format!("{}: no kind of route that it can have", listed(strange)));
    (kinds, strange)
}

#[derive(Default)]
struct Certificates {
    found: Vec<Arc<Secret>>,
    pending: bool,
    unusable: Option<(&'static str, String)>,
}

impl Certificates {
    fn find(&mut self, index: &Index, gateway: &Gateway, spec: &Spec) {
        let references =
            spec.tls.as_ref().and_then(|tls| tls.certificate_refs.as_deref()).unwrap_or_default();
        if references.is_empty() {
            self.unusable =
                Some(("InvalidCertificateRef", "tls.certificateRefs names no certificate".to_owned()));
        }
        for reference in references {
            match certificate::resolved(index, gateway, reference) {
                Found::Certificate(secret) => self.found.push(secret),
                Found::Pending => self.pending = true,
                Found::Unusable(reason, why) => {
                    self.unusable.get_or_insert((reason, why));
                }
            }
        }
    }
}

/// Listeners of which requests could not be told apart (Gateway API, "Distinct Listeners").
struct Conflicts<'s> {
    protocols: BTreeMap<i32, Vec<Protocol>>,
    hosts: BTreeMap<(i32, Option<&'s str>), usize>,
}

impl<'s> Conflicts<'s> {
    fn among(listeners: &'s [Spec]) -> Self {
        let mut conflicts = Self { protocols: BTreeMap::new(), hosts: BTreeMap::new() };
        for spec in listeners {
            let protocols = conflicts.protocols.entry(spec.port).or_default();
            if !protocols.contains(&Protocol::of(spec)) {
                protocols.push(Protocol::of(spec));
            }
            *conflicts.hosts.entry((spec.port, spec.hostname.as_deref())).or_default() += 1;
        }
        conflicts
    }

    fn of(&self, spec: &Spec) -> Said {
        let count = |protocols: &Vec<Protocol>| protocols.len();
        if self.protocols.get(&spec.port).map_or(0, count) > 1 {
            let why = format!("port {}: another listener speaks another protocol there", spec.port);
            return Said { holds: true, ..Said::no("Conflicted", "ProtocolConflict", why) };
        }
        if self.hosts.get(&(spec.port, spec.hostname.as_deref())).is_some_and(|count| *count > 1) {
            let host = spec.hostname.as_deref().unwrap_or("any host");
            let why = format!("port {}: another listener has {host} there too", spec.port);
            return Said { holds: true, ..Said::no("Conflicted", "HostnameConflict", why) };
        }
        Said { holds: false, ..Said::yes("Conflicted", "NoConflicts") }
    }
}

/// Whether a selector of the Gateway API means these labels (apimachinery, `LabelSelector`; an empty one means all).
fn selects(selector: &Selector, labels: &Labels) -> bool {
    let pairs = selector.match_labels.iter().flatten();
    let equal =
        pairs.into_iter().all(|(name, value)| labels.get(&**name).is_some_and(|have| **have == **value));
    let expressions = selector.match_expressions.as_deref().unwrap_or_default();
    equal
        && expressions.iter().all(|one| {
            let value = labels.get(&*one.key);
            let among = |values: &Option<Vec<String>>| {
                value.is_some_and(|value| values.iter().flatten().any(|one| **one == **value))
            };
            match &*one.operator {
                "In" => among(&one.values),
                "NotIn" => !among(&one.values),
                "Exists" => value.is_some(),
                "DoesNotExist" => value.is_none(),
                // The API server lets no other pass; what one does not know selects nothing.
                _ => false,
            }
        })
}

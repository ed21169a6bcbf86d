//! From a route's backends to Services.

use std::sync::Arc;

use super::grant::{self, GATEWAY_API, permits};
use super::route::{Attached, Translated};
use super::said::Said;
use crate::kubernetes::index::route::{BackendRef, Route};
use crate::kubernetes::index::service::Service;
use crate::kubernetes::index::{Index, Key};

/// A port of a Service that a rule of a route names.
#[derive(Debug)]
pub(super) struct Reference<'i> {
    /// The route.
    pub attached: &'i Attached<'i>,
    /// Its rule.
    pub rule: &'i Translated<'i>,
    /// The Service.
    pub service: &'i Service,
    /// The port's place among the Service's.
    pub port: usize,
}

/// Why a backend is none: the reason of `ResolvedRefs`, and a word for people.
#[derive(Debug)]
pub(super) struct Unresolved {
    reason: &'static str,
    message: String,
}

/// All that routes name and that is there.
pub(super) fn references<'i>(index: &'i Index, attached: &'i [Attached<'i>]) -> Vec<Reference<'i>> {
    let rules = attached
        .iter()
        .filter(|attached| !attached.hosts.is_empty())
        .flat_map(|attached| attached.rules.iter().map(move |rule| (attached, rule)));
    let references = rules.flat_map(|(attached, rule)| {
        rule.backends.iter().filter_map(move |(backend, _)| {
            let (service, port) = resolve(index, attached.route, backend).ok()?;
            Some(Reference { attached, rule, service, port })
        })
    });
    references.collect()
}

/// The Service, and the place of its port, that a backend of a route means.
pub(super) fn resolve<'i>(
    index: &'i Index,
    route: &Route,
    backend: &BackendRef,
) -> Result<(&'i Arc<Service>, usize), Unresolved> {
    let no = |reason, message| Err(Unresolved { reason, message });
    let kind = (backend.group.as_deref().unwrap_or_default(), backend.kind.as_deref().unwrap_or("Service"));
    if kind != ("", "Service") {
        return no("InvalidKind", format!("{} {}: only Services can be backends", kind.1, backend.name));
    }
    let own = &route.meta.key.namespace;
    let key = Key::new(backend.namespace.as_deref().unwrap_or(own), &backend.name);
    let from = grant::From { group: GATEWAY_API, kind: route.kind.as_str(), namespace: own };
    if !permits(index, from, "Service", &key) {
        return no("RefNotPermitted", format!("no ReferenceGrant permits Service {key}"));
    }
    let Some(service) = index.services.find(&key).filter(|service| !service.external) else {
        return no("BackendNotFound", format!("there is no Service {key} that has endpoints of its own"));
    };
    let Some(number) = backend.port else {
        return no("UnsupportedValue", format!("Service {key}: say which port"));
    };
    let Some(port) = service.ports.iter().position(|port| i32::from(port.port) == number) else {
        return no("BackendNotFound", format!("Service {key} has no port {number}"));
    };
    match service.ports.get(port).and_then(|port| port.app_protocol.as_deref()) {
        Some(tls @ ("https" | "kubernetes.io/wss")) => {
            no("UnsupportedProtocol", format!("Service {key}, port {number}: {tls} is not spoken to apps"))
        }
        Some(_) | None => Ok((service, port)),
    }
}

/// Whether all backends of a route are there. Those of a route that no parent took are looked at too.
pub(super) fn said(index: &Index, route: &Route) -> Said {
    let backends = route.spec.rules.iter().flat_map(|rule| &rule.backend_refs);
    let mut wrong = backends.filter_map(|backend| resolve(index, route, backend).err());
    match wrong.next() {
        None => Said::yes("ResolvedRefs", "ResolvedRefs"),
        Some(Unresolved { reason, message }) => Said::no("ResolvedRefs", reason, message),
    }
}

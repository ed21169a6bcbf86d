//! When an app is up, as its readiness probe says it.

use config::model::{Check, Health};

use super::target::TargetPort;
use crate::kubernetes::index::service;
use crate::kubernetes::index::workload::{Asks, Container, Readiness, Workload};
use crate::kubernetes::settings::Settings;

/// What holds where no policy says otherwise: what the probe of the container asks that has the app's port, or else of
/// the first that has a probe.
pub(super) fn fallback(workload: Option<&Workload>, port: Option<TargetPort>, settings: &Settings) -> Health {
    let default = settings.health.clone();
    let Some(workload) = workload else { return default };
    let grace = workload.progress_deadline.unwrap_or(default.grace);
    let Some((container, readiness)) = probe(workload, port.as_ref()) else {
        return Health { check: Check::Tcp, grace, ..default };
    };
    Health { check: check(container, readiness, port.as_ref()), timeout: readiness.timeout, grace }
}

fn probe<'w>(workload: &'w Workload, port: Option<&TargetPort>) -> Option<(&'w Container, &'w Readiness)> {
    let containers = || workload.template.containers.iter();
    let own = containers().filter(|container| has(container, port));
    let probed = |container: &'w Container| Some((container, container.readiness.as_ref()?));
    own.clone().find_map(probed).or_else(|| {
        // A container that has the port and no probe is ready as it stands.
        let nobodys = own.clone().next().is_none();
        nobodys.then(|| containers().find_map(probed)).flatten()
    })
}

fn has(container: &Container, port: Option<&TargetPort>) -> bool {
    let same = |(name, number): &(Box<str>, u16)| match port {
        Some(TargetPort::Number(asked)) => number == asked,
        Some(TargetPort::Name(asked)) => name == asked,
        None => false,
    };
    container.ports.iter().any(same)
}

/// What we ask is asked at the app's port: of a probe that goes elsewhere only this is left, that somebody listens.
fn check(container: &Container, readiness: &Readiness, port: Option<&TargetPort>) -> Check {
    let number = |asked: &service::TargetPort| match asked {
        service::TargetPort::Number(number) => Some(*number),
        service::TargetPort::Name(name) => {
            container.ports.iter().find(|(one, _)| one == name).map(|(_, number)| *number)
        }
    };
    let own = port.and_then(TargetPort::number);
    match &readiness.asks {
        Asks::Http { path, port } if number(port) == own => {
            // As a policy would have to write it: what is no path that can be asked for is not asked.
            Check::http(path).unwrap_or(Check::Tcp)
        }
        Asks::Grpc { service, port } if Some(*port) == own => Check::grpc(service).unwrap_or(Check::Tcp),
        Asks::Http { .. } | Asks::Grpc { .. } | Asks::Else => Check::Tcp,
    }
}

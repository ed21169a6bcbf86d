//! The rules, in their order.

use std::cmp::Reverse;
use std::sync::Arc;

use config::model::{Backend, HostPattern, Rule, Then};

use super::Previous;
use super::app::Drafts;
use super::backend::resolve;
use super::route::{Attached, Rank, Translated, rule_name};
use crate::kubernetes::index::route::{BackendRef, RouteKind};
use crate::kubernetes::index::{Index, Key};

/// The order of the Gateway API (`HTTPRouteSpec.hostnames`, `HTTPRouteRule.matches`, and those of GRPCRoute): the most
/// specific host, the most specific match, the oldest route, its name, its order.
type Order<'i> = (HostOrder<'i>, Rank, i64, &'i Key, RouteKind, usize, usize);

/// Characters of a host that is no wildcard, then of any; then hosts beside one another.
type HostOrder<'i> = (Reverse<usize>, Reverse<usize>, Option<&'i HostPattern>);

/// The rules of all routes.
pub(super) fn rules(
    index: &Index,
    attached: &[Attached<'_>],
    drafts: &Drafts<'_>,
    previous: Previous<'_>,
) -> Vec<Arc<Rule>> {
    let mut rules: Vec<(Order<'_>, Rule)> = Vec::new();
    for attached in attached {
        for (number, rule) in attached.rules.iter().enumerate().filter(|_| !attached.hosts.is_empty()) {
            let then = Arc::new(then(index, attached, rule, drafts));
            let name = rule_name(attached.route.kind, &attached.route.meta.key, number);
            for (host, ports) in &attached.hosts {
                let ports: Arc<[u16]> = ports.iter().copied().collect();
                for (place, (matches, rank)) in rule.matches.iter().enumerate() {
                    let meta = &attached.route.meta;
                    let kind = attached.route.kind;
                    let order = (order(host.as_ref()), *rank, meta.created, &meta.key, kind, number, place);
                    let rule = Rule {
                        name: name.clone(),
                        ports: ports.clone(),
                        host: host.clone(),
                        matches: matches.clone(),
                        then: then.clone(),
                    };
                    rules.push((order, rule));
                }
            }
        }
    }
    rules.sort_by_key(|(order, _)| *order);
    rules.into_iter().map(|(_, rule)| previous.rule(rule)).collect()
}

fn order(host: Option<&HostPattern>) -> HostOrder<'_> {
    let length = |host: &config::model::Host| host.as_str().len();
    let (exact, all) = match host {
        None => (0, 0),
        Some(HostPattern::Exact(host)) => (length(host), length(host)),
        Some(HostPattern::Wildcard(suffix)) => (0, length(suffix) + 2),
    };
    (Reverse(exact), Reverse(all), host)
}

fn then(index: &Index, attached: &Attached<'_>, rule: &Translated<'_>, drafts: &Drafts<'_>) -> Then {
    let backend = |(backend, filters): &(&BackendRef, Vec<_>)| {
        let found = resolve(index, attached.route, backend).ok();
        let (app, port) = found.and_then(|(service, port)| drafts.backend(index, service, port)).unzip();
        let weight = backend.weight.map_or(1, |weight| u32::try_from(weight).unwrap_or_default());
        Backend { app, weight, port: port.flatten(), filters: filters.clone() }
    };
    Then {
        filters: rule.filters.clone(),
        backends: rule.backends.iter().map(backend).collect(),
        timeout: rule.timeout,
    }
}

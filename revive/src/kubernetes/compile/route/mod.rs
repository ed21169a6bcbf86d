//! HTTPRoutes and GRPCRoutes: what they are attached to, and what their rules say.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use config::model::{Filter, HostPattern, RequestMatch};
use gateway_api::Duration as Gep2257;

use self::filters::Place;
use super::gateway::Gateway;
use super::grant::GATEWAY_API;
use super::said::Said;
use crate::kubernetes::index::route::{BackendRef, ParentRef, Route, RouteKind, RouteRule, Timeouts};
use crate::kubernetes::index::{Index, Key};

mod filters;
mod matches;

pub(super) use self::matches::Rank;

/// Hosts (`None`: any), each with the ports of the listeners that have it.
pub(super) type Hosts = BTreeMap<Option<HostPattern>, BTreeSet<u16>>;

/// A route of ours.
#[derive(Debug)]
pub(super) struct Attached<'i> {
    /// As it is written.
    pub route: &'i Arc<Route>,
    /// Where it is attached, for requests.
    pub hosts: Hosts,
    /// Each of its parents that is ours, and whether that took it.
    pub parents: Vec<(ParentRef, Said)>,
    /// What its rules say; none, if any cannot be had.
    pub rules: Vec<Translated<'i>>,
}

/// A rule.
#[derive(Debug)]
pub(super) struct Translated<'i> {
    /// Which requests, at least one.
    pub matches: Vec<(RequestMatch, Rank)>,
    /// What is done.
    pub filters: Vec<Filter>,
    /// Where they go, with what is done on the way there.
    pub backends: Vec<(&'i BackendRef, Vec<Filter>)>,
    /// How long they may take.
    pub timeout: Option<Duration>,
}

/// Why a route is not accepted: the reason, and a word for people.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refused {
    reason: &'static str,
    message: String,
}

impl Refused {
    fn unsupported(message: impl Into<String>) -> Self {
        Self { reason: "UnsupportedValue", message: message.into() }
    }

    fn incompatible(message: impl Into<String>) -> Self {
        Self { reason: "IncompatibleFilters", message: message.into() }
    }
}

/// All routes that name a Gateway of ours. The Gateways count them.
pub(super) fn attached<'i>(index: &'i Index, gateways: &mut [Gateway<'_>]) -> Vec<Attached<'i>> {
    let by_key = by_key(gateways);
    let routes = index.http_routes.iter().chain(index.grpc_routes.iter());
    let stay = routes.filter(|route| !index.applications.has_left(&route.meta.key.namespace));
    let attached = stay.map(|route| attach(index, gateways, &by_key, route, Counts::Yes));
    attached.filter(|attached| !attached.parents.is_empty()).collect()
}

/// A route that nobody has written. The Gateways do not count it.
pub(super) fn implied<'i>(
    index: &Index,
    gateways: &mut [Gateway<'_>],
    route: &'i Arc<Route>,
) -> Attached<'i> {
    let by_key = by_key(gateways);
    attach(index, gateways, &by_key, route, Counts::No)
}

/// Whether a route is one of those that a listener has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Counts {
    Yes,
    No,
}

fn by_key(gateways: &[Gateway<'_>]) -> BTreeMap<Key, usize> {
    gateways.iter().enumerate().map(|(at, gateway)| (gateway.object.meta.key.clone(), at)).collect()
}

fn attach<'i>(
    index: &Index,
    gateways: &mut [Gateway<'_>],
    by_key: &BTreeMap<Key, usize>,
    route: &'i Arc<Route>,
    counts: Counts,
) -> Attached<'i> {
    let (mut hosts, mut parents, mut counted) = (Hosts::new(), Vec::new(), BTreeSet::new());
    let ours = |parent: &&ParentRef| by_key.contains_key(&parent_key(route, parent));
    let mut rules = None;
    for parent in route.spec.parent_refs.iter().filter(|parent| of_a_gateway(parent)).filter(ours) {
        let rules = rules.get_or_insert_with(|| translated(route));
        let Some(at) = by_key.get(&parent_key(route, parent)).copied() else { continue };
        let Some(gateway) = gateways.get_mut(at) else { continue };
        let accepted = match (listeners(index, gateway, parent, route), &rules) {
            (Err(refused), _) => Said::no("Accepted", refused.reason, refused.message),
            (Ok(_), Err(refused)) => Said::no("Accepted", refused.reason, refused.message.clone()),
            (Ok(listeners), Ok(_)) => {
                for (number, shared) in listeners {
                    let Some(listener) = gateway.listeners.get_mut(number) else { continue };
                    if counted.insert((at, number)) && counts == Counts::Yes {
                        listener.attached += 1;
                    }
                    if listener.works() {
                        shared.into_iter().for_each(|host| {
                            hosts.entry(host).or_insert_with(BTreeSet::new).insert(listener.port);
                        });
                    }
                }
                Said::yes("Accepted", "Accepted")
            }
        };
        parents.push((parent.clone(), accepted));
    }
    let rules = rules.and_then(Result::ok).unwrap_or_default();
    Attached { route, hosts, parents, rules }
}

fn of_a_gateway(parent: &ParentRef) -> bool {
    parent.group.as_deref().unwrap_or(GATEWAY_API) == GATEWAY_API
        && parent.kind.as_deref().unwrap_or("Gateway") == "Gateway"
}

fn parent_key(route: &Route, parent: &ParentRef) -> Key {
    Key::new(parent.namespace.as_deref().unwrap_or(&route.meta.key.namespace), &parent.name)
}

/// Listeners, by their places, each with the hosts that it shares with a route.
type Shared = Vec<(usize, Vec<Option<HostPattern>>)>;

/// The listeners that a route's parent means and that take it.
fn listeners(
    index: &Index,
    gateway: &Gateway<'_>,
    parent: &ParentRef,
    route: &Route,
) -> Result<Shared, Refused> {
    let refused = |reason, message: &str| Err(Refused { reason, message: message.to_owned() });
    let meant = gateway.listeners.iter().enumerate().filter(|(_, listener)| {
        parent.section_name.as_ref().is_none_or(|name| *name == listener.spec.name)
            && parent.port.is_none_or(|port| port == listener.spec.port)
    });
    let meant: Vec<_> = meant.collect();
    if meant.is_empty() {
        return refused("NoMatchingParent", "the Gateway has no listener of this name and port");
    }
    let mut take =
        meant.iter().filter(|(_, listener)| listener.takes(index, gateway.object, route)).peekable();
    if take.peek().is_none() {
        return refused("NotAllowedByListeners", "allowedRoutes of the listeners does not let it in");
    }
    let shared: Shared = take
        .map(|(at, listener)| (*at, shared(listener.host.as_ref(), &route.spec.hostnames)))
        .filter(|(_, hosts)| !hosts.is_empty())
        .collect();
    if shared.is_empty() {
        return refused("NoMatchingListenerHostname", "none of its hostnames is one of the listeners'");
    }
    Ok(shared)
}

/// The hosts that a listener and a route have in common (Gateway API, `HTTPRouteSpec.hostnames`); `None`: any.
fn shared(listener: Option<&HostPattern>, hostnames: &[String]) -> Vec<Option<HostPattern>> {
    if hostnames.is_empty() {
        return vec![listener.cloned()];
    }
    let hosts = hostnames.iter().filter_map(|name| HostPattern::parse(name).ok());
    let shared = hosts.filter_map(|host| match listener {
        None => Some(Some(host)),
        Some(listener) => listener.overlaps(&host).then(|| Some(narrower(listener, host))),
    });
    shared.collect()
}

/// Of two patterns that overlap, the one that lies within the other.
pub(super) fn narrower(one: &HostPattern, two: HostPattern) -> HostPattern {
    match (one, &two) {
        (HostPattern::Exact(_), _) => one.clone(),
        (HostPattern::Wildcard(_), HostPattern::Exact(_)) => two,
        (HostPattern::Wildcard(short), HostPattern::Wildcard(long)) => {
            if short.as_str().len() > long.as_str().len() { one.clone() } else { two }
        }
    }
}

/// What all rules of a route say, or why it is not accepted.
fn translated(route: &Route) -> Result<Vec<Translated<'_>>, Refused> {
    // A route without rules sends nothing anywhere; the API server gives an HTTPRoute one.
    let rules = route.spec.rules.iter().enumerate();
    let at = |number: usize, refused: Refused| Refused {
        message: format!("rules[{number}]: {}", refused.message),
        ..refused
    };
    rules.map(|(number, rule)| translated_rule(rule).map_err(|refused| at(number, refused))).collect()
}

fn translated_rule(rule: &RouteRule) -> Result<Translated<'_>, Refused> {
    let matches: Vec<_> = if rule.matches.is_empty() {
        vec![matches::every()]
    } else {
        rule.matches.iter().map(matches::translated).collect()
    };
    let matches: Vec<(RequestMatch, Rank)> =
        matches.into_iter().collect::<Result<_, _>>().map_err(Refused::unsupported)?;
    let prefixes = matches.iter().all(|(one, _)| matches!(one.path, config::model::PathMatch::Prefix(_)));
    let backend = |backend: &'_ BackendRef| filters::translated(&backend.filters, Place::Backend);
    let backends = rule.backend_refs.iter().map(|one| Ok((one, backend(one)?)));
    Ok(Translated {
        matches,
        filters: filters::translated(&rule.filters, Place::Rule { prefixes })?,
        backends: backends.collect::<Result<_, Refused>>()?,
        timeout: timeout(&rule.timeouts)?,
    })
}

/// The shorter of the two: a request is tried once, or twice at a moment's distance. Zero is no limit
/// (`HTTPRouteTimeouts`).
fn timeout(of: &Timeouts) -> Result<Option<Duration>, Refused> {
    let parse = |(field, text): (&str, &String)| {
        let parsed: Result<Gep2257, _> = text.parse();
        let parsed = parsed.map(|time| Duration::new(time.as_secs(), time.subsec_nanos()));
        parsed.map_err(|why| Refused::unsupported(format!("timeouts.{field} {text}: {why}")))
    };
    let request = of.request.as_ref().map(|text| ("request", text));
    let backend = of.backend_request.as_ref().map(|text| ("backendRequest", text));
    let both: Vec<Duration> = request.into_iter().chain(backend).map(parse).collect::<Result<_, _>>()?;
    Ok(both.into_iter().filter(|time| !time.is_zero()).min())
}

/// What a rule of a route is called, for people.
pub(super) fn rule_name(kind: RouteKind, route: &Key, rule: usize) -> Arc<str> {
    format!("{}/{route}/{rule}", kind.as_str().to_ascii_lowercase()).into()
}

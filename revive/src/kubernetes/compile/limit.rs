//! LimitPolicies: which requests are their targets'.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::model::{HostPattern, Limit, LimitMatch, PathPrefix};

use super::Previous;
use super::gateway::Gateway;
use super::route::Attached;
use super::said::PolicySaid;
use super::sleep::accepted;
use crate::kubernetes::crd::{LimitTarget, LimitTargetKind};
use crate::kubernetes::index::policy::LimitPolicy;
use crate::kubernetes::index::route::RouteKind;
use crate::kubernetes::index::{Index, Key};

/// Requests: those at some hosts (none: any) at or below some paths (none: any).
type Scopes = BTreeMap<BTreeSet<PathPrefix>, BTreeSet<HostPattern>>;

/// What LimitPolicies are compiled from.
pub(super) struct Limits<'i> {
    /// All objects.
    pub index: &'i Index,
    /// Our Gateways.
    pub gateways: &'i [Gateway<'i>],
    /// Our routes.
    pub attached: &'i [Attached<'i>],
}

impl Limits<'_> {
    /// All limits, by their names, and what is to be said of each policy.
    pub(super) fn compiled(&self, previous: Previous<'_>) -> (Vec<Arc<Limit>>, BTreeMap<Key, PolicySaid>) {
        let (mut limits, mut said) = (Vec::new(), BTreeMap::new());
        for policy in self.index.limit_policies.iter() {
            let (own, status) = self.policy(policy);
            limits.extend(own.into_iter().map(|limit| previous.limit(limit)));
            said.insert(policy.meta.key.clone(), status);
        }
        limits.sort_by(|one, two| one.name.cmp(&two.name));
        (limits, said)
    }

    fn policy(&self, policy: &LimitPolicy) -> (Vec<Limit>, PolicySaid) {
        let (mut scopes, mut missing) = (Scopes::new(), Vec::new());
        let mut everywhere = false;
        for target in &policy.targets {
            match self.scopes(&policy.meta.key, target) {
                Meant::Everything => everywhere = true,
                Meant::Some(some) => {
                    some.into_iter()
                        .for_each(|(paths, hosts)| scopes.entry(paths).or_default().extend(hosts));
                }
                Meant::Nothing(why) => missing.push(why),
            }
        }
        if everywhere {
            scopes = [(BTreeSet::new(), BTreeSet::new())].into();
        }
        let limits = policy.says.as_deref().unwrap_or_default();
        let limits = limits.iter().flat_map(|limit| within(limit, &scopes)).collect();
        let wrong = policy.says.as_ref().err().map(|wrong| wrong.iter().map(ToString::to_string).collect());
        let said = PolicySaid {
            generation: policy.meta.generation,
            apps: i32::try_from(policy.targets.len() - missing.len()).unwrap_or(i32::MAX),
            conditions: vec![accepted(wrong, policy.targets.len(), &missing, &[])],
        };
        (limits, said)
    }

    fn scopes(&self, place: &Key, target: &LimitTarget) -> Meant {
        let name = target.name.as_deref().unwrap_or(&place.namespace);
        let key = place.beside(name);
        let routes = |meant: &dyn Fn(&Attached<'_>) -> bool| {
            let of_routes = self.attached.iter().filter(|one| meant(one) && !one.hosts.is_empty());
            of_routes.collect::<Vec<_>>()
        };
        let of_kind = |kind| routes(&|one| one.route.kind == kind && one.route.meta.key == key);
        let meant = match target.kind {
            LimitTargetKind::Gateway => self.gateway(&key),
            LimitTargetKind::Namespace if *name == *place.namespace => {
                of_routes(&routes(&|one| one.route.meta.key.namespace == place.namespace))
            }
            LimitTargetKind::Namespace => Meant::Nothing(String::new()),
            LimitTargetKind::HttpRoute => of_routes(&of_kind(RouteKind::Http)),
            LimitTargetKind::GrpcRoute => of_routes(&of_kind(RouteKind::Grpc)),
        };
        match meant {
            Meant::Nothing(why) => Meant::Nothing(format!("{:?} {name}{why}", target.kind)),
            Meant::Everything | Meant::Some(_) => meant,
        }
    }

    fn gateway(&self, key: &Key) -> Meant {
        let gateway = self.gateways.iter().find(|gateway| gateway.object.meta.key == *key);
        let listeners = gateway.into_iter().flat_map(|gateway| &gateway.listeners);
        let hosts: Vec<_> = listeners.filter(|one| one.works()).map(|one| one.host.clone()).collect();
        match hosts.iter().cloned().collect::<Option<BTreeSet<HostPattern>>>() {
            Some(hosts) if hosts.is_empty() => Meant::Nothing(String::new()),
            Some(hosts) => Meant::Some([(BTreeSet::new(), hosts)].into()),
            None => Meant::Everything,
        }
    }
}

/// Which requests a target has.
enum Meant {
    Everything,
    Some(Scopes),
    Nothing(String),
}

/// The requests of routes: under their hosts, below their paths. A route of any host has none that could be told from
/// those of others; what its owner limits must not be theirs.
fn of_routes(routes: &[&Attached<'_>]) -> Meant {
    let mut scopes = Scopes::new();
    for route in routes {
        let hosts = route.hosts.keys().flatten().cloned();
        let matches = route.rules.iter().flat_map(|rule| &rule.matches);
        let paths =
            super::app::outermost(matches.filter_map(|(matches, _)| super::app::below(&matches.path)));
        scopes.entry(paths).or_default().extend(hosts);
    }
    scopes.retain(|_, hosts| !hosts.is_empty());
    if scopes.is_empty() {
        let any = if routes.is_empty() {
            ""
        } else {
            " (it is for any host, so that its requests cannot be told from others')"
        };
        return Meant::Nothing(any.to_owned());
    }
    Meant::Some(scopes)
}

/// A limit within the requests of its targets. Each set of paths has a limit of its own, because one that names hosts and
/// paths counts each path at each host.
fn within(limit: &Limit, scopes: &Scopes) -> Vec<Limit> {
    let parts = scopes.iter().filter_map(|(paths, hosts)| part(&limit.matches, paths, hosts));
    let numbered = parts.enumerate().filter_map(|(number, matches)| {
        let name =
            if number == 0 { limit.name.to_string() } else { format!("{}.{}", limit.name, number + 1) };
        Some(Limit { name: Limit::parse_name(&name).ok()?, matches, ..limit.clone() })
    });
    numbered.collect()
}

fn part(
    asked: &LimitMatch,
    paths: &BTreeSet<PathPrefix>,
    hosts: &BTreeSet<HostPattern>,
) -> Option<LimitMatch> {
    let hosts = common(&asked.hosts, hosts, |one, two| {
        one.overlaps(two).then(|| super::route::narrower(one, two.clone()))
    })?;
    let paths = common(&asked.paths, paths, |one, two| {
        if one.matches(two.as_str()) {
            Some(two.clone())
        } else {
            two.matches(one.as_str()).then(|| one.clone())
        }
    })?;
    Some(LimitMatch { hosts, paths, methods: asked.methods.clone() })
}

/// What both sets mean, an empty one being all; `None` if that is nothing.
fn common<T: Clone + Ord>(
    one: &[T],
    two: &BTreeSet<T>,
    both: impl Fn(&T, &T) -> Option<T>,
) -> Option<Vec<T>> {
    match (one.is_empty(), two.is_empty()) {
        (true, _) => Some(two.iter().cloned().collect()),
        (false, true) => Some(one.to_vec()),
        (false, false) => {
            let common: BTreeSet<T> =
                one.iter().flat_map(|a| two.iter().filter_map(|b| both(a, b))).collect();
            (!common.is_empty()).then(|| common.into_iter().collect())
        }
    }
}

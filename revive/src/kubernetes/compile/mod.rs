//! From what is known of a cluster to the model and to what is to be said of each object; purely.
//!
//! ```text
//!   GatewayClass ─► Gateway ─► listeners ─┐
//!                                         ├─► attached: hosts × ports, rules ─► references ─► drafts ─► apps
//!   HTTPRoute, GRPCRoute, Application ────┘            │                           Service ─► workload    │
//!                                                      └──────────────► rules, in their order ◄───────────┘
//! ```

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use config::model::{App, AppId, Limit, Rule};

mod app;
mod backend;
mod certificate;
mod class;
mod companion;
mod gateway;
mod grant;
mod health;
mod limit;
mod listener;
mod loco;
mod reuse;
mod route;
mod rules;
pub mod said;
mod sleep;
mod standing;
mod target;
#[cfg(test)]
mod tests;
mod workload;

pub use self::certificate::Certificate;
pub use self::said::Statuses;
pub use self::target::{Target, TargetPort, ready};

use self::limit::Limits;
use self::reuse::{Known, Previous};
use self::said::{ParentSaid, RouteSaid};
use super::crd::Hours;
use super::index::{Index, Key};
use super::settings::Settings;
use crate::platform::Standing;

/// What a cluster says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Compiled {
    /// The apps, by their ids.
    pub apps: Vec<Arc<App>>,
    /// Which requests go where, in order of precedence.
    pub rules: Vec<Arc<Rule>>,
    /// The limits, by their names.
    pub limits: Vec<Arc<Limit>>,
    /// How each app stands, as its objects say.
    pub standings: BTreeMap<AppId, Standing>,
    /// Where each app's pods are found.
    pub targets: BTreeMap<AppId, Target>,
    /// Which apps an app needs: who wakes it wakes them. Only those that need any.
    pub companions: BTreeMap<AppId, Vec<AppId>>,
    /// When an app is awake, asked for or not. Only those for which it is said.
    pub hours: BTreeMap<AppId, Vec<Hours>>,
    /// The certificates of listeners, by Gateway and listener.
    pub certificates: Vec<Certificate>,
    /// The Secrets that listeners name: to be watched.
    pub secrets: BTreeSet<Key>,
    /// What is to be said of each object.
    pub statuses: Statuses,
}

/// Compiles all that is known. What is as in `previous` is shared with it.
pub fn compile(index: &Index, settings: &Settings, previous: Option<&Compiled>) -> Compiled {
    let known = Known::of(previous);
    let previous = Previous(&known);
    let mut statuses = Statuses::default();
    let classes = class::ours(index, settings, &mut statuses);
    let mut gateways = gateway::ours(index, settings, &classes);
    let mut attached = route::attached(index, &mut gateways);
    statuses.routes = attached.iter().map(|attached| routes_said(index, attached)).collect();
    let unled = loco::routes(index, &gateways, &attached);
    attached.extend(unled.iter().map(|route| route::implied(index, &mut gateways, route)));
    let references = backend::references(index, &attached);
    let drafts = app::Drafts::of(index, &references);
    let rules = rules::rules(index, &attached, &drafts, previous);

    let mut policies = sleep::Policies::of_index(index);
    let mut compiled = Compiled { rules, ..Compiled::default() };
    let mut extras = BTreeMap::new();
    for draft in drafts.iter() {
        let built = draft.app(index, settings, &mut policies, previous);
        let Some(((app, extra), target)) = built.zip(draft.target(index)) else { continue };
        compiled.standings.insert(app.id.clone(), standing::standing(index, draft, &target));
        compiled.targets.insert(app.id.clone(), target);
        extras.insert(app.id.clone(), extra);
        compiled.apps.push(app);
    }
    companion::settle(&mut compiled, &drafts, extras);

    let limits = Limits { index, gateways: &gateways, attached: &attached };
    (compiled.limits, statuses.limit_policies) = limits.compiled(previous);
    statuses.sleep_policies = policies.said();
    gateways.iter().for_each(|gateway| gateway.say(index, settings, &mut statuses));
    compiled.certificates = gateways.iter().flat_map(gateway::Gateway::certificates).collect();
    compiled.secrets = gateway::secrets(&gateways);
    compiled.statuses = statuses;
    compiled
}

fn routes_said(
    index: &Index,
    attached: &route::Attached<'_>,
) -> ((super::index::route::RouteKind, Key), RouteSaid) {
    let route = attached.route;
    let resolved = backend::said(index, route);
    let parents = attached.parents.iter().map(|(parent, accepted)| ParentSaid {
        parent: parent.clone(),
        conditions: vec![accepted.clone(), resolved.clone()],
    });
    let said = RouteSaid { generation: route.meta.generation, parents: parents.collect() };
    ((route.kind, route.meta.key.clone()), said)
}

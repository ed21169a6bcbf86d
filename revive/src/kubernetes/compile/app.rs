//! From Services that routes name to apps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::Arc;

use config::model::{self, AppId, AppName, HostPattern, PathMatch, PathPrefix, Protocol, Source};
use config::settings::LocoSleep;

use super::Previous;
use super::backend::Reference;
use super::health;
use super::loco;
use super::sleep::Policies;
use super::target::{Target, TargetPort, resolved};
use super::workload::{Runs, runs};
use crate::kubernetes::index::route::RouteKind;
use crate::kubernetes::index::service::Service;
use crate::kubernetes::index::{Index, Key};
use crate::kubernetes::settings::Settings;

/// An app, with all that routes say of it.
#[derive(Debug)]
pub(super) struct Draft<'i> {
    /// Its id.
    pub id: AppId,
    /// What runs it.
    pub runs: Runs<'i>,
    /// Its Services, by name.
    pub services: BTreeMap<&'i Key, &'i Service>,
    /// The ports of its Services that routes name: by Service and place, and what routes speak there.
    ports: BTreeMap<(&'i Key, usize), BTreeSet<RouteKind>>,
    /// The routes that send it requests.
    pub routes: BTreeSet<(RouteKind, &'i Key)>,
    /// Where visitors reach it.
    reached: BTreeSet<(HostPattern, PathPrefix)>,
}

/// All apps, and which Service is whose.
#[derive(Debug, Default)]
pub(super) struct Drafts<'i> {
    apps: BTreeMap<AppId, Draft<'i>>,
    of_service: BTreeMap<&'i Key, AppId>,
}

impl<'i> Drafts<'i> {
    /// Of all that routes name. Two Services of one workload are one app.
    pub(super) fn of(index: &'i Index, references: &[Reference<'i>]) -> Self {
        let services: BTreeMap<&Key, &Service> =
            references.iter().map(|one| (&one.service.meta.key, one.service)).collect();
        let runs: Vec<_> = services.values().map(|service| (*service, runs(index, service))).collect();
        let mut drafts = Self::default();
        let taken: BTreeSet<Key> = runs.iter().filter_map(|(_, runs)| runs.workload_key()).collect();
        for (service, runs) in runs {
            let id = drafts.of_loco(&runs).unwrap_or_else(|| id(index, service, &runs, &taken));
            drafts.of_service.insert(&service.meta.key, id.clone());
            let draft = drafts.apps.entry(id.clone()).or_insert_with(|| Draft::new(id, runs));
            draft.services.insert(&service.meta.key, service);
        }
        for reference in references {
            drafts.take(reference);
        }
        drafts
    }

    /// The id that loco has for it, unless another app has it already.
    fn of_loco(&self, runs: &Runs<'i>) -> Option<AppId> {
        let id = loco::id(runs.application()?)?;
        let holder = self.apps.get(&id).map(|holder| holder.runs.workload_key());
        holder.is_none_or(|holder| holder == runs.workload_key()).then_some(id)
    }

    fn take(&mut self, reference: &Reference<'i>) {
        let id = self.of_service.get(&reference.service.meta.key);
        let Some(draft) = id.and_then(|id| self.apps.get_mut(id)) else { return };
        let port = (&reference.service.meta.key, reference.port);
        draft.ports.entry(port).or_default().insert(reference.attached.route.kind);
        draft.routes.insert((reference.attached.route.kind, &reference.attached.route.meta.key));
        let hosts = reference.attached.hosts.keys().flatten();
        for host in hosts {
            let paths = reference.rule.matches.iter().map(|(matches, _)| below(&matches.path));
            draft.reached.extend(paths.flatten().map(|path| (host.clone(), path)));
        }
    }

    /// All, by their ids.
    pub(super) fn iter(&self) -> impl Iterator<Item = &Draft<'i>> {
        self.apps.values()
    }

    /// Which app answers at a port of a Service, and at which port of its instances, if not at their first.
    pub(super) fn backend(
        &self,
        index: &Index,
        service: &Service,
        port: usize,
    ) -> Option<(AppId, Option<u16>)> {
        let draft = self.apps.get(self.of_service.get(&service.meta.key)?)?;
        let own = draft.main_port(index)?;
        let asked = resolved(index, service, port, draft.runs.template())?;
        Some((draft.id.clone(), (own.1 != asked).then(|| asked.number()).flatten()))
    }
}

/// The id of an app: its workload's place, or its Service's. Should two of different kinds have one name, the one that
/// comes second carries its kind; a ':' is in no name.
fn id(index: &Index, service: &Service, runs: &Runs<'_>, taken: &BTreeSet<Key>) -> AppId {
    let place = &service.meta.key;
    match runs {
        Runs::Workload { kind, name, .. } => {
            let second = *kind == model::WorkloadKind::StatefulSet;
            let other = index.deployments.find(&place.beside(name)).is_some()
                || index.record_of(model::WorkloadKind::Deployment, &place.beside(name)).is_some();
            if second && other {
                AppId::from_object(&place.namespace, &format!("statefulset:{name}"))
            } else {
                AppId::from_object(&place.namespace, name)
            }
        }
        Runs::Others if taken.contains(place) => {
            AppId::from_object(&place.namespace, &format!("service:{}", place.name))
        }
        Runs::Others => AppId::from_object(&place.namespace, &place.name),
    }
}

/// Of paths, those that are not below another.
pub(super) fn outermost(paths: impl Iterator<Item = PathPrefix>) -> BTreeSet<PathPrefix> {
    let paths: BTreeSet<PathPrefix> = paths.collect();
    if paths.iter().any(|path| path.as_str() == "/") {
        return BTreeSet::new();
    }
    let below = |path: &&PathPrefix| paths.iter().any(|other| other != *path && other.matches(path.as_str()));
    paths.iter().filter(|path| !below(path)).cloned().collect()
}

/// The path below which a match's paths lie.
pub(super) fn below(path: &PathMatch) -> Option<PathPrefix> {
    match path {
        PathMatch::Prefix(prefix) => Some(prefix.clone()),
        PathMatch::Exact(path) => PathPrefix::parse(path).or_else(|_| PathPrefix::parse("/")).ok(),
        PathMatch::Regex(_) => PathPrefix::parse("/").ok(),
    }
}

impl<'i> Draft<'i> {
    fn new(id: AppId, runs: Runs<'i>) -> Self {
        Self {
            id,
            runs,
            services: BTreeMap::new(),
            ports: BTreeMap::new(),
            routes: BTreeSet::new(),
            reached: BTreeSet::new(),
        }
    }

    /// Its own port, that its endpoints are told with: the first that a route names of its first Service.
    fn main(&self) -> Option<(&'i Service, usize)> {
        let (key, port) = self.ports.keys().next()?;
        Some((self.services.get(key)?, *port))
    }

    fn main_port(&self, index: &Index) -> Option<(&'i Service, TargetPort)> {
        let (service, port) = self.main()?;
        Some((service, resolved(index, service, port, self.runs.template())?))
    }

    /// How its pods are found, and where they listen.
    pub(super) fn target(&self, index: &Index) -> Option<Target> {
        let (service, port) = self.main()?;
        Some(Target {
            service: service.meta.key.clone(),
            services: self.services.keys().map(|key| (*key).clone()).collect(),
            selector: service.selector.clone(),
            port: resolved(index, service, port, self.runs.template())?,
            port_name: service.ports.get(port)?.name.clone(),
            workload: self.runs.workload_key(),
        })
    }

    /// The app. `None` only if no route names a port of it, and then it is none.
    pub(super) fn app(
        &self,
        index: &Index,
        settings: &Settings,
        policies: &mut Policies<'i>,
        previous: Previous<'_>,
    ) -> Option<(Arc<model::App>, super::sleep::Extras)> {
        let (service, port) = self.main()?;
        let written = service.ports.get(port)?;
        let place = &service.meta.key;
        let namespace = index.namespaces.find(&Key::new("", &place.namespace));
        let (labels, annotations) = namespace.map(|one| (&one.meta.labels, &one.meta.annotations)).unzip();
        let nothing = crate::kubernetes::index::Labels::new();
        let application = self.runs.application();
        let own = application.map(|application| loco::sleeping(application)).unwrap_or_default();
        let mut settled = policies.of(self).or(&own).or(&settings.sleep).settled();
        let fallback = match application {
            Some(application) => loco::health(application, &settings.health),
            None => {
                health::fallback(self.runs.workload(), self.main_port(index).map(|(_, port)| port), settings)
            }
        };
        if matches!(self.runs, Runs::Others) {
            // What nobody can start again never sleeps.
            settled.sleep =
                model::SleepPolicy { idle_after: model::After::Never, remove_after: model::After::Never };
        }
        if application.is_some() && settings.loco == Some(LocoSleep::Replicas) {
            // What its controller would make again at once is not removed.
            settled.sleep.remove_after = model::After::Never;
        }
        let tenant = settings.tenants.tenant(
            &place.namespace,
            labels.unwrap_or(&nothing),
            annotations.unwrap_or(&nothing),
        );
        let app = model::App {
            name: AppName::from_object(&place.namespace, self.runs.name().unwrap_or(&place.name)),
            tenant: match application {
                Some(application) => loco::tenant(application, tenant),
                None => tenant,
            },
            routes: self.routes(place),
            source: Source::Service(model::Service {
                namespace: (&*place.namespace).into(),
                name: (&*place.name).into(),
                cluster: service.cluster_ip.map(|ip| SocketAddr::new(ip, written.port)),
                workload: self.runs.model(),
            }),
            protocol: self.protocol(place, port, written.app_protocol.as_deref()),
            health: settled.health.over(fallback),
            sleep: settled.sleep,
            wake: settled.wake,
            response_timeout: settings.response_timeout,
            id: self.id.clone(),
        };
        let extras = super::sleep::Extras { wake_with: settled.wake_with, schedule: settled.schedule };
        Some((previous.app(app), extras))
    }

    /// What routes of gRPC name speaks HTTP/2, unless its Service says otherwise (GEP-1911).
    fn protocol(&self, service: &Key, port: usize, said: Option<&str>) -> Protocol {
        let calls = self.ports.get(&(service, port)).is_some_and(|kinds| kinds.contains(&RouteKind::Grpc));
        match said {
            Some("kubernetes.io/h2c") => Protocol::H2c,
            Some("kubernetes.io/ws" | "http") => Protocol::Http1,
            Some(_) | None if calls => Protocol::H2c,
            Some(_) | None => Protocol::Auto,
        }
    }

    /// Where visitors reach it. One that is reached under any host has the name that it has within the cluster, which is
    /// one of those.
    fn routes(&self, service: &Key) -> Vec<model::RouteMatch> {
        let route = |(host, path): &(HostPattern, PathPrefix)| model::RouteMatch {
            host: host.clone(),
            path: path.clone(),
        };
        let mut routes: Vec<_> = self.reached.iter().map(route).collect();
        if routes.is_empty() {
            let host = HostPattern::parse(&format!("{}.{}.svc", service.name, service.namespace));
            routes.extend(host.ok().zip(PathPrefix::parse("/").ok()).map(|pair| route(&pair)));
        }
        routes
    }
}

//! An app.

use crate::link::wire::number::{
    kind, kind_number, mode, mode_number, protocol, protocol_number, treatment, treatment_number,
};
use crate::link::wire::parse::{Clear, FORMAT, Place, Span, Unclear, address, all, app_id, understood};
use crate::model::{
    After, App, AppName, Check, Health, HostPattern, Label, Passersby, PathPrefix, RouteMatch, Service,
    SleepPolicy, Source, Tenant, WakePolicy, Workload,
};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireApp {
    #[prost(string, tag = "1")]
    pub(super) id: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(message, optional, tag = "3")]
    tenant: Option<WireTenant>,
    #[prost(message, repeated, tag = "4")]
    routes: Vec<WireRoute>,
    #[prost(oneof = "WireSource", tags = "5, 6, 7")]
    source: Option<WireSource>,
    #[prost(uint32, tag = "8")]
    protocol: u32,
    #[prost(message, optional, tag = "9")]
    health: Option<WireHealth>,
    #[prost(message, optional, tag = "10")]
    sleep: Option<WireSleep>,
    #[prost(message, optional, tag = "11")]
    wake: Option<WireWake>,
    #[prost(message, optional, tag = "12")]
    response_timeout: Option<Span>,
    #[prost(uint32, tag = "15")]
    needs: u32,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireTenant {
    #[prost(string, tag = "1")]
    org: String,
    #[prost(string, tag = "2")]
    workspace: String,
    #[prost(string, tag = "3")]
    region: String,
    #[prost(string, tag = "4")]
    environment: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireRoute {
    #[prost(string, tag = "1")]
    host: String,
    #[prost(string, tag = "2")]
    path: String,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireSource {
    #[prost(message, tag = "5")]
    Upstreams(WireUpstreams),
    #[prost(message, tag = "6")]
    Service(WireService),
    /// A local program is nothing that a gateway elsewhere could reach: it is refused by its name.
    #[prost(bool, tag = "7")]
    Process(bool),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireUpstreams {
    #[prost(message, repeated, tag = "1")]
    places: Vec<Place>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireService {
    #[prost(string, tag = "1")]
    namespace: String,
    #[prost(string, tag = "2")]
    name: String,
    #[prost(string, optional, tag = "3")]
    cluster: Option<String>,
    #[prost(message, optional, tag = "4")]
    workload: Option<WireWorkload>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireWorkload {
    #[prost(uint32, tag = "1")]
    kind: u32,
    #[prost(string, tag = "2")]
    name: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireHealth {
    #[prost(oneof = "WireCheck", tags = "1, 2, 3")]
    check: Option<WireCheck>,
    #[prost(message, optional, tag = "4")]
    timeout: Option<Span>,
    #[prost(message, optional, tag = "5")]
    grace: Option<Span>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireCheck {
    #[prost(bool, tag = "1")]
    Tcp(bool),
    #[prost(string, tag = "2")]
    Http(String),
    #[prost(string, tag = "3")]
    Grpc(String),
}

/// A span that is not there is never.
#[derive(Clone, PartialEq, prost::Message)]
struct WireSleep {
    #[prost(message, optional, tag = "1")]
    idle_after: Option<Span>,
    #[prost(message, optional, tag = "2")]
    remove_after: Option<Span>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireWake {
    #[prost(uint32, tag = "1")]
    mode: u32,
    #[prost(message, optional, tag = "2")]
    page_after: Option<Span>,
    #[prost(message, optional, tag = "3")]
    hold_timeout: Option<Span>,
    #[prost(uint32, tag = "4")]
    max_held: u32,
    #[prost(uint32, tag = "5")]
    health_checks: u32,
    #[prost(uint32, tag = "6")]
    monitors: u32,
    #[prost(uint32, tag = "7")]
    crawlers: u32,
    #[prost(message, optional, tag = "8")]
    budget: Option<Span>,
}

impl WireApp {
    /// Its id and nothing else: it is refused by that.
    pub(super) fn named(app: &App) -> Self {
        Self { id: app.id.to_string(), ..Self::default() }
    }
}

#[cfg(test)]
impl WireApp {
    /// The same as a newer peer would send it that says something of it which is not known here.
    pub(super) fn newer(&self) -> Self {
        Self { needs: FORMAT + 1, ..self.clone() }
    }
}

impl From<&App> for WireApp {
    fn from(app: &App) -> Self {
        let tenant = WireTenant {
            org: app.tenant.org.to_string(),
            workspace: app.tenant.workspace.to_string(),
            region: app.tenant.region.to_string(),
            environment: app.tenant.environment.to_string(),
        };
        let route = |r: &RouteMatch| WireRoute { host: r.host.to_string(), path: r.path.to_string() };
        Self {
            id: app.id.to_string(),
            name: app.name.to_string(),
            tenant: Some(tenant),
            routes: app.routes.iter().map(route).collect(),
            source: Some((&app.source).into()),
            protocol: protocol_number(app.protocol),
            health: Some((&app.health).into()),
            sleep: Some(app.sleep.into()),
            wake: Some(app.wake.into()),
            response_timeout: Some(app.response_timeout.into()),
            needs: FORMAT,
        }
    }
}

impl TryFrom<&WireApp> for App {
    type Error = Unclear;

    fn try_from(app: &WireApp) -> Result<Self, Unclear> {
        understood(app.needs, "kind")?;
        Ok(Self {
            id: app_id(&app.id)?,
            name: AppName::parse_object(&app.name).or_unclear("name")?,
            tenant: app.tenant.as_ref().or_unclear("tenant")?.try_into()?,
            routes: all(&app.routes)?,
            source: app.source.as_ref().or_unclear("source")?.try_into()?,
            protocol: protocol(app.protocol).or_unclear("protocol")?,
            health: app.health.as_ref().or_unclear("health check")?.try_into()?,
            sleep: app.sleep.as_ref().or_unclear("sleep policy")?.try_into()?,
            wake: app.wake.as_ref().or_unclear("wake policy")?.try_into()?,
            response_timeout: Span::parse(app.response_timeout, "response timeout")?,
        })
    }
}

impl TryFrom<&WireTenant> for Tenant {
    type Error = Unclear;

    fn try_from(tenant: &WireTenant) -> Result<Self, Unclear> {
        let label = |text: &str| Label::parse(text).or_unclear("tenant");
        Ok(Self {
            org: label(&tenant.org)?,
            workspace: label(&tenant.workspace)?,
            region: label(&tenant.region)?,
            environment: label(&tenant.environment)?,
        })
    }
}

impl TryFrom<&WireRoute> for RouteMatch {
    type Error = Unclear;

    fn try_from(route: &WireRoute) -> Result<Self, Unclear> {
        Ok(Self {
            host: HostPattern::parse(&route.host).or_unclear("host")?,
            path: PathPrefix::parse(&route.path).or_unclear("path")?,
        })
    }
}

impl From<&Source> for WireSource {
    fn from(source: &Source) -> Self {
        match source {
            Source::Process(_) => Self::Process(true),
            Source::Upstreams(endpoints) => {
                Self::Upstreams(WireUpstreams { places: endpoints.iter().map(Into::into).collect() })
            }
            Source::Service(service) => Self::Service(WireService {
                namespace: service.namespace.to_string(),
                name: service.name.to_string(),
                cluster: service.cluster.map(|address| address.to_string()),
                workload: service.workload.as_ref().map(|workload| WireWorkload {
                    kind: kind_number(workload.kind),
                    name: workload.name.to_string(),
                }),
            }),
        }
    }
}

impl TryFrom<&WireSource> for Source {
    type Error = Unclear;

    fn try_from(source: &WireSource) -> Result<Self, Unclear> {
        match source {
            WireSource::Process(_) => Err(Unclear("source (a program on another machine)")),
            WireSource::Upstreams(upstreams) => Ok(Self::Upstreams(all(&upstreams.places)?)),
            WireSource::Service(service) => {
                let workload = |workload: &WireWorkload| {
                    let kind = kind(workload.kind).or_unclear("kind of workload")?;
                    Ok(Workload { kind, name: workload.name.as_str().into() })
                };
                Ok(Self::Service(Service {
                    namespace: service.namespace.as_str().into(),
                    name: service.name.as_str().into(),
                    cluster: service.cluster.as_deref().map(address).transpose()?,
                    workload: service.workload.as_ref().map(workload).transpose()?,
                }))
            }
        }
    }
}

impl From<&Health> for WireHealth {
    fn from(health: &Health) -> Self {
        let check = match &health.check {
            Check::Tcp => WireCheck::Tcp(true),
            Check::Http { path } => WireCheck::Http(path.clone()),
            Check::Grpc { service } => WireCheck::Grpc(service.clone()),
        };
        Self { check: Some(check), timeout: Some(health.timeout.into()), grace: Some(health.grace.into()) }
    }
}

impl TryFrom<&WireHealth> for Health {
    type Error = Unclear;

    fn try_from(health: &WireHealth) -> Result<Self, Unclear> {
        let check = match health.check.as_ref().or_unclear("health check")? {
            WireCheck::Tcp(_) => Check::Tcp,
            WireCheck::Http(path) if path.starts_with('/') => Check::Http { path: path.clone() },
            WireCheck::Http(_) => return Err(Unclear("health check")),
            WireCheck::Grpc(service) => Check::Grpc { service: service.clone() },
        };
        let timeout = Span::parse(health.timeout, "health check")?;
        Ok(Self { check, timeout, grace: Span::parse(health.grace, "health check")? })
    }
}

impl From<SleepPolicy> for WireSleep {
    fn from(sleep: SleepPolicy) -> Self {
        let span = |after| match after {
            After::Never => None,
            After::Elapsed(span) => Some(Span::from(span)),
        };
        Self { idle_after: span(sleep.idle_after), remove_after: span(sleep.remove_after) }
    }
}

impl TryFrom<&WireSleep> for SleepPolicy {
    type Error = Unclear;

    fn try_from(sleep: &WireSleep) -> Result<Self, Unclear> {
        let after = |span: Option<Span>| match span {
            None => Ok(After::Never),
            Some(_) => Span::parse(span, "sleep policy").map(After::Elapsed),
        };
        Ok(Self { idle_after: after(sleep.idle_after)?, remove_after: after(sleep.remove_after)? })
    }
}

impl From<WakePolicy> for WireWake {
    fn from(wake: WakePolicy) -> Self {
        Self {
            mode: mode_number(wake.mode),
            page_after: Some(wake.page_after.into()),
            hold_timeout: Some(wake.hold_timeout.into()),
            max_held: wake.max_held,
            health_checks: treatment_number(wake.passersby.health_checks),
            monitors: treatment_number(wake.passersby.monitors),
            crawlers: treatment_number(wake.passersby.crawlers),
            budget: Some(wake.passersby.budget.into()),
        }
    }
}

impl TryFrom<&WireWake> for WakePolicy {
    type Error = Unclear;

    fn try_from(wake: &WireWake) -> Result<Self, Unclear> {
        let treatment = |number| treatment(number).or_unclear("treatment of passersby");
        let passersby = Passersby {
            health_checks: treatment(wake.health_checks)?,
            monitors: treatment(wake.monitors)?,
            crawlers: treatment(wake.crawlers)?,
            budget: Span::parse(wake.budget, "treatment of passersby")?,
        };
        Ok(Self {
            mode: mode(wake.mode).or_unclear("wake mode")?,
            page_after: Span::parse(wake.page_after, "wake policy")?,
            hold_timeout: Span::parse(wake.hold_timeout, "wake policy")?,
            max_held: wake.max_held,
            passersby,
        })
    }
}

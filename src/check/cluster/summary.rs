//! What the edge makes of all objects together: as data, and (in `people`) for people.

use std::collections::BTreeSet;

use config::load::shown_span;
use config::model::{
    After, App, Check, Filter, HostPattern, Limit, PathMatch, Protocol, Rule, Source, WakeMode,
};
use revive::kubernetes::compile::said::{GatewaySaid, ListenerSaid};
use revive::kubernetes::crd::Hours;
use revive::kubernetes::index::Key;
use serde::Serialize;

use super::assumed::Assumed;
use super::object::Objects;
use super::{Known, kinds};
use crate::check::input::Text;

/// What the edge makes of them.
#[derive(Debug, Serialize)]
pub(in crate::check) struct Summary {
    pub(super) apps: Vec<AppSummary>,
    pub(super) gateways: Vec<GatewaySummary>,
    pub(super) routes: Vec<RouteSummary>,
    pub(super) limits: Vec<LimitSummary>,
    /// Objects that change nothing at the edge.
    pub(super) left_alone: Vec<String>,
    #[serde(skip)]
    pub(super) texts: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct AppSummary {
    pub(super) id: String,
    pub(super) name: String,
    pub(super) org: String,
    pub(super) workspace: String,
    pub(super) region: String,
    pub(super) environment: String,
    /// Such as `Deployment shop/cart`; `None`: somebody else runs it.
    pub(super) workload: Option<String>,
    pub(super) services: Vec<String>,
    /// Hosts and paths.
    pub(super) reached: Vec<String>,
    pub(super) protocol: &'static str,
    pub(super) idle_after: String,
    pub(super) remove_after: String,
    pub(super) wake: &'static str,
    pub(super) page_after: String,
    pub(super) hold_timeout: String,
    pub(super) max_held: u32,
    pub(super) health: String,
    pub(super) health_timeout: String,
    pub(super) grace: String,
    /// The apps that are woken with it.
    pub(super) wakes: Vec<String>,
    /// The hours in which it is awake.
    pub(super) hours: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct GatewaySummary {
    pub(super) name: String,
    /// Whether it is in no file.
    pub(super) assumed: bool,
    pub(super) listeners: Vec<ListenerSummary>,
}

#[derive(Debug, Serialize)]
pub(super) struct ListenerSummary {
    pub(super) name: String,
    pub(super) protocol: String,
    pub(super) port: i32,
    /// `*`: any.
    pub(super) host: String,
    pub(super) routes: i32,
    pub(super) works: bool,
}

#[derive(Debug, Serialize)]
pub(super) struct RouteSummary {
    pub(super) rule: String,
    /// `*`: any.
    pub(super) host: String,
    pub(super) ports: Vec<u16>,
    pub(super) matches: String,
    pub(super) filters: Vec<&'static str>,
    /// Apps, with their weights where there are several.
    pub(super) to: Vec<String>,
}

#[derive(Debug, Serialize)]
pub(super) struct LimitSummary {
    pub(super) name: String,
    pub(super) key: String,
    pub(super) rate: Option<String>,
    pub(super) burst: Option<u32>,
    pub(super) concurrency: Option<u32>,
    pub(super) hosts: Vec<String>,
    pub(super) paths: Vec<String>,
    pub(super) methods: Vec<String>,
}

impl Summary {
    pub(super) fn of(known: &Known, objects: &Objects, assumed: &Assumed, texts: &[Text]) -> Self {
        let compiled = &known.compiled;
        let gateway = |(key, said)| gateway(known, objects, assumed, key, said);
        Self {
            apps: compiled.apps.iter().map(|one| app(known, one)).collect(),
            gateways: compiled.statuses.gateways.iter().map(gateway).collect(),
            routes: compiled.rules.iter().map(|rule| route(rule)).collect(),
            limits: compiled.limits.iter().map(|one| limit(one)).collect(),
            left_alone: left_alone(known, objects),
            texts: texts.iter().map(|text| text.name.clone()).collect(),
        }
    }
}

fn app(known: &Known, app: &App) -> AppSummary {
    let compiled = &known.compiled;
    let workload = match &app.source {
        Source::Service(service) => {
            let workload = service.workload.as_ref();
            workload.map(|one| format!("{} {}/{}", one.kind.as_str(), service.namespace, one.name))
        }
        Source::Process(_) | Source::Upstreams(_) => None,
    };
    let services = compiled.targets.get(&app.id).map(|target| &target.services);
    AppSummary {
        id: app.id.to_string(),
        name: app.name.to_string(),
        org: app.tenant.org.to_string(),
        workspace: app.tenant.workspace.to_string(),
        region: app.tenant.region.to_string(),
        environment: app.tenant.environment.to_string(),
        workload,
        services: services.into_iter().flatten().map(Key::to_string).collect(),
        reached: app.routes.iter().map(|route| format!("{}{}", route.host, route.path)).collect(),
        protocol: protocol(app.protocol),
        idle_after: after(app.sleep.idle_after),
        remove_after: after(app.sleep.remove_after),
        wake: mode(app.wake.mode),
        page_after: shown_span(app.wake.page_after),
        hold_timeout: shown_span(app.wake.hold_timeout),
        max_held: app.wake.max_held,
        health: health(&app.health.check),
        health_timeout: shown_span(app.health.timeout),
        grace: shown_span(app.health.grace),
        wakes: compiled.companions.get(&app.id).into_iter().flatten().map(ToString::to_string).collect(),
        hours: compiled.hours.get(&app.id).into_iter().flatten().map(hours).collect(),
    }
}

fn protocol(of: Protocol) -> &'static str {
    match of {
        Protocol::Auto => "auto",
        Protocol::Http1 => "http1",
        Protocol::H2c => "h2c",
    }
}

fn mode(of: WakeMode) -> &'static str {
    match of {
        WakeMode::Auto => "auto",
        WakeMode::Hold => "hold",
        WakeMode::Page => "page",
        WakeMode::Redirect => "redirect",
    }
}

fn after(of: After) -> String {
    match of {
        After::Never => "never".to_owned(),
        After::Elapsed(span) => shown_span(span),
    }
}

fn health(of: &Check) -> String {
    match of {
        Check::Tcp => "tcp".to_owned(),
        Check::Http { path } => format!("http {path}"),
        Check::Grpc { service } => format!("grpc {service}").trim_end().to_owned(),
    }
}

fn hours(of: &Hours) -> String {
    let time = |minutes: u16| format!("{:02}:{:02}", minutes / 60, minutes % 60);
    let days: Vec<String> = of.days.iter().map(|day| format!("{day:?}")).collect();
    format!("{} {}-{} {}", days.join(","), time(of.from), time(of.to), of.time_zone)
}

fn gateway(
    known: &Known,
    objects: &Objects,
    assumed: &Assumed,
    key: &Key,
    said: &GatewaySaid,
) -> GatewaySummary {
    let written = |listener: &ListenerSaid| {
        // As it is written: a certificate that is missing is supplied in the clear.
        let object = objects.find("Gateway", key)?;
        let listeners = object.value["spec"]["listeners"].as_array()?;
        listeners.iter().find(|one| one["name"] == *listener.name)?["protocol"].as_str().map(str::to_owned)
    };
    let gateway = known.index.gateways.find(key);
    let listener = |one: &ListenerSaid| {
        let spec =
            gateway.and_then(|gateway| gateway.spec.listeners.iter().find(|spec| spec.name == one.name));
        ListenerSummary {
            name: one.name.clone(),
            protocol: written(one).unwrap_or_else(|| "HTTP".to_owned()),
            port: spec.map_or(0, |spec| spec.port),
            host: spec.and_then(|spec| spec.hostname.clone()).unwrap_or_else(|| "*".to_owned()),
            routes: one.attached,
            works: one.conditions.iter().any(|said| said.r#type == "Programmed" && said.holds),
        }
    };
    GatewaySummary {
        name: key.to_string(),
        assumed: assumed.has_gateway(key),
        listeners: said.listeners.iter().map(listener).collect(),
    }
}

fn route(rule: &Rule) -> RouteSummary {
    let several = rule.then.backends.len() > 1;
    let to = rule.then.backends.iter().map(|backend| {
        let app = backend.app.as_ref().map_or_else(|| "nobody (500)".to_owned(), ToString::to_string);
        let port = backend.port.map(|port| format!(":{port}")).unwrap_or_default();
        let weight = if several { format!(" × {}", backend.weight) } else { String::new() };
        format!("{app}{port}{weight}")
    });
    RouteSummary {
        rule: rule.name.to_string(),
        host: rule.host.as_ref().map_or_else(|| "*".to_owned(), HostPattern::to_string),
        ports: rule.ports.to_vec(),
        matches: matches(rule),
        filters: rule.then.filters.iter().map(filter).collect(),
        to: to.collect(),
    }
}

fn matches(rule: &Rule) -> String {
    let of = &rule.matches;
    let mut words = vec![match &of.path {
        PathMatch::Prefix(path) => format!("{}*", path.as_str()),
        PathMatch::Exact(path) => path.to_string(),
        PathMatch::Regex(path) => format!("~{path}"),
    }];
    words.extend(of.method.iter().map(|method| format!("method {method}")));
    words.extend(of.headers.iter().map(|one| format!("header {}", one.name)));
    words.extend(of.query.iter().map(|one| format!("query {}", one.name)));
    words.join(", ")
}

fn filter(of: &Filter) -> &'static str {
    match of {
        Filter::RequestHeaders(_) => "RequestHeaderModifier",
        Filter::ResponseHeaders(_) => "ResponseHeaderModifier",
        Filter::Redirect(_) => "RequestRedirect",
        Filter::Rewrite(_) => "URLRewrite",
    }
}

fn limit(limit: &Limit) -> LimitSummary {
    LimitSummary {
        name: limit.name.to_string(),
        key: limit.key.to_string(),
        rate: limit.rate.map(|rate| rate.to_string()),
        burst: limit.rate.map(|rate| rate.burst.get()),
        concurrency: limit.concurrency.map(std::num::NonZeroU32::get),
        hosts: limit.matches.hosts.iter().map(ToString::to_string).collect(),
        paths: limit.matches.paths.iter().map(ToString::to_string).collect(),
        methods: limit.matches.methods.clone(),
    }
}

/// Objects that change nothing: of kinds that the edge does not read, or that nothing of the edge's names.
fn left_alone(known: &Known, objects: &Objects) -> Vec<String> {
    let compiled = &known.compiled;
    let services: BTreeSet<&Key> = compiled.targets.values().flat_map(|target| &target.services).collect();
    let workloads: BTreeSet<(&str, Key)> = compiled
        .apps
        .iter()
        .filter_map(|app| match &app.source {
            Source::Service(service) => {
                let workload = service.workload.as_ref()?;
                Some((workload.kind.as_str(), Key::new(&service.namespace, &workload.name)))
            }
            Source::Process(_) | Source::Upstreams(_) => None,
        })
        .collect();
    let why = |object: &super::Object| match &*object.kind {
        _ if !kinds::is_read(object) => Some("of a kind that the edge does not read"),
        "Gateway" => {
            (!compiled.statuses.gateways.contains_key(&object.key)).then_some("of another controller's class")
        }
        "HTTPRoute" | "GRPCRoute" => {
            let ours = compiled
                .statuses
                .routes
                .keys()
                .any(|(kind, key)| kind.as_str() == object.kind && *key == object.key);
            (!ours).then_some("names no Gateway of the edge")
        }
        "Service" => (!services.contains(&object.key)).then_some("named by no route"),
        kind @ ("Deployment" | "StatefulSet") => (!workloads.contains(&(kind, object.key.clone())))
            .then_some("no app: selected by no Service that a route names"),
        _ => None,
    };
    let told = objects.iter().filter_map(|object| Some(format!("{}: {}", object.shown(), why(object)?)));
    told.collect()
}

//! A gateway's own process, and revive's end of the link in the test's: what becomes of requests when the link comes and
//! goes.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod authority;
mod away;
mod edge;
mod lease;
mod revive;
mod saved;
mod trust;

use std::sync::Arc;
use std::time::Duration;

use config::link::{Depth, Instance, Status};
use config::model::{
    After, App, AppId, AppName, Check, Health, HostPattern, Label, Passersby, PathPrefix, Protocol,
    RouteMatch, Service, SleepPolicy, Source, Tenant, WakeMode, WakePolicy,
};
use std::net::SocketAddr;

/// How long anything may take that must happen.
const SOON: Duration = Duration::from_secs(20);

const ASLEEP: Status = Status::Asleep { depth: Depth::Light };

fn awake(instance: u64, address: SocketAddr) -> Status {
    Status::Awake { instance: Instance(instance), endpoints: [address.into()].into() }
}

/// An app behind a Service at `NAME.test`, whose own address is `cluster`.
fn app(name: &str, cluster: Option<SocketAddr>) -> Arc<App> {
    let label = |text| Label::parse(text).unwrap();
    Arc::new(App {
        id: AppId::from_object("ns", name),
        name: AppName::from_object("ns", name),
        tenant: Tenant {
            org: label("acme"),
            workspace: label("shop"),
            region: label("here"),
            environment: label("test"),
        },
        routes: vec![RouteMatch {
            host: HostPattern::parse(&format!("{name}.test")).unwrap(),
            path: PathPrefix::parse("/").unwrap(),
        }],
        source: Source::Service(Service {
            namespace: "ns".into(),
            name: name.into(),
            cluster,
            workload: None,
        }),
        protocol: Protocol::Http1,
        health: Health { check: Check::Tcp, timeout: Duration::from_secs(1), grace: Duration::from_secs(60) },
        sleep: SleepPolicy { idle_after: After::Never, remove_after: After::Never },
        wake: WakePolicy {
            mode: WakeMode::Hold,
            page_after: Duration::from_secs(2),
            hold_timeout: Duration::from_secs(30),
            max_held: 1_000,
            passersby: Passersby::default(),
        },
        response_timeout: Duration::from_secs(10),
    })
}

//! Any value of the model.

use std::net::{IpAddr, SocketAddr};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;

use crate::link::{
    Activity, Depth, Failure, Instance, Limits, Phase, Probe, Round, Status, Table, ToGateway, ToRevive,
};
use crate::model::{
    After, App, AppId, AppName, Backend, Check, Endpoint, Filter, HeaderChange, Health, Host, HostPattern,
    Label, Limit, LimitKey, LimitMatch, Passersby, PathChange, PathMatch, PathPrefix, Pattern, Protocol,
    Rate, Redirect, RequestMatch, Rewrite, RouteMatch, Rule, Service, SleepPolicy, Source, Tenant, Then,
    Treatment, ValueMatch, WakeMode, WakePolicy, Workload, WorkloadKind,
};

fn one_of<T: Clone + std::fmt::Debug + 'static>(all: impl Into<Vec<T>>) -> impl Strategy<Value = T> {
    proptest::sample::select(all.into())
}

fn text() -> impl Strategy<Value = Box<str>> {
    "\\PC{0,12}".prop_map(Into::into)
}

fn span() -> impl Strategy<Value = Duration> {
    (any::<u64>(), 0..1_000_000_000_u32).prop_map(|(seconds, nanos)| Duration::new(seconds, nanos))
}

fn address() -> impl Strategy<Value = SocketAddr> {
    (any::<IpAddr>(), any::<u16>()).prop_map(Into::into)
}

fn label() -> impl Strategy<Value = Label> {
    "[!-~]{1,40}".prop_map(|text| Label::parse(&text).unwrap())
}

fn host() -> impl Strategy<Value = HostPattern> {
    let host = "[a-z0-9]{1,8}(\\.[a-z0-9_]{1,8}){0,3}".prop_map(|text| Host::parse(&text).unwrap());
    (host, any::<bool>()).prop_map(|(host, exact)| match exact {
        true => HostPattern::Exact(host),
        false => HostPattern::Wildcard(host),
    })
}

fn prefix() -> impl Strategy<Value = PathPrefix> {
    "(/[a-z0-9%~-]{1,6}){0,4}/?"
        .prop_filter_map("a dot", |text| PathPrefix::parse(if text.is_empty() { "/" } else { &text }).ok())
}

/// Few, so that tables share some.
pub(super) fn app_id() -> impl Strategy<Value = AppId> {
    ("ns-[ab]", "[a-f]").prop_map(|(namespace, name)| AppId::from_object(&namespace, &name))
}

fn endpoint() -> impl Strategy<Value = Endpoint> {
    (address(), any::<u32>()).prop_map(|(address, weight)| Endpoint { address, weight })
}

fn source() -> impl Strategy<Value = Source> {
    let workload = (one_of([WorkloadKind::Deployment, WorkloadKind::StatefulSet]), text())
        .prop_map(|(kind, name)| Workload { kind, name });
    let service = (text(), text(), option::of(address()), option::of(workload))
        .prop_map(|(namespace, name, cluster, workload)| Service { namespace, name, cluster, workload });
    prop_oneof![vec(endpoint(), 0..3).prop_map(Source::Upstreams), service.prop_map(Source::Service)]
}

fn health() -> impl Strategy<Value = Health> {
    let check = prop_oneof![
        Just(Check::Tcp),
        "/[!-~]{0,9}".prop_map(|path| Check::Http { path }),
        "\\PC{0,9}".prop_map(|service| Check::Grpc { service }),
    ];
    (check, span(), span()).prop_map(|(check, timeout, grace)| Health { check, timeout, grace })
}

fn sleep() -> impl Strategy<Value = SleepPolicy> {
    let after = || option::of(span()).prop_map(|span| span.map_or(After::Never, After::Elapsed));
    (after(), after()).prop_map(|(idle_after, remove_after)| SleepPolicy { idle_after, remove_after })
}

fn wake() -> impl Strategy<Value = WakePolicy> {
    let treatment =
        || one_of([Treatment::Wake, Treatment::Budget, Treatment::Answer200, Treatment::Answer503]);
    let passersby = (treatment(), treatment(), treatment(), span()).prop_map(
        |(health_checks, monitors, crawlers, budget)| Passersby { health_checks, monitors, crawlers, budget },
    );
    let mode = one_of([WakeMode::Auto, WakeMode::Hold, WakeMode::Page, WakeMode::Redirect]);
    (mode, span(), span(), any::<u32>(), passersby).prop_map(
        |(mode, page_after, hold_timeout, max_held, passersby)| WakePolicy {
            mode,
            page_after,
            hold_timeout,
            max_held,
            passersby,
        },
    )
}

pub(super) fn app(id: AppId) -> impl Strategy<Value = App> {
    let tenant = (label(), label(), label(), label())
        .prop_map(|(org, workspace, region, environment)| Tenant { org, workspace, region, environment });
    let route = (host(), prefix()).prop_map(|(host, path)| RouteMatch { host, path });
    let protocol = one_of([Protocol::Auto, Protocol::Http1, Protocol::H2c]);
    let name = "[a-z0-9.-]{1,30}".prop_map(|text| AppName::parse_object(&text).unwrap());
    let first = (name, tenant, vec(route, 0..4), source(), protocol);
    (first, health(), sleep(), wake(), span()).prop_map(
        move |((name, tenant, routes, source, protocol), health, sleep, wake, response_timeout)| App {
            id: id.clone(),
            name,
            tenant,
            routes,
            source,
            protocol,
            health,
            sleep,
            wake,
            response_timeout,
        },
    )
}

fn filter() -> impl Strategy<Value = Filter> {
    let change = || {
        let headers = || vec((text(), text()), 0..3);
        (headers(), headers(), vec(text(), 0..3)).prop_map(|(set, add, remove)| HeaderChange {
            set,
            add,
            remove,
        })
    };
    let path =
        || option::of(prop_oneof![text().prop_map(PathChange::Full), text().prop_map(PathChange::Prefix)]);
    let status = one_of([301, 302, 303, 307, 308]);
    let to = (option::of(text()), option::of(text()), option::of(any::<u16>()), path(), status);
    let redirect = to.prop_map(|(scheme, host, port, path, status)| {
        Filter::Redirect(Redirect { scheme, host, port, path, status })
    });
    prop_oneof![
        change().prop_map(Filter::RequestHeaders),
        change().prop_map(Filter::ResponseHeaders),
        redirect,
        (option::of(text()), path()).prop_map(|(host, path)| Filter::Rewrite(Rewrite { host, path })),
    ]
}

fn then() -> impl Strategy<Value = Then> {
    let backend = (option::of(app_id()), any::<u32>(), option::of(any::<u16>()), vec(filter(), 0..2))
        .prop_map(|(app, weight, port, filters)| Backend { app, weight, port, filters });
    (vec(filter(), 0..3), vec(backend, 0..3), option::of(span()))
        .prop_map(|(filters, backends, timeout)| Then { filters, backends, timeout })
}

/// Some rules of few names, which share what they do.
pub(super) fn rules() -> impl Strategy<Value = Vec<Arc<Rule>>> {
    let pattern = || prop_oneof![text().prop_map(Pattern::Exact), text().prop_map(Pattern::Regex)];
    let values = move || vec((text(), pattern()).prop_map(|(name, value)| ValueMatch { name, value }), 0..3);
    let path = prop_oneof![
        prefix().prop_map(PathMatch::Prefix),
        "/\\PC{0,9}".prop_map(|path| PathMatch::Exact(path.into())),
        text().prop_map(PathMatch::Regex),
    ];
    let matches = (path, option::of(text()), values(), values())
        .prop_map(|(path, method, headers, query)| RequestMatch { path, method, headers, query });
    let rule =
        ("r-[a-c]", vec(any::<u16>(), 0..3), option::of(host()), matches, any::<prop::sample::Index>());
    (vec(rule, 0..8), vec(then().prop_map(Arc::new), 1..4)).prop_map(|(rules, thens)| {
        let rule = |(name, ports, host, matches, then): (String, Vec<u16>, _, _, prop::sample::Index)| {
            let then = then.get(&thens).clone();
            Arc::new(Rule { name: name.into(), ports: ports.into(), host, matches, then })
        };
        rules.into_iter().map(rule).collect()
    })
}

pub(super) fn status() -> impl Strategy<Value = Status> {
    let instance = || any::<u64>().prop_map(Instance);
    let probe = (instance(), address()).prop_map(|(instance, endpoint)| Probe { instance, endpoint });
    let waking =
        (one_of(Phase::ALL), span(), option::of(span()), option::of(any::<u32>()), option::of(probe));
    prop_oneof![
        (instance(), vec(endpoint(), 0..4))
            .prop_map(|(instance, all)| Status::Awake { instance, endpoints: all.into() }),
        any::<u64>().prop_map(|round| Status::Draining { round: Round(round) }),
        one_of([Depth::Light, Depth::Deep]).prop_map(|depth| Status::Asleep { depth }),
        waking.prop_map(|(phase, elapsed, estimate, position, probe)| Status::Waking {
            phase,
            elapsed,
            estimate,
            position,
            probe
        }),
        (one_of(Failure::ALL), span())
            .prop_map(|(failure, retry_after)| Status::Failed { failure, retry_after }),
    ]
}

/// A table; its apps in the order of their ids, which the wire does not keep otherwise.
pub(super) fn table() -> impl Strategy<Value = Table> {
    let ids = proptest::collection::btree_set(app_id(), 0..6);
    let apps = ids.prop_flat_map(|ids| {
        ids.into_iter().map(|id| (app(id).prop_map(Arc::new), status())).collect::<Vec<_>>()
    });
    let leaving = vec((app_id(), any::<u64>().prop_map(Round)), 0..3);
    (any::<u64>(), apps, rules(), leaving).prop_map(|(generation, apps, rules, leaving)| Table {
        generation,
        apps,
        rules,
        leaving,
    })
}

fn limit() -> impl Strategy<Value = Limit> {
    let name = "[a-z][a-z0-9_.-]{0,20}".prop_map(|text| Limit::parse_name(&text).unwrap());
    let matches = (vec(host(), 0..3), vec(prefix(), 0..3), vec("[A-Z]{1,5}", 0..3))
        .prop_map(|(hosts, paths, methods)| LimitMatch { hosts, paths, methods });
    let key = prop_oneof![
        one_of([
            LimitKey::Credential,
            LimitKey::Client,
            LimitKey::Tenant,
            LimitKey::Workspace,
            LimitKey::App
        ]),
        "[a-z-]{1,9}".prop_map(|name| LimitKey::Header(name.into())),
        "[!-~]{1,9}".prop_map(|name| LimitKey::Claim(name.into())),
    ];
    let number = || (1..=u32::MAX).prop_map(|number| NonZeroU32::new(number).unwrap());
    let rate = (number(), span(), number())
        .prop_filter("of no time", |(_, per, _)| !per.is_zero())
        .prop_map(|(count, per, burst)| Rate { count, per, burst });
    (name, matches, key, option::of(rate), option::of(number()))
        .prop_filter("no bound", |(.., rate, concurrency)| rate.is_some() || concurrency.is_some())
        .prop_map(|(name, matches, key, rate, concurrency)| Limit { name, matches, key, rate, concurrency })
}

pub(super) fn to_gateway() -> impl Strategy<Value = ToGateway> {
    let limits = (any::<u64>(), vec(limit().prop_map(Arc::new), 0..5));
    prop_oneof![
        3 => table().prop_map(ToGateway::Table),
        1 => limits.prop_map(|(generation, limits)| ToGateway::Limits(Limits { generation, limits })),
        1 => (any::<u64>(), span()).prop_map(|(renewal, valid)| ToGateway::Lease { renewal, valid }),
        3 => (app_id(), status()).prop_map(|(app, status)| ToGateway::State { app, status }),
    ]
}

pub(super) fn to_revive() -> impl Strategy<Value = ToRevive> {
    let instance = || any::<u64>().prop_map(Instance);
    let activity = || {
        (app_id(), any::<u32>(), any::<u32>(), option::of(span()))
            .prop_map(|(app, open, held, idle_for)| Activity { app, open, held, idle_for })
    };
    let refused = vec(("\\PC{0,9}", "\\PC{0,9}"), 0..4);
    prop_oneof![
        app_id().prop_map(|app| ToRevive::Wake { app }),
        app_id().prop_map(|app| ToRevive::Unwanted { app }),
        any::<u64>().prop_map(|renewal| ToRevive::Renew { renewal }),
        (any::<u64>(), refused).prop_map(|(generation, refused)| ToRevive::InUse { generation, refused }),
        any::<u64>().prop_map(|generation| ToRevive::LimitsInUse { generation }),
        vec(activity(), 1..4).prop_map(ToRevive::Activity),
        (any::<u64>(), activity())
            .prop_map(|(round, activity)| ToRevive::Quiesced { round: Round(round), activity }),
        (app_id(), instance()).prop_map(|(app, instance)| ToRevive::Reachable { app, instance }),
        (app_id(), instance(), one_of(Failure::ALL))
            .prop_map(|(app, instance, so_far)| ToRevive::NotReachable { app, instance, so_far }),
        (app_id(), instance()).prop_map(|(app, instance)| ToRevive::Unreachable { app, instance }),
    ]
}

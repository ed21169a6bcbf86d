#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::num::NonZeroU32;

use config::model::{HostPattern, PathPrefix, Rate};

use super::fakes::{limit, route};
use super::*;

/// Limits and one client.
struct Edge {
    limits: Limits,
    entry: Entry,
}

impl Edge {
    fn new(limits: Vec<Limit>) -> Self {
        let edge =
            Self { limits: Limits::new(&settings::Gateway::default()), entry: Entry::Hosts { port: None } };
        edge.replace(limits);
        edge
    }

    fn replace(&self, limits: Vec<Limit>) {
        self.limits.replace(limits.into_iter().map(Arc::new).collect());
    }

    fn ask(&self, host: &str, path: &str) -> Result<Leave, Box<Told>> {
        let request = Request::post(path).header("host", host).body(()).unwrap();
        let client = "10.0.0.1".parse().unwrap();
        let asked = Asked { route: &route("a"), entry: &self.entry, client };
        self.limits.admit(&request, asked, Instant::now())
    }

    /// How many are let through until one is not.
    fn passes(&self, path: &str) -> usize {
        (0..100).take_while(|_| self.ask("a.localhost", path).is_ok()).count()
    }
}

fn rated(name: &str, rate: &str, paths: &[&str]) -> Limit {
    let mut limit = limit(name);
    limit.rate = Some(rate.parse::<Rate>().unwrap());
    limit.matches.paths = paths.iter().map(|path| PathPrefix::parse(path).unwrap()).collect();
    limit
}

#[test]
fn a_refusal_by_one_costs_nothing_at_the_others_and_the_severest_is_told() {
    let mut wide = limit("b-wide");
    wide.concurrency = NonZeroU32::new(50);
    let edge = Edge::new(vec![
        rated("a-few", "2/min", &["/few"]),
        rated("c-many", "10/min", &[]),
        rated("d-fewer", "2/h", &["/few"]),
        wide,
    ]);
    assert_eq!(edge.passes("/few"), 2);
    let told = edge.ask("a.localhost", "/few").unwrap_err();
    assert_eq!(told.refusal().code(), "rate-limited");
    let mut headers = http::HeaderMap::new();
    told.describe(&mut headers);
    assert_eq!(headers["ratelimit"], "\"d-fewer\";r=0;t=1800");
    assert_eq!(edge.passes("/other"), 8, "ten but for the two that were let through");
    let figures = edge.limits.figures();
    let refused = |figures: &Figures| figures.refused.iter().map(|(_, count)| count).sum::<u64>();
    let refused: Vec<_> =
        figures.iter().map(|figures| (figures.limit.name.as_str(), refused(figures))).collect();
    assert_eq!(refused, [("a-few", 0), ("b-wide", 0), ("c-many", 1), ("d-fewer", 2)]);
    assert!(figures.iter().all(|figures| figures.keys == 1));
}

#[test]
fn method_path_and_host_must_all_be_the_limits() {
    let mut deploys = rated("deploys", "1/h", &["/deploy"]);
    deploys.matches.hosts = vec![HostPattern::parse("a.localhost").unwrap()];
    deploys.matches.methods = vec!["POST".into(), "PUT".into()];
    let edge = Edge::new(vec![deploys.clone()]);
    assert_eq!(edge.passes("/deploy/x"), 1);
    assert!(edge.ask("A.localhost:8080", "//%64eploy;x").is_err());
    assert!(edge.ask("b.localhost", "/deploy").is_ok() && edge.ask("a.localhost", "/deploys").is_ok());
    deploys.matches.methods = vec!["GET".into()];
    edge.replace(vec![deploys]);
    assert!(edge.ask("a.localhost", "/deploy").is_ok(), "a POST");
}

#[test]
fn at_an_apps_own_port_the_limits_of_its_hosts_hold_whatever_host_is_said() {
    let mut deploys = rated("deploys", "1/h", &[]);
    deploys.matches.hosts = vec![HostPattern::parse("*.localhost").unwrap()];
    let mut edge = Edge::new(vec![deploys]);
    edge.entry = Entry::App(route("a").app.id.clone());
    assert!(edge.ask("127.0.0.1:41000", "/").is_ok());
    assert!(edge.ask("anything", "/").is_err());
}

#[test]
fn at_the_own_port_of_an_app_without_hosts_all_limits_hold() {
    let mut elsewhere = rated("elsewhere", "1/h", &[]);
    elsewhere.matches.hosts = vec![HostPattern::parse("b.localhost").unwrap()];
    let edge = Edge::new(vec![elsewhere, rated("all", "5/h", &[])]);
    let rules = edge.limits.rules.load();
    let mut model = (*route("a").model).clone();
    assert_eq!(of_all_hosts(&rules, &route("a")).len(), 1);
    model.routes.clear();
    let bare = Route::new(
        route("a").app.clone(),
        Arc::new(model),
        crate::tenant::identity(&route("a").model).unwrap(),
    );
    assert_eq!(of_all_hosts(&rules, &bare).len(), 2);
}

#[test]
fn a_limit_that_keeps_its_name_keeps_its_counts_and_one_that_goes_loses_them() {
    let edge = Edge::new(vec![rated("a", "2/h", &["/a"]), rated("b", "2/h", &["/b"])]);
    assert_eq!((edge.passes("/a"), edge.passes("/b")), (2, 2));
    edge.replace(vec![rated("a", "5/h", &["/a"]), rated("c", "2/h", &["/b"])]);
    assert_eq!((edge.passes("/a"), edge.passes("/b")), (3, 2));
    edge.replace(Vec::new());
    assert_eq!(edge.passes("/a"), 100);
    edge.replace(vec![rated("a", "5/h", &["/a"])]);
    assert_eq!(edge.passes("/a"), 5);
}

#[test]
fn locks_of_several_limits_are_taken_in_one_order_whatever_the_generation() {
    let names = ["a", "b", "c"];
    let some = |order: &[usize]| -> Vec<Limit> {
        order.iter().map(|index| rated(names[*index], "1000000/s", &[])).collect()
    };
    let edge = Edge::new(some(&[0, 1, 2]));
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..2_000).for_each(|_| assert!(edge.ask("a.localhost", "/").is_ok())));
        }
        scope.spawn(|| {
            for round in 0..200 {
                edge.replace(some(if round % 2 == 0 { &[2, 1, 0] } else { &[1, 0, 2] }));
            }
        });
    });
}

#[test]
fn a_client_may_wake_so_many_apps_and_each_counts_once() {
    let rate = Some("3/min".parse().unwrap());
    let limits =
        Limits::new(&settings::Gateway { max_wakes_per_client: rate, ..settings::Gateway::default() });
    let start = Instant::now();
    let wakes = |client: &str, app: &str, after: u64| {
        limits.admit_wake(client.parse().unwrap(), &route(app), start + Duration::from_secs(after))
    };
    for _ in 0..5 {
        for app in ["a", "b", "c"] {
            assert_eq!(wakes("10.0.0.1", app, 0), Ok(()));
        }
    }
    assert_eq!(wakes("10.0.0.1", "d", 0), Err(Duration::from_secs(20)));
    assert_eq!(wakes("10.0.0.2", "d", 0), Ok(()), "another client");
    assert_eq!(wakes("10.0.0.1", "d", 20), Ok(()));
    assert!(wakes("10.0.0.1", "e", 20).is_err());
    assert_eq!(wakes("10.0.0.1", "a", 59), Ok(()), "paid for");
    let none = Limits::new(&settings::Gateway::default());
    assert!((0..100).all(|n| none.admit_wake([10, 0, 0, 1].into(), &route(&format!("a{n}")), start).is_ok()));
}

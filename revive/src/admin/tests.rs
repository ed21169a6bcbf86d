//! The description of the API, held against its routes.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;

use axum::http::Method;
use axum::routing::MethodFilter;
use serde_json::Value;

use super::about::OPENAPI;
use super::access::Access;
use super::routes;

/// Method, path and the role that is needed.
type Described = (String, String, Option<String>);

#[test]
fn every_route_is_described_with_its_role_and_nothing_else_is() {
    let served = routes::all().into_iter().map(|route| {
        let role = match route.access {
            Access::Open => None,
            Access::Role(role) => Some(role.as_str().to_owned()),
        };
        (format!("{:?}", route.method), route.path.to_owned(), role)
    });
    let file: Value = serde_json::from_str(OPENAPI).unwrap();
    let mut described: BTreeSet<Described> = BTreeSet::new();
    for (path, operations) in file["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let security = operation["security"].as_array().unwrap();
            let role = security.iter().find_map(|way| way["token"][0].as_str()).map(str::to_owned);
            let method: Method = method.to_ascii_uppercase().parse().unwrap();
            let method = MethodFilter::try_from(method).unwrap();
            described.insert((format!("{method:?}"), path.clone(), role));
        }
    }
    assert_eq!(served.collect::<BTreeSet<_>>(), described);
}

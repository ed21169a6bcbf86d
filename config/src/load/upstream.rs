//! The endpoints that somebody else runs: their addresses, and their parts of the requests.

use std::net::{Ipv4Addr, SocketAddr};

use toml::de::DeValue;

use super::draft::some;
use super::reader::{Field, Key, Reader, Slot, slot};
use crate::model::Endpoint;

/// Gateway API's `HTTPBackendRef.weight` may be larger; nobody divides requests more finely.
const MAX_WEIGHT: u64 = 1_000;
const EXAMPLE: &str = "127.0.0.1:9000";

/// `{ address = "…", weight = 3 }`
#[derive(Default)]
pub(super) struct EndpointDraft {
    address: Slot<SocketAddr>,
    weight: Slot<u32>,
}

pub(super) static ENDPOINT: &[Key<EndpointDraft>] = &[
    slot!(address, |r: &mut Reader, f| r.parsed(f, EXAMPLE, address)),
    slot!(weight, |r: &mut Reader, f| r.count(f, 0..=MAX_WEIGHT)),
];

/// A list of addresses, each alone or with its weight.
pub(super) fn endpoints(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<Endpoint>> {
    let list = format!("[{EXAMPLE:?}]");
    let endpoints = reader.list(field, &list, endpoint)?;
    let endpoints = some(reader, field, endpoints, &format!("at least one address, such as {list}"))?;
    if endpoints.iter().all(|endpoint| endpoint.weight == 0) {
        reader
            .mistake(&field.spot, "every weight in `upstreams` is 0")
            .help("give at least one a weight of 1 or more: those of 0 get no requests");
        return None;
    }
    Some(endpoints)
}

fn endpoint(reader: &mut Reader, field: &Field<'_>) -> Option<Endpoint> {
    if !matches!(field.value, DeValue::Table(_)) {
        return reader.parsed(field, EXAMPLE, address).map(Endpoint::from);
    }
    let mut draft = EndpointDraft::default();
    reader.table(field, &[ENDPOINT], "in `upstreams`", &mut draft);
    if draft.address.is_absent() {
        reader.missing(
            &field.spot,
            "this upstream has no address",
            format!("such as {{ address = {EXAMPLE:?}, weight = 3 }}"),
        );
    }
    let (address, _) = draft.address.written()?;
    Some(Endpoint { weight: draft.weight.value_or(1), ..Endpoint::from(*address) })
}

/// Parses `127.0.0.1:9000`, `[::1]:9000` or `localhost:9000`.
///
/// Other names are refused: an endpoint is dialled for every request, and a name that resolves to something else
/// tomorrow would send a tenant's traffic there.
pub(super) fn address(text: &str) -> Result<SocketAddr, String> {
    let parsed = match text.strip_prefix("localhost:") {
        Some(port) => port.parse().ok().map(|port: u16| SocketAddr::from((Ipv4Addr::LOCALHOST, port))),
        None => text.parse().ok(),
    };
    match parsed {
        Some(address) if address.port() == 0 => Err("a port is from 1 to 65535".to_owned()),
        Some(address) => Ok(address),
        None => Err(meant(text)),
    }
}

fn meant(text: &str) -> String {
    let (scheme, bare) = text.split_once("://").unwrap_or(("", text));
    let bare = bare.split('/').next().unwrap_or_default();
    if !scheme.is_empty() && address(bare).is_ok() {
        return format!("an address has no scheme or path: did you mean {bare:?}?");
    }
    if bare.parse::<u16>().is_ok() {
        return format!("an address and a port: did you mean \"127.0.0.1:{bare}\"?");
    }
    if bare.parse::<std::net::IpAddr>().is_ok() || bare == "localhost" {
        return format!("the port is missing: such as \"{bare}:9000\"");
    }
    if bare.starts_with("localhost:") {
        return "a port is from 1 to 65535".to_owned();
    }
    "an IP address and a port, such as \"127.0.0.1:9000\"; no name but localhost is looked up".to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_one_and_localhost_is_the_only_name() {
        assert_eq!(address("localhost:9000"), Ok(SocketAddr::from(([127, 0, 0, 1], 9_000))));
        assert!(address("[::1]:9000").is_ok());
        for (wrong, right) in [
            ("9000", "127.0.0.1:9000"),
            ("http://127.0.0.1:9000/", "\"127.0.0.1:9000\""),
            ("127.0.0.1", "port is missing"),
            ("127.0.0.1:0", "1 to 65535"),
            ("localhost:99999", "1 to 65535"),
            ("db.example.com:80", "no name but localhost"),
        ] {
            assert!(address(wrong).is_err_and(|help| help.contains(right)), "{wrong}");
        }
    }
}

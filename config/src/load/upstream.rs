//! The address of an endpoint that somebody else runs.

use std::net::{Ipv4Addr, SocketAddr};

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

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::HashSet;

use http::header::HeaderValue;

use super::super::fakes::route;
use super::*;

fn headers(lines: &[(&'static str, &str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in lines {
        headers.append(HeaderName::from_static(name), HeaderValue::from_str(value).unwrap());
    }
    headers
}

fn told(lines: &[(&'static str, &str)]) -> Option<String> {
    credential(&headers(lines)).map(|token| String::from_utf8(token.to_vec()).unwrap())
}

#[test]
fn a_credential_is_one_however_it_is_written() {
    for lines in [
        &[("authorization", "Bearer abc")][..],
        &[("authorization", "bEARER   abc ")],
        &[("authorization", "abc")],
        &[("authorization", "Bearer abc"), ("authorization", "bearer abc")],
        &[("authorization", "Bearer abc"), ("cookie", "loco_token=abc; a=b")],
        &[("authorization", "Bearer abc"), ("cookie", "a=b")],
        &[("cookie", "a=b; loco_token=abc; c=d")],
        &[("cookie", "a=b"), ("cookie", "loco_token=\"abc\"; loco_token=abc")],
    ] {
        assert_eq!(told(lines).as_deref(), Some("abc"), "{lines:?}");
    }
    for lines in [
        &[][..],
        &[("authorization", "")],
        &[("authorization", "Bearer abc"), ("authorization", "Bearer made-up")],
        &[("authorization", "Bearer made-up"), ("cookie", "loco_token=abc")],
        &[("authorization", ""), ("cookie", "loco_token=abc")],
        &[("cookie", "loco_token=")],
        &[("cookie", "loco_token=abc; loco_token=made-up")],
        &[("cookie", "xloco_token=abc; loco_tokens=abc; loco_token")],
    ] {
        assert_eq!(told(lines), None, "{lines:?}");
    }
}

#[test]
fn a_client_is_an_address_or_a_network_of_ipv6() {
    let same = |a: &str, b: &str| network(a.parse().unwrap()) == network(b.parse().unwrap());
    assert!(same("10.0.0.1", "::ffff:10.0.0.1"));
    assert!(same("2001:db8:1:2::1", "2001:db8:1:2:ffff::9"));
    assert!(!same("2001:db8:1:2::1", "2001:db8:1:3::1"));
    assert!(!same("10.0.0.1", "10.0.0.2"));
}

#[test]
fn kinds_and_values_share_no_key_and_who_brings_none_is_counted_by_address() {
    let (keys, a, b) = (Keys::new(Vec::new()), route("a"), route("b"));
    let by = |text: &str| CountedBy::new(&text.parse().unwrap()).unwrap();
    let own = headers(&[("authorization", "Bearer shop"), ("x-team", "shop"), ("x-other", "shop")]);
    let client = "10.0.0.1".parse().unwrap();
    let key =
        |by: &CountedBy, route: &Route, headers: &HeaderMap| keys.of(by, &Asker { headers, route, client });
    let kinds =
        ["credential", "client", "tenant", "workspace", "app", "header:x-team", "header:x-other"].map(by);
    let all: HashSet<u64> = kinds.iter().map(|by| key(by, &a, &own)).collect();
    assert_eq!(all.len(), kinds.len());
    let nothing = HeaderMap::new();
    for without in ["credential", "header:x-team", "claim:sub"].map(by) {
        assert_eq!(key(&without, &a, &nothing), key(&CountedBy::Client, &a, &nothing));
    }
    for same in ["tenant", "workspace"].map(by) {
        assert_eq!(key(&same, &a, &own), key(&same, &b, &nothing));
    }
    let twice = |other| headers(&[("x-team", "shop"), ("x-team", other)]);
    assert_eq!(key(&by("header:x-team"), &a, &twice("shop")), key(&by("header:x-team"), &a, &own));
    let made_up = key(&by("header:x-team"), &a, &twice("made-up"));
    assert_eq!(made_up, key(&CountedBy::Client, &a, &nothing), "which one the app believes nobody knows");
    assert_ne!(key(&by("app"), &a, &own), key(&by("app"), &b, &own));
    assert_ne!(Keys::new(Vec::new()).of_wake(client, &a), keys.of_wake(client, &a), "of this process alone");
    assert_eq!(keys.of_wake(client, &a)[0], keys.of_wake(client, &b)[0]);
    assert_ne!(keys.of_wake(client, &a)[1], keys.of_wake(client, &b)[1]);
}

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use config::model::{self, Filter, PathChange, PathMatch, PathPrefix, RequestMatch, Rule, Then};
use http::Uri;

use super::path::NewPath;
use super::{Asked, Redirect, Unfit};

fn prefix(text: &str) -> PathMatch {
    PathMatch::Prefix(PathPrefix::parse(text).unwrap())
}

/// The table of the Gateway API, and what follows from it.
#[test]
fn a_prefix_is_replaced_by_whole_segments() {
    for (asked, matched, by, becomes) in [
        ("/foo/bar", "/foo", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo", "/xyz/", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz", "/xyz/bar"),
        ("/foo/bar", "/foo/", "/xyz/", "/xyz/bar"),
        ("/foo", "/foo", "/xyz", "/xyz"),
        ("/foo/", "/foo", "/xyz", "/xyz/"),
        ("/foo/bar", "/foo", "", "/bar"),
        ("/foo/", "/foo", "", "/"),
        ("/foo", "/foo", "", "/"),
        ("/foo/", "/foo", "/", "/"),
        ("/foo", "/foo", "/", "/"),
        ("/", "/", "/xyz", "/xyz/"),
        ("/bar", "/", "/xyz", "/xyz/bar"),
        ("/bar", "/", "/", "/bar"),
        ("/foo//bar", "/foo", "", "//bar"),
    ] {
        let path = NewPath::of(&PathChange::Prefix(by.into()), &prefix(matched)).unwrap();
        assert_eq!(path.instead_of(asked).as_deref(), Some(becomes), "{asked} {matched} {by}");
    }
    let full = NewPath::of(&PathChange::Full("/a".into()), &PathMatch::Regex(".*".into())).unwrap();
    assert_eq!((full.instead_of("/b/c").as_deref(), full.instead_of("*")), (Some("/a"), None));
}

#[test]
fn what_is_no_path_replaces_none() {
    let unfit = |change, matched| NewPath::of(&change, &matched).unwrap_err();
    for wrong in ["a", "/a?b", "/a#b", "/a b", "/a\r\n", "/ü"] {
        assert_eq!(unfit(PathChange::Full(wrong.into()), prefix("/")), Unfit::Path(wrong.into()));
        assert_eq!(unfit(PathChange::Prefix(wrong.into()), prefix("/")), Unfit::Path(wrong.into()));
    }
    assert_eq!(unfit(PathChange::Full("".into()), prefix("/")), Unfit::Path("".into()));
    assert_eq!(unfit(PathChange::Prefix("/a".into()), PathMatch::Exact("/b".into())), Unfit::NoPrefix);
}

fn location(redirect: model::Redirect, host: &str, port: Option<u16>, target: &str) -> String {
    let matches = RequestMatch::below(PathPrefix::parse("/foo").unwrap());
    let then = Arc::new(Then { filters: vec![Filter::Redirect(redirect)], ..Then::default() });
    let rule = Rule { name: "r".into(), ports: [].into(), host: None, matches, then };
    let uri: Uri = target.parse().unwrap();
    let location = Redirect::of(&rule, None).unwrap().unwrap().location(Asked { host, port, uri: &uri });
    location.unwrap().to_str().unwrap().to_owned()
}

#[test]
fn a_client_is_sent_where_the_gateway_api_says() {
    let keep = model::Redirect { scheme: None, host: None, port: None, path: None, status: 302 };
    let scheme = |scheme: &str| model::Redirect { scheme: Some(scheme.into()), ..keep.clone() };
    let host = model::Redirect { host: Some("x.y".into()), ..keep.clone() };
    let port = |port, redirect: &model::Redirect| model::Redirect { port: Some(port), ..redirect.clone() };
    let path = |path, redirect: &model::Redirect| model::Redirect { path: Some(path), ..redirect.clone() };
    for (redirect, at, target, expected) in [
        // Without a scheme the listener's port, and none that the scheme has anyway.
        (keep.clone(), Some(8080), "/foo?a=b", "http://a.b:8080/foo?a=b"),
        (keep.clone(), Some(80), "/foo", "http://a.b/foo"),
        (keep.clone(), Some(443), "/foo", "http://a.b:443/foo"),
        (keep.clone(), None, "/foo", "http://a.b/foo"),
        // With one, the scheme's.
        (scheme("https"), Some(8080), "/foo", "https://a.b/foo"),
        (scheme("http"), Some(8080), "/foo", "http://a.b/foo"),
        (port(8443, &scheme("https")), Some(80), "/foo", "https://a.b:8443/foo"),
        (port(443, &scheme("https")), Some(80), "/foo", "https://a.b/foo"),
        (port(443, &keep), Some(80), "/foo", "http://a.b:443/foo"),
        (port(80, &keep), Some(8080), "/foo", "http://a.b/foo"),
        (host.clone(), Some(8080), "/foo", "http://x.y:8080/foo"),
        (path(PathChange::Prefix("/bar".into()), &host), Some(80), "/foo/1?q", "http://x.y/bar/1?q"),
        (path(PathChange::Prefix("".into()), &keep), Some(80), "/foo//evil.c", "http://a.b//evil.c"),
        (path(PathChange::Full("/".into()), &keep), Some(80), "/foo/1?q", "http://a.b/?q"),
        (keep.clone(), Some(80), "http://a.b/foo", "http://a.b/foo"),
        (keep.clone(), Some(80), "http://a.b?q", "http://a.b/?q"),
        (keep.clone(), Some(80), "*", "http://a.b/"),
    ] {
        assert_eq!(location(redirect.clone(), "a.b", at, target), expected, "{redirect:?}");
    }
    assert_eq!(location(keep, "", Some(80), "//evil.c/x"), "http://localhost//evil.c/x");
}

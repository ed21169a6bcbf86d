#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

use std::collections::HashSet;

use proptest::prelude::*;

use super::*;

const NOW: SystemTime = UNIX_EPOCH;

fn at(seconds: u64) -> SystemTime {
    NOW + Duration::from_secs(1_800_000_000 + seconds)
}

fn link(asked: &str) -> Link {
    Link { app: "hello".to_owned(), asked: asked.to_owned() }
}

fn keys(byte: u8) -> Keys {
    Keys::parse(&hex::encode(&[byte; KEY_BYTES])).unwrap()
}

fn query(asked: &str) -> String {
    link(asked).query(Purpose::Revive, &keys(1), at(0), LINK_LIFE)
}

fn read(query: &str) -> Result<Link, Unfit> {
    Link::read(query, Purpose::Revive, &keys(1), at(0))
}

/// `hello` has two hosts, and on the third only what is below `/hello`; the rest there is somebody else's.
fn is_own(host: &str, path: &str) -> bool {
    match host {
        "hello.localhost" | "www.hello.test" => true,
        "shared.localhost" => path == "/hello" || path.starts_with("/hello/"),
        _ => false,
    }
}

fn sent_back(asked: &str) -> String {
    back(asked, is_own, Some(("hello.localhost", "/")), Some(8080)).unwrap()
}

#[test]
fn a_link_is_read_as_it_was_made() {
    let asked = "http://hello.localhost:8080/a%20b?q=ä&x=1&x=2;y='\"<>\\";
    assert_eq!(read(&query(asked)), Ok(link(asked)));
    assert!(query(asked).is_ascii() && !query(asked).contains(['"', '<', '\\', ' ', '#']));
    assert_eq!(read(&format!("utm_source=mail&{}&fbclid=1", query("/"))), Ok(link("/")));
}

#[test]
fn a_signature_is_that_of_hmac_sha256() {
    // RFC 4231, test case 2, with the key filled up: HMAC does so itself.
    let mut key = [0; KEY_BYTES];
    key[..4].copy_from_slice(b"Jefe");
    let expected = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843";
    assert_eq!(
        hex::encode(&Keys::parse(&hex::encode(&key)).unwrap().sign(b"what do ya want for nothing?")),
        expected
    );
}

#[test]
fn a_link_expires_after_a_minute() {
    let query = query("/");
    let read = |seconds| Link::read(&query, Purpose::Revive, &keys(1), at(seconds));
    assert_eq!(read(59), Ok(link("/")));
    assert_eq!(read(60), Err(Unfit::Expired(link("/"))));
    let long_ago = Link::read(&query, Purpose::Revive, &keys(1), NOW);
    assert_eq!(long_ago, Err(Unfit::Expired(link("/"))), "a clock was set back");
}

#[test]
fn a_link_is_for_one_purpose() {
    let follow = link("/").query(Purpose::Follow, &keys(1), at(0), LINK_LIFE);
    assert_eq!(read(&follow), Err(Unfit::Forged(Some("hello".to_owned()))));
}

#[test]
fn whatever_is_changed_is_forged() {
    let query = query("/a?b=c");
    let forged = |query: &str| matches!(read(query), Err(Unfit::Forged(_)));
    for (from, to) in [
        ("app-name=hello", "app-name=hell"),
        ("app-name=hello", "app-name=Hello"),
        ("app-name=hello", ""),
        ("og_url=/a", "og_url=//evil.test/a"),
        ("og_url=/a", "og_url=/b"),
        ("expires=18", "expires=19"),
        ("expires=18", "expires=%2B18"),
        ("expires=18", "expires=-18"),
        ("expires=18", "expires="),
        ("signature=", "signature=00"),
        ("signature=", "Signature="),
    ] {
        let changed = query.replacen(from, to, 1);
        assert!(changed != query && forged(&changed), "{changed}");
    }
    for doubled in ["app-name=hello", "og_url=/", "expires=1900000000", "signature=00"] {
        assert!(forged(&format!("{doubled}&{query}")) && forged(&format!("{query}&{doubled}")), "{doubled}");
    }
    let end = query.len();
    assert!(forged(&query[..end - 1]) && forged(&query[..end - 2]) && forged("") && forged("&&=&"));
    let unsigned = &query[..query.find("&signature").unwrap()];
    assert!(forged(unsigned) && forged(&format!("{unsigned}&signature=")));
    assert_eq!(read(unsigned), Err(Unfit::Forged(Some("hello".to_owned()))));
}

#[test]
fn a_key_can_be_replaced_while_links_are_about() {
    let query = query("/");
    let (old, new) = (keys(1).to_text(), keys(2).to_text());
    let both = Keys::parse(&format!("{new}{old}")).unwrap();
    assert_eq!(Link::read(&query, Purpose::Revive, &both, at(0)), Ok(link("/")));
    assert!(Link::read(&query, Purpose::Revive, &keys(2), at(0)).is_err());
    let anew = link("/").query(Purpose::Revive, &both, at(0), LINK_LIFE);
    assert_eq!(Link::read(&anew, Purpose::Revive, &keys(2), at(0)), Ok(link("/")));
    assert_eq!(both.to_text(), format!("{new}{old}"));
}

#[test]
fn keys_are_random_and_say_nothing_of_themselves() {
    let texts: HashSet<_> = (0..4).map(|_| Keys::random().unwrap().to_text()).collect();
    assert_eq!(texts.len(), 4);
    assert!(texts.iter().all(|text| Keys::parse(text).is_ok()));
    assert!(!format!("{:?}", keys(0xab)).contains("ab"));
    let key = "ab".repeat(KEY_BYTES);
    for wrong in ["", "ab", &"x".repeat(64), &format!("{key} {key} {key}"), &format!("{key}ab")] {
        assert_eq!(Keys::parse(wrong).err(), Some(KeysError::Malformed), "{wrong}");
    }
}

#[test]
fn a_visitor_is_sent_back_to_what_was_asked_for() {
    for (asked, expected) in [
        ("http://hello.localhost:8080/a/b?q=a%20b&x=1&x=2", "//hello.localhost:8080/a/b?q=a%20b&x=1&x=2"),
        ("https://www.Hello.test/?", "//www.hello.test:8080/?"),
        ("//hello.localhost/x", "//hello.localhost:8080/x"),
        ("/x?http://evil.test/", "//hello.localhost:8080/x?http://evil.test/"),
        ("http://hello.localhost", "//hello.localhost:8080/"),
        ("http://hello.localhost?a=\\{}|^`'\"", "//hello.localhost:8080/?a=\\{}|^`'\""),
        ("http://hello.localhost//evil.test/a", "//hello.localhost:8080//evil.test/a"),
        ("http://shared.localhost/hello/x?y", "//shared.localhost:8080/hello/x?y"),
        ("/%2f%2fevil.test", "//hello.localhost:8080/%2f%2fevil.test"),
        ("/a/...", "//hello.localhost:8080/a/..."),
    ] {
        assert_eq!(sent_back(asked), expected, "{asked}");
    }
    let only_wildcards = back("https://evil.test/", is_own, None, Some(8080));
    assert_eq!(only_wildcards, None);
    let plain = back("http://hello.localhost:8080/a", is_own, None, None);
    assert_eq!(plain.as_deref(), Some("//hello.localhost/a"));
}

/// What is known to have led visitors astray elsewhere: of these the app's own root is all that is left, or its own path.
#[test]
fn known_tricks_lead_nowhere_else() {
    for trick in [
        "",
        "evil.test",
        "evil.test/path",
        "https:evil.test",
        "https:/evil.test",
        "http:///evil.test",
        "https:\\\\evil.test",
        "\\\\evil.test",
        "\\/evil.test",
        "/\\evil.test",
        "/\\/evil.test",
        "/a\\..\\..\\b",
        "javascript:alert(1)",
        "data:text/html,x",
        "https://evil.test\\@hello.localhost/",
        "https://hello.localhost@evil.test/",
        "https://evil.test@hello.localhost/",
        "https://hello.localhost:80@evil.test/",
        "https://hello.localhost:evil.test/",
        "https://hello.localhost%2eevil.test/",
        "https://hello.localhost%00.evil.test/",
        "https://hello.localhost\t.evil.test/",
        "/\t/evil.test",
        "\t//evil.test",
        " //evil.test",
        "/\r\nLocation: https://evil.test",
        "/a\u{0}b",
        "/a b",
        "/a#b",
        "http://hello.localhost/#@evil.test/",
        "https://ｈello.localhost/",
        "https://hello。localhost/",
        "/ä",
        "http://hello.localhost/../x",
        "http://hello.localhost/a/%2e%2E/x",
        "http://hello.localhost/a/.%2e/x",
        "http://shared.localhost/hello/../other/",
        "http://shared.localhost/hello/%2e%2e/other/",
        "http://shared.localhost/hello\\..\\other",
        "http://[::1]/",
        "ftp://hello.localhost/",
    ] {
        assert_eq!(sent_back(trick), "//hello.localhost:8080/", "{trick:?}");
    }
    // Of another's URL, its path is asked of the app.
    for (trick, left) in [
        ("https://evil.test/", "/"),
        ("//evil.test/a", "/a"),
        ("HTTPS://EVIL.TEST/a?b", "/a?b"),
        ("http://other.localhost:8080/a", "/a"),
        ("http://revive.localhost:8080/revive-app?app-name=x", "/revive-app?app-name=x"),
        ("http://hello.localhost.evil.test/", "/"),
        ("http://hello.localhost:6666/", "/"),
        ("http://shared.localhost/other/", "/other/"),
        ("http://127.0.0.1/", "/"),
        ("http://0x7f000001/", "/"),
        ("////evil.test/", "/"),
        ("///evil.test", "/"),
    ] {
        assert_eq!(sent_back(trick), format!("//hello.localhost:8080{left}"), "{trick:?}");
    }
    let overlong = format!("/{}", "a".repeat(9_000));
    assert_eq!(sent_back(&overlong), "//hello.localhost:8080/");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    /// Whatever is asked for: the app's host, our port, a path of the app's, and nothing that a header or a browser
    /// would understand otherwise.
    #[test]
    fn a_visitor_is_sent_nowhere_else(
        asked in prop_oneof![
            any::<String>(),
            "(https?:)?[/\\\\]{0,4}(hello|evil|shared|%2f|@|:|[.]{1,2}|[/\\\\?#\t\r\n]|localhost|test|[a-z]|%2e){0,14}",
        ],
    ) {
        let sent = sent_back(&asked);
        let hosts = ["//hello.localhost:8080", "//www.hello.test:8080", "//shared.localhost:8080"];
        let (host, target) = hosts.iter().find_map(|host| Some((&host[2..host.len() - 5], sent.strip_prefix(host)?)))
            .expect("an app's host");
        prop_assert!(target.starts_with('/'), "{sent}");
        prop_assert!(sent.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#'), "{sent}");
        let path = target.split('?').next().unwrap();
        prop_assert!(!path.contains('\\'), "{sent}");
        let dots = |segment: &str| matches!(&*segment.to_lowercase().replace("%2e", "."), "." | "..");
        prop_assert!(!path.split('/').any(dots), "{sent}");
        prop_assert!(is_own(host, path), "{sent}");
    }

    #[test]
    fn any_link_is_read_as_it_was_made(app in any::<String>(), asked in any::<String>()) {
        let made = Link { app, asked };
        prop_assert_eq!(read(&made.query(Purpose::Revive, &keys(1), at(0), LINK_LIFE)), Ok(made));
    }

    #[test]
    fn any_query_is_read_without_a_panic(query in any::<String>()) {
        prop_assert!(read(&query).is_err());
    }
}

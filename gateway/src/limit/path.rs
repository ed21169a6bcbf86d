//! Whether a request's path lies below a limited one, however it is spelled.
//!
//! Servers read one path in many ways: they decode what is percent-encoded (some twice, some `%2F` too), merge slashes,
//! drop `;parameters`, fold case, resolve `..` before or after all that. A limit holds for every path that any of them
//! may take for a limited one; the price is that a few odd spellings are counted that no server would take for it.

use std::cell::OnceCell;

use config::model::PathPrefix;

/// A limited path: as it is written, which most who mean it write, too; and `/a/b` in its plainest spelling, in lower
/// case, nothing for the root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Prefix {
    written: Box<str>,
    plain: Box<[u8]>,
}

/// A request's path; its plain spelling is found once, and only if somebody needs it.
#[derive(Debug)]
pub(super) struct Path<'a> {
    raw: &'a [u8],
    spelling: OnceCell<Spelling>,
}

#[derive(Debug)]
enum Spelling {
    /// As it is, but for capitals.
    Plain,
    /// In some other way; this is the plainest.
    Odd(Vec<u8>),
    /// With `..` in it: what that removes depends on who reads it. This is the plainest, as if nothing were removed.
    Climbing(Vec<u8>),
}

impl Prefix {
    pub(super) fn new(prefix: &PathPrefix) -> Self {
        let written = prefix.as_str();
        Self { written: written.into(), plain: plainest(written.as_bytes()).0.into() }
    }

    /// Whether the path is this one, or below it.
    pub(super) fn covers(&self, path: &Path<'_>) -> bool {
        // What is below as it is written is below in every reading.
        self.plain.is_empty()
            || path.raw.strip_prefix(self.written.as_bytes()).is_some_and(is_whole)
            || begins_with(path.raw, &self.plain)
            || match path.spelling() {
                Spelling::Plain => false,
                Spelling::Odd(plain) => begins_with(plain, &self.plain),
                Spelling::Climbing(plain) => self.is_left_of(plain),
            }
    }

    /// Whether this can be what is left of a path when `..` has removed segments of it.
    fn is_left_of(&self, path: &[u8]) -> bool {
        let mut wanted = segments(&self.plain).peekable();
        for segment in segments(path) {
            wanted.next_if(|wanted| *wanted == segment);
        }
        wanted.peek().is_none()
    }
}

impl<'a> Path<'a> {
    pub(super) fn new(path: &'a str) -> Self {
        Self { raw: path.as_bytes(), spelling: OnceCell::new() }
    }

    fn spelling(&self) -> &Spelling {
        self.spelling.get_or_init(|| {
            if is_plain(self.raw) {
                return Spelling::Plain;
            }
            match plainest(self.raw) {
                (plain, false) => Spelling::Odd(plain),
                (plain, true) => Spelling::Climbing(plain),
            }
        })
    }
}

fn segments(path: &[u8]) -> impl Iterator<Item = &[u8]> {
    path.split(|b| *b == b'/').filter(|segment| !segment.is_empty())
}

/// Whole segments; capitals are no difference.
fn begins_with(path: &[u8], prefix: &[u8]) -> bool {
    path.split_at_checked(prefix.len())
        .is_some_and(|(start, rest)| is_whole(rest) && start.eq_ignore_ascii_case(prefix))
}

/// Whether what comes after a prefix lets its last segment be a whole one.
fn is_whole(rest: &[u8]) -> bool {
    matches!(rest.first(), None | Some(b'/'))
}

/// Whether there is nothing in it that anybody reads otherwise than it is written.
fn is_plain(path: &[u8]) -> bool {
    let odd = |at: usize| matches!(path.get(at + 1), Some(b'/' | b'.'));
    memchr::memchr3(b'%', b';', b'\\', path).is_none() && !memchr::memchr_iter(b'/', path).any(odd)
}

/// The plainest spelling of a path, and whether there is a `..` in it.
fn plainest(path: &[u8]) -> (Vec<u8>, bool) {
    let (decoded, mut plain, mut climbs) = (decoded(path), Vec::with_capacity(path.len()), false);
    for segment in decoded.split(|b| matches!(b, b'/' | b'\\')) {
        // Parameters, and what is behind a NUL, are not part of a name to everybody.
        let segment = segment.split(|b| matches!(b, b';' | 0)).next().unwrap_or_default();
        match segment {
            b"" | b"." => {}
            b".." => climbs = true,
            name => {
                plain.push(b'/');
                plain.extend(name.iter().map(u8::to_ascii_lowercase));
            }
        }
    }
    (plain, climbs)
}

/// Decoded until there is nothing left to decode, in one pass: what decoding has made may be part of the next code.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut decoded = Vec::with_capacity(path.len());
    for byte in path {
        decoded.push(*byte);
        while let [.., b'%', high, low] = decoded[..]
            && let (Some(high), Some(low)) = (hex(high), hex(low))
        {
            decoded.truncate(decoded.len() - 3);
            decoded.push(high << 4 | low);
        }
    }
    decoded
}

fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    const DEPLOY: &str = "/deployment.v1.DeploymentService/CreateDeployment";

    fn covers(prefix: &str, path: &str) -> bool {
        Prefix::new(&PathPrefix::parse(prefix).unwrap()).covers(&Path::new(path))
    }

    #[test]
    fn whole_segments_at_or_below() {
        for (prefix, path) in [
            ("/", "/"),
            ("/", "*"),
            ("/", "/any/thing"),
            ("/a", "/a"),
            ("/a", "/a/"),
            ("/a", "/a/b"),
            ("/a/b", "/a/b/c"),
            ("/a%2fb;c", "/A/B"),
        ] {
            assert!(covers(prefix, path), "{prefix} {path}");
        }
        for (prefix, path) in [
            ("/a", "/"),
            ("/a", "/ab"),
            ("/a", "/b/a"),
            ("/a/b", "/a"),
            ("/a/b", "/a%2Fbc"),
            ("/a/b", "/b/../a"),
            ("/a", "/.well-known/a"),
            ("/a", "*"),
        ] {
            assert!(!covers(prefix, path), "{prefix} {path}");
        }
    }

    #[test]
    fn known_tricks_do_not_help() {
        for path in [
            "/deployment.v1.DeploymentService/CreateDeployment/",
            "/deployment.v1.DeploymentService%2FCreateDeployment",
            "/deployment.v1.DeploymentService%5cCreateDeployment",
            "/deployment%2Ev1.DeploymentService/%43reateDeployment",
            "/deployment%252Ev1.DeploymentService/%2543reateDeployment",
            "//deployment.v1.DeploymentService//CreateDeployment",
            "/./deployment.v1.DeploymentService/%2e/CreateDeployment",
            "/deployment.v1.DeploymentService;v=1/CreateDeployment;jsessionid=x",
            "/deployment.v1.DeploymentService/CreateDeployment%00.css",
            "/DEPLOYMENT.V1.deploymentservice/createdeployment",
            // Without and with `%2F` as a separator, merged slashes, and parameters that hide dots.
            "/x/../deployment.v1.DeploymentService/CreateDeployment",
            "/x%2Fy/../deployment.v1.DeploymentService/CreateDeployment",
            "/deployment.v1.DeploymentService/x//../CreateDeployment",
            "/deployment.v1.DeploymentService/x/..;/CreateDeployment",
            "/deployment.v1.DeploymentService/CreateDeployment/..;/x",
            "/deployment.v1.DeploymentService/x/%2e%2e/CreateDeployment",
        ] {
            assert!(covers(DEPLOY, path), "{path}");
        }
    }

    /// One segment in some spelling of it, with what may stand around it.
    fn respelled(segment: &'static str) -> impl Strategy<Value = String> {
        let encode = proptest::collection::vec(0..6_u8, segment.len());
        let before = prop_oneof![
            Just("/"),
            Just("//"),
            Just("/./"),
            Just("/%2E/"),
            Just("%2f"),
            Just("%5C"),
            Just("/x/../"),
            Just("/y%2Fz/../%2e./"),
            Just("/;a/")
        ];
        let after = prop_oneof![Just(""), Just(";p"), Just(";p=1;q=%2e"), Just("%3bp"), Just("%253Bp")];
        (encode, before, after).prop_map(move |(encode, before, after)| {
            let spelled = segment.bytes().zip(encode).map(|(byte, how)| match how {
                0 => format!("%{byte:02x}"),
                1 => format!("%{byte:02X}"),
                2 => format!("%25{byte:02x}"),
                3 => char::from(byte).to_ascii_uppercase().to_string(),
                _ => char::from(byte).to_string(),
            });
            format!("{before}{}{after}", spelled.collect::<String>())
        })
    }

    proptest! {
        #[test]
        fn no_spelling_of_a_limited_path_escapes(
            parts in (respelled("deployment.v1.DeploymentService"), respelled("CreateDeployment")),
            end in prop_oneof![Just(""), Just("/"), Just("/x"), Just("//"), Just("/..;/y"), Just("/x/..")],
        ) {
            let path = format!("{}{}{end}", parts.0, parts.1);
            prop_assert!(covers(DEPLOY, &path), "{path}");
        }

        #[test]
        fn no_path_is_too_strange(path in "[/.;%\\\\a2eEfF5cC]{0,40}") {
            let (plain, _) = plainest(path.as_bytes());
            prop_assert_eq!(&plainest(&plain).0, &plain, "the plainest is as plain as can be");
            prop_assert!(covers("/", &path));
        }

        #[test]
        fn what_is_plain_is_matched_as_routes_are(path in "(/[a-z]{1,2}){1,4}/?", prefix in "(/[a-z]{1,2}){1,3}") {
            prop_assert_eq!(covers(&prefix, &path), PathPrefix::parse(&prefix).unwrap().matches(&path));
        }
    }
}

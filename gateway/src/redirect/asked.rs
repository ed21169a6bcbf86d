//! What is left of an asked-for URL when a visitor is sent back: a path on one of the app's own hosts.

use config::model::Host;

/// Longer ones are forgotten.
const LONGEST: usize = 8 << 10;

/// A URL taken apart, of which nothing is believed yet.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Asked<'a> {
    host: Option<Host>,
    /// Begins with a slash.
    target: Target<'a>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Target<'a> {
    path: &'a str,
    /// With its question mark; or empty.
    query: &'a str,
}

/// Where to send a visitor who asked for `asked`: there if that is the app's, else to `root`, the app's first host and
/// path. `is_own` says of a host and a path whether they are the app's; `port` is that to which the visitor came.
///
/// The answer is a URL without scheme (RFC 3986, section 4.2: the visitor's own, whoever ends its TLS), and begins with a host of the
/// app's: whatever follows its slash can change neither host nor port.
pub fn back(
    asked: &str,
    is_own: impl Fn(&str, &str) -> bool,
    root: Option<(&str, &str)>,
    port: Option<u16>,
) -> Option<String> {
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    let asked = Asked::parse(asked);
    if let Some(Asked { host, target: Target { path, query } }) = &asked {
        let hosts = [host.as_ref().map(Host::as_str), root.map(|(host, _)| host)];
        if let Some(host) = hosts.into_iter().flatten().find(|host| is_own(host, path)) {
            return Some(format!("//{host}{port}{path}{query}"));
        }
    }
    root.map(|(host, path)| format!("//{host}{port}{path}"))
}

impl<'a> Asked<'a> {
    /// `None` where anything about it is strange: a browser writes a URL in one way.
    fn parse(url: &'a str) -> Option<Self> {
        // Neither blanks nor control bytes, which browsers take out of a URL and headers end at; no fragment, which is never sent.
        let plain = url.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'#');
        if url.len() > LONGEST || !plain {
            return None;
        }
        match after_scheme(url) {
            None => Some(Self { host: None, target: Target::parse(url)? }),
            Some(rest) => {
                let end = rest.find(['/', '?', '\\']).unwrap_or(rest.len());
                let (authority, target) = rest.split_at(end);
                Some(Self { host: Some(host(authority)?), target: Target::parse(target)? })
            }
        }
    }
}

/// What follows `http://`, `https://` or `//`.
fn after_scheme(url: &str) -> Option<&str> {
    ["http://", "https://", "//"].into_iter().find_map(|scheme| {
        let (begin, rest) = url.split_at_checked(scheme.len())?;
        begin.eq_ignore_ascii_case(scheme).then_some(rest)
    })
}

/// The host of an authority without user information, in lower case; its port is not believed.
fn host(authority: &str) -> Option<Host> {
    let host = match authority.split_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some(_) => return None,
        None => authority,
    };
    Host::parse(&host.to_ascii_lowercase()).ok()
}

impl<'a> Target<'a> {
    fn parse(target: &'a str) -> Option<Self> {
        let (path, query) = target.split_at(target.find('?').unwrap_or(target.len()));
        let path = if path.is_empty() { "/" } else { path };
        // Browsers take a backslash for a slash, and go up at dots: then the path would be another one than was looked
        // at, perhaps of another app on the same host.
        let right = path.starts_with('/') && !path.contains('\\') && !path.split('/').any(is_dots);
        right.then_some(Self { path, query })
    }
}

/// Whether a segment is `.` or `..`, however it is written (URL Standard, "double-dot URL path segment").
fn is_dots(segment: &str) -> bool {
    let lower = segment.to_ascii_lowercase().replace("%2e", ".");
    matches!(lower.as_str(), "." | "..")
}

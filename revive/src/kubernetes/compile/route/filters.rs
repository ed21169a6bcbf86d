//! From a route's filters to ours. What cannot be done is refused by name: a filter that was left out could be one that
//! keeps something secret.

use config::model::{Filter, HeaderChange, Host, PathChange, PathPrefix, Redirect, Rewrite};
use http::{HeaderName, HeaderValue};

use super::Refused;
use crate::kubernetes::index::route::{
    Header, HeaderModifier, PathModifier, RequestRedirect, RouteFilter, UrlRewrite,
};

/// Where a filter stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// At a rule; whether all its matches are prefixes.
    Rule {
        /// See there.
        prefixes: bool,
    },
    /// At a backend.
    Backend,
}

/// Headers of the connection or of the message's form, which are not the route's to say (RFC 9110, section 7.6.1; RFC
/// 9112, section 6), and the host, which `URLRewrite` changes.
const OF_THE_HOP: [&str; 10] = [
    "connection",
    "content-length",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// The filters of one place, in their order.
pub(super) fn translated(of: &[RouteFilter], place: Place) -> Result<Vec<Filter>, Refused> {
    let filters: Vec<Filter> = of.iter().map(|filter| one(filter, place)).collect::<Result<_, _>>()?;
    let count = |is: fn(&Filter) -> bool| filters.iter().filter(|filter| is(filter)).count();
    let redirects = count(|filter| matches!(filter, Filter::Redirect(_)));
    let rewrites = count(|filter| matches!(filter, Filter::Rewrite(_)));
    if redirects + rewrites > 1 {
        return Err(Refused::incompatible("a rule has one RequestRedirect, or one URLRewrite, and not both"));
    }
    Ok(filters)
}

fn one(of: &RouteFilter, place: Place) -> Result<Filter, Refused> {
    let empty = || Refused::unsupported(format!("filter {} says nothing", of.r#type));
    match (&*of.r#type, place) {
        ("RequestHeaderModifier", _) => {
            headers(of.request_header_modifier.as_ref().ok_or_else(empty)?).map(Filter::RequestHeaders)
        }
        ("ResponseHeaderModifier", _) => {
            headers(of.response_header_modifier.as_ref().ok_or_else(empty)?).map(Filter::ResponseHeaders)
        }
        ("RequestRedirect", Place::Rule { prefixes }) => {
            redirect(of.request_redirect.as_ref().ok_or_else(empty)?, prefixes).map(Filter::Redirect)
        }
        ("URLRewrite", Place::Rule { prefixes }) => {
            rewrite(of.url_rewrite.as_ref().ok_or_else(empty)?, prefixes).map(Filter::Rewrite)
        }
        (other, Place::Rule { .. }) => Err(Refused::unsupported(format!("filter {other} is not supported"))),
        (other, Place::Backend) => {
            Err(Refused::unsupported(format!("filter {other} is not supported at a backend")))
        }
    }
}

fn headers(of: &HeaderModifier) -> Result<HeaderChange, Refused> {
    let pair = |one: &Header| {
        let value = HeaderValue::from_str(&one.value);
        value.map_err(|_| Refused::unsupported(format!("header {}: its value cannot be sent", one.name)))?;
        Ok((name(&one.name)?, one.value.as_str().into()))
    };
    Ok(HeaderChange {
        set: of.set.iter().map(pair).collect::<Result<_, _>>()?,
        add: of.add.iter().map(pair).collect::<Result<_, _>>()?,
        remove: of.remove.iter().map(|one| name(one)).collect::<Result<_, _>>()?,
    })
}

fn name(of: &str) -> Result<Box<str>, Refused> {
    let name: HeaderName =
        of.parse().map_err(|_| Refused::unsupported(format!("{of:?} is no header's name")))?;
    let name = name.as_str();
    if says_whose(name) {
        return Err(Refused::unsupported(format!(
            "header {name} says whose a request is: no filter changes it"
        )));
    }
    if OF_THE_HOP.contains(&name) {
        return Err(Refused::unsupported(format!("header {name} is the connection's: no filter changes it")));
    }
    Ok(name.into())
}

/// `loco-*` and `x-loco-*`, also as frameworks read them that make variables of headers, in which `-`, `_` and `.` are one
/// (CGI, RFC 3875, section 4.1.18).
fn says_whose(name: &str) -> bool {
    let plain: String = name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '-' }).collect();
    plain.starts_with("loco-") || plain.starts_with("x-loco-")
}

fn redirect(of: &RequestRedirect, prefixes: bool) -> Result<Redirect, Refused> {
    let scheme = match of.scheme.as_deref() {
        None => None,
        Some(scheme @ ("http" | "https")) => Some(scheme.into()),
        Some(other) => return Err(Refused::unsupported(format!("RequestRedirect: scheme {other}"))),
    };
    let status = match of.status_code.unwrap_or(302) {
        301 => 301,
        302 => 302,
        303 => 303,
        307 => 307,
        308 => 308,
        other => return Err(Refused::unsupported(format!("RequestRedirect: statusCode {other}"))),
    };
    let port = of.port.map(|port| {
        let right = u16::try_from(port).ok().filter(|port| *port != 0);
        right.ok_or_else(|| Refused::unsupported(format!("RequestRedirect: port {port}")))
    });
    Ok(Redirect {
        scheme,
        host: host(of.hostname.as_deref())?,
        port: port.transpose()?,
        path: path(of.path.as_ref(), prefixes)?,
        status,
    })
}

fn rewrite(of: &UrlRewrite, prefixes: bool) -> Result<Rewrite, Refused> {
    Ok(Rewrite { host: host(of.hostname.as_deref())?, path: path(of.path.as_ref(), prefixes)? })
}

fn host(of: Option<&str>) -> Result<Option<Box<str>>, Refused> {
    let parse = |name: &str| {
        let host = Host::parse(name);
        host.map(|host| host.as_str().into())
            .map_err(|why| Refused::unsupported(format!("hostname {name}: {why}")))
    };
    of.map(parse).transpose()
}

fn path(of: Option<&PathModifier>, prefixes: bool) -> Result<Option<PathChange>, Refused> {
    let Some(of) = of else { return Ok(None) };
    let change = match (&*of.r#type, &of.replace_full_path, &of.replace_prefix_match) {
        ("ReplaceFullPath", Some(path), _) if sendable(path) => PathChange::Full(path.as_str().into()),
        ("ReplacePrefixMatch", _, Some(prefix)) if !prefixes => {
            return Err(Refused::incompatible(format!(
                "ReplacePrefixMatch {prefix} needs a match of type PathPrefix"
            )));
        }
        ("ReplacePrefixMatch", _, Some(prefix)) => {
            // An empty one is the root: what is left of the path begins with a slash of its own.
            let prefix = if prefix.is_empty() { "/" } else { prefix };
            let parsed = PathPrefix::parse(prefix);
            let parsed = parsed.map_err(|why| Refused::unsupported(format!("path {prefix}: {why}")))?;
            PathChange::Prefix(parsed.as_str().into())
        }
        (kind, _, _) => {
            return Err(Refused::unsupported(format!("path: {kind} without a path that can be sent")));
        }
    };
    Ok(Some(change))
}

/// Whether a path can stand in a request (RFC 3986, section 3.3), with nothing that would end it.
fn sendable(path: &str) -> bool {
    path.starts_with('/') && path.bytes().all(|b| b.is_ascii_graphic() && b != b'?' && b != b'#')
}

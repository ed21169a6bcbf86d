//! From a route's matches to requests' paths, methods, headers and parameters, and how they rank.

use std::cmp::Reverse;

use config::model::{PathMatch, PathPrefix, Pattern, RequestMatch, ValueMatch};
use regex::bytes::{Regex, RegexBuilder};

use crate::kubernetes::index::route::{self as written, GrpcMethod, Method};

/// Bytes of the largest program of an expression: as many as a gateway lets it have.
const LARGEST: usize = 64 << 10;

/// The rank of a match: the least comes first. Both kinds of routes rank in one line, because both may be attached to one
/// host; within a kind it is the kind's own (`HTTPRouteRule.matches`, `GRPCRouteRule.matches`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::kubernetes::compile) struct Rank {
    class: Class,
    /// Characters of a path; or of a service, and of its method.
    length: Reverse<(usize, usize)>,
    method: Reverse<bool>,
    headers: Reverse<usize>,
    query: Reverse<usize>,
}

/// How a path is matched, the most exact first. Where expressions rank is left to implementations: an expression that
/// somebody wrote means more than a prefix, such as `/`, that is there for the rest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    Exact,
    Expression,
    Prefix,
}

/// A match, with its rank; or what of it cannot be had.
pub(super) fn translated(of: &written::RouteMatch) -> Result<(RequestMatch, Rank), String> {
    let (path, class, length, method) = match &of.method {
        Some(Method::Grpc(call)) => called(call)?,
        Some(Method::Http(method)) => with_method(path(of.path.as_ref())?, Some(method)),
        None => with_method(path(of.path.as_ref())?, None),
    };
    let headers = values(&of.headers, "headers", |name| name.to_ascii_lowercase())?;
    let query = values(&of.query_params, "queryParams", str::to_owned)?;
    let rank = Rank {
        class,
        length: Reverse(length),
        method: Reverse(method.is_some()),
        headers: Reverse(headers.len()),
        query: Reverse(query.len()),
    };
    Ok((RequestMatch { path, method, headers, query }, rank))
}

/// A match that says nothing: every request (`HTTPRouteRule.matches`: "/" as a prefix).
pub(super) fn every() -> Result<(RequestMatch, Rank), String> {
    translated(&written::RouteMatch::default())
}

type Matched = (PathMatch, Class, (usize, usize), Option<Box<str>>);

fn with_method((path, class, length): (PathMatch, Class, usize), method: Option<&String>) -> Matched {
    (path, class, (length, 0), method.map(|method| method.as_str().into()))
}

fn path(of: Option<&written::PathMatch>) -> Result<(PathMatch, Class, usize), String> {
    let default = written::PathMatch::default();
    let of = of.unwrap_or(&default);
    let value = of.value.as_deref().unwrap_or("/");
    match of.r#type.as_deref().unwrap_or("PathPrefix") {
        "Exact" if value.starts_with('/') => Ok((PathMatch::Exact(value.into()), Class::Exact, value.len())),
        "Exact" => Err(format!("path {value}: begins with /")),
        "PathPrefix" => {
            let prefix = PathPrefix::parse(value).map_err(|why| format!("path {value}: {why}"))?;
            Ok((PathMatch::Prefix(prefix), Class::Prefix, value.len()))
        }
        "RegularExpression" => {
            let pattern = expression("path", value)?;
            Ok((PathMatch::Regex(pattern), Class::Expression, value.len()))
        }
        other => Err(format!("path: type {other} is not known here")),
    }
}

/// A call's path is `/SERVICE/METHOD` (gRPC over HTTP/2, "Requests").
fn called(of: &GrpcMethod) -> Result<Matched, String> {
    let filled = |part: &Option<String>| part.clone().filter(|part| !part.is_empty());
    let (service, method) = (filled(&of.service), filled(&of.method));
    let length = (service.as_ref().map_or(0, String::len), method.as_ref().map_or(0, String::len));
    let exact = |text: &str| format!("/{text}");
    let any = || "[^/]+".to_owned();
    let (path, class) = match (of.r#type.as_deref().unwrap_or("Exact"), service, method) {
        (_, None, None) => (PathMatch::Prefix(root()?), Class::Prefix),
        ("Exact", Some(service), Some(method)) => {
            (PathMatch::Exact(exact(&format!("{service}/{method}")).into()), Class::Exact)
        }
        ("Exact", Some(service), None) => {
            let prefix =
                PathPrefix::parse(&exact(&service)).map_err(|why| format!("service {service}: {why}"))?;
            (PathMatch::Prefix(prefix), Class::Exact)
        }
        ("Exact", None, Some(method)) => {
            let pattern = format!("/{}/{}", any(), regex::escape(&method));
            (PathMatch::Regex(pattern.into()), Class::Expression)
        }
        ("RegularExpression", service, method) => {
            // Each by itself, so that no parenthesis of the one closes one of the other.
            let part =
                |name, of: Option<String>| of.map_or_else(|| Ok(any().into()), |of| expression(name, &of));
            let (service, method) = (part("service", service)?, part("method", method)?);
            (
                PathMatch::Regex(expression("method", &format!("/(?:{service})/(?:{method})"))?),
                Class::Expression,
            )
        }
        (other, _, _) => return Err(format!("method: type {other} is not known here")),
    };
    Ok((path, class, length, None))
}

fn root() -> Result<PathPrefix, String> {
    PathPrefix::parse("/").map_err(|why| why.to_string())
}

/// Of several conditions for one name the first counts (`HTTPHeaderMatch.name`).
fn values(
    of: &[written::ValueMatch],
    field: &str,
    name: fn(&str) -> String,
) -> Result<Vec<ValueMatch>, String> {
    let mut values: Vec<ValueMatch> = Vec::new();
    for one in of {
        let name: Box<str> = name(&one.name).into();
        if values.iter().any(|value| value.name == name) {
            continue;
        }
        let value = match one.r#type.as_deref().unwrap_or("Exact") {
            "Exact" => Pattern::Exact(one.value.as_str().into()),
            "RegularExpression" => Pattern::Regex(expression(field, &one.value)?),
            other => return Err(format!("{field} {name}: type {other} is not known here")),
        };
        values.push(ValueMatch { name, value });
    }
    Ok(values)
}

/// The expression, if it is one; it must match all of a text, so it is tried as gateways use it. Classes are of ASCII, as
/// RE2 has them.
fn expression(field: &str, text: &str) -> Result<Box<str>, String> {
    let right = |pattern: &str| RegexBuilder::new(pattern).unicode(false).size_limit(LARGEST).build();
    // By itself first: "a)(b" is none, though it would be one in parentheses.
    let tried: Result<Regex, _> = right(text).and_then(|_| right(&format!(r"\A(?:{text})\z")));
    match tried {
        Ok(_) => Ok(text.into()),
        Err(regex::Error::CompiledTooBig(_)) => Err(format!("{field}: the expression is too large: {text}")),
        Err(_) => Err(format!("{field}: no regular expression in RE2's syntax: {text}")),
    }
}

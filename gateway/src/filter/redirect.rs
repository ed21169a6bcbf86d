//! A client is sent elsewhere.

use std::borrow::Cow;

use config::model::{self, Backend, Filter, PathMatch};
use http::StatusCode;
use http::header::{HeaderMap, HeaderValue};

use super::headers::Edits;
use super::path::NewPath;
use super::{Unfit, target};

/// Where the clients of a rule are sent, made ready.
#[derive(Debug)]
pub struct Redirect {
    scheme: Option<Scheme>,
    host: Option<Box<str>>,
    port: Option<u16>,
    path: Option<NewPath>,
    status: StatusCode,
    response: Box<[Edits]>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Scheme {
    Http,
    Https,
}

/// What a client has asked for, and how it came.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Without port; empty where it has said none.
    pub host: &'a str,
    /// The listener's by its Gateway; without one, what the client has said.
    pub port: Option<u16>,
    /// The target.
    pub uri: &'a http::Uri,
}

impl Redirect {
    /// Where the first redirect of a rule sends, or, without one, of this backend.
    ///
    /// # Errors
    /// Where it leads nowhere.
    pub fn of(rule: &model::Rule, backend: Option<&Backend>) -> Result<Option<Self>, Unfit> {
        let filters =
            rule.then.filters.iter().chain(backend.into_iter().flat_map(|backend| &backend.filters));
        let mut redirects = filters.clone().filter_map(|filter| match filter {
            Filter::Redirect(redirect) => Some(redirect),
            Filter::RequestHeaders(_) | Filter::ResponseHeaders(_) | Filter::Rewrite(_) => None,
        });
        let Some(redirect) = redirects.next() else { return Ok(None) };
        let changes = filters.filter_map(|filter| match filter {
            Filter::ResponseHeaders(change) => Some(Edits::of(change)),
            Filter::RequestHeaders(_) | Filter::Redirect(_) | Filter::Rewrite(_) => None,
        });
        Self::ready(redirect, &rule.matches.path, changes.collect::<Result<_, _>>()?).map(Some)
    }

    fn ready(redirect: &model::Redirect, matched: &PathMatch, response: Box<[Edits]>) -> Result<Self, Unfit> {
        if redirect.port == Some(0) {
            return Err(Unfit::Port);
        }
        if let Some(host) = &redirect.host {
            model::Host::parse(host).map_err(|_| Unfit::Host(host.clone()))?;
        }
        let status = StatusCode::from_u16(redirect.status).ok();
        let status = status.filter(|status| matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308));
        Ok(Self {
            scheme: redirect.scheme.as_deref().map(Scheme::of).transpose()?,
            host: redirect.host.clone(),
            port: redirect.port,
            path: redirect.path.as_ref().map(|path| NewPath::of(path, matched)).transpose()?,
            status: status.ok_or(Unfit::Status(redirect.status))?,
            response,
        })
    }

    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        self.status
    }

    /// Changes the answer, as the rule changes responses.
    pub fn answered(&self, headers: &mut HeaderMap) {
        self.response.iter().for_each(|edits| edits.apply(headers));
    }

    /// Where a client is sent. `None` if that cannot be said in a header, which no target does that has come as one.
    pub fn location(&self, asked: Asked<'_>) -> Option<HeaderValue> {
        // TLS is not ended here.
        let scheme = self.scheme.unwrap_or(Scheme::Http);
        let host =
            self.host.as_deref().unwrap_or(if asked.host.is_empty() { "localhost" } else { asked.host });
        // Gateway API, `HTTPRequestRedirectFilter.port`.
        let port = self.port.or(if self.scheme.is_some() { None } else { asked.port });
        let port = port.filter(|port| *port != scheme.port());
        let port = port.map_or(Cow::Borrowed(""), |port| format!(":{port}").into());
        let target = self.target(asked.uri);
        HeaderValue::try_from(format!("{}://{host}{port}{target}", scheme.as_str())).ok()
    }

    fn target(&self, asked: &http::Uri) -> String {
        let changed = self.path.as_ref().and_then(|path| target(path, asked));
        let target = changed.as_ref().unwrap_or(asked).path_and_query();
        let target = target.map_or("/", http::uri::PathAndQuery::as_str);
        // Of an absolute target without a path, and of OPTIONS's asterisk.
        match target {
            "*" => "/".to_owned(),
            _ if target.starts_with('/') => target.to_owned(),
            _ => format!("/{target}"),
        }
    }
}

impl Scheme {
    fn of(text: &str) -> Result<Self, Unfit> {
        match text {
            "http" => Ok(Self::Http),
            "https" => Ok(Self::Https),
            _ => Err(Unfit::Scheme(text.into())),
        }
    }

    fn as_str(self) -> &'static str {
        match self {
            Self::Http => "http",
            Self::Https => "https",
        }
    }

    fn port(self) -> u16 {
        match self {
            Self::Http => 80,
            Self::Https => 443,
        }
    }
}

//! What a request's query asks for, on any path.

use std::time::Duration;

use axum::extract::Query;
use axum::http::{HeaderName, HeaderValue, StatusCode, Uri};
use axum::response::Response;

use crate::settings::duration;

/// The query, in order, and what in it every path understands.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wish {
    pairs: Vec<(String, String)>,
    /// `delay=TIME`: how long until the answer begins.
    pub(crate) delay: Duration,
    /// `trailers=1`: the answer is chunked and has trailers (if the request says `TE: trailers`).
    pub(crate) trailers: bool,
}

impl Wish {
    /// Of a request's target. What makes no sense is passed over: the description shows the query as it came.
    pub(crate) fn of(uri: &Uri) -> Self {
        let pairs = Query::<Vec<(String, String)>>::try_from_uri(uri)
            .map_or_else(|_| Vec::new(), |Query(pairs)| pairs);
        let mut wish = Self { pairs, ..Self::default() };
        wish.delay = wish.time("delay").unwrap_or_default();
        wish.trailers = wish.text("trailers") == Some("1");
        wish
    }

    /// The first value of `name`.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.pairs.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// The first value of `name`, if it is a number.
    pub(crate) fn number(&self, name: &str) -> Option<u64> {
        self.text(name)?.parse().ok()
    }

    /// The first value of `name`, if it is a duration.
    pub(crate) fn time(&self, name: &str) -> Option<Duration> {
        duration(self.text(name)?)
    }

    /// Gives a response the `status=N` and each `header=NAME:VALUE` that were asked for.
    pub(crate) fn dress(&self, mut response: Response) -> Response {
        let status = self.number("status").and_then(|status| u16::try_from(status).ok());
        if let Some(status) = status.and_then(|status| StatusCode::from_u16(status).ok()) {
            *response.status_mut() = status;
        }
        for (name, value) in
            self.pairs.iter().filter(|(key, _)| key == "header").filter_map(|(_, line)| line.split_once(':'))
        {
            if let (Ok(name), Ok(value)) = (name.parse::<HeaderName>(), HeaderValue::from_str(value.trim())) {
                response.headers_mut().append(name, value);
            }
        }
        response
    }
}

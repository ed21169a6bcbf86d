//! Keeps web pages out. Any page a person opens can send requests to a port on loopback, and by a name of its own that
//! resolves there (DNS rebinding) it could read the answers: so the API answers only under its own names, and only to
//! pages that it serves itself.

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::problem::Problem;

/// The names the API answers under, with port.
#[derive(Clone, Debug)]
pub struct Guard {
    names: Arc<[String]>,
    /// It listens on all addresses, as in a pod: it answers under each of them and as localhost, at any port, because
    /// whoever forwards a port chooses one. No name that resolves to an address is one, so nobody can rebind it.
    any: bool,
}

impl Guard {
    /// For a listener at this address.
    pub fn of(address: SocketAddr) -> Self {
        let port = address.port();
        let names = ["localhost", "127.0.0.1", "[::1]"].map(|name| format!("{name}:{port}"));
        let own = Some(address.to_string()).filter(|own| !names.contains(own));
        Self { names: names.into_iter().chain(own).collect(), any: address.ip().is_unspecified() }
    }

    fn knows(&self, host: &str) -> bool {
        let localhost = |host: &str| {
            let named = host.rsplit_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("localhost"));
            named.is_some_and(|(_, port)| port.parse::<u16>().is_ok())
        };
        let bound = || host.parse::<SocketAddr>().is_ok() || localhost(host);
        (self.any && bound()) || self.names.iter().any(|name| name.eq_ignore_ascii_case(host))
    }

    /// Whether a page from there is one of ours. Of the addresses, each is an origin of its own.
    fn same(&self, from: &str, host: &str) -> bool {
        from.eq_ignore_ascii_case(host) || self.names.iter().any(|name| name.eq_ignore_ascii_case(from))
    }

    fn allows(&self, headers: &HeaderMap, target: Option<&str>) -> Result<(), Problem> {
        let host = target.or_else(|| text(headers.get(header::HOST)));
        let Some(host) = host.filter(|host| self.knows(host)) else {
            let names = self.names.join(", ");
            return Err(Problem::forbidden(&format!("the admin API answers as {names} only; name it so")));
        };
        let foreign = match text(headers.get(header::ORIGIN)) {
            Some(origin) => !origin.strip_prefix("http://").is_some_and(|from| self.same(from, host)),
            None => headers.contains_key(header::ORIGIN),
        };
        // Browsers add it to every request, also to those without Origin (Fetch Metadata).
        let cross =
            text(headers.get("sec-fetch-site")).is_some_and(|site| site != "same-origin" && site != "none");
        if foreign || cross {
            return Err(Problem::forbidden(
                "the admin API takes no requests from web pages of other origins",
            ));
        }
        Ok(())
    }
}

fn text(value: Option<&HeaderValue>) -> Option<&str> {
    value.and_then(|value| value.to_str().ok())
}

/// Refuses what comes from elsewhere.
pub(super) async fn check(State(guard): State<Guard>, request: Request, next: Next) -> Response {
    let target = request.uri().authority().map(http::uri::Authority::as_str);
    match guard.allows(request.headers(), target) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn its_names_are_said_once_and_its_own_address_is_one() {
        let names = |address: [u8; 4]| Guard::of((address, 9_901).into()).names.join(" ");
        assert_eq!(names([127, 0, 0, 1]), "localhost:9901 127.0.0.1:9901 [::1]:9901");
        assert_eq!(names([10, 0, 0, 1]), "localhost:9901 127.0.0.1:9901 [::1]:9901 10.0.0.1:9901");
    }

    #[test]
    fn where_it_listens_on_all_addresses_it_answers_under_each_at_any_port() {
        let guard = Guard::of(([0, 0, 0, 0], 9_901).into());
        let asked = |host: &'static str, origin: Option<&'static str>| {
            let host = Some(("host", host)).into_iter();
            let pairs = host.chain(origin.map(|origin| ("origin", origin)));
            let headers = pairs.map(|(name, value)| {
                (header::HeaderName::from_static(name), HeaderValue::from_static(value))
            });
            guard.allows(&headers.collect(), None).is_ok()
        };
        assert!(asked("10.0.0.7:9901", None) && asked("[2001:db8::1]:9901", None));
        assert!(asked("10.0.0.7:9901", Some("http://10.0.0.7:9901")));
        assert!(!asked("10.0.0.7:9901", Some("http://10.0.0.8:9901")));
        assert!(asked("127.0.0.1:19901", None) && asked("LocalHost:19901", None));
        assert!(asked("localhost:19901", Some("http://localhost:19901")));
        assert!(!asked("localhost:19901", Some("http://localhost:3000")));
        for foreign in
            ["evil.example:9901", "localhost.evil.example:9901", "localhost:evil", "10.0.0.7.evil:9901"]
        {
            assert!(!asked(foreign, None), "{foreign}");
        }
        let one = Guard::of(([10, 0, 0, 1], 9_901).into());
        assert!(!one.knows("10.0.0.7:9901") && one.knows("10.0.0.1:9901"));
        assert!(!one.knows("10.0.0.1:19901") && !one.knows("localhost:19901"));
    }
}

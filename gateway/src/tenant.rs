//! Whose a request is: said to the app, and to nobody by a client.

use config::model::{self, Host, HostPattern};
use http::header::{HeaderMap, HeaderName, HeaderValue};

/// The identity headers of an app, ready to be sent.
#[derive(Debug)]
pub struct Identity([(HeaderName, HeaderValue); 5]);

impl Identity {
    /// The headers of an app.
    ///
    /// # Errors
    /// Never: labels, names and ids are visible ASCII.
    pub fn of(app: &model::App) -> Result<Self, http::header::InvalidHeaderValue> {
        let workspace = HeaderValue::from_str(app.tenant.workspace.as_str())?;
        Ok(Self([
            (HeaderName::from_static("loco-tenant-id"), workspace.clone()),
            (HeaderName::from_static("loco-org-id"), HeaderValue::from_str(app.tenant.org.as_str())?),
            (HeaderName::from_static("loco-workspace-id"), workspace),
            (HeaderName::from_static("loco-app-id"), HeaderValue::from_str(app.id.as_str())?),
            (HeaderName::from_static("loco-app-name"), HeaderValue::from_str(app.name.as_str())?),
        ]))
    }

    /// Says to the app whose the request is; what a client said of it is gone.
    pub fn stamp(&self, headers: &mut HeaderMap) {
        remove_claims(headers);
        for (name, value) in &self.0 {
            headers.append(name.clone(), value.clone());
        }
    }
}

/// Removes every header in which a client, or an app, says whose a message is: `loco-*`, `loco_*`, `x-loco-*` and
/// `x-loco_*`. Underscores count because many frameworks read `loco_org_id` and `loco-org-id` as one variable (CGI).
pub fn remove_claims(headers: &mut HeaderMap) {
    while let Some(claim) = headers.keys().find(|name| is_claim(name.as_str())).cloned() {
        headers.remove(&claim);
    }
}

fn is_claim(name: &str) -> bool {
    let name = name.strip_prefix("x-").or_else(|| name.strip_prefix("x_")).unwrap_or(name);
    name.strip_prefix("loco").is_some_and(|rest| rest.starts_with(['-', '_']))
}

/// Drops cookies that an app sets for a domain above its own hosts: tenants share a parent domain, and such a cookie
/// would be sent to all of them (RFC 6265, section 5.3). Returns how many were dropped.
pub fn drop_foreign_cookies(headers: &mut HeaderMap, app: &model::App) -> usize {
    let name = http::header::SET_COOKIE;
    if !headers.contains_key(&name) {
        return 0;
    }
    let own = |domain: &str| app.routes.iter().any(|route| reaches_only(&route.host, domain));
    let foreign = |value: &HeaderValue| cookie_domain(value.as_bytes()).is_some_and(|domain| !own(&domain));
    let dropped = headers.get_all(&name).iter().filter(|value| foreign(value)).count();
    if dropped > 0 {
        let kept: Vec<_> = headers.get_all(&name).iter().filter(|value| !foreign(value)).cloned().collect();
        headers.remove(&name);
        for value in kept {
            headers.append(name.clone(), value);
        }
    }
    dropped
}

/// Whether a cookie for `domain` is sent to no host but those that `hosts` stands for.
fn reaches_only(hosts: &HostPattern, domain: &str) -> bool {
    let below = |suffix: &Host| domain.strip_suffix(suffix.as_str()).is_some_and(|rest| rest.ends_with('.'));
    match hosts {
        HostPattern::Exact(host) => domain == host.as_str() || below(host),
        // The suffix itself may be somebody else's.
        HostPattern::Wildcard(suffix) => below(suffix),
    }
}

/// The last `Domain` attribute of a cookie, as a browser reads it; `None` means the app's own host.
fn cookie_domain(cookie: &[u8]) -> Option<String> {
    let text = String::from_utf8_lossy(cookie);
    let attributes = text.split(';').skip(1).filter_map(|attribute| attribute.split_once('='));
    let domain = attributes.filter(|(key, _)| key.trim().eq_ignore_ascii_case("domain")).last()?.1.trim();
    let domain = domain.strip_prefix('.').unwrap_or(domain);
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;

    #[test]
    fn every_way_to_claim_an_identity_is_removed() {
        let mut headers = HeaderMap::new();
        for name in ["loco-org-id", "loco_org_id", "x-loco-app", "x_loco_app", "x-loco_app", "loco-anything"]
        {
            headers
                .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("evil"));
        }
        headers.append("locomotive", HeaderValue::from_static("kept"));
        remove_claims(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["locomotive"]);
    }

    #[test]
    fn cookies_reach_no_neighbour() {
        let exact = HostPattern::parse("shop.deploy-app.com").unwrap();
        let wildcard = HostPattern::parse("*.deploy-app.com").unwrap();
        let cases = [
            ("a=1", None, true, true),
            ("a=1; Path=/; Domain=", None, true, true),
            ("a=Domain=com", None, true, true),
            ("a=1; Domain=shop.deploy-app.com", Some("shop.deploy-app.com"), true, true),
            ("a=1; domain = .SHOP.deploy-app.com", Some("shop.deploy-app.com"), true, true),
            ("a=1; Domain=x.shop.deploy-app.com", Some("x.shop.deploy-app.com"), true, true),
            ("a=1; Domain=other.deploy-app.com", Some("other.deploy-app.com"), false, true),
            ("a=1; Domain=deploy-app.com", Some("deploy-app.com"), false, false),
            ("a=1; Domain=.com; Secure", Some("com"), false, false),
            ("a=1; Domain=shop.deploy-app.com; Domain=deploy-app.com", Some("deploy-app.com"), false, false),
            ("a=1; Domain=otherdeploy-app.com", Some("otherdeploy-app.com"), false, false),
        ];
        for (cookie, domain, by_exact, by_wildcard) in cases {
            assert_eq!(cookie_domain(cookie.as_bytes()).as_deref(), domain, "{cookie}");
            let allowed = |hosts| domain.is_none_or(|domain| reaches_only(hosts, domain));
            assert_eq!((allowed(&exact), allowed(&wildcard)), (by_exact, by_wildcard), "{cookie}");
        }
    }
}

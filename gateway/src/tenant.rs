//! Whose a request is: said to the app, and to nobody by a client.

use config::model::{self, Host, HostPattern};
use http::header::{HeaderMap, HeaderName, HeaderValue, InvalidHeaderValue};

use crate::forward::Ready;

/// The identity headers of an app, ready to be sent.
///
/// # Errors
/// Where a name is no header value. The model's names are parsed so that they are; whoever adds another kind learns of it
/// here, and loses one app, not the table.
pub fn identity(app: &model::App) -> Result<Ready, InvalidHeaderValue> {
    let workspace = HeaderValue::from_str(app.tenant.workspace.as_str())?;
    Ok(Ready::new([
        (HeaderName::from_static("loco-tenant-id"), workspace.clone()),
        (HeaderName::from_static("loco-org-id"), HeaderValue::from_str(app.tenant.org.as_str())?),
        (HeaderName::from_static("loco-workspace-id"), workspace),
        (HeaderName::from_static("loco-app-id"), HeaderValue::from_str(app.id.as_str())?),
        (HeaderName::from_static("loco-app-name"), HeaderValue::from_str(app.name.as_str())?),
    ]))
}

/// Whether a client, or an app, says in this header whose a message is: `loco-*` and `x-loco-*`.
pub fn is_claim(name: &str) -> bool {
    reads_as(name, "loco-", Match::Prefix) || reads_as(name, "x-loco-", Match::Prefix)
}

/// How much of a name must be the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Match {
    /// All of it.
    Whole,
    /// Its beginning.
    Prefix,
}

/// Whether an app may read this header name (lower case) as `claim`: many frameworks make variables of headers, in which
/// `loco_org_id`, `loco.org.id` and `loco-org-id` are one (CGI, RFC 3875, section 4.1.18).
pub fn reads_as(name: &str, claim: &str, how: Match) -> bool {
    let same = |(a, b): (u8, u8)| a == b || (b == b'-' && !a.is_ascii_alphanumeric());
    let long_enough = match how {
        Match::Whole => name.len() == claim.len(),
        Match::Prefix => name.len() >= claim.len(),
    };
    long_enough && name.bytes().zip(claim.bytes()).all(same)
}

/// Drops cookies that an app sets for a domain above its own hosts: tenants share a parent domain, and such a cookie
/// would be sent to all of them (RFC 6265, section 5.3). Returns how many were dropped.
pub fn drop_foreign_cookies(headers: &mut HeaderMap, app: &model::App) -> usize {
    drop_cookies(headers, |domain| app.routes.iter().any(|route| reaches_only(&route.host, domain)))
}

/// Drops cookies that are for a domain and not `own`.
fn drop_cookies(headers: &mut HeaderMap, own: impl Fn(&str) -> bool) -> usize {
    let name = http::header::SET_COOKIE;
    if !headers.contains_key(&name) {
        return 0;
    }
    let foreign = |value: &HeaderValue| {
        let text = String::from_utf8_lossy(value.as_bytes());
        cookie_domains(&text).any(|domain| !own(&domain))
    };
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

/// Drops all cookies for a domain, of an answer that is no app's.
pub fn drop_cookies_for_domains(headers: &mut HeaderMap) {
    drop_cookies(headers, |_| false);
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

/// All `Domain` attributes of a cookie: which of several counts, browsers do not agree on. None means the app's own host.
fn cookie_domains(text: &str) -> impl Iterator<Item = String> {
    let attributes = text.split(';').skip(1).filter_map(|attribute| attribute.split_once('='));
    let domains = attributes.filter(|(key, _)| key.trim().eq_ignore_ascii_case("domain"));
    domains
        .map(|(_, domain)| domain.trim().trim_start_matches('.').to_ascii_lowercase())
        .filter(|d| !d.is_empty())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "tests")]
    use super::*;
    use crate::hop;

    #[test]
    fn every_way_to_claim_an_identity_is_removed() {
        let mut headers = HeaderMap::new();
        for name in ["loco-org-id", "loco_org_id", "x-loco-app", "x_loco_app", "loco.org.id", "loco-anything"]
        {
            headers
                .append(HeaderName::from_bytes(name.as_bytes()).unwrap(), HeaderValue::from_static("evil"));
        }
        headers.append("locomotive", HeaderValue::from_static("kept"));
        hop::clean_response(&mut headers);
        assert_eq!(headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(), ["locomotive"]);
    }

    #[test]
    fn cookies_reach_no_neighbour() {
        let exact = HostPattern::parse("shop.deploy-app.com").unwrap();
        let wildcard = HostPattern::parse("*.deploy-app.com").unwrap();
        let cases = [
            ("a=1", true, true),
            ("a=1; Path=/; Domain=", true, true),
            ("a=Domain=com", true, true),
            ("a=1; Domain=shop.deploy-app.com", true, true),
            ("a=1; domain = .SHOP.deploy-app.com", true, true),
            ("a=1; Domain=x.shop.deploy-app.com", true, true),
            ("a=1; Domain=other.deploy-app.com", false, true),
            ("a=1; Domain=deploy-app.com", false, false),
            ("a=1; Domain=.com; Secure", false, false),
            ("a=1; Domain=shop.deploy-app.com; Domain=deploy-app.com", false, false),
            ("a=1; Domain=deploy-app.com; Domain=", false, false),
            ("a=1; Domain=otherdeploy-app.com", false, false),
        ];
        for (cookie, by_exact, by_wildcard) in cases {
            let allowed = |hosts| cookie_domains(cookie).all(|domain| reaches_only(hosts, &domain));
            assert_eq!((allowed(&exact), allowed(&wildcard)), (by_exact, by_wildcard), "{cookie}");
        }
    }
}

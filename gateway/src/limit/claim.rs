//! Claims of a JSON Web Token (RFC 7519) that was signed with a secret which the edge knows (HS256; RFC 7518, section
//! 3.2). Nothing else of a token is believed.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use config::settings::Secret;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Map, Value};
use sha2::Sha256;

/// The claim of this name, as JSON, if the token is signed with one of the secrets and holds at `now` (seconds of Unix
/// time). A list or an object is nothing to count by.
pub(super) fn verified(token: &[u8], secrets: &[Secret], now: u64, name: &str) -> Option<String> {
    let (signed, signature) = std::str::from_utf8(token).ok()?.rsplit_once('.')?;
    let (header, payload) = signed.split_once('.')?;
    let header = object(header)?;
    // `crit` names what whoever does not know it has to refuse (RFC 7515, section 4.1.11).
    let known = header.get("alg").is_some_and(|alg| alg == "HS256") && !header.contains_key("crit");
    let signature = URL_SAFE_NO_PAD.decode(signature).ok().filter(|_| known)?;
    if !secrets.iter().any(|secret| is_signed(signed, &signature, secret)) {
        return None;
    }
    let claims = object(payload).filter(|claims| holds(claims, now))?;
    match claims.get(name)? {
        value @ (Value::String(_) | Value::Number(_) | Value::Bool(_)) => Some(value.to_string()),
        Value::Null | Value::Array(_) | Value::Object(_) => None,
    }
}

/// Compares in constant time.
fn is_signed(signed: &str, signature: &[u8], secret: &Secret) -> bool {
    Hmac::<Sha256>::new_from_slice(secret.as_bytes())
        .is_ok_and(|mac| mac.chain_update(signed).verify_slice(signature).is_ok())
}

/// Whether it is not over and has begun (RFC 7519, sections 4.1.4 and 4.1.5); a time that is no number is never.
fn holds(claims: &Map<String, Value>, now: u64) -> bool {
    #[expect(clippy::cast_precision_loss, reason = "Unix time is far below 2^53")]
    let now = now as f64;
    let not_over = claims.get("exp").is_none_or(|exp| exp.as_f64().is_some_and(|exp| now < exp));
    let has_begun = claims.get("nbf").is_none_or(|nbf| nbf.as_f64().is_some_and(|nbf| nbf <= now));
    not_over && has_begun
}

fn object(part: &str) -> Option<Map<String, Value>> {
    serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    const SECRET: &str = "0123456789abcdef0123456789abcdef";

    fn token(header: &str, payload: &str, secret: &str) -> String {
        let signed = [header, payload].map(|part| URL_SAFE_NO_PAD.encode(part)).join(".");
        let mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap().chain_update(&signed);
        format!("{signed}.{}", URL_SAFE_NO_PAD.encode(mac.finalize().into_bytes()))
    }

    fn sub(token: &str) -> Option<String> {
        let secrets =
            ["an older secret of thirty-two bytes", SECRET].map(|text| Secret::parse(text).unwrap());
        verified(token.as_bytes(), &secrets, 1_000, "sub")
    }

    const HS256: &str = r#"{"alg":"HS256","typ":"JWT"}"#;

    #[test]
    fn the_example_of_the_rfc() {
        // RFC 7515, appendix A.1; its key is no text, so it is signed here with another.
        let payload = "{\"iss\":\"joe\",\r\n \"exp\":1300819380,\r\n \"http://example.com/is_root\":true}";
        let token = token("{\"typ\":\"JWT\",\r\n \"alg\":\"HS256\"}", payload, SECRET);
        assert!(token.starts_with("eyJ0eXAiOiJKV1QiLA0KICJhbGciOiJIUzI1NiJ9.eyJpc3MiOiJqb2UiLA0KICJleHAiOjEzMDA4MTkzODAsDQogImh0dHA6Ly9leGFtcGxlLmNvbS9pc19yb290Ijp0cnVlfQ."));
        let secrets = [Secret::parse(SECRET).unwrap()];
        let claim = |name| verified(token.as_bytes(), &secrets, 1_300_819_379, name);
        assert_eq!(claim("http://example.com/is_root").as_deref(), Some("true"));
        assert_eq!(claim("iss").as_deref(), Some("\"joe\""));
        assert_eq!(verified(token.as_bytes(), &secrets, 1_300_819_380, "iss"), None, "over");
    }

    #[test]
    fn what_is_not_signed_here_or_does_not_hold_says_nothing() {
        let good = token(HS256, r#"{"sub":"ann","exp":1001,"nbf":1000}"#, SECRET);
        assert_eq!(sub(&good).as_deref(), Some("\"ann\""));
        assert_eq!(sub(&token(HS256, r#"{"sub":7}"#, SECRET)).as_deref(), Some("7"));
        for (header, payload, secret) in [
            (HS256, r#"{"sub":"ann"}"#, "another secret of thirty-two bytes"),
            (r#"{"alg":"none"}"#, r#"{"sub":"ann"}"#, SECRET),
            (r#"{"alg":"HS512"}"#, r#"{"sub":"ann"}"#, SECRET),
            (r#"{"alg":"HS256","crit":["b64"]}"#, r#"{"sub":"ann"}"#, SECRET),
            (HS256, r#"{"sub":"ann","exp":1000}"#, SECRET),
            (HS256, r#"{"sub":"ann","exp":"2000"}"#, SECRET),
            (HS256, r#"{"sub":"ann","nbf":1001}"#, SECRET),
            (HS256, r#"{"sub":["ann"]}"#, SECRET),
            (HS256, r#"{"name":"ann"}"#, SECRET),
            (HS256, r#"["sub"]"#, SECRET),
        ] {
            assert_eq!(sub(&token(header, payload, secret)), None, "{header} {payload}");
        }
        let (signed, _) = good.rsplit_once('.').unwrap();
        for broken in
            ["", ".", "..", "a.b.c", signed, &format!("{signed}."), &good[1..], &good[..good.len() - 1]]
        {
            assert_eq!(sub(broken), None, "{broken}");
        }
    }
}

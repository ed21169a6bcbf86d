#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use std::collections::BTreeSet;

use super::*;

/// With a port over TLS.
fn checked(yaml: &str) -> (Mistakes, String) {
    let (mut settings, _) = super::settings(None).unwrap();
    settings.ports.https = BTreeSet::from([443]);
    let texts = [Text { name: "x.yaml".to_owned(), text: yaml.to_owned() }];
    let (mistakes, summary) = check(&texts, settings, "shop");
    (mistakes, summary.to_string())
}

const APP: &str = "apiVersion: v1
kind: Service
metadata: {name: cart}
spec: {ports: [{port: 80}]}
---
apiVersion: gateway.networking.k8s.io/v1
kind: HTTPRoute
metadata: {name: cart}
spec:
  parentRefs: [{name: edge, sectionName: https}]
  hostnames: [cart.example.com]
  rules:
  - backendRefs: [{name: cart, port: 80}]
---
";

const GATEWAY: &str = "apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {name: edge}
spec:
  gatewayClassName: loco
  listeners:
  - name: https
    port: 443
    protocol: HTTPS
    hostname: '*.example.com'
    tls: {certificateRefs: [{name: cert}]}
";

#[test]
fn a_certificate_that_is_elsewhere_hides_no_app() {
    let (mistakes, summary) = checked(&format!("{APP}{GATEWAY}"));
    let said = mistakes.to_string();
    assert!(said.contains("warning: listener https: Secret shop/cert is not in these files"), "{said}");
    assert!(said.contains("GatewayClass loco is not in these files"), "{said}");
    assert_eq!(mistakes.count(config::load::Severity::Error), 0, "{said}");
    assert!(summary.contains("app shop/cart\n"), "{summary}");
    assert!(summary.contains("https  HTTPS 443, *.example.com: 1 route\n"), "{summary}");
}

#[test]
fn a_certificate_that_is_here_and_none_is_an_error() {
    let secret = "---\napiVersion: v1\nkind: Secret\nmetadata: {name: cert}\nstringData: {tls.crt: no}\n";
    let (mistakes, _) = checked(&format!("{APP}{GATEWAY}{secret}"));
    assert!(mistakes.to_string().contains("error: listener https: Secret shop/cert"), "{mistakes}");
}

#[test]
fn a_certificate_that_is_here_and_right_is_nothing_to_speak_of() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["cart.example.com".to_owned()]).unwrap();
    let text = |pem: String| serde_json::to_string(&pem).unwrap();
    let secret = format!(
        "---\napiVersion: v1\nkind: Secret\nmetadata: {{name: cert}}\nstringData:\n  tls.crt: {}\n  tls.key: {}\n",
        text(cert.pem()),
        text(signing_key.serialize_pem())
    );
    let (mistakes, summary) = checked(&format!("{APP}{GATEWAY}{secret}"));
    assert_eq!(mistakes.to_string().matches("warning").count(), 2, "only the class is missing: {mistakes}");
    assert!(summary.contains("https  HTTPS 443, *.example.com: 1 route\n"), "{summary}");
}

#[test]
fn a_route_names_any_listener_of_a_gateway_that_nobody_knows() {
    let (mistakes, summary) = checked(APP);
    assert!(mistakes.to_string().contains("Gateway shop/edge is not in these files"), "{mistakes}");
    assert!(summary.contains("cart.example.com /* → shop/cart"), "{summary}");
}

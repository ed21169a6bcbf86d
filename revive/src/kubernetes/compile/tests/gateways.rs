//! Classes, Gateways and their listeners.

use crate::kubernetes::compile::compile;
use crate::kubernetes::fixtures::{GATEWAY, compiled, index, of_gateway, settings};
use crate::kubernetes::index::{Key, Update};
use crate::kubernetes::settings::Addresses;

const CLASS: &str = "
apiVersion: gateway.networking.k8s.io/v1
kind: GatewayClass
metadata: {name: loco}
spec: {controllerName: edge.loco.io/gateway-controller}
---
";

/// A Gateway with these listeners, as YAML of two spaces.
fn gateway(listeners: &str) -> String {
    format!(
        "{CLASS}
apiVersion: gateway.networking.k8s.io/v1
kind: Gateway
metadata: {{name: edge, namespace: infra}}
spec:
  gatewayClassName: loco
  listeners:
{listeners}"
    )
}

const WORKS: &str = "Accepted=True/Accepted Programmed=True/Programmed ResolvedRefs=True/ResolvedRefs Conflicted=False/NoConflicts";

#[test]
fn only_classes_that_name_us_are_ours() {
    let foreign = GATEWAY.replace("edge.loco.io/gateway-controller", "example.com/other");
    let compiled = compiled(&foreign);
    assert!(compiled.statuses.classes.is_empty() && compiled.statuses.gateways.is_empty());
}

#[test]
fn a_class_with_parameters_is_refused_and_its_gateways_wait() {
    let text = GATEWAY.replace(
        "gateway-controller}",
        "gateway-controller, parametersRef: {group: x, kind: Kind, name: z}}",
    );
    let compiled = compiled(&text);
    let said = compiled.statuses.classes.values().next().unwrap();
    assert_eq!((said.conditions[0].holds, said.conditions[0].reason), (false, "InvalidParameters"));
    assert!(compiled.statuses.gateways.is_empty());
}

#[test]
fn a_gateway_that_works_says_where_it_is_reached() {
    let compiled = compiled(GATEWAY);
    assert_eq!(
        of_gateway(&compiled, "edge"),
        [
            "Accepted=True/Accepted Programmed=True/Programmed",
            &format!("web [HTTPRoute,GRPCRoute] 0: {WORKS}")
        ]
    );
    let said = compiled.statuses.gateways.values().next().unwrap();
    assert_eq!(
        (said.addresses[0].r#type.as_deref(), &*said.addresses[0].value),
        (Some("IPAddress"), "192.0.2.1")
    );
}

#[test]
fn listeners_that_cannot_be_served_say_why() {
    let compiled = compiled(&gateway(
        "  - {name: port, port: 8443, protocol: HTTP}
  - {name: udp, port: 53, protocol: UDP}
  - {name: pass, port: 443, protocol: TLS, tls: {mode: Passthrough}}
  - {name: kinds, port: 80, protocol: HTTP, hostname: a.test, allowedRoutes: {kinds: [{kind: HTTPRoute}, {kind: TCPRoute}]}}
  - {name: none, port: 80, protocol: HTTP, hostname: b.test, allowedRoutes: {kinds: [{kind: TCPRoute}]}}",
    ));
    assert_eq!(
        of_gateway(&compiled, "edge"),
        [
            "Accepted=True/ListenersNotValid Programmed=True/Programmed",
            "port [HTTPRoute,GRPCRoute] 0: Accepted=False/PortUnavailable Programmed=False/Invalid ResolvedRefs=True/ResolvedRefs Conflicted=False/NoConflicts",
            "udp [] 0: Accepted=False/UnsupportedProtocol Programmed=False/Invalid ResolvedRefs=True/ResolvedRefs Conflicted=False/NoConflicts",
            "pass [] 0: Accepted=False/UnsupportedProtocol Programmed=False/Invalid ResolvedRefs=True/ResolvedRefs Conflicted=False/NoConflicts",
            "kinds [HTTPRoute] 0: Accepted=True/Accepted Programmed=True/Programmed ResolvedRefs=False/InvalidRouteKinds Conflicted=False/NoConflicts",
            "none [] 0: Accepted=True/Accepted Programmed=False/Invalid ResolvedRefs=False/InvalidRouteKinds Conflicted=False/NoConflicts",
        ]
    );
}

#[test]
fn listeners_that_could_not_be_told_apart_are_both_refused() {
    let compiled = compiled(&gateway(
        "  - {name: one, port: 80, protocol: HTTP, hostname: a.test}
  - {name: two, port: 80, protocol: HTTP, hostname: a.test}
  - {name: three, port: 80, protocol: HTTP, hostname: b.test}",
    ));
    let said = of_gateway(&compiled, "edge");
    for line in &said[1..=2] {
        assert!(
            line.contains("Accepted=False/HostnameConflict")
                && line.contains("Conflicted=True/HostnameConflict")
        );
    }
    assert!(said[3].ends_with(WORKS));
}

#[test]
fn one_port_speaks_one_protocol() {
    let compiled = compiled(&gateway(
        "  - {name: one, port: 80, protocol: HTTP}
  - {name: two, port: 80, protocol: HTTPS, hostname: a.test, tls: {certificateRefs: []}}",
    ));
    let said = of_gateway(&compiled, "edge");
    assert!(said[1..].iter().all(|line| line.contains("Conflicted=True/ProtocolConflict")), "{said:?}");
    assert!(said[0].starts_with("Accepted=False/ListenersNotValid Programmed=False/Invalid"));
}

#[test]
fn addresses_that_we_do_not_have_are_not_promised() {
    let asked = |address: &str| {
        let text = GATEWAY
            .replace("gatewayClassName: loco", &format!("gatewayClassName: loco\n  addresses: [{address}]"));
        of_gateway(&compiled(&text), "edge")[0].clone()
    };
    assert!(asked("{value: 192.0.2.1}").ends_with("Programmed=True/Programmed"));
    assert!(asked("{value: 192.0.2.9}").ends_with("Programmed=False/AddressNotUsable"));
    assert!(asked("{type: x.test/Pool, value: a}").starts_with("Accepted=False/UnsupportedAddress"));
    let mut nowhere = settings();
    nowhere.addresses = Addresses::Service(Key::new("infra", "gateway"));
    let none = compile(&index(GATEWAY), &nowhere, None);
    assert!(of_gateway(&none, "edge")[0].ends_with("Programmed=False/AddressNotAssigned"));
    let service = "\n---\napiVersion: v1\nkind: Service\nmetadata: {name: gateway, namespace: infra}\nspec: {clusterIP: 10.96.0.9, ports: []}\nstatus: {loadBalancer: {ingress: [{hostname: lb.test}]}}";
    let there = compile(&index(&[GATEWAY, service].concat()), &nowhere, None);
    let said = there.statuses.gateways.values().next().unwrap();
    assert_eq!(
        (said.addresses[0].r#type.as_deref(), &*said.addresses[0].value),
        (Some("Hostname"), "lb.test")
    );
}

#[test]
fn a_selector_says_from_which_namespaces_routes_come() {
    let gateway = GATEWAY.replace(
        "{from: All}",
        "{from: Selector, selector: {matchLabels: {team: a}, matchExpressions: [{key: old, operator: DoesNotExist}]}}",
    );
    let route = |namespace: &str| {
        crate::kubernetes::fixtures::route("HTTPRoute", namespace, namespace, "  rules: [{}]")
    };
    let namespace = |name: &str, labels: &str| {
        format!("\n---\napiVersion: v1\nkind: Namespace\nmetadata: {{name: {name}, labels: {labels}}}")
    };
    let text = [
        gateway,
        route("a"),
        route("b"),
        route("c"),
        namespace("a", "{team: a}"),
        namespace("b", "{team: b}"),
        namespace("c", "{team: a, old: 'yes'}"),
    ];
    let compiled = compiled(&text.concat());
    let accepted =
        |name: &str| crate::kubernetes::fixtures::of_route(&compiled, name)[0].starts_with("Accepted=True");
    assert_eq!(["a", "b", "c"].map(accepted), [true, false, false]);
}

#[test]
fn a_certificate_is_waited_for_then_looked_at() {
    let text = gateway(
        "  - {name: tls, port: 443, protocol: HTTPS, hostname: a.test, tls: {certificateRefs: [{name: cert}]}}",
    );
    let mut index = index(&text);
    let first = compile(&index, &settings(), None);
    let key = Key::new("infra", "cert");
    assert_eq!(first.secrets, [key.clone()].into());
    assert!(first.statuses.gateways.is_empty(), "nothing is said while it is being asked for");
    index.apply(Update::Secret(key.clone(), None));
    let none = of_gateway(&compile(&index, &settings(), None), "edge");
    assert!(none[1].contains("ResolvedRefs=False/InvalidCertificateRef"), "{none:?}");
    let made = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    let other = rcgen::generate_simple_self_signed(["a.test".to_owned()]).unwrap();
    for (key_pem, works) in
        [(made.signing_key.serialize_pem(), true), (other.signing_key.serialize_pem(), false)]
    {
        let secret = crate::kubernetes::index::secret::Secret {
            meta: index.gateways.iter().next().unwrap().meta.clone(),
            certificate: Some(made.cert.pem().into_bytes().into()),
            key: Some(key_pem.into_bytes().into()),
        };
        index.apply(Update::Secret(key.clone(), Some(secret)));
        let compiled = compile(&index, &settings(), None);
        assert_eq!(of_gateway(&compiled, "edge")[1].ends_with(WORKS), works);
        assert_eq!(compiled.certificates.len(), usize::from(works));
    }
}

#[test]
fn a_secret_elsewhere_needs_a_grant() {
    let text = gateway(
        "  - {name: tls, port: 443, protocol: HTTPS, tls: {certificateRefs: [{name: cert, namespace: vault}]}}",
    );
    let said = of_gateway(&compiled(&text), "edge");
    assert!(said[1].contains("ResolvedRefs=False/RefNotPermitted"), "{said:?}");
}

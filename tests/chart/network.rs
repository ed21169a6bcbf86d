//! An evaluator of NetworkPolicies (networking.k8s.io/v1), because the cluster of the tests enforces none: whether a
//! connection would be let through, by the words of the API. Named ports are not known to it, and fail the test.

use serde_json::Value;

/// One end of a connection.
#[derive(Clone, Debug)]
pub(crate) struct End {
    /// Its address.
    pub(crate) address: [u8; 4],
    /// Of a pod: its namespace, that namespace's labels, its own labels.
    pub(crate) pod: Option<Pod>,
}

/// A pod.
#[derive(Clone, Debug)]
pub(crate) struct Pod {
    pub(crate) namespace: String,
    pub(crate) namespace_labels: Value,
    pub(crate) labels: Value,
}

/// Whether a connection comes to be: its sender may send it, and its receiver may take it.
pub(crate) fn lets_through(policies: &[&Value], from: &End, to: &End, protocol: &str, port: u16) -> bool {
    let side = |end: &End, other: &End, direction: Direction| {
        let Some(pod) = &end.pod else { return true };
        let mut holding = policies.iter().filter(|policy| direction.holds(policy, pod)).peekable();
        // «Non-isolated»: no policy of this direction selects the pod.
        let free = holding.peek().is_none();
        free || holding.any(|policy| direction.allows(policy, other, protocol, port))
    };
    side(from, to, Direction::Egress) && side(to, from, Direction::Ingress)
}

#[derive(Clone, Copy)]
enum Direction {
    Ingress,
    Egress,
}

impl Direction {
    fn words(self) -> (&'static str, &'static str, &'static str) {
        match self {
            Self::Ingress => ("Ingress", "ingress", "from"),
            Self::Egress => ("Egress", "egress", "to"),
        }
    }

    /// Whether a policy says something of this direction of a pod.
    fn holds(self, policy: &Value, pod: &Pod) -> bool {
        let (kind, rules, _) = self.words();
        let types = policy["spec"]["policyTypes"].as_array();
        let named = match types {
            Some(types) => types.iter().any(|named| named == kind),
            // «If unspecified»: Ingress always, Egress where there are rules of it.
            None => matches!(self, Self::Ingress) || policy["spec"][rules].is_array(),
        };
        let here = policy["metadata"]["namespace"] == pod.namespace.as_str();
        named && here && selects(&policy["spec"]["podSelector"], &pod.labels)
    }

    fn allows(self, policy: &Value, other: &End, protocol: &str, port: u16) -> bool {
        let (_, rules, peers) = self.words();
        let own = policy["metadata"]["namespace"].as_str().unwrap_or("default");
        let rule_allows = |rule: &Value| {
            let peer = match rule[peers].as_array() {
                // «Empty or missing»: everybody.
                None => true,
                Some(list) => list.is_empty() || list.iter().any(|peer| is(peer, own, other)),
            };
            let port = match rule["ports"].as_array() {
                None => true,
                Some(list) => list.is_empty() || list.iter().any(|entry| is_port(entry, protocol, port)),
            };
            peer && port
        };
        policy["spec"][rules].as_array().into_iter().flatten().any(rule_allows)
    }
}

/// Whether a peer of a policy in namespace `own` is this end.
fn is(peer: &Value, own: &str, end: &End) -> bool {
    if let Some(block) = peer["ipBlock"].as_object() {
        let within = |cidr: &Value| contains(cidr.as_str().expect("a CIDR"), end.address);
        let excepted = block.get("except").and_then(Value::as_array).into_iter().flatten().any(within);
        return within(&block["cidr"]) && !excepted;
    }
    let Some(pod) = &end.pod else { return false };
    let namespace = match peer.get("namespaceSelector") {
        Some(selector) => selects(selector, &pod.namespace_labels),
        None => pod.namespace == own,
    };
    namespace && peer.get("podSelector").is_none_or(|selector| selects(selector, &pod.labels))
}

fn is_port(entry: &Value, protocol: &str, port: u16) -> bool {
    let protocol_is = entry["protocol"].as_str().unwrap_or("TCP") == protocol;
    let port_is = match &entry["port"] {
        Value::Null => true,
        Value::Number(first) => {
            let first = first.as_u64().unwrap();
            (first..=entry["endPort"].as_u64().unwrap_or(first)).contains(&u64::from(port))
        }
        named => panic!("a port by its name: {named}"),
    };
    protocol_is && port_is
}

/// A label selector (apimachinery, `LabelSelector`): all of it holds; an empty one is everything.
fn selects(selector: &Value, labels: &Value) -> bool {
    let equal = selector["matchLabels"].as_object().into_iter().flatten();
    let mut expressions = selector["matchExpressions"].as_array().into_iter().flatten();
    equal.into_iter().all(|(key, value)| labels.get(key) == Some(value))
        && expressions.all(|expression| {
            let value = expression["key"].as_str().and_then(|key| labels.get(key));
            let listed = || {
                value.is_some_and(|value| {
                    expression["values"].as_array().is_some_and(|all| all.contains(value))
                })
            };
            match expression["operator"].as_str() {
                Some("In") => listed(),
                Some("NotIn") => !listed(),
                Some("Exists") => value.is_some(),
                Some("DoesNotExist") => value.is_none(),
                other => panic!("an operator: {other:?}"),
            }
        })
}

fn contains(cidr: &str, address: [u8; 4]) -> bool {
    let (network, bits) = cidr.split_once('/').expect("a CIDR");
    let network: std::net::Ipv4Addr = network.parse().expect("IPv4");
    let bits: u32 = bits.parse().expect("a length");
    let mask = u32::MAX.checked_shl(32 - bits).unwrap_or(0);
    u32::from(network) & mask == u32::from_be_bytes(address) & mask
}

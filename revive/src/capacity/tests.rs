#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use proptest::prelude::*;

use super::*;

fn node(cpu: u64, memory: u64) -> Node {
    Node { allocatable: Resources { cpu, memory, pods: 110 }, ..Node::default() }
}

fn wanted(replicas: u64, cpu: u64, memory: u64) -> Wanted {
    Wanted { replicas, each: Resources::pod(cpu, memory), placement: Placement::default() }
}

fn cluster(nodes: &[(&str, Node)]) -> Capacity {
    let mut capacity = Capacity::default();
    for (name, node) in nodes {
        capacity.apply_node((*name).to_owned(), node.clone());
    }
    capacity
}

#[test]
fn quantities_are_read_as_kubernetes_does() {
    let cases: [(&str, u64); 14] = [
        ("1", 1_000),
        ("100m", 100),
        ("0.5", 500),
        (".5", 500),
        ("1.", 1_000),
        ("1.5Ki", 1_536_000),
        ("2k", 2_000_000),
        ("1e3", 1_000_000),
        ("1E-3", 1),
        ("+1", 1_000),
        ("0.1m", 1),
        ("1u", 1),
        ("1500n", 1),
        ("0", 0),
    ];
    for (text, thousandths) in cases {
        assert_eq!(text.parse::<Quantity>().unwrap().thousandths(), thousandths, "{text}");
    }
    assert_eq!("128Mi".parse::<Quantity>().unwrap().whole(), 128 << 20);
    for text in ["", "m", "-1", "1 Mi", "1mi", "1e", "e3", "1..2", "NaN", "1e99"] {
        assert_eq!(text.parse::<Quantity>(), Err(QuantityError), "{text}");
    }
}

#[test]
fn pods_do_not_fit_where_only_the_sum_of_several_nodes_is_enough() {
    let capacity = cluster(&[("a", node(1_000, 1 << 30)), ("b", node(1_000, 1 << 30))]);
    assert_eq!(capacity.fits(&wanted(2, 1_000, 1), 1), Ok(()));
    let full = NoRoom::Full { matching: 2, fits: 0, wanted: 1, cpu: 1_001, memory: 1 };
    assert_eq!(capacity.fits(&wanted(1, 1_001, 1), 1), Err(full));
}

#[test]
fn a_deploy_needs_twice_the_room() {
    let capacity = cluster(&[("a", node(3_000, 1 << 30))]);
    assert_eq!(capacity.fits(&wanted(3, 1_000, 1), 1), Ok(()));
    assert!(capacity.fits(&wanted(2, 1_000, 1), 2).is_err());
    assert_eq!(capacity.fits(&wanted(1, 1_000, 1), 2), Ok(()));
}

#[test]
fn what_runs_and_what_waits_takes_its_room_and_gives_it_back() {
    let mut capacity = cluster(&[("a", node(1_000, 1 << 30))]);
    capacity.occupy("a", Resources::pod(600, 0));
    assert!(capacity.fits(&wanted(1, 500, 0), 1).is_err());
    capacity.vacate("a", Resources::pod(600, 0));
    capacity.set_pending(vec![wanted(1, 600, 0)]);
    assert!(capacity.fits(&wanted(1, 500, 0), 1).is_err());
    capacity.set_pending(vec![wanted(1, 5_000, 0)]);
    assert_eq!(capacity.fits(&wanted(1, 500, 0), 1), Ok(()), "what never fits takes nothing");
}

#[test]
fn pods_run_only_where_they_may() {
    let mut labelled = node(1_000, 1 << 30);
    labelled.labels.insert("zone".into(), "x".into());
    let mut tainted = labelled.clone();
    let gpu = Taint { key: "gpu".into(), value: "yes".into(), effect: Effect::NoSchedule };
    tainted.taints.push(gpu);
    let mut pod = wanted(1, 1, 1);
    pod.placement.selector.push(("zone".into(), "x".into()));
    assert_eq!(cluster(&[("a", labelled.clone())]).fits(&pod, 1), Ok(()));
    let why = NoRoom::NoMatch { nodes: 1, why: "its nodeSelector" };
    assert_eq!(cluster(&[("a", node(1_000, 1))]).fits(&pod, 1), Err(why));
    let why = NoRoom::NoMatch { nodes: 1, why: "a taint" };
    assert_eq!(cluster(&[("a", tainted.clone())]).fits(&pod, 1), Err(why));
    pod.placement.tolerations.push(Toleration { key: "gpu".into(), ..Toleration::default() });
    assert_eq!(cluster(&[("a", tainted)]).fits(&pod, 1), Ok(()));
    let not_x = Expression { key: "zone".into(), operator: Operator::NotIn, values: vec!["x".into()] };
    pod.placement.affinity = Some(vec![Term { expressions: vec![not_x], fields: false }]);
    let why = NoRoom::NoMatch { nodes: 1, why: "its node affinity" };
    assert_eq!(cluster(&[("a", labelled)]).fits(&pod, 1), Err(why));
}

#[test]
fn a_cluster_without_nodes_says_so() {
    let why = NoRoom::NoMatch { nodes: 0, why: "there are no nodes" };
    assert_eq!(Capacity::default().fits(&wanted(1, 1, 1), 1), Err(why));
}

proptest! {
    #[test]
    fn any_text_is_a_quantity_or_none(text in ".{0,24}") {
        let _read = text.parse::<Quantity>();
    }

    #[test]
    fn no_more_fits_than_there_is(
        nodes in prop::collection::vec((0_u64..4_000, 0_u64..4_000), 1..6),
        each in (1_u64..1_000, 1_u64..1_000),
        replicas in 1_u64..20,
    ) {
        let nodes: Vec<_> = nodes.iter().map(|(cpu, memory)| node(*cpu, *memory)).collect();
        let mut capacity = Capacity::default();
        for (index, node) in nodes.iter().enumerate() {
            capacity.apply_node(index.to_string(), node.clone());
        }
        let room: u64 = nodes
            .iter()
            .map(|node| (node.allocatable.cpu / each.0).min(node.allocatable.memory / each.1).min(110))
            .sum();
        prop_assert_eq!(capacity.fits(&wanted(replicas, each.0, each.1), 1).is_ok(), replicas <= room);
    }
}

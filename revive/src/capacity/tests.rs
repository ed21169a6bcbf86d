#![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

use proptest::prelude::*;

use super::*;

fn node(cpu: u64, memory: u64) -> Node {
    Node { allocatable: Resources { cpu, memory, pods: 110 }, ..Node::default() }
}

fn wanted(replicas: u64, cpu: u64, memory: u64) -> Wanted {
    Wanted { replicas, each: Resources::pod(cpu, memory), placement: Placement::default() }
}

fn free(nodes: &[Node]) -> Capacity<'_> {
    Capacity::of(nodes.iter().map(|node| (node, Resources::default())))
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
    let nodes = [node(1_000, 1 << 30), node(1_000, 1 << 30)];
    let capacity = free(&nodes);
    assert_eq!(capacity.fits(&wanted(2, 1_000, 1)), Ok(()));
    let told = capacity.fits(&wanted(1, 1_001, 64 << 20)).unwrap_err().to_string();
    assert_eq!(
        told,
        "no room for 1 of 1 pods that each ask for 1.001 CPU and 64 MiB: 2 nodes may take them, and the roomiest has 1 CPU and 1 GiB for 110 pods"
    );
}

#[test]
fn amounts_are_said_as_people_say_them() {
    let said = |cpu, memory| Resources { cpu, memory, pods: 1 }.to_string();
    assert_eq!(said(250, 3 << 29), "0.25 CPU and 1.5 GiB");
    assert_eq!(said(1_000_000, 1_500), "1000 CPU and 1.4 KiB");
    assert_eq!(said(0, 12), "0 CPU and 12 B");
}

#[test]
fn what_runs_and_what_was_promised_takes_its_room() {
    let nodes = [node(1_000, 1 << 30)];
    let used = Capacity::of([(&nodes[0], Resources::pod(600, 0))]);
    assert!(used.fits(&wanted(1, 500, 0)).is_err());
    let mut promised = free(&nodes);
    promised.promise(&wanted(1, 600, 0));
    assert!(promised.fits(&wanted(1, 500, 0)).is_err());
    let mut promised = free(&nodes);
    promised.promise(&wanted(1, 5_000, 0));
    assert_eq!(promised.fits(&wanted(1, 500, 0)), Ok(()), "what never fits takes nothing");
}

#[test]
fn what_was_promised_leaves_the_largest_room_whole() {
    let nodes = [node(1_000, 1 << 30), node(300, 1 << 30)];
    let mut capacity = free(&nodes);
    capacity.promise(&wanted(2, 100, 0));
    assert_eq!(capacity.fits(&wanted(1, 1_000, 0)), Ok(()));
    assert_eq!(capacity.room(&Placement::default()).free.cpu, 1_100);
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
    let told = |node: Node, pod: &Wanted| free(&[node]).fits(pod).map_err(|why| why.to_string());
    let none = |why: &str| Err(format!("none of 1 nodes may take it, because of {why}"));
    assert_eq!(told(labelled.clone(), &pod), Ok(()));
    assert_eq!(told(node(1_000, 1), &pod), none("its nodeSelector zone=x"));
    assert_eq!(told(tainted.clone(), &pod), none("the taint gpu=yes"));
    pod.placement.tolerations.push(Toleration { key: "gpu".into(), ..Toleration::default() });
    assert_eq!(told(tainted, &pod), Ok(()));
    let not_x = Expression { key: "zone".into(), operator: Operator::NotIn, values: vec!["x".into()] };
    pod.placement.affinity = Some(vec![Term { expressions: vec![not_x], more: false }]);
    assert_eq!(told(labelled, &pod), none("its node affinity"));
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
        let room: u64 = nodes
            .iter()
            .map(|node| (node.allocatable.cpu / each.0).min(node.allocatable.memory / each.1).min(110))
            .sum();
        prop_assert_eq!(free(&nodes).fits(&wanted(replicas, each.0, each.1)).is_ok(), replicas <= room);
    }
}

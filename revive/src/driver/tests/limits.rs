//! Changing limits while gateways count.

use std::sync::Arc;
use std::time::Duration;

use config::link::{ToGateway, ToRevive};
use config::model::{Label, Limit};
use serde_json::{Value, json};

use super::fakes::{Edge, Gateway, SOON, app, seconds, settle, soon};
use crate::driver::Ask;
use crate::driver::limiting::LimitChanged;
use crate::limits::{Belief, Change, InUse, Refused, parse};

fn label(name: &str) -> Label {
    Label::parse(name).unwrap()
}

fn limit(name: &str, rate: &str) -> Arc<Limit> {
    Arc::new(parse(label(name), &json!({ "key": "client", "rate": rate })).unwrap())
}

fn edge() -> Edge {
    Edge::limited([app("a")], vec![limit("deploys", "5/min")])
}

impl Edge {
    async fn change(&self, name: &str, change: Change) -> Result<LimitChanged, Refused> {
        let (name, by) = (label(name), "ann".to_owned());
        let asked = self.handle.ask(|reply| Ask::ChangeLimit(name, change, Belief::None, by, reply));
        soon(asked).await.unwrap()
    }

    async fn set(&self, name: &str, rate: &str) -> u64 {
        self.change(name, Change::Set(limit(name, rate))).await.unwrap().generation
    }
}

impl Gateway {
    /// The next limits it is told of: their generation, and each one's rate.
    async fn limits(&mut self) -> (u64, Vec<String>) {
        match soon(self.end.rx.recv()).await.unwrap() {
            ToGateway::Limits(limits) => (limits.generation, rates(&limits)),
            other => panic!("not limits but {other:?}"),
        }
    }
}

fn rates(limits: &config::link::Limits) -> Vec<String> {
    limits.limits.iter().map(|limit| format!("{} {}", limit.name, limit.rate.unwrap())).collect()
}

#[tokio::test(start_paused = true)]
async fn a_gateway_gets_all_limits_before_the_table_and_every_change_after() {
    let edge = edge();
    let mut gateway = edge.gateway().await;
    let generation = gateway.limits.generation;
    assert_eq!(rates(&gateway.limits), ["deploys 5/min"]);
    assert_eq!(edge.set("more", "1/s").await, generation + 1);
    assert_eq!(gateway.limits().await, (generation + 1, vec!["deploys 5/min".into(), "more 1/s".into()]));
    assert_eq!(edge.set("more", "1/s").await, generation + 1);
    edge.change("deploys", Change::Drop).await.unwrap();
    assert_eq!(gateway.limits().await, (generation + 2, vec!["more 1/s".into()]));
    edge.change("deploys", Change::Restore).await.unwrap();
    edge.change("more", Change::Drop).await.unwrap();
    assert_eq!(gateway.limits().await.0, generation + 3);
    assert_eq!(gateway.limits().await, (generation + 4, vec!["deploys 5/min".into()]));
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_read_hears_the_latest_limits_only() {
    let edge = edge();
    let mut slow = edge.gateway_with_room(1).await;
    for count in 1..=9 {
        edge.set("more", &format!("{count}/s")).await;
    }
    settle().await;
    // The one there was room for, and the latest.
    assert_eq!(slow.limits().await.1[1], "more 1/s");
    assert_eq!(slow.limits().await.1[1], "more 9/s");
    let silent = tokio::time::timeout(SOON, slow.end.rx.recv()).await;
    assert!(silent.is_err(), "{silent:?}");
}

#[tokio::test(start_paused = true)]
async fn a_change_is_in_use_when_every_gateway_has_said_so_or_left() {
    let edge = edge();
    let (first, second) = (edge.gateway().await, edge.gateway().await);
    let generation = edge.set("more", "1/s").await;
    let in_use = |within| edge.handle.limits_in_use(generation, within);
    first.say(ToRevive::LimitsInUse { generation });
    second.say(ToRevive::LimitsInUse { generation: generation - 1 });
    settle().await;
    assert_eq!(in_use(seconds(2)).await, InUse { gateways: 1, of: 2 });
    let handle = edge.handle.clone();
    let waiting = tokio::spawn(async move { handle.limits_in_use(generation, seconds(60)).await });
    settle().await;
    assert!(!waiting.is_finished());
    drop(second);
    assert_eq!(soon(waiting).await.unwrap(), InUse { gateways: 1, of: 1 });
    let later = edge.gateway().await;
    assert_eq!(later.limits.generation, generation);
    assert_eq!(in_use(Duration::ZERO).await, InUse { gateways: 1, of: 2 });
    later.say(ToRevive::LimitsInUse { generation });
    assert_eq!(soon(in_use(seconds(60))).await, InUse { gateways: 2, of: 2 });
}

#[tokio::test(start_paused = true)]
async fn a_file_that_is_read_again_changes_what_no_admin_has_spoken_of() {
    let edge = edge();
    let mut gateway = edge.gateway().await;
    edge.set("mine", "1/s").await;
    edge.change("deploys", Change::Drop).await.unwrap();
    let (mut generation, _) = gateway.limits().await;
    generation += 1;
    assert_eq!(gateway.limits().await, (generation, vec!["mine 1/s".into()]));
    for (file, after) in [
        (vec![limit("deploys", "9/min"), limit("mine", "9/s")], vec![]),
        (vec![limit("new", "2/s")], vec!["mine 1/s", "new 2/s"]),
        // It was switched off and then gone: back again, it holds.
        (vec![limit("deploys", "9/min")], vec!["deploys 9/min", "mine 1/s"]),
    ] {
        soon(edge.handle.ask(|reply| Ask::LimitsOfFile(file, reply))).await.unwrap();
        settle().await;
        if after.is_empty() {
            assert!(gateway.end.rx.try_recv().is_err(), "nothing that holds has changed");
        } else {
            generation += 1;
            assert_eq!(gateway.limits().await, (generation, after.into_iter().map(str::to_owned).collect()));
        }
    }
}

#[tokio::test(start_paused = true)]
async fn changes_are_written_down_and_audited_and_what_changes_nothing_is_not() {
    let edge = edge();
    edge.set("deploys", "9/min").await;
    edge.set("deploys", "9/min").await;
    edge.change("deploys", Change::Drop).await.unwrap();
    assert_eq!(edge.change("nobody", Change::Drop).await, Err(Refused::Unknown(label("nobody"))));
    edge.set("mine", "1/s").await;
    edge.change("mine", Change::Drop).await.unwrap();
    let audited = edge.audited().await;
    let brief = |view: &Value| match view["rate"].as_str() {
        Some(rate) => format!("{rate} {}", view["enabled"]),
        None => "none".to_owned(),
    };
    let entries = audited.iter().map(|entry| {
        let (before, after) = (brief(&entry[3]), brief(&entry[4]["limit"]));
        format!("{} {} {} {before} -> {after}", entry[0], entry[1], entry[2]).replace('"', "")
    });
    assert_eq!(
        entries.collect::<Vec<_>>(),
        [
            "ann limit.delete mine 1/s true -> none",
            "ann limit.set mine none -> 1/s true",
            "ann limit.delete deploys 9/min true -> 5/min false",
            "ann limit.set deploys 5/min true -> 9/min true",
        ]
    );
}

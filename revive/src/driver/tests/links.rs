//! Gateways that come late, read slowly, or not at all.

use config::link::{Depth, Failure, Instance, Status, ToGateway};
use config::model::Source;

use super::fakes::{Edge, SOON, app, asleep, awake, endpoint, failed, seconds, settle, soon};
use crate::platform::Event;

#[tokio::test(start_paused = true)]
async fn a_gateway_that_attaches_later_gets_all_apps_as_they_are() {
    let mut theirs = app("theirs");
    theirs.source = Source::Upstreams(vec![endpoint(1).into(), endpoint(2).into()]);
    let mut edge = Edge::start([app("new"), app("up"), app("light"), app("bad"), theirs]);
    let mut gateway = edge.gateway().await;
    let light = edge.wake(&mut gateway, "light").await;
    edge.fall_asleep(&mut gateway, "light", light).await;
    let up = edge.wake(&mut gateway, "up").await;
    gateway.wants("bad");
    assert_eq!(edge.command().await, "start bad 3");
    edge.report("bad", 3, Event::NotCreated(Failure::NotStarted));
    gateway.sees("bad", failed(Failure::NotStarted, seconds(1))).await;

    let mut later = edge.gateway().await;
    let mut apps: Vec<_> =
        later.table.apps.iter().map(|(app, status)| (app.name.as_str(), status.clone())).collect();
    apps.sort_by_key(|(name, _)| *name);
    let endpoints = [endpoint(1).into(), endpoint(2).into()].into();
    assert_eq!(
        apps,
        [
            ("bad", failed(Failure::NotStarted, seconds(1))),
            ("light", asleep(Depth::Light)),
            ("new", asleep(Depth::Deep)),
            ("theirs", Status::Awake { instance: Instance(0), endpoints }),
            ("up", awake(up)),
        ]
    );
    gateway.wants("light");
    assert_eq!(edge.command().await, format!("resume {light}"));
    edge.report("light", light, Event::Resumed);
    later.sees("light", awake(light)).await;
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_does_not_read_stops_nobody_and_hears_the_last_state_only() {
    let mut edge = Edge::start([app("a"), app("b")]);
    let (mut slow, mut fast) = (edge.gateway_with_room(1).await, edge.gateway().await);
    for app in ["a", "b"] {
        // Begins with the one state for which there is room.
        edge.wake(&mut fast, app).await;
    }
    settle().await;
    let mut heard = Vec::new();
    while let Ok(Some(ToGateway::State { app, status })) =
        tokio::time::timeout(SOON, slow.end.rx.recv()).await
    {
        heard.push((app.to_string(), status));
    }
    assert_eq!(heard.len(), 3, "{heard:?}");
    assert!(matches!(heard[0], (_, Status::Waking { .. })));
    assert_eq!(heard[1..], [("a".to_owned(), awake(1)), ("b".to_owned(), awake(2))]);
}

#[tokio::test(start_paused = true)]
async fn of_several_that_were_slow_each_hears_as_soon_as_it_reads() {
    for reader in 0..4 {
        let mut edge = Edge::start([app("a")]);
        let mut slow = Vec::new();
        for _ in 0..4 {
            slow.push(edge.gateway_with_room(1).await);
        }
        let mut fast = edge.gateway().await;
        edge.wake(&mut fast, "a").await;
        settle().await;
        slow[reader].sees("a", awake(1)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_gateway_that_left_with_a_full_link_is_forgotten() {
    let mut edge = Edge::start([app("a")]);
    let (slow, mut fast) = (edge.gateway_with_room(1).await, edge.gateway().await);
    let instance = edge.wake(&mut fast, "a").await;
    drop(slow);
    edge.fall_asleep(&mut fast, "a", instance).await;
}

#[tokio::test(start_paused = true)]
async fn the_driver_ends_with_the_last_who_could_ask_it() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    let Edge { handle, driver, .. } = edge;
    let other = handle.clone();
    drop(handle);
    settle().await;
    assert!(!driver.is_finished());
    drop(other);
    soon(driver).await.unwrap();
    assert!(soon(gateway.end.rx.recv()).await.is_none(), "and its links end");
}

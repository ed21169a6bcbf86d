//! What becomes of apps when the file says something else.

use std::net::SocketAddr;
use std::time::Duration;

use config::link::{Depth, Round, Status, ToRevive};
use config::model::{App, Source};

use super::fakes::{DRAIN, Edge, Gateway, IDLE, SOON, activity, app, asleep, awake, id, seconds, settle};
use crate::platform::{Event, Exit};

const EXITED: Event = Event::Exited(Exit::Signal(15));

/// With another command.
fn renewed(mut app: App) -> App {
    if let Source::Process(spec) = &mut app.source {
        spec.command.push("--new".to_owned());
    }
    app
}

fn elsewhere(mut app: App) -> App {
    app.source = Source::Upstreams(vec![SocketAddr::from(([127, 0, 0, 1], 9_000)).into()]);
    app
}

/// The round in which the gateway's table has the app drain.
fn drains(gateway: &Gateway, app: &str) -> Round {
    match gateway.tabled(app) {
        Some(Status::Draining { round }) => *round,
        other => panic!("{app} should drain, and is {other:?}"),
    }
}

fn leaves(gateway: &Gateway, app: &str) -> Round {
    assert_eq!(gateway.tabled(app), None, "its new requests are nobody's");
    gateway.table.leaving.iter().find(|(leaving, _)| *leaving == id(app)).unwrap().1
}

#[tokio::test(start_paused = true)]
async fn what_is_said_otherwise_of_an_app_holds_and_it_runs_on() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    let mut changed = app("a");
    changed.sleep.idle_after = config::model::After::Elapsed(IDLE * 2);
    changed.health.grace = seconds(77);
    let reloaded = edge.reload([changed]).await;
    assert_eq!(reloaded.changed.len() + reloaded.added.len() + reloaded.removed.len(), 1);
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&awake(instance)));
    gateway.hears_nothing("a", IDLE * 2 - seconds(1)).await;
    gateway.drains("a", seconds(2)).await;
    edge.idles(SOON).await;
}

#[tokio::test(start_paused = true)]
async fn another_command_is_run_when_all_that_is_open_has_ended() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    edge.reload([renewed(app("a"))]).await;
    gateway.reads_table().await;
    let round = drains(&gateway, "a");
    gateway.quiesced("a", round, 2);
    edge.idles(seconds(1)).await;
    gateway.wants("a");
    gateway.uses("a", 1);
    edge.idles(seconds(1)).await;
    gateway.say(ToRevive::Activity(vec![activity("a", 0, None)]));
    assert_eq!(edge.command().await, format!("stop {instance}"));
    edge.idles(seconds(1)).await;
    edge.report("a", instance, EXITED);
    assert_eq!(edge.command().await, format!("start a {}", instance + 1));
    edge.created("a", instance + 1);
    gateway.reaches("a", instance + 1);
    gateway.sees("a", awake(instance + 1)).await;
}

#[tokio::test(start_paused = true)]
async fn what_is_open_for_too_long_is_not_waited_for() {
    let mut edge = Edge::start([app("a"), app("b")]);
    let mut gateway = edge.gateway().await;
    let (a, b) = (edge.wake(&mut gateway, "a").await, edge.wake(&mut gateway, "b").await);
    edge.reload([renewed(app("a"))]).await;
    gateway.reads_table().await;
    gateway.quiesced("a", drains(&gateway, "a"), 1);
    gateway.quiesced("b", leaves(&gateway, "b"), 1);
    edge.idles(DRAIN - SOON).await;
    let mut stopped = [edge.command_within(2 * SOON).await, edge.command_within(2 * SOON).await];
    stopped.sort();
    assert_eq!(stopped, [format!("stop {a}"), format!("stop {b}")]);
}

#[tokio::test(start_paused = true)]
async fn what_sleeps_is_ended_for_its_new_version_and_not_woken() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    edge.fall_asleep(&mut gateway, "a", instance).await;
    edge.reload([renewed(app("a"))]).await;
    assert_eq!(edge.command().await, format!("stop {instance}"));
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&asleep(Depth::Deep)));
    edge.report("a", instance, EXITED);
    edge.idles(seconds(100)).await;
}

#[tokio::test(start_paused = true)]
async fn another_health_check_is_tried_at_once_by_what_failed_the_old_one() {
    let mut edge = Edge::start([app("a")]);
    let gateway = edge.gateway().await;
    gateway.wants("a");
    assert_eq!(edge.command().await, "start a 1");
    edge.created("a", 1);
    let mut changed = app("a");
    changed.health.check = config::model::Check::Http { path: "/healthz".into() };
    edge.reload([changed]).await;
    assert_eq!(edge.command().await, "stop 1");
    edge.report("a", 1, EXITED);
    assert_eq!(edge.command().await, "start a 2");
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_removed_is_ended_when_nobody_needs_it_and_forgotten_when_it_has() {
    let mut edge = Edge::start([app("a"), app("b")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    let reloaded = edge.reload([app("b")]).await;
    assert_eq!(reloaded.removed.into_iter().collect::<Vec<_>>(), [id("a")]);
    gateway.reads_table().await;
    gateway.quiesced("a", leaves(&gateway, "a"), 1);
    gateway.wants("a");
    edge.idles(seconds(1)).await;
    gateway.say(ToRevive::Activity(vec![activity("a", 0, None)]));
    assert_eq!(edge.command().await, format!("stop {instance}"));
    assert_eq!(edge.knows("a").await, Some("gone"));
    edge.report("a", instance, EXITED);
    settle().await;
    assert_eq!(edge.knows("a").await, None);
    // What comes late about it is about nobody.
    gateway.wants("a");
    edge.report("a", instance, EXITED);
    edge.idles(seconds(100)).await;
    assert_eq!(edge.knows("b").await, Some("asleep"));
}

#[tokio::test(start_paused = true)]
async fn an_app_without_an_instance_is_gone_at_once_and_an_added_one_is_asleep() {
    let edge = Edge::start([app("a"), elsewhere(app("c"))]);
    let mut gateway = edge.gateway().await;
    let reloaded = edge.reload([app("b")]).await;
    assert_eq!((reloaded.added.len(), reloaded.removed.len()), (1, 2));
    gateway.reads_table().await;
    assert_eq!(gateway.table.apps.len(), 1);
    assert_eq!((gateway.tabled("b"), gateway.table.leaving.len()), (Some(&asleep(Depth::Deep)), 0));
    assert_eq!((edge.knows("a").await, edge.knows("c").await), (None, None));
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_back_is_held_until_nothing_is_left_of_what_it_was() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    edge.reload([]).await;
    gateway.reads_table().await;
    let round = leaves(&gateway, "a");
    gateway.quiesced("a", round, 1);
    edge.reload([renewed(app("a"))]).await;
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&asleep(Depth::Deep)));
    gateway.wants("a");
    edge.idles(seconds(1)).await;
    gateway.say(ToRevive::Activity(vec![activity("a", 0, None)]));
    assert_eq!(edge.command().await, format!("stop {instance}"));
    edge.idles(seconds(1)).await;
    edge.report("a", instance, EXITED);
    // It begins its own life, of which gateways are told, and who holds requests asks again.
    gateway.sees("a", asleep(Depth::Deep)).await;
    gateway.wants("a");
    assert_eq!(edge.command().await, format!("start a {}", instance + 1));
}

#[tokio::test(start_paused = true)]
async fn an_app_that_is_back_and_gone_again_stays_gone() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    for apps in [vec![], vec![app("a")], vec![]] {
        edge.reload(apps).await;
        gateway.reads_table().await;
    }
    gateway.quiesced("a", leaves(&gateway, "a"), 0);
    assert_eq!(edge.command().await, format!("stop {instance}"));
    edge.report("a", instance, EXITED);
    settle().await;
    assert_eq!(edge.knows("a").await, None);
}

#[tokio::test(start_paused = true)]
async fn who_runs_an_app_may_change() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    let instance = edge.wake(&mut gateway, "a").await;
    edge.reload([elsewhere(app("a"))]).await;
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&asleep(Depth::Deep)), "held until the process has ended");
    let round = gateway.table.leaving[0].1;
    gateway.quiesced("a", round, 0);
    assert_eq!(edge.command().await, format!("stop {instance}"));
    edge.report("a", instance, EXITED);
    let up = |status: Status| matches!(status, Status::Awake { .. });
    while !up(gateway.hears("a", SOON).await) {}
    edge.reload([app("a")]).await;
    gateway.reads_table().await;
    assert_eq!(gateway.tabled("a"), Some(&asleep(Depth::Deep)));
    gateway.wants("a");
    assert_eq!(edge.command().await, format!("start a {}", instance + 1));
}

#[tokio::test(start_paused = true)]
async fn a_sleep_under_way_becomes_what_the_file_says() {
    for apps in [vec![renewed(app("a"))], vec![]] {
        let gone = apps.is_empty();
        let mut edge = Edge::start([app("a")]);
        let mut gateway = edge.gateway().await;
        let instance = edge.wake(&mut gateway, "a").await;
        let round = gateway.drains("a", IDLE + SOON).await;
        edge.reload(apps).await;
        gateway.reads_table().await;
        gateway.quiesced("a", round, 1);
        edge.idles(Duration::from_secs(1)).await;
        gateway.say(ToRevive::Activity(vec![activity("a", 0, None)]));
        assert_eq!(edge.command().await, format!("stop {instance}"));
        edge.report("a", instance, EXITED);
        match gone {
            true => edge.idles(seconds(10)).await,
            false => assert_eq!(edge.command().await, format!("start a {}", instance + 1)),
        }
    }
}

//! What keeps apps as they are, whatever their policies say.

use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use config::link::Depth;
use config::model::{After, Label};

use serde_json::{Value, json};

use super::fakes::{Edge, Gateway, IDLE, SOON, app, asleep, of_workspace, seconds, with_sleep};
use crate::brakes::{Brakes, Change, Pause, RemovalLimits, Scope, UnknownWorkspace};
use crate::driver::Ask;
use crate::platform::{Event, Exit};
use crate::store::UnixMillis;

const HOUR: Duration = Duration::from_hours(1);

#[tokio::test(start_paused = true)]
async fn a_pause_keeps_all_awake_and_ends_at_once() {
    let mut edge = Edge::start([app("a")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    edge.pause(Scope::All).await;
    gateway.hears_nothing("a", IDLE * 10).await;
    edge.resume(Scope::All).await;
    gateway.drains("a", SOON).await;
}

#[tokio::test(start_paused = true)]
async fn a_workspace_is_paused_alone_and_not_resumed_with_all() {
    let mut edge = Edge::start([app("a"), of_workspace(app("b"), "blog")]);
    let mut gateway = edge.gateway().await;
    edge.wake(&mut gateway, "a").await;
    edge.wake(&mut gateway, "b").await;
    let shop = Scope::Workspace(Label::parse("shop").unwrap());
    edge.pause(shop.clone()).await;
    gateway.drains("b", IDLE + SOON).await;
    edge.pause(Scope::All).await;
    edge.resume(Scope::All).await;
    gateway.hears_nothing("a", IDLE * 10).await;
    edge.resume(shop).await;
    gateway.drains("a", SOON).await;
}

/// Apps that are awake, and due to be removed `IDLE` after they were.
async fn to_be_removed(count: u64, limits: RemovalLimits) -> (Edge, Gateway) {
    let name = |n: u64| format!("a{n}");
    let apps = (1..=count).map(|n| with_sleep(app(&name(n)), After::Never, After::Elapsed(IDLE)));
    let mut edge = Edge::with(apps, 1_000, limits);
    let mut gateway = edge.gateway().await;
    for n in 1..=count {
        edge.wake(&mut gateway, &name(n)).await;
    }
    // Without a gateway nobody is asked before an app sleeps.
    (edge, gateway)
}

/// How many apps are ended within this time.
async fn removals(edge: &mut Edge, time: Duration) -> usize {
    let mut count = 0;
    let counting = async {
        loop {
            assert!(edge.command_within(time * 2).await.starts_with("stop "));
            count += 1;
        }
    };
    let endless: Result<(), _> = tokio::time::timeout(time, counting).await;
    assert!(endless.is_err());
    count
}

#[tokio::test(start_paused = true)]
async fn so_many_are_removed_in_an_hour_and_the_others_later() {
    let limits = RemovalLimits { per_hour: 3, ..RemovalLimits::default() };
    let (mut edge, gateway) = to_be_removed(5, limits).await;
    drop(gateway);
    assert_eq!(removals(&mut edge, HOUR).await, 3);
    assert_eq!(removals(&mut edge, HOUR).await, 2);
}

#[tokio::test(start_paused = true)]
async fn removals_that_look_like_a_mistake_stop_until_somebody_resumes() {
    let limits = RemovalLimits { stop_floor: 2, ..RemovalLimits::default() };
    let (mut edge, gateway) = to_be_removed(5, limits).await;
    drop(gateway);
    assert_eq!(removals(&mut edge, HOUR * 10).await, 2);
    edge.resume(Scope::All).await;
    assert_eq!(removals(&mut edge, HOUR * 10).await, 2);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_removed_for_an_hour_after_the_wall_clock_has_jumped() {
    let (mut edge, mut gateway) = to_be_removed(1, RemovalLimits::default()).await;
    edge.clock_step.store(7_200, Relaxed);
    gateway.hears_nothing("a1", HOUR).await;
    let round = gateway.drains("a1", IDLE + seconds(10)).await;
    gateway.quiesced("a1", round, 0);
    assert_eq!(edge.command().await, "stop 1");
    gateway.sees("a1", asleep(Depth::Deep)).await;
}

fn shop() -> Scope {
    Scope::Workspace(Label::parse("shop").unwrap())
}

#[tokio::test(start_paused = true)]
async fn pauses_are_shown_also_those_of_an_earlier_run() {
    let left = Pause { by: "bob".into(), since: UnixMillis(1_700_000_000_123) };
    let brakes = Brakes::from_iter([(shop(), left)]);
    let edge = Edge::braked([app("a")], 1_000, RemovalLimits::default(), brakes);
    edge.pause(Scope::All).await;
    let view = edge.brakes().await;
    let seen: Vec<_> = view.pauses.iter().map(|p| (p.workspace.as_deref(), &*p.by, p.brake.code)).collect();
    assert_eq!(seen, [(None, "ann", "sleep-paused"), (Some("shop"), "bob", "workspace-sleep-paused")]);
    assert_eq!(view.pauses[1].since, "2023-11-14T22:13:20.123Z");
    assert_eq!(
        view.pauses[1].brake.detail,
        "bob has paused sleep for workspace shop; it stays paused until somebody resumes it"
    );
    assert_eq!((view.removals.within_the_hour, view.removals.brake), (0, None));
}

#[tokio::test(start_paused = true)]
async fn a_workspace_that_no_app_has_is_unknown_unless_it_is_still_paused() {
    let gone = Scope::Workspace(Label::parse("gone").unwrap());
    let left = Pause { by: "bob".into(), since: UnixMillis(7) };
    let brakes = Brakes::from_iter([(gone.clone(), left.clone())]);
    let edge = Edge::braked([app("a")], 1_000, RemovalLimits::default(), brakes);
    let unknown = Err(UnknownWorkspace(Label::parse("gone").unwrap()));
    let ask = async |pause: bool| {
        let scope = gone.clone();
        let ask = move |reply| match pause {
            true => Ask::Pause(scope, "ann".into(), reply),
            false => Ask::Resume(scope, "ann".into(), reply),
        };
        edge.handle.ask(ask).await.unwrap()
    };
    assert_eq!(ask(true).await, unknown);
    assert_eq!(ask(false).await, Ok(Change::Resumed(left)));
    assert_eq!(ask(false).await, unknown);
}

#[tokio::test(start_paused = true)]
async fn only_what_was_removed_counts_and_what_stops_removals_is_shown() {
    let limits = RemovalLimits { stop_floor: 1, ..RemovalLimits::default() };
    let (mut edge, mut gateway) = to_be_removed(2, limits).await;
    let round = gateway.drains("a1", IDLE + SOON).await;
    gateway.quiesced("a1", round, 1);
    gateway.uses("a1", 1);
    let round = gateway.drains("a2", seconds(11)).await;
    assert_eq!(edge.brakes().await.removals.within_the_hour, 0);
    gateway.quiesced("a2", round, 0);
    assert_eq!(edge.command().await, "stop 2");
    assert_eq!(edge.brakes().await.removals.within_the_hour, 1);
    gateway.uses("a1", 0);
    gateway.hears_nothing("a1", HOUR * 2).await;
    let brake = edge.brakes().await.removals.brake.unwrap();
    assert_eq!(brake.code, "removal-stop");
    assert!(
        brake.detail.contains("1 apps were removed") && brake.detail.contains("of the 2 there are"),
        "{}",
        brake.detail
    );
}

#[tokio::test(start_paused = true)]
async fn a_removal_that_an_admin_asked_for_does_not_count() {
    let (mut edge, mut gateway) = to_be_removed(1, RemovalLimits::default()).await;
    let asked = edge.sleep("a1", Depth::Deep);
    let round = gateway.drains("a1", SOON).await;
    gateway.quiesced("a1", round, 0);
    assert_eq!(edge.command().await, "stop 1");
    edge.report("a1", 1, Event::Exited(Exit::Code(0)));
    assert_eq!(asked.await.unwrap(), Ok(()));
    assert_eq!(edge.brakes().await.removals.within_the_hour, 0);
}

#[tokio::test(start_paused = true)]
async fn a_resume_is_audited_with_what_was_on() {
    let limits = RemovalLimits { stop_floor: 1, ..RemovalLimits::default() };
    let (mut edge, gateway) = to_be_removed(2, limits).await;
    drop(gateway);
    assert_eq!(removals(&mut edge, HOUR * 2).await, 1);
    edge.resume(Scope::All).await;
    edge.pause(shop()).await;
    edge.pause(shop()).await;
    edge.resume(shop()).await;
    let audited = edge.audited().await;
    let seen: Vec<_> =
        audited.iter().map(|e| (&e[1], &e[2], &e[3]["pause"]["by"], &e[3]["removals"])).collect();
    let (resume, pause) = (json!("sleep.resume"), json!("sleep.pause"));
    let (shop, all, null) = (json!("workspace shop"), json!("all apps"), Value::Null);
    assert_eq!(
        seen,
        [
            (&resume, &shop, &json!("ann"), &null),
            (&pause, &shop, &null, &null),
            (&resume, &all, &null, &json!("removal-stop")),
        ]
    );
    assert!(audited.iter().all(|entry| entry[4]["result"] == "ok"), "{audited:?}");
}

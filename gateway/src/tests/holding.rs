//! How a hold ends otherwise than by the app coming up.

use std::time::Duration;

use config::link::{Failure, Status, ToRevive};
use config::settings::Gateway;

use super::fakes::{ASLEEP, CREATING, Edge, Upstream, app, id, run};

fn wake() -> ToRevive {
    ToRevive::Wake { app: id("a") }
}

#[test]
fn a_failure_is_the_answer_of_all_who_wait_and_of_who_comes_then() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let held = [edge.ask(0, "a", "/1").await, edge.ask(0, "a", "/2").await];
        edge.change("a", CREATING).await;
        let retry_after = Duration::from_secs(5);
        edge.change("a", Status::Failed { failure: Failure::ExitedEarly, retry_after }).await;
        for client in held {
            assert_eq!(client.answer().await, "503 exited-early");
        }
        assert_eq!(edge.ask(0, "a", "/3").await.answer().await, "503 exited-early");
        assert_eq!(edge.said(), [wake(), ToRevive::Unwanted { app: id("a") }]);

        tokio::time::sleep(retry_after).await;
        let again = edge.ask(0, "a", "/4").await;
        assert!(!again.is_answered());
        assert_eq!(edge.said(), [wake()], "the first one afterwards tries again");
    });
}

#[test]
fn who_waits_for_an_app_that_is_removed_gets_404() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let held = edge.ask(0, "a", "/").await;
        edge.use_table([(app("b"), ASLEEP)]).await;
        assert_eq!(held.answer().await, "404 unknown-host");
    });
}

#[test]
fn who_waits_goes_to_whoever_has_the_route_when_the_app_is_removed() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        let held = edge.ask(0, "a", "/").await;
        let mut heir = app("b");
        heir.routes = app("a").routes;
        edge.use_table([(heir, upstream.awake())]).await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(held.answer().await, "200");
    });
}

#[test]
fn so_many_are_held_and_the_next_is_told_at_once() {
    run(async {
        let mut few = app("a");
        few.wake.max_held = 2;
        let edge = Edge::with_a(few, &Gateway::default()).await;
        let first = edge.ask(0, "a", "/1").await;
        let second = edge.ask(0, "a", "/2").await;
        assert_eq!(edge.ask(0, "a", "/3").await.answer().await, "503 too-many-held");
        first.leave().await;
        let fourth = edge.ask(0, "a", "/4").await;
        assert!(!second.is_answered() && !fourth.is_answered());
        assert_eq!(edge.app("a").held(), 2);
    });
}

#[test]
fn nobody_is_held_longer_than_the_policy_says() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let held = edge.ask(0, "a", "/").await;
        edge.change("a", CREATING).await;
        tokio::time::sleep(Duration::from_secs(29)).await;
        assert!(!held.is_answered());
        tokio::time::sleep(Duration::from_secs(1)).await;
        assert_eq!(held.answer().await, "504 hold-timeout");
        assert_eq!(edge.app("a").held(), 0);
    });
}

#[test]
fn who_is_held_leaves_with_the_connection() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        let (first, second) = (edge.ask(0, "a", "/1").await, edge.ask(0, "a", "/2").await);
        first.leave().await;
        assert_eq!(edge.app("a").held(), 1);
        edge.change("a", upstream.awake()).await;
        let mut arrived = upstream.arrived().await;
        assert_eq!(arrived.len(), 1);
        assert_eq!(arrived[0].path, "/2");
        arrived.pop().unwrap().answer().await;
        assert_eq!(second.answer().await, "200");
        assert_eq!(edge.said(), [wake(), ToRevive::Unwanted { app: id("a") }]);
    });
}

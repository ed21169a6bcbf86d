//! What revive hears, and how seldom.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::link::{Round, Status, ToRevive};
use config::settings::Gateway;
use tokio::task::spawn_local;
use tokio::time::Instant;

use super::fakes::{ASLEEP, CREATING, Edge, Upstream, app, id, run, settle};
use crate::app::{Open, Place};
use crate::hold;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn a_thousand_who_wait_ask_once_and_the_last_who_leaves_says_so() {
    run(async {
        let mut edge = Edge::start(2, &Gateway::default());
        edge.use_table([(app("a"), ASLEEP)]).await;
        for _ in 0..2 {
            let mut waiting = Vec::new();
            for number in 0..1_000 {
                let (worker, app) = (Rc::clone(edge.worker(number % 2)), edge.app("a"));
                let place = Place::take(&app, 1_000).unwrap();
                waiting.push(spawn_local(async move {
                    hold::wait(&worker, &app, place, Instant::now() + 60 * SECOND).await
                }));
            }
            settle().await;
            edge.change("a", CREATING).await;
            assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
            let last = waiting.pop().unwrap();
            waiting.iter().for_each(|one| one.abort());
            settle().await;
            assert_eq!(edge.said(), []);
            last.abort();
            settle().await;
            assert_eq!(edge.said(), [ToRevive::Unwanted { app: id("a") }]);
        }
    });
}

#[test]
fn an_app_that_falls_asleep_while_somebody_waits_is_asked_for_again() {
    run(async {
        let mut edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let _held = edge.ask(0, "a", "/").await;
        edge.change("a", CREATING).await;
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
        edge.change("a", ASLEEP).await;
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
    });
}

#[test]
fn activity_is_gathered_and_where_nothing_goes_on_nothing_is_said() {
    run(async {
        let mut edge = Edge::start(1, &Gateway::default());
        let upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake()), (app("b"), upstream.awake())]).await;
        assert_eq!(edge.reports(60 * SECOND).await, Vec::<Vec<_>>::new());

        let a = edge.app("a");
        for _ in 0..1_000 {
            drop(Open::enter(&a, true, None));
            tokio::time::sleep(SECOND / 1_000).await;
        }
        let open = Open::enter(&a, true, None);
        let reports = edge.reports(10 * SECOND).await;
        assert!((3..=6).contains(&reports.len()), "{reports:?}");
        let last = &reports.last().unwrap()[0];
        assert_eq!((&last.app, last.open), (&id("a"), 1));
        assert!(reports.iter().all(|report| report.len() == 1), "of b there is nothing to say");

        assert_eq!(edge.reports(3_600 * SECOND).await, Vec::<Vec<_>>::new(), "also while one is open");
        drop(open);
        let reports = edge.reports(SECOND).await;
        assert_eq!(reports.len(), 1);
        assert_eq!(reports[0][0].open, 0);
        assert!(reports[0][0].idle_for.unwrap() < SECOND);
        edge.change("a", Status::Draining { round: config::link::Round(1) }).await;
        let (_, activity) = edge.quiesced().await;
        assert!(activity.idle_for.unwrap() < 2 * SECOND);
    });
}

#[test]
fn who_may_not_keep_awake_is_open_but_no_activity() {
    run(async {
        let mut edge = Edge::start(1, &Gateway::default());
        let upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake())]).await;
        drop(Open::enter(&edge.app("a"), false, None));
        let reports = edge.reports(SECOND).await;
        assert_eq!((reports[0][0].open, reports[0][0].idle_for), (0, None));
    });
}

#[test]
fn an_app_goes_on_as_it_is_from_table_to_table() {
    run(async {
        let edge = Edge::start(1, &Gateway::default());
        edge.use_table([(app("a"), ASLEEP), (app("b"), ASLEEP)]).await;
        let (a, place_of_b) = (edge.app("a"), edge.app("b").index);
        let held = edge.ask(0, "a", "/").await;
        let mut moved = app("a");
        moved.response_timeout = SECOND;
        edge.use_table([(app("c"), ASLEEP), (moved, CREATING)]).await;
        assert!(Arc::ptr_eq(&a, &edge.app("a")));
        assert!(!held.is_answered());
        assert_eq!(a.state().status, CREATING);
        // A place is never another app's: threads keep connections by it.
        edge.use_table([(app("b"), ASLEEP)]).await;
        let places = [a.index, place_of_b, edge.app("b").index];
        assert!(places[0] != places[1] && places[1] != places[2], "{places:?}");
    });
}

#[test]
fn of_an_app_that_leaves_it_is_told_what_is_open_and_who_is_held_is_routed_once_more() {
    run(async {
        let mut edge = Edge::start(2, &Gateway::default());
        let mut upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake()), (app("b"), ASLEEP)]).await;
        let answered = edge.ask(0, "a", "/").await;
        let arrived = upstream.arrived().await.remove(0);
        let held = edge.ask(1, "b", "/").await;
        let (a, rounds) = (edge.app("a"), [Round(4), Round(5), Round(6)]);
        edge.said();
        // A thread that has not come to it yet may still let something in.
        edge.obeys(1, false).await;
        edge.use_table_without([], ["a", "b", "never-was"].into_iter().zip(rounds)).await;
        assert_eq!(edge.quiesced().await.0, Round(6), "of what it does not know nothing is open");
        assert_eq!(edge.said(), []);
        edge.obeys(1, true).await;
        let mut said = Vec::new();
        while said.len() < 2 {
            match edge.says().await {
                ToRevive::Quiesced { round, activity } => said.push((round.0, activity.open)),
                ToRevive::Unwanted { app } => assert_eq!(app, id("b")),
                other => panic!("{other:?}"),
            }
        }
        said.sort();
        assert_eq!(said, [(4, 1), (5, 0)]);
        assert_eq!(held.answer().await, "404 unknown-host");
        assert_eq!(edge.ask(0, "a", "/").await.answer().await, "404 unknown-host");
        // It comes back while a request is at it: the same app, whose count is still right.
        edge.use_table([(app("a"), ASLEEP)]).await;
        assert!(Arc::ptr_eq(&a, &edge.app("a")));
        arrived.answer().await;
        assert_eq!(answered.answer().await, "200");
        let reports = edge.reports(SECOND).await.concat();
        assert_eq!(reports.iter().rfind(|report| report.app == id("a")).unwrap().open, 0);
    });
}

//! The gateway's part in putting an app to sleep.

use config::link::{Round, Status, ToRevive};
use config::settings::Gateway;

use super::fakes::{ASLEEP, Edge, Upstream, app, id, run};

const DRAINING: Status = Status::Draining { round: Round(7) };

#[test]
fn it_says_that_it_holds_when_the_last_thread_does_and_what_is_open() {
    run(async {
        let mut edge = Edge::start(2, &Gateway::default());
        let mut upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake())]).await;
        let open = edge.ask(0, "a", "/open").await;
        let at_app = upstream.arrived().await.pop().unwrap();

        edge.obeys(1, false).await;
        edge.change("a", DRAINING).await;
        assert_eq!(edge.said(), []);
        let held = edge.ask(0, "a", "/held").await;
        assert!(upstream.arrived().await.is_empty());
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }], "a request cancels the sleep");
        edge.obeys(1, true).await;
        let (round, activity) = edge.quiesced().await;
        assert_eq!((round, activity.open, activity.held), (Round(7), 1, 1));

        edge.change("a", upstream.awake()).await;
        at_app.answer().await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!((open.answer().await, held.answer().await), ("200".to_owned(), "200".to_owned()));
        assert_eq!(edge.said(), [ToRevive::Unwanted { app: id("a") }]);
        edge.change("a", Status::Draining { round: Round(8) }).await;
        let (round, activity) = edge.quiesced().await;
        assert_eq!((round, activity.open, activity.held), (Round(8), 0, 0));
    });
}

#[test]
fn who_was_held_while_it_was_put_to_sleep_has_it_woken() {
    run(async {
        let mut edge = Edge::start(1, &Gateway::default());
        let mut upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake())]).await;
        edge.change("a", DRAINING).await;
        edge.quiesced().await;
        let held = edge.ask(0, "a", "/").await;
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
        // That crossed revive's decision.
        edge.change("a", ASLEEP).await;
        assert_eq!(edge.said(), [ToRevive::Wake { app: id("a") }]);
        edge.change("a", upstream.awake()).await;
        upstream.arrived().await.pop().unwrap().answer().await;
        assert_eq!(held.answer().await, "200");
    });
}

#[test]
fn a_connection_from_before_a_pause_is_not_used_after_it() {
    run(async {
        let mut edge = Edge::start(1, &Gateway::default());
        let mut upstream = Upstream::start().await;
        edge.use_table([(app("a"), upstream.awake())]).await;
        for round in 1..=2 {
            for _ in 0..2 {
                let client = edge.ask(0, "a", "/").await;
                upstream.arrived().await.pop().unwrap().answer().await;
                assert_eq!(client.answer().await, "200");
            }
            assert_eq!(upstream.connections.get(), round);
            edge.change("a", Status::Draining { round: Round(7) }).await;
            edge.quiesced().await;
            edge.change("a", upstream.awake()).await;
        }
    });
}

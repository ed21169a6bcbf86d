//! In which order and how fast those who waited are let go.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use config::settings::Gateway;
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, spawn_local};
use tokio::time::Instant;

use super::fakes::{Edge, Upstream, app, paths, run, settle};
use crate::app::{App, Place};
use crate::hold::{self, Ticket, Waited};
use crate::worker::Worker;

/// Those who wait on one thread, by number.
struct Line {
    worker: Rc<Worker>,
    app: Arc<App>,
    tx: mpsc::UnboundedSender<(usize, Ticket)>,
    let_go: mpsc::UnboundedReceiver<(usize, Ticket)>,
}

impl Line {
    fn new(edge: &Edge, thread: usize) -> Self {
        let (tx, let_go) = mpsc::unbounded_channel();
        Self { worker: edge.worker(thread).clone(), app: edge.app("a"), tx, let_go }
    }

    fn join(&self, number: usize) -> JoinHandle<()> {
        let place = Place::take(&self.app, 10_000).unwrap();
        let (worker, app, tx) = (self.worker.clone(), self.app.clone(), self.tx.clone());
        spawn_local(async move {
            match hold::wait(&worker, &app, place, Instant::now() + Duration::from_secs(60)).await {
                Waited::Up(ticket) => tx.send((number, ticket)).unwrap(),
                other => panic!("{number}: {other:?}"),
            }
        })
    }

    /// Who has been let go since the last time, in order.
    async fn let_go(&mut self) -> (Vec<usize>, Vec<Ticket>) {
        settle().await;
        std::iter::from_fn(|| self.let_go.try_recv().ok()).unzip()
    }
}

#[test]
fn the_longest_waiting_go_first_eight_at_once_and_two_for_each_answer() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut line = Line::new(&edge, 0);
        let waiting: Vec<_> = (0..40).map(|number| line.join(number)).collect();
        settle().await;
        for leaver in [3, 9] {
            waiting[leaver].abort();
        }
        assert!(line.let_go().await.0.is_empty());

        edge.change("a", Upstream::start().await.awake()).await;
        let (first, mut tickets) = line.let_go().await;
        assert_eq!(first, [0, 1, 2, 4, 5, 6, 7, 8], "who has left is passed over");
        tickets[0].answered();
        drop(tickets.remove(0));
        let (next, more) = line.let_go().await;
        assert_eq!(next, [10, 11]);
        // One that is not answered makes room only for another.
        drop(tickets.remove(0));
        let (next, yet_more) = line.let_go().await;
        assert_eq!(next, [12]);

        let mut left: Vec<Ticket> = tickets.into_iter().chain(more).chain(yet_more).collect();
        let mut order = Vec::new();
        while !left.is_empty() {
            left.drain(..).for_each(|ticket| ticket.answered());
            let (next, tickets) = line.let_go().await;
            order.extend(next);
            left = tickets;
        }
        assert_eq!(order, (13..40).collect::<Vec<_>>());
    });
}

#[test]
fn an_app_that_takes_its_time_to_answer_gets_twice_as_many_each_time() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut line = Line::new(&edge, 0);
        (0..40).for_each(|number| drop(line.join(number)));
        settle().await;
        edge.change("a", Upstream::start().await.awake()).await;
        let mut tickets = Vec::new();
        for at_once in [8, 16, 32, 40] {
            let (_, more) = line.let_go().await;
            tickets.extend(more);
            assert_eq!(tickets.len(), at_once);
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
}

#[test]
fn each_thread_has_a_line_of_its_own() {
    run(async {
        let edge = Edge::start(2, &Gateway::default());
        edge.use_table([(app("a"), super::fakes::ASLEEP)]).await;
        let mut lines = [Line::new(&edge, 0), Line::new(&edge, 1)];
        for number in 0..20 {
            lines[number % 2].join(number);
        }
        settle().await;
        edge.change("a", Upstream::start().await.awake()).await;
        assert_eq!(lines[0].let_go().await.0, [0, 2, 4, 6, 8, 10, 12, 14]);
        assert_eq!(lines[1].let_go().await.0, [1, 3, 5, 7, 9, 11, 13, 15]);
    });
}

#[test]
fn the_app_gets_eight_at_first_and_then_more_and_all_are_answered() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway::default()).await;
        let mut upstream = Upstream::start().await;
        let mut held = Vec::new();
        for number in 10..40 {
            held.push(edge.ask(0, "a", &format!("/{number}")).await);
        }
        edge.change("a", upstream.awake()).await;
        let mut at_app = upstream.arrived().await;
        assert_eq!(paths(&at_app), ["/10", "/11", "/12", "/13", "/14", "/15", "/16", "/17"]);
        at_app.pop().unwrap().answer().await;
        let mut at_app_next = upstream.arrived().await;
        assert_eq!(paths(&at_app_next), ["/18", "/19"]);
        at_app.append(&mut at_app_next);
        while let Some(request) = at_app.pop() {
            request.answer().await;
            at_app.append(&mut upstream.arrived().await);
        }
        for client in held {
            assert_eq!(client.answer().await, "200");
        }
    });
}

#[test]
fn an_app_that_has_all_it_may_have_delays_those_who_waited_and_refuses_who_comes() {
    run(async {
        let edge = Edge::with_a(app("a"), &Gateway { max_open_per_app: 3, ..Gateway::default() }).await;
        let mut upstream = Upstream::start().await;
        let mut held = Vec::new();
        for number in 0..9 {
            held.push(edge.ask(0, "a", &format!("/{number}")).await);
        }
        edge.change("a", upstream.awake()).await;
        let mut at_app = upstream.arrived().await;
        assert_eq!(paths(&at_app), ["/0", "/1", "/2"]);
        let mut most = 0;
        while let Some(request) = at_app.pop() {
            request.answer().await;
            at_app.append(&mut upstream.arrived().await);
            most = most.max(at_app.len());
        }
        assert_eq!(most, 3);
        for client in held {
            assert_eq!(client.answer().await, "200");
        }

        let open = [edge.ask(0, "a", "/").await, edge.ask(0, "a", "/").await, edge.ask(0, "a", "/").await];
        assert_eq!(edge.ask(0, "a", "/").await.answer().await, "503 app-busy");
        let mut at_app = upstream.arrived().await;
        at_app.pop().unwrap().answer().await;
        let next = edge.ask(0, "a", "/next").await;
        assert_eq!(paths(&upstream.arrived().await), ["/next"]);
        assert!(!next.is_answered());
        drop((open, at_app));
    });
}

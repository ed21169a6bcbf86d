//! What is due: the deadlines of states, and the ends of idle times.

use std::time::{Duration, Instant};

use config::model::AppId;

use super::{Driver, KEPT_AWAKE};
use crate::brakes::Brake;
use crate::clock;
use crate::idle;
use crate::lifecycle::Event;
use crate::tell::tell;

/// How long an app is left alone that is in its hours; less if they end.
const IN_HOURS: Duration = Duration::from_hours(24);

impl Driver {
    /// Sets the app's timer to what is next: a deadline of its state, or the end of its idle time.
    pub(super) fn schedule(&mut self, id: &AppId, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        let due = record.state().and_then(|state| {
            let idle = idle::due(state, record.usage, &record.sleep(), self.light).map(|(at, _)| at);
            let idle = idle.map(|at| at.max(record.not_before.unwrap_or(now)).max(self.sleeps_from));
            state.deadline().into_iter().chain(idle).min()
        });
        self.timers.set(id, &mut record.timer, due);
    }

    pub(super) fn next_timer(&self) -> Option<Instant> {
        let own = [
            self.timers.next(),
            self.admission.next_expiry(),
            self.estimates_at,
            self.used_at,
            self.leases.next(),
            self.timetable.next(),
        ];
        own.into_iter().flatten().min()
    }

    pub(super) fn tick(&mut self) {
        let now = clock::now();
        self.end_leases(now);
        if self.estimates_at.is_some_and(|at| at <= now) {
            self.estimates_at = None;
            self.admission.queue().for_each(|id| self.gateways.publish(id));
        }
        if self.used_at.is_some_and(|at| at <= now) {
            self.write_down_used();
        }
        if self.timetable.next().is_some_and(|at| at <= now) {
            self.keep_hours();
        }
        while let Some(id) = self.timers.pop(now) {
            let Some(record) = self.apps.get_mut(&id) else { continue };
            record.timer = None;
            let Some(state) = record.state() else { continue };
            if state.deadline().is_some_and(|at| at <= now) {
                self.happen(&id, Event::Tick);
            } else {
                self.put_to_sleep(&id, now);
            }
        }
    }

    /// When apps were last used must outlive us.
    pub(super) fn write_down_used(&mut self) {
        self.used_at = None;
        let now = (clock::now(), (self.wall)());
        for id in self.used.drain() {
            if let Some(record) = self.apps.get(&id).filter(|record| !record.is_leaving()) {
                self.store.save_app(record.row(now));
            }
        }
    }

    /// The app's idle time may be over.
    fn put_to_sleep(&mut self, id: &AppId, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        let due =
            record.state().and_then(|state| idle::due(state, record.usage, &record.sleep(), self.light));
        let Some((_, depth)) = due.filter(|(at, _)| *at <= now && self.sleeps_from <= now) else {
            return self.schedule(id, now);
        };
        // It would wait in vain for who has left: that one cannot say that it holds requests.
        if let Some(until) = self.leases.lingering() {
            record.not_before = Some(until);
            return self.schedule(id, now);
        }
        if let Err(brake) = self.may_sleep(id, depth) {
            return self.keep_awake(id, &brake, now);
        }
        let Some(record) = self.apps.get_mut(id) else { return };
        record.not_before = None;
        record.quiesce.idle_since = Some(record.usage.last_active);
        let round = self.next_round();
        self.happen(id, Event::Sleep { depth, round });
    }

    fn keep_awake(&mut self, id: &AppId, brake: &Brake, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        tell!(debug, &record.app, brake = brake.code(), "kept awake");
        let time = match brake {
            Brake::SleepPaused { .. }
            | Brake::RemovalCap { .. }
            | Brake::RemovalStop { .. }
            | Brake::ClockStep { .. } => KEPT_AWAKE,
            // Whoever sees them end looks at the app.
            Brake::InHours { .. } => IN_HOURS,
        };
        record.not_before = Some(now + time);
        self.schedule(id, now);
    }
}

pub(super) async fn sleep_until(at: Option<Instant>) {
    match at {
        Some(at) => tokio::time::sleep_until(at.into()).await,
        None => std::future::pending().await,
    }
}

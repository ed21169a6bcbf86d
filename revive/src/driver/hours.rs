//! Hours in which apps are awake, asked for or not: who is in them, and when that is looked at again.

use std::collections::HashMap;
use std::mem;
use std::time::{Duration, Instant, SystemTime};

use config::model::AppId;

use super::Driver;
use crate::brakes::Brake;
use crate::clock;
use crate::lifecycle::{Demand, Event, State};
use crate::schedule::{self, Hours, Now};
use crate::tell::tell;

/// How often it is looked how apps stand to their hours, at least. The wall clock may be put forward or back, and whoever
/// did not come up is asked for again.
const LOOK: Duration = Duration::from_secs(60);

/// The hours of all apps that have any.
#[derive(Debug, Default)]
pub(super) struct Timetable {
    plans: HashMap<AppId, Plan>,
    /// Apps that had hours until now.
    dropped: Vec<AppId>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Plan {
    hours: Vec<Hours>,
    /// How they stood when they were last reckoned, and when that was.
    seen: Option<(SystemTime, Now)>,
}

impl Plan {
    /// How the hours stand. What was found holds until it ends, unless the clock was put back before.
    fn at(&mut self, wall: SystemTime) -> Now {
        if let Some((since, now)) = self.seen
            && since <= wall
            && until(now).is_some_and(|until| wall < until)
        {
            return now;
        }
        let now = schedule::now(&self.hours, wall);
        self.seen = Some((wall, now));
        now
    }
}

fn until(now: Now) -> Option<SystemTime> {
    match now {
        Now::Awake { until } => Some(until),
        Now::Free { until } => until,
    }
}

impl Timetable {
    pub(super) fn new(hours: HashMap<AppId, Vec<Hours>>, now: Instant) -> Self {
        let mut timetable = Self::default();
        timetable.replace(hours, now);
        timetable
    }

    /// From now on these hours hold, and no others.
    pub(super) fn replace(&mut self, hours: HashMap<AppId, Vec<Hours>>, now: Instant) {
        let mut before = mem::take(&mut self.plans);
        for (id, hours) in hours {
            let same = before.remove(&id).filter(|plan| plan.hours == hours);
            self.plans.insert(id, same.unwrap_or(Plan { hours, seen: None }));
        }
        self.dropped.extend(before.into_keys());
        let any = !self.plans.is_empty() || !self.dropped.is_empty();
        self.next = any.then_some(now);
    }

    /// An app begins its life.
    pub(super) fn begins(&mut self, id: &AppId, now: Instant) {
        if self.plans.contains_key(id) {
            self.next = Some(now);
        }
    }

    /// When it is looked again; never where no app has hours.
    pub(super) fn next(&self) -> Option<Instant> {
        self.next
    }

    /// How apps stand to their hours.
    fn look(&mut self, now: Instant, wall: SystemTime) -> Vec<(AppId, Now)> {
        let dropped = mem::take(&mut self.dropped).into_iter().map(|id| (id, Now::Free { until: None }));
        let mut stand: Vec<_> = dropped.collect();
        stand.extend(self.plans.iter_mut().map(|(id, plan)| (id.clone(), plan.at(wall))));
        let edges = stand.iter().filter_map(|(_, now)| until(*now)?.duration_since(wall).ok());
        let wait = edges.min().map_or(LOOK, |edge| edge.min(LOOK));
        self.next = (!self.plans.is_empty()).then_some(now + wait);
        stand
    }
}

/// How an app stands to its hours.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Within {
    /// It is not in any.
    #[default]
    Outside,
    /// It is in them, and is to come up.
    Due {
        /// When they end.
        until: SystemTime,
    },
    /// It is in them, and was up in them; if it is not any more, somebody meant that.
    Met {
        /// When they end.
        until: SystemTime,
    },
}

impl Within {
    /// What the clock says.
    fn at(self, now: Now) -> Self {
        match (now, self) {
            (Now::Free { .. }, _) => Self::Outside,
            (Now::Awake { until }, Self::Met { .. }) => Self::Met { until },
            (Now::Awake { until }, Self::Outside | Self::Due { .. }) => Self::Due { until },
        }
    }

    /// The app is in this state.
    pub(super) fn after(self, state: &State) -> Self {
        let Some(until) = self.until() else { return self };
        match state {
            State::Awake(_) => Self::Met { until },
            State::Failed(_) => Self::Due { until },
            State::Draining(_)
            | State::Paused(_)
            | State::Down { .. }
            | State::Absent
            | State::Waking(_)
            | State::Gone { .. } => self,
        }
    }

    /// An admin puts the app to sleep, whatever its hours say.
    pub(super) fn put_down(self) -> Self {
        self.until().map_or(self, |until| Self::Met { until })
    }

    fn until(self) -> Option<SystemTime> {
        match self {
            Self::Outside => None,
            Self::Due { until } | Self::Met { until } => Some(until),
        }
    }

    /// Whether it is to come up for its hours' sake.
    pub(super) fn is_due(self) -> bool {
        match self {
            Self::Due { .. } => true,
            Self::Outside | Self::Met { .. } => false,
        }
    }

    /// What keeps it awake, if it is in its hours.
    pub(super) fn brake(self) -> Option<Brake> {
        self.until().map(|until| Brake::InHours { until: until.into() })
    }
}

impl Driver {
    /// Looks who is in his hours.
    pub(super) fn keep_hours(&mut self) {
        let now = clock::now();
        for (id, stands) in self.timetable.look(now, (self.wall)()) {
            self.keep_hours_of(&id, stands, now);
        }
    }

    /// Whoever is to come up is asked for as a request would: it waits for its own turn, and its backoff holds.
    fn keep_hours_of(&mut self, id: &AppId, stands: Now, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        let Some(state) = record.state() else { return };
        let before = record.within;
        let after = before.at(stands).after(state);
        record.within = after;
        if before.is_due() != after.is_due() || before.until() != after.until() {
            let brake = after.brake().map(tracing::field::display);
            tell!(debug, &record.app, brake, due = after.is_due(), "its hours");
            self.show(id);
        }
        match (before, after) {
            (_, Within::Due { .. }) => self.happen(id, Event::Wanted(Demand::Request)),
            (Within::Due { .. } | Within::Met { .. }, Within::Outside) => self.hours_end(id, now),
            (Within::Outside, Within::Outside) | (_, Within::Met { .. }) => {}
        }
    }

    /// From now on it sleeps as ever, at once if it has been idle for long enough.
    fn hours_end(&mut self, id: &AppId, now: Instant) {
        let Some(record) = self.apps.get_mut(id) else { return };
        record.not_before = None;
        if record.wanted_by.is_empty() {
            self.happen(id, Event::Unwanted);
        }
        self.schedule(id, now);
    }
}

//! The brake on deep sleep: a mistake must not remove a platform's apps in one night.

use std::collections::{HashSet, VecDeque};
use std::time::{Duration, Instant};

use config::model::AppId;

use super::Brake;
use crate::store::UnixMillis;

/// Over which removals are counted, and for how long a clock step stops them.
const HOUR: Duration = Duration::from_secs(3_600);
/// By how much the wall clock may leave the monotonic one. NTP slews by 0.5 ms a second at most, a minute in 33 h;
/// beyond that somebody has set it, or the machine was suspended.
const MAX_DRIFT: Duration = Duration::from_secs(60);

/// How many apps may be removed within an hour.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RemovalLimits {
    /// No more than these; what is beyond waits.
    pub per_hour: usize,
    /// Above this percentage of all apps, removals stop until somebody resumes them.
    pub stop_percent: usize,
    /// That percentage is taken to be at least so many apps: of five apps 5 % would be none.
    pub stop_floor: usize,
}

impl Default for RemovalLimits {
    fn default() -> Self {
        Self { per_hour: 500, stop_percent: 5, stop_floor: 10 }
    }
}

/// Counts removals, and allows or refuses the next. Times given to it must not go back.
///
/// It counts apps, not removals: an app that is woken and removed again and again is a nuisance, but no sign that
/// the platform is losing its apps.
#[derive(Debug)]
pub struct RemovalGuard {
    limits: RemovalLimits,
    /// The apps removed within the last hour, oldest first, and when.
    removed: VecDeque<(Instant, AppId)>,
    /// The same, to be found by name.
    known: HashSet<AppId>,
    /// The apps that are being removed.
    under_way: HashSet<AppId>,
    clocks: Clocks,
    state: State,
}

#[derive(Debug, PartialEq, Eq)]
enum State {
    Open,
    /// Until somebody resumes.
    Stopped {
        removed: usize,
        total: usize,
    },
    /// Until an hour has passed since then.
    ClockStepped {
        at: Instant,
        seconds: u64,
    },
}

/// Both clocks at one moment.
#[derive(Clone, Copy, Debug)]
struct Clocks {
    monotonic: Instant,
    wall: UnixMillis,
}

impl RemovalGuard {
    /// A guard that has seen nothing, at a moment by both clocks.
    pub fn new(limits: RemovalLimits, monotonic: Instant, wall: UnixMillis) -> Self {
        let clocks = Clocks { monotonic, wall };
        Self {
            limits,
            removed: VecDeque::new(),
            known: HashSet::new(),
            under_way: HashSet::new(),
            clocks,
            state: State::Open,
        }
    }

    /// To be told both clocks now and then, and before removals; returns by how many seconds the wall clock has
    /// jumped, if it has. The hour without removals lets NTP put a wrong clock right. A machine that was suspended
    /// looks the same where the monotonic clock stands still meanwhile (Linux), and loses no more than that hour.
    pub fn observe(&mut self, monotonic: Instant, wall: UnixMillis) -> Option<u64> {
        let elapsed = monotonic.saturating_duration_since(self.clocks.monotonic);
        let elapsed = i64::try_from(elapsed.as_millis()).unwrap_or(i64::MAX);
        let drift = self.clocks.wall.0.saturating_add(elapsed).abs_diff(wall.0);
        if Duration::from_millis(drift) <= MAX_DRIFT {
            // Slow drift is forgotten, or the clocks of a long run would count as a step some day.
            if monotonic.saturating_duration_since(self.clocks.monotonic) >= HOUR {
                self.clocks = Clocks { monotonic, wall };
            }
            return None;
        }
        self.clocks = Clocks { monotonic, wall };
        match self.state {
            // The graver brake stays on.
            State::Stopped { .. } => {}
            State::Open | State::ClockStepped { .. } => {
                self.state = State::ClockStepped { at: monotonic, seconds: drift / 1_000 };
            }
        }
        Some(drift / 1_000)
    }

    /// Begins to remove this app, of `total_apps`, if it may be removed now: until [`removed`](Self::removed) or
    /// [`called_off`](Self::called_off) it has a place within the limits, or all that are due at one moment would
    /// pass before the first is counted.
    ///
    /// # Errors
    /// The brake. [`Brake::RemovalStop`] stays on until [`resume`](Self::resume).
    pub fn begin(&mut self, app: &AppId, now: Instant, total_apps: usize) -> Result<(), Brake> {
        self.pass(now);
        match self.state {
            State::Stopped { removed, total } => return Err(Brake::RemovalStop { removed, total }),
            State::ClockStepped { seconds, .. } => return Err(Brake::ClockStep { seconds }),
            State::Open if self.known.contains(app) => {}
            State::Open => self.one_more(total_apps)?,
        }
        self.under_way.insert(app.clone());
        Ok(())
    }

    /// Only what was removed stops removals: of those under way some may be called off, and the next who is refused a
    /// place for them asks again.
    fn one_more(&mut self, total: usize) -> Result<(), Brake> {
        let (removed, stop_at) = (self.removed.len(), self.stop_at(total));
        if removed >= stop_at {
            self.state = State::Stopped { removed, total };
            return Err(Brake::RemovalStop { removed, total });
        }
        let begun = removed + self.under_way.difference(&self.known).count();
        if begun >= self.limits.per_hour.min(stop_at) {
            Err(Brake::RemovalCap { removed: begun })
        } else {
            Ok(())
        }
    }

    /// An app has been removed. Within the hour it counts once, from its first removal on. Means nothing of one whose
    /// removal did not begin here: what an admin removes is no mistake.
    pub fn removed(&mut self, app: &AppId, now: Instant) {
        self.pass(now);
        if self.under_way.remove(app) && self.known.insert(app.clone()) {
            self.removed.push_back((now, app.clone()));
        }
    }

    /// A removal that began has come to nothing. Means nothing of one that did not.
    pub fn called_off(&mut self, app: &AppId) {
        self.under_way.remove(app);
    }

    /// The brake that is on now, whoever is next.
    pub fn brake(&mut self, now: Instant) -> Option<Brake> {
        self.pass(now);
        match self.state {
            State::Stopped { removed, total } => Some(Brake::RemovalStop { removed, total }),
            State::ClockStepped { seconds, .. } => Some(Brake::ClockStep { seconds }),
            State::Open => {
                let removed = self.removed.len();
                (removed >= self.limits.per_hour).then_some(Brake::RemovalCap { removed })
            }
        }
    }

    /// How many apps were removed within the last hour.
    pub fn within_the_hour(&mut self, now: Instant) -> usize {
        self.pass(now);
        self.removed.len()
    }

    /// Somebody has looked at it: removals go on, and are counted anew. Whether they were stopped.
    pub fn resume(&mut self) -> bool {
        self.removed.clear();
        self.known.clear();
        std::mem::replace(&mut self.state, State::Open) != State::Open
    }

    fn stop_at(&self, total_apps: usize) -> usize {
        (total_apps.saturating_mul(self.limits.stop_percent) / 100).max(self.limits.stop_floor)
    }

    /// Forgets what is more than an hour ago.
    fn pass(&mut self, now: Instant) {
        while let Some((at, app)) = self.removed.front()
            && now.saturating_duration_since(*at) >= HOUR
        {
            self.known.remove(app);
            self.removed.pop_front();
        }
        if let State::ClockStepped { at, .. } = self.state
            && now.saturating_duration_since(at) >= HOUR
        {
            self.state = State::Open;
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use config::model::AppName;

    use super::*;

    const WALL: i64 = 1_700_000_000_000;

    fn app(n: usize) -> AppId {
        AppId::from_name(&AppName::parse(&format!("a{n}")).unwrap())
    }

    fn guard() -> (RemovalGuard, Instant) {
        let now = Instant::now();
        (RemovalGuard::new(RemovalLimits::default(), now, UnixMillis(WALL)), now)
    }

    /// Removes apps until one is refused.
    fn remove_all(guard: &mut RemovalGuard, now: Instant, total: usize) -> (usize, Brake) {
        for n in 0.. {
            if let Err(brake) = guard.begin(&app(n), now, total) {
                return (n, brake);
            }
            guard.removed(&app(n), now);
        }
        unreachable!()
    }

    #[test]
    fn stops_above_the_percentage_until_resumed() {
        for (total, allowed) in [(0, 10), (200, 10), (5_000, 250), (100_000, 500)] {
            let (mut guard, now) = guard();
            assert_eq!(remove_all(&mut guard, now, total).0, allowed, "of {total}");
        }
        let (mut guard, now) = guard();
        let (removed, brake) = remove_all(&mut guard, now, 400);
        assert_eq!((removed, &brake), (20, &Brake::RemovalStop { removed: 20, total: 400 }));
        assert_eq!(guard.begin(&app(99), now + 9 * HOUR, 400), Err(brake));
        assert!(guard.resume() && !guard.resume());
        assert_eq!(guard.begin(&app(99), now, 400), Ok(()));
    }

    #[test]
    fn the_cap_moves_on_with_the_hour() {
        let (mut guard, now) = guard();
        guard.begin(&app(1_000), now, 100_000).unwrap();
        guard.removed(&app(1_000), now);
        let later = now + HOUR / 2;
        assert_eq!(remove_all(&mut guard, later, 100_000), (499, Brake::RemovalCap { removed: 500 }));
        assert_eq!(
            guard.begin(&app(999), now + HOUR - Duration::from_nanos(1), 100_000).unwrap_err().code(),
            "removal-cap"
        );
        assert_eq!(guard.begin(&app(999), now + HOUR, 100_000), Ok(()));
        guard.removed(&app(999), now + HOUR);
        assert!(guard.begin(&app(998), now + HOUR, 100_000).is_err());
    }

    #[test]
    fn an_app_removed_again_and_again_counts_once() {
        let (mut guard, now) = guard();
        for n in 0..10_000 {
            assert_eq!(guard.begin(&app(n % 5), now, 5), Ok(()));
            guard.removed(&app(n % 5), now);
        }
    }

    #[test]
    fn what_is_under_way_has_a_place_and_counts_only_once_it_is_done() {
        let (mut guard, now) = guard();
        for n in 0..10 {
            assert_eq!(guard.begin(&app(n), now, 5), Ok(()));
        }
        assert_eq!(guard.begin(&app(10), now, 5), Err(Brake::RemovalCap { removed: 10 }));
        assert_eq!((guard.brake(now), guard.within_the_hour(now)), (None, 0), "nothing has been removed");
        guard.called_off(&app(0));
        assert_eq!(guard.begin(&app(10), now, 5), Ok(()));
        (1..=10).for_each(|n| guard.removed(&app(n), now));
        let stop = Brake::RemovalStop { removed: 10, total: 5 };
        assert_eq!((guard.brake(now), guard.within_the_hour(now)), (None, 10), "nobody was refused for good");
        assert_eq!(guard.begin(&app(0), now, 5), Err(stop.clone()));
        assert_eq!(guard.brake(now), Some(stop));
        guard.removed(&app(0), now);
        assert_eq!(guard.within_the_hour(now), 10, "not begun here");
    }

    #[test]
    fn a_clock_step_either_way_stops_for_an_hour() {
        for step in [3_600_000, -3_600_000] {
            let (mut guard, now) = guard();
            let later = now + Duration::from_secs(5);
            assert_eq!(guard.observe(later, UnixMillis(WALL + 5_000 + step)), Some(3_600));
            assert_eq!(guard.begin(&app(0), later, 5), Err(Brake::ClockStep { seconds: 3_600 }));
            assert_eq!(guard.observe(later, UnixMillis(WALL + 5_000 + step)), None, "it jumped once");
            assert_eq!(guard.begin(&app(0), later + HOUR, 5), Ok(()));
        }
    }

    #[test]
    fn slow_drift_is_no_step_and_a_small_step_neither() {
        let (mut guard, start) = guard();
        for minute in 0..100_000_u32 {
            let now = start + minute * Duration::from_secs(60);
            // 500 ppm: 30 ms in a minute, 50 minutes in all.
            let wall = UnixMillis(WALL + i64::from(minute) * 60_030);
            assert_eq!(guard.observe(now, wall), None);
        }
        let (mut guard, now) = self::guard();
        assert_eq!(guard.observe(now, UnixMillis(WALL + 60_000)), None);
        assert_eq!(guard.observe(now, UnixMillis(WALL - 60_001)), Some(60));
    }

    #[test]
    fn a_clock_step_does_not_lift_a_stop() {
        let (mut guard, now) = guard();
        remove_all(&mut guard, now, 5);
        assert!(guard.observe(now, UnixMillis(0)).is_some());
        assert_eq!(guard.begin(&app(99), now + 2 * HOUR, 5).unwrap_err().code(), "removal-stop");
    }
}

//! The brake on fighting: a workload that something puts back, unchanged, soon after it was put to sleep is no deploy,
//! but somebody who does not know that it sleeps (GitOps, an operator). Once more it is put down; after the second time it
//! goes no deeper than what sticks.

use std::time::{Duration, Instant};

use config::link::Depth;

/// Whoever makes it run so long after it fell asleep means it.
const SOON: Duration = Duration::from_secs(600);
/// How often a sleep of one depth is undone before it is given up.
const TRIES: u32 = 2;

/// How an app's sleeps have fared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undone {
    fell_asleep: Option<Instant>,
    times: u32,
    sticks: Sticks,
}

/// What nobody is known to undo.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Sticks {
    /// Any sleep.
    Deep,
    /// Light sleep.
    Light,
    /// None: it stays awake.
    Nothing,
}

/// What is to be done about an app that was put back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PutBack {
    /// It is put down again, so deep.
    Again(Depth),
    /// It stays up, as after a deploy.
    StaysUp,
}

impl Default for Undone {
    fn default() -> Self {
        Self { fell_asleep: None, times: 0, sticks: Sticks::Deep }
    }
}

impl Undone {
    /// The app fell asleep.
    pub fn slept(&mut self, now: Instant) {
        self.fell_asleep = Some(now);
    }

    /// It was put back, from such a sleep.
    pub fn put_back(&mut self, from: Depth, now: Instant) -> PutBack {
        if self.fell_asleep.is_none_or(|at| now.saturating_duration_since(at) > SOON) {
            return PutBack::StaysUp;
        }
        self.times += 1;
        self.fell_asleep = Some(now);
        if self.times < TRIES {
            return PutBack::Again(from);
        }
        self.times = 0;
        match from {
            Depth::Deep => {
                self.sticks = Sticks::Light;
                PutBack::Again(Depth::Light)
            }
            Depth::Light => {
                self.sticks = Sticks::Nothing;
                PutBack::StaysUp
            }
        }
    }

    /// Somebody has deployed it, or an admin wants it to sleep: what was, need not be so any more.
    pub fn forget(&mut self) {
        *self = Self::default();
    }

    /// What sticks.
    pub fn sticks(&self) -> Sticks {
        self.sticks
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MINUTE: Duration = Duration::from_secs(60);

    #[test]
    fn it_is_put_down_once_more_and_then_no_deeper_than_what_sticks() {
        let (mut undone, now) = (Undone::default(), Instant::now());
        undone.slept(now);
        assert_eq!(undone.put_back(Depth::Deep, now + MINUTE * 3), PutBack::Again(Depth::Deep));
        assert_eq!(undone.sticks(), Sticks::Deep);
        assert_eq!(undone.put_back(Depth::Deep, now + MINUTE * 6), PutBack::Again(Depth::Light));
        assert_eq!(undone.sticks(), Sticks::Light);
        assert_eq!(undone.put_back(Depth::Light, now + MINUTE * 9), PutBack::Again(Depth::Light));
        assert_eq!(undone.put_back(Depth::Light, now + MINUTE * 12), PutBack::StaysUp);
        assert_eq!(undone.sticks(), Sticks::Nothing);
        undone.forget();
        assert_eq!(undone, Undone::default());
    }

    #[test]
    fn whoever_starts_it_long_after_it_fell_asleep_means_it() {
        let (mut undone, now) = (Undone::default(), Instant::now());
        assert_eq!(undone.put_back(Depth::Light, now), PutBack::StaysUp, "it never fell asleep here");
        undone.slept(now);
        assert_eq!(undone.put_back(Depth::Deep, now + MINUTE * 11), PutBack::StaysUp);
        assert_eq!(undone.sticks(), Sticks::Deep);
    }
}

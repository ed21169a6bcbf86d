//! Something good always happens: from every world that there can be, once those around the lifecycle behave, each
//! order of what they do ends in a good one. Stateright's `eventually` does not see cycles, so this walks the graph.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use stateright::Model;

use super::super::super::{Retry, State, WakeStep};
use super::world::World;
use super::{Happens, Life};

const LIFE: Life = Life { grants_travel: false };

/// Every world that there can be.
static WORLDS: LazyLock<Worlds> = LazyLock::new(explore);

#[derive(Default)]
struct Worlds {
    all: Vec<Arc<World>>,
    places: HashMap<Arc<World>, usize>,
}

impl Worlds {
    fn add(&mut self, world: World) {
        let world = Arc::new(world);
        if !self.places.contains_key(&world) {
            self.places.insert(world.clone(), self.all.len());
            self.all.push(world);
        }
    }

    /// Where one may get from a world by such happenings.
    fn next(&self, world: &World, by: fn(&Happens) -> bool) -> BTreeSet<usize> {
        let mut happenings = Vec::new();
        LIFE.actions(world, &mut happenings);
        let next = happenings.into_iter().filter(by).filter_map(|happens| LIFE.next_state(world, happens));
        next.map(|world| self.places[&world]).collect()
    }

    /// The worlds from which such happenings, in whatever order, need not end in a good one: they stop before it, or
    /// go round in a circle. What changes nothing does not count as happening.
    fn lost(&self, by: fn(&Happens) -> bool, good: fn(&World) -> bool) -> Vec<&World> {
        let mut comes_from = vec![Vec::new(); self.all.len()];
        let mut open = vec![0; self.all.len()];
        let mut safe: Vec<usize> = Vec::new();
        for (here, world) in self.all.iter().enumerate() {
            if good(world) {
                safe.push(here);
                continue;
            }
            let next = self.next(world, by);
            open[here] = next.len();
            next.into_iter().for_each(|there| comes_from[there].push(here));
        }
        let mut is_safe = vec![false; self.all.len()];
        while let Some(there) = safe.pop() {
            is_safe[there] = true;
            for &here in &comes_from[there] {
                open[here] -= 1;
                if open[here] == 0 {
                    safe.push(here);
                }
            }
        }
        self.all.iter().zip(is_safe).filter(|(_, safe)| !safe).map(|(world, _)| &**world).collect()
    }
}

fn explore() -> Worlds {
    let mut worlds = Worlds::default();
    LIFE.init_states().into_iter().for_each(|world| worlds.add(world));
    let mut looked_at = 0;
    while let Some(world) = worlds.all.get(looked_at).cloned() {
        LIFE.next_states(&world).into_iter().for_each(|next| worlds.add(next));
        looked_at += 1;
    }
    worlds
}

fn assert_none_lost(by: fn(&Happens) -> bool, good: fn(&World) -> bool) {
    let lost = WORLDS.lost(by, good);
    assert!(
        lost.is_empty(),
        "{} of {} worlds are lost, such as {:#?}",
        lost.len(),
        WORLDS.all.len(),
        lost[0]
    );
}

/// Requests keep coming, and everybody does what was asked of him, however slowly; no deadline is needed.
fn all_is_well(happens: &Happens) -> bool {
    match happens {
        Happens::Wanted { late } => *late,
        Happens::Obeys { luck } => *luck,
        Happens::ReportArrives { late } => !late,
        Happens::MailArrives
        | Happens::Grants
        | Happens::GrantArrives
        | Happens::Sees
        | Happens::Acks
        | Happens::Probes(_)
        | Happens::RequestEnds
        | Happens::EndsTheRest => true,
        Happens::Unwanted
        | Happens::Sleep(_)
        | Happens::Changed
        | Happens::Deleted
        | Happens::Tick
        | Happens::Dies(_)
        | Happens::LeavesSomething(_)
        | Happens::Refused(_)
        | Happens::RequestBegins => false,
    }
}

/// Gateways say nothing and see nothing, and nobody asks for the app: there are only clocks, slots and processes.
fn no_gateway(happens: &Happens) -> bool {
    match happens {
        Happens::Obeys { luck } => *luck,
        Happens::ReportArrives { late } => !late,
        Happens::Tick | Happens::Grants | Happens::GrantArrives | Happens::EndsTheRest => true,
        Happens::Wanted { .. }
        | Happens::Unwanted
        | Happens::Sleep(_)
        | Happens::Changed
        | Happens::Deleted
        | Happens::Dies(_)
        | Happens::LeavesSomething(_)
        | Happens::Sees
        | Happens::RequestBegins
        | Happens::RequestEnds
        | Happens::Refused(_)
        | Happens::Acks
        | Happens::Probes(_)
        | Happens::MailArrives => false,
    }
}

#[test]
fn an_app_that_is_wanted_comes_up() {
    assert_none_lost(all_is_well, |world| match &world.life {
        State::Awake(running) => world.lives(running.instance),
        State::Gone { .. } => true,
        _ => false,
    });
}

#[test]
fn nothing_is_left_of_an_app_that_is_gone() {
    assert_none_lost(all_is_well, |world| match world.life {
        State::Gone { leaving } => leaving.is_none() && world.platform.alive.is_empty(),
        _ => true,
    });
}

#[test]
fn a_wake_and_an_attempt_to_sleep_end_without_any_gateway() {
    assert_none_lost(no_gateway, |world| !matches!(world.life, State::Waking(_) | State::Draining(_)));
}

/// So that the checks above are about something.
#[test]
fn every_kind_of_state_can_be_reached() {
    let kinds: BTreeSet<&str> = WORLDS.all.iter().map(|world| kind(&world.life)).collect();
    let all = [
        "awake",
        "clearing",
        "crashed",
        "creating",
        "deep",
        "draining",
        "failed",
        "gone",
        "light",
        "probing",
        "queued",
        "resuming",
        "returning",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}

fn kind(state: &State) -> &'static str {
    match state {
        State::Awake(_) => "awake",
        State::Draining(_) => "draining",
        State::Light(_) => "light",
        State::Deep { .. } => "deep",
        State::Waking(waking) => match waking.step {
            WakeStep::Clearing(_) => "clearing",
            WakeStep::Queued => "queued",
            WakeStep::Creating { .. } => "creating",
            WakeStep::Probing { .. } => "probing",
            WakeStep::Returning { .. } => "returning",
            WakeStep::Resuming { .. } => "resuming",
        },
        State::Failed(failed) => match failed.retry {
            Retry::OnRequest => "failed",
            Retry::ByItself => "crashed",
        },
        State::Gone { .. } => "gone",
    }
}

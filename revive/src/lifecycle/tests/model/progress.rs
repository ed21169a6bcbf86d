//! Something good always happens: from every world that there can be, once those around the lifecycle behave, each
//! order of what they do ends in a good one. Stateright's `eventually` does not see cycles, so this walks the graph.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Arc, LazyLock};

use config::link::Depth;
use stateright::Model;

use super::super::super::{Failed, Remains, Retry, State, WakeStep};
use super::world::{Stands, World};
use super::{Happens, Life};
use crate::platform::{Light, Rest};

/// Every world that there can be, of processes and among others.
static PROCESSES: LazyLock<Worlds> = LazyLock::new(|| explore(Light::Paused));
static WORKLOADS: LazyLock<Worlds> = LazyLock::new(|| explore(Light::Stopped));

struct Worlds {
    life: Life,
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
        self.life.actions(world, &mut happenings);
        let next =
            happenings.into_iter().filter(by).filter_map(|happens| self.life.next_state(world, happens));
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

fn explore(light: Light) -> Worlds {
    let life = Life { grants_travel: false, light };
    let mut worlds = Worlds { life, all: Vec::new(), places: HashMap::new() };
    life.init_states().into_iter().for_each(|world| worlds.add(world));
    let mut looked_at = 0;
    while let Some(world) = worlds.all.get(looked_at).cloned() {
        life.next_states(&world).into_iter().for_each(|next| worlds.add(next));
        looked_at += 1;
    }
    worlds
}

fn assert_none_lost(by: fn(&Happens) -> bool, good: fn(&World) -> bool) {
    for worlds in [&*PROCESSES, &*WORKLOADS] {
        let lost = worlds.lost(by, good);
        let (count, all) = (lost.len(), worlds.all.len());
        assert!(lost.is_empty(), "{count} of {all} worlds are lost, such as {:#?}", lost[0]);
    }
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
        | Happens::ComesUp(_)
        | Happens::EndsTheRest => true,
        Happens::Unwanted
        | Happens::Sleep(_)
        | Happens::Changed
        | Happens::Deleted
        | Happens::Tick
        | Happens::Dies(_)
        | Happens::LeavesSomething(_)
        | Happens::Refused(_)
        | Happens::OthersStart { .. }
        | Happens::OthersStop(_)
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
        | Happens::OthersStart { .. }
        | Happens::OthersStop(_)
        | Happens::ComesUp(_)
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
        State::Absent => world.platform.stands == Stands::Rests(Rest::Nothing),
        _ => false,
    });
}

#[test]
fn what_others_run_is_taken_over_or_put_down_again() {
    assert_none_lost(no_gateway, |world| {
        world.platform.stands != Stands::Up || matches!(world.life, State::Gone { .. })
    });
}

/// So that no request waits for what nobody can make, and none is refused by what could be woken.
#[test]
fn it_is_known_whether_there_is_anything_to_wake() {
    assert_none_lost(no_gateway, |world| {
        let rests = world.platform.alive.is_empty() && world.platform.stands != Stands::Up;
        match world.life {
            State::Absent => world.platform.stands == Stands::Rests(Rest::Nothing),
            State::Down { leaving: None, .. } if rests => {
                world.platform.stands != Stands::Rests(Rest::Nothing)
            }
            _ => true,
        }
    });
}

#[test]
fn nothing_is_left_of_an_app_that_is_gone() {
    assert_none_lost(all_is_well, |world| match world.life {
        // What others run is let go.
        State::Gone { leaving } => {
            leaving.is_none() && (world.platform.alive.is_empty() || world.light == Light::Stopped)
        }
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
    let kinds: BTreeSet<&str> = PROCESSES.all.iter().map(|world| kind(&world.life)).collect();
    let all = [
        "awake",
        "clearing",
        "crashed",
        "creating",
        "deep",
        "draining",
        "failed",
        "gone",
        "paused",
        "probing",
        "queued",
        "resuming",
        "returning",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
    let kinds: BTreeSet<&str> = WORKLOADS.all.iter().map(|world| kind(&world.life)).collect();
    let all = [
        "absent",
        "awake",
        "clearing",
        "crashed",
        "creating",
        "deep",
        "draining",
        "failed",
        "failed, running",
        "gone",
        "light",
        "probing",
        "queued",
        "returning",
    ];
    assert_eq!(kinds, BTreeSet::from(all));
}

fn kind(state: &State) -> &'static str {
    match state {
        State::Awake(_) => "awake",
        State::Draining(_) => "draining",
        State::Paused(_) => "paused",
        State::Down { depth: Depth::Light, .. } => "light",
        State::Down { depth: Depth::Deep, .. } => "deep",
        State::Absent => "absent",
        State::Waking(waking) => match waking.step {
            WakeStep::Clearing(_) => "clearing",
            WakeStep::Queued => "queued",
            WakeStep::Creating { .. } => "creating",
            WakeStep::Probing { .. } => "probing",
            WakeStep::Returning { .. } => "returning",
            WakeStep::Resuming { .. } => "resuming",
        },
        State::Failed(Failed { remains: Remains::Running { .. }, retry: Retry::OnRequest, .. }) => {
            "failed, running"
        }
        State::Failed(failed) => match failed.retry {
            Retry::OnRequest => "failed",
            Retry::ByItself => "crashed",
        },
        State::Gone { .. } => "gone",
    }
}

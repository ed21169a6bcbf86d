//! One app's lifecycle and all that is around it, small enough to be looked at in every order of events.
//!
//! * The **platform** carries out commands in order, each some time later, and reports in order; an instance may end
//!   by itself at any time, at once or leaving something that the platform ends some time later, and then heeds no
//!   command. A `Stop` of one that has ended may be answered or not.
//! * **Others** start and stop apps, too, and delete them, where light sleep is `Light::Stopped`: there what runs without
//!   having been asked for by us is said to be up, until it is adopted or started.
//! * **Admission** grants what stands in line, at any time, and may do so while the withdrawal is on its way.
//! * The **gateway** sees what was published some time later, and only the newest of it. It lets requests through while
//!   it sees the app awake, and may find that nobody listens there. It acks a draining, some time later and perhaps too late,
//!   with whether one is open, and then once more when none is.
//! * **Time** is early (no deadline has passed) or late (each has).
//! * Instances and rounds have the lowest number that nobody around uses any more, so that the world stays finite.

use std::collections::VecDeque;
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use config::link::{Depth, Failure, Instance, Round, Status};

use super::super::super::*;
use super::super::{RULES, sample};
use super::ledger::Ledger;
use crate::platform::{Light, Rest};

/// When everything began; no deadline of a [`World`] lies before it, and all before [`late`].
static EARLY: LazyLock<Instant> = LazyLock::new(|| Instant::now() + STABLE + WITHDRAWN_AFTER);
/// A run that has no name yet.
const UNNAMED: Instance = Instance(u64::MAX);
const DEADLINE: Duration = Duration::from_secs(3_600);

pub(super) fn early() -> Instant {
    *EARLY
}

/// All deadlines have passed, and what was up then is stable.
pub(super) fn late() -> Instant {
    early() + DEADLINE
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct World {
    pub(super) light: Light,
    pub(super) life: State,
    pub(super) platform: Platform,
    pub(super) admission: Admission,
    pub(super) gateway: Gateway,
    pub(super) ledger: Ledger,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Platform {
    /// Told, not done yet.
    pub(super) commands: VecDeque<Command>,
    /// Alive, paused or not: never more than one, or the ledger says so.
    pub(super) alive: Vec<Instance>,
    /// Of these, one that has ended by itself and of which something is left.
    pub(super) ending: Option<Instance>,
    /// Said, not heard yet.
    pub(super) reports: VecDeque<Event>,
    /// How the app stands while no instance is alive; of processes always the same.
    pub(super) stands: Stands,
}

/// How an app without an instance stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Stands {
    /// Others have started it.
    Up,
    /// Nothing runs.
    Rests(Rest),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Command {
    Start(Instance),
    Adopt(Instance),
    Pause(Instance),
    Resume(Instance),
    Stop(Instance, Depth),
    Remove,
}

impl Command {
    fn instance(self) -> Option<Instance> {
        match self {
            Self::Start(one)
            | Self::Adopt(one)
            | Self::Pause(one)
            | Self::Resume(one)
            | Self::Stop(one, _) => Some(one),
            Self::Remove => None,
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) struct Admission {
    /// Places in the line.
    pub(super) line: u8,
    /// Grants on their way.
    pub(super) granted: u8,
    /// Slots in use, those of the grants on their way included.
    pub(super) slots: u8,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Gateway {
    pub(super) view: View,
    /// Published, not seen yet.
    pub(super) news: Option<View>,
    /// Whether a request is at the app.
    pub(super) open: bool,
    /// Said, not heard yet.
    pub(super) mail: VecDeque<Event>,
}

/// What a gateway makes of a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum View {
    Awake(Instance),
    /// Holding; not acked yet if there is a round.
    Draining(Option<Round>),
    /// Holding; it has said that a request is open, and says once more when it has ended.
    Busy(Round),
    Waking(Option<Instance>),
    /// Asleep, failed or gone: nothing to be done until somebody asks.
    Idle,
}

impl View {
    fn of(state: &State) -> Self {
        // Of what is about to be gone the table says so.
        if let State::Draining(Draining { round, .. }) = state {
            return Self::Draining(Some(*round));
        }
        match state.status(early()) {
            Some(Status::Awake { instance, .. }) => Self::Awake(instance),
            Some(Status::Draining { round }) => Self::Draining(Some(round)),
            Some(Status::Waking { probe, .. }) => Self::Waking(probe.map(|probe| probe.instance)),
            Some(Status::Asleep { .. } | Status::Failed { .. }) | None => Self::Idle,
        }
    }

    fn instance(self) -> Option<Instance> {
        match self {
            Self::Awake(instance) => Some(instance),
            Self::Waking(probe) => probe,
            Self::Draining(_) | Self::Busy(_) | Self::Idle => None,
        }
    }

    fn round(self) -> Option<Round> {
        match self {
            Self::Draining(round) => round,
            Self::Busy(round) => Some(round),
            Self::Awake(_) | Self::Waking(_) | Self::Idle => None,
        }
    }
}

impl World {
    /// Nothing has happened yet.
    pub(super) fn asleep(light: Light) -> Self {
        let life = State::Down { depth: Depth::Deep, leaving: None };
        let gateway = Gateway { view: View::Idle, news: None, open: false, mail: VecDeque::new() };
        let ledger = Ledger::new(light);
        let platform = Platform {
            commands: VecDeque::new(),
            alive: Vec::new(),
            ending: None,
            reports: VecDeque::new(),
            stands: Stands::Rests(Rest::Asleep(Depth::Deep)),
        };
        Self { light, life, platform, admission: Admission::default(), gateway, ledger }
    }

    /// Lets an event happen to the lifecycle, and does what it says.
    pub(super) fn happens(&mut self, event: Event, now: Instant) {
        self.ledger.heard(&event);
        let before = std::mem::replace(&mut self.life, State::Absent);
        let Transition { state, actions } =
            step(before.clone(), event, &Rules { light: self.light, ..RULES }, now);
        self.ledger.check(&before, &event, &state, &actions, &self.gateway);
        for action in actions {
            self.does(&action, &state);
        }
        self.life = timeless(state, self.light);
    }

    fn does(&mut self, action: &Action, state: &State) {
        match *action {
            Action::Publish => {
                self.gateway.news = Some(View::of(state));
                // That news take their time is the same without others.
                if self.light == Light::Stopped {
                    self.gateway.sees();
                }
            }
            Action::Enqueue => self.admission.line = 1,
            Action::Withdraw => self.admission.line = self.admission.line.saturating_sub(1),
            Action::Release => match self.admission.slots.checked_sub(1) {
                Some(slots) => self.admission.slots = slots,
                None => self.ledger.broken("a slot was given back that nobody had"),
            },
            Action::Start(instance) => self.platform.commands.push_back(Command::Start(instance)),
            Action::Pause(instance) => self.platform.commands.push_back(Command::Pause(instance)),
            Action::Resume(instance) => self.platform.commands.push_back(Command::Resume(instance)),
            Action::Adopt(instance) => self.platform.commands.push_back(Command::Adopt(instance)),
            // What is said again was said before: here it has nothing to add. With answers there are too many worlds,
            // and none of another kind than after `Adopt`.
            Action::AskAgain(_) => {}
            Action::Stop { instance, depth } => {
                self.platform.commands.push_back(Command::Stop(instance, depth));
            }
            Action::Remove => self.platform.commands.push_back(Command::Remove),
            Action::WakeEnded(_) | Action::Crashed(_) => {}
        }
    }

    /// Admission lets the first in line start.
    pub(super) fn grants(&mut self) {
        self.admission.line -= 1;
        self.admission.granted += 1;
        self.admission.slots += 1;
        // One for the start under way and one for a grant that crossed a withdrawal. Said here as well, so that the
        // worlds of a leak are not without end.
        if self.admission.slots > 2 {
            self.ledger.broken("a slot was never given back");
        }
    }

    /// The lifecycle hears of the grant.
    pub(super) fn grant_arrives(&mut self) {
        self.admission.granted -= 1;
        let instance = self.next_instance();
        self.happens(Event::Granted { instance }, early());
    }

    /// An instance ends by itself; something of it is left.
    pub(super) fn leaves_something(&mut self, instance: Instance) {
        self.platform.ending = Some(instance);
        self.platform.reports.push_back(Event::Ending { instance });
    }

    /// An instance ends by itself, or the rest of it does.
    pub(super) fn dies(&mut self, instance: Instance) {
        self.platform.alive.retain(|other| *other != instance);
        self.platform.ending = None;
        self.platform.reports.push_back(Event::Exited { instance });
    }

    /// The platform carries out its next command; with `luck` it goes as one hopes.
    pub(super) fn obeys(&mut self, luck: bool) {
        let Some(command) = self.platform.commands.pop_front() else { return };
        let report = match command {
            Command::Start(instance) if self.platform.stands == Stands::Rests(Rest::Nothing) => {
                Some(Event::PutDown { instance, rest: Rest::Nothing })
            }
            Command::Start(instance) if luck => Some(self.runs_as(instance)),
            Command::Start(instance) if self.platform.stands == Stands::Up => Some(self.fails_as(instance)),
            Command::Start(instance) => Some(Event::NotCreated { instance, failure: Failure::NotStarted }),
            // Of what has ended, the end has been reported: nothing more comes.
            Command::Pause(instance) => self.lives(instance).then_some(Event::Paused { instance }),
            Command::Resume(instance) => self.lives(instance).then_some(Event::Resumed { instance }),
            // It does already.
            Command::Stop(instance, _) if self.platform.ending == Some(instance) => None,
            Command::Stop(instance, depth) => {
                let lived = self.lives(instance);
                self.platform.alive.retain(|other| *other != instance);
                if lived && self.light == Light::Stopped {
                    self.platform.stands = Stands::Rests(Rest::Asleep(depth));
                }
                (lived || luck || self.light == Light::Stopped).then_some(Event::Exited { instance })
            }
            Command::Adopt(instance) => Some(match self.platform.stands {
                Stands::Up if luck => self.runs_as(instance),
                Stands::Up => self.fails_as(instance),
                Stands::Rests(rest) => Event::PutDown { instance, rest },
            }),
            Command::Remove => match self.platform.stands {
                // It was said already.
                Stands::Up => None,
                Stands::Rests(rest) => {
                    let deep = luck && rest == Rest::Asleep(Depth::Light);
                    let rest = if deep { Rest::Asleep(Depth::Deep) } else { rest };
                    self.platform.stands = Stands::Rests(rest);
                    Some(Event::Rests(rest))
                }
            },
        };
        self.platform.reports.extend(report);
    }

    /// What others run has a name now, and will not come up as it is.
    fn fails_as(&mut self, instance: Instance) -> Event {
        self.runs_as(instance);
        Event::NotCreated { instance, failure: Failure::ImagePull }
    }

    fn runs_as(&mut self, instance: Instance) -> Event {
        self.platform.alive.push(instance);
        if self.light == Light::Stopped {
            self.platform.stands = Stands::Rests(Rest::Asleep(Depth::Light));
        }
        Event::Created { instance, endpoint: sample::endpoint() }
    }

    /// Somebody else makes it run, knowing that it sleeps or not. Which name it gets is decided when it is heard of.
    pub(super) fn others_start(&mut self, knowing: bool) {
        let instance = UNNAMED;
        let depth = match self.platform.stands {
            Stands::Rests(Rest::Asleep(depth)) => depth,
            Stands::Up | Stands::Rests(Rest::Nothing) => Depth::Light,
        };
        self.platform.stands = Stands::Up;
        let put_back = Event::PutBack { instance, depth };
        let report = if knowing { Event::Appeared { instance } } else { put_back };
        self.platform.reports.push_back(report);
    }

    /// Somebody else puts it down, or deletes it.
    pub(super) fn others_stop(&mut self, rest: Rest) {
        self.platform.stands = Stands::Rests(rest);
        let report = match self.platform.alive.pop() {
            Some(instance) => Event::PutDown { instance, rest },
            None => Event::Rests(rest),
        };
        self.platform.reports.push_back(report);
    }

    /// The lifecycle hears the platform's next report.
    pub(super) fn hears_report(&mut self, now: Instant) {
        let Some(report) = self.platform.reports.pop_front() else { return };
        let instance = self.next_instance();
        let report = match report {
            Event::Appeared { .. } => Event::Appeared { instance },
            Event::PutBack { depth, .. } => Event::PutBack { instance, depth },
            other => other,
        };
        self.happens(report, now);
    }

    /// Whether it is there, and heeds commands.
    pub(super) fn lives(&self, instance: Instance) -> bool {
        self.platform.alive.contains(&instance) && self.platform.ending != Some(instance)
    }

    /// The lowest name that nobody uses.
    pub(super) fn next_instance(&self) -> Instance {
        // Whoever is ending is alive, too.
        let Platform { commands, alive, reports, ending: _, stands: _ } = &self.platform;
        let used: Vec<Instance> = [self.life.instance(), self.ledger.instance.instance()]
            .into_iter()
            .chain([self.gateway.view.instance(), self.gateway.news.and_then(View::instance)])
            .flatten()
            .chain(alive.iter().copied())
            .chain(commands.iter().filter_map(|command| command.instance()))
            .chain(reports.iter().chain(&self.gateway.mail).filter_map(subject))
            .collect();
        Instance((0..).find(|number| !used.contains(&Instance(*number))).unwrap_or_default())
    }

    /// As [`next_instance`](Self::next_instance).
    pub(super) fn next_round(&self) -> Round {
        let life = View::of(&self.life);
        let said = self.gateway.mail.iter().filter_map(|event| match event {
            Event::Quiesced { round, .. } => Some(*round),
            _ => None,
        });
        let seen = [Some(life), Some(self.gateway.view), self.gateway.news].into_iter().flatten();
        let used: Vec<Round> = seen.filter_map(View::round).chain(said).collect();
        Round((0..).find(|number| !used.contains(&Round(*number))).unwrap_or_default())
    }
}

impl Gateway {
    pub(super) fn sees(&mut self) {
        self.view = self.news.take().unwrap_or(self.view);
        self.open &= matches!(self.view, View::Awake(_) | View::Draining(_) | View::Busy(_));
    }

    pub(super) fn acks(&mut self) {
        if let View::Draining(Some(round)) | View::Busy(round) = self.view {
            self.view = if self.open { View::Busy(round) } else { View::Draining(None) };
            self.mail.push_back(Event::Quiesced { round, busy: self.open });
        }
    }

    /// Said once, then there is nothing left to probe. That an instance does not answer yet changes only the name of
    /// a failure, and is left to the table.
    pub(super) fn probes(&mut self, instance: Instance) {
        self.view = View::Waking(None);
        self.mail.push_back(Event::Reachable { instance });
    }
}

/// Whom an event is about.
fn subject(event: &Event) -> Option<Instance> {
    match *event {
        Event::Created { instance, .. }
        | Event::NotCreated { instance, .. }
        | Event::Paused { instance }
        | Event::Resumed { instance }
        | Event::Ending { instance }
        | Event::Exited { instance }
        | Event::Reachable { instance }
        | Event::NotReachable { instance, .. }
        | Event::Unreachable { instance }
        | Event::Phase { instance, .. }
        | Event::Ails { instance, .. }
        | Event::Ready { instance, .. }
        | Event::PutDown { instance, .. }
        | Event::Appeared { instance }
        | Event::PutBack { instance, .. }
        | Event::Granted { instance } => Some(instance),
        Event::Wanted(_)
        | Event::Unwanted
        | Event::Sleep { .. }
        | Event::Quiesced { .. }
        | Event::Tick
        | Event::Rests(_)
        | Event::Changed { .. }
        | Event::Deleted { .. } => None,
    }
}

/// The same state with all its times as if it began just now, so that worlds that differ in times only are one; and
/// with failures after the second taken as the second: what a crash does after the last restart is in the table.
fn timeless(state: State, light: Light) -> State {
    let deadline = late();
    // What comes of the second failure in a row that is a crash, no workload does.
    let most = if light == Light::Stopped { 1 } else { 2 };
    let few = |failures: u32| failures.min(most);
    let running = |running: Running| Running {
        since: early(),
        wake_took: Duration::ZERO,
        failures: few(running.failures),
        ..running
    };
    match state {
        State::Awake(up) => State::Awake(running(up)),
        State::Paused(up) => State::Paused(running(up)),
        State::Draining(draining) => {
            State::Draining(Draining { running: running(draining.running), deadline, ..draining })
        }
        State::Waking(Waking { step, failures, retry, unwanted_since, depth, by, .. }) => {
            State::Waking(Waking {
                depth,
                by,
                retry,
                step: match step {
                    WakeStep::Clearing(_) | WakeStep::Queued => step,
                    WakeStep::Creating { instance, phase, so_far, .. } => {
                        WakeStep::Creating { instance, deadline, phase, so_far }
                    }
                    WakeStep::Probing { instance, endpoint, so_far, .. } => {
                        WakeStep::Probing { instance, endpoint, so_far, deadline }
                    }
                    WakeStep::Returning { instance, endpoint, so_far, .. } => {
                        WakeStep::Returning { instance, endpoint, deadline, so_far }
                    }
                    WakeStep::Resuming { running: paused, .. } => {
                        WakeStep::Resuming { running: running(paused), deadline }
                    }
                },
                marks: Vec::new(),
                failures: few(failures),
                unwanted_since: unwanted_since.map(|_| early()),
            })
        }
        State::Failed(failed) => {
            State::Failed(Failed { retry_at: deadline, failures: few(failed.failures), ..failed })
        }
        State::Down { .. } | State::Absent | State::Gone { .. } => state,
    }
}

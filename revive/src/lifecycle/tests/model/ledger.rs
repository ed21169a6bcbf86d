//! What a correct lifecycle never does, noted at each step: the first thing that it did is kept.

use config::link::Instance;

use super::super::super::*;
use super::world::{Gateway, View};
use crate::platform::{Light, Rest};

/// What the lifecycle has been told about the instance that it started last.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Ledger {
    light: Light,
    pub(super) instance: Known,
    pub(super) broken: Option<&'static str>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default)]
pub(super) enum Known {
    /// None was started, or it is known to have ended.
    #[default]
    Nothing,
    /// It was told to run.
    Runs(Instance),
    /// It was told to pause.
    Paused(Instance),
    /// It was told to stop, or does so by itself.
    Stops(Instance),
}

impl Known {
    pub(super) fn instance(self) -> Option<Instance> {
        match self {
            Self::Nothing => None,
            Self::Runs(instance) | Self::Paused(instance) | Self::Stops(instance) => Some(instance),
        }
    }
}

impl Ledger {
    pub(super) fn new(light: Light) -> Self {
        Self { light, instance: Known::Nothing, broken: None }
    }

    pub(super) fn broken(&mut self, rule: &'static str) {
        self.broken.get_or_insert(rule);
    }

    fn holds(&mut self, holds: bool, rule: &'static str) {
        if !holds {
            self.broken(rule);
        }
    }

    /// The lifecycle hears of an event.
    pub(super) fn heard(&mut self, event: &Event) {
        match *event {
            Event::Exited { instance } | Event::PutDown { instance, .. }
                if self.instance.instance() == Some(instance) =>
            {
                self.instance = Known::Nothing;
            }
            // Where others start apps too, it may have left something, and what is theirs may yet come up.
            Event::NotCreated { instance, .. }
                if self.instance.instance() == Some(instance) && self.light == Light::Paused =>
            {
                self.instance = Known::Nothing;
            }
            Event::Ending { instance } if self.instance.instance() == Some(instance) => {
                self.instance = Known::Stops(instance);
            }
            _ => {}
        }
    }

    /// The lifecycle has decided.
    pub(super) fn check(
        &mut self,
        before: &State,
        event: &Event,
        after: &State,
        actions: &[Action],
        gateway: &Gateway,
    ) {
        self.tells_gateways_first(before, after, actions);
        self.records_each_wake_once(before, after, actions);
        for action in actions {
            self.commands_what_there_is(action);
            self.sleeps_only_what_is_quiet(action, event, gateway);
        }
        let over = match event {
            // What others run is let go; and of what they have deleted nothing is left.
            Event::Deleted { .. } => self.light == Light::Stopped,
            Event::Rests(Rest::Nothing) => *after == State::Absent,
            _ => false,
        };
        if over {
            self.instance = Known::Nothing;
        }
        self.holds(after.instance() == self.instance.instance(), "it knows what instance there is");
    }

    fn tells_gateways_first(&mut self, before: &State, after: &State, actions: &[Action]) {
        let published = actions.iter().filter(|action| **action == Action::Publish).count();
        if view(before) != view(after) {
            self.holds(published == 1, "gateways are told once of each change");
        }
        if published > 0
            || actions.iter().any(|action| matches!(action, Action::Pause(_) | Action::Stop { .. }))
        {
            self.holds(actions.first() == Some(&Action::Publish), "gateways are told first");
        }
    }

    /// A wake that is withdrawn, or whose app is deleted, has no end; one that begins anew for a change, or because
    /// the instance that was up before has ended, is the same wake.
    fn records_each_wake_once(&mut self, before: &State, after: &State, actions: &[Action]) {
        let results: Vec<bool> = actions
            .iter()
            .filter_map(|action| match action {
                Action::WakeEnded(ended) => Some(ended.result.is_ok()),
                _ => None,
            })
            .collect();
        let expected: &[bool] = match (before, after) {
            (State::Waking(_), State::Awake(_)) => &[true],
            (State::Waking(_), State::Failed(_)) => &[false],
            _ => &[],
        };
        self.holds(results == expected, "each wake's end is recorded once");
    }

    fn commands_what_there_is(&mut self, action: &Action) {
        let (known, right, rule) = match *action {
            Action::Start(new) => {
                (Known::Runs(new), self.instance == Known::Nothing, "two of one app never run at once")
            }
            Action::Adopt(new) => {
                // What was told to stop has: else others could not have started it.
                let free = matches!(self.instance, Known::Nothing | Known::Stops(_));
                (Known::Runs(new), free, "only what has no name gets one")
            }
            Action::AskAgain(one) => {
                (Known::Runs(one), self.instance == Known::Runs(one), "only what runs is asked for")
            }
            Action::Pause(one) => {
                (Known::Paused(one), self.instance == Known::Runs(one), "only what runs is paused")
            }
            Action::Resume(one) => {
                (Known::Runs(one), self.instance == Known::Paused(one), "only what is paused is resumed")
            }
            Action::Stop { instance: one, .. } => {
                let there = [Known::Runs(one), Known::Paused(one)].contains(&self.instance);
                (Known::Stops(one), there, "only what there is is stopped, and once")
            }
            Action::Publish
            | Action::Enqueue
            | Action::Withdraw
            | Action::Release
            | Action::Remove
            | Action::WakeEnded(_)
            | Action::Crashed(_) => return,
        };
        self.holds(right, rule);
        self.instance = known;
    }

    /// Sleep is not for an app that a gateway still sends to, whatever it said earlier.
    fn sleeps_only_what_is_quiet(&mut self, action: &Action, event: &Event, gateway: &Gateway) {
        let sleep = matches!(action, Action::Pause(_) | Action::Stop { .. })
            && matches!(event, Event::Quiesced { .. });
        if sleep {
            self.holds(
                !matches!(gateway.view, View::Awake(_)),
                "no gateway lets requests through to what is put to sleep",
            );
            self.holds(!gateway.open, "nothing is open at what is put to sleep");
        }
    }
}

/// A state as gateways see it, without its times.
fn view(state: &State) -> String {
    use config::link::Status;
    match state.status(super::world::early()) {
        Some(Status::Waking { phase, probe, .. }) => format!("waking {phase:?} {probe:?}"),
        Some(Status::Failed { failure, .. }) => format!("failed {failure:?}"),
        other => format!("{other:?}"),
    }
}

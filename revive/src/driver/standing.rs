//! What others do to apps on a platform that keeps them while we are away: how they stand when we begin, and whenever
//! somebody else starts them, stops them or puts them back.

use std::sync::Arc;
use std::time::{Duration, Instant};

use config::link::{Depth, Instance};
use config::model::{AppId, Endpoint};

use super::Driver;
use super::record::{Life, Loss};
use crate::brakes::PutBack;
use crate::clock;
use crate::lifecycle::{Event, Failed, Remains, Running, State, WakeStep, Waking};
use crate::platform::{Command, Note, Rest, Standing};
use crate::tell::tell;

/// How long a removal is not tried again that came to nothing.
const NOT_REMOVED: Duration = Duration::from_mins(10);
/// Bytes of the platform's words that are kept.
const WORDS: usize = 1_024;

impl Driver {
    /// How an app stands of which nothing is known here yet. What is up by the platform's own word has not been woken by
    /// anybody: it is awake.
    pub(super) fn begins(&mut self, id: &AppId, standing: Standing) {
        let now = clock::now();
        match standing {
            Standing::Up { endpoints } if !endpoints.is_empty() => self.goes_on(id, endpoints, now),
            standing
            @ (Standing::Up { .. } | Standing::Asleep(_) | Standing::PutBack | Standing::Nothing) => {
                self.stands(id, standing)
            }
        }
        self.schedule(id, now);
    }

    /// An app has been up since before us.
    fn goes_on(&mut self, id: &AppId, endpoints: Arc<[Endpoint]>, now: Instant) {
        let theirs = self.apps.get(id).is_some_and(|record| matches!(record.life, Life::Theirs));
        let Some(endpoint) = endpoints.first().map(|first| first.address) else { return };
        if theirs {
            return self.stands(id, Standing::Up { endpoints });
        }
        let Some(instance) = self.next_instance(id) else { return };
        let Some(record) = self.apps.get_mut(id) else { return };
        let running = Running { instance, endpoint, since: now, wake_took: Duration::ZERO, failures: 0 };
        record.life = Life::Ours(State::Awake(running));
        record.endpoints = Some((instance, endpoints));
        self.platform.submit(Command::Adopt { app: record.app.clone(), instance });
        self.gateways.publish(id);
    }

    /// Somebody else has done something to an app, or a removal has come to its end.
    pub(super) fn stands(&mut self, id: &AppId, standing: Standing) {
        let Some(record) = self.apps.get_mut(id) else { return };
        if matches!(record.life, Life::Theirs) {
            let endpoints = match standing {
                Standing::Up { endpoints } => endpoints,
                Standing::Asleep(_) | Standing::PutBack | Standing::Nothing => [].into(),
            };
            record.endpoints = Some((Instance(0), endpoints));
            return self.gateways.publish(id);
        }
        match standing {
            Standing::Up { endpoints } => self.appears(id, endpoints),
            Standing::Asleep(depth) => self.rests(id, Rest::Asleep(depth)),
            Standing::Nothing => self.rests(id, Rest::Nothing),
            Standing::PutBack => self.put_back(id),
        }
    }

    fn appears(&mut self, id: &AppId, endpoints: Arc<[Endpoint]>) {
        let Some(instance) = self.next_instance(id) else { return };
        self.happen(id, Event::Appeared { instance });
        if !endpoints.is_empty() {
            self.endpoints(id, instance, endpoints);
        }
    }

    fn rests(&mut self, id: &AppId, rest: Rest) {
        let Some(record) = self.apps.get_mut(id) else { return };
        let Some(state) = record.state() else { return };
        if let Some(instance) = heard_of(state) {
            return self.happen(id, Event::PutDown { instance, rest });
        }
        let removed = matches!(state, State::Down { depth: Depth::Deep, leaving: None });
        if removed && rest == Rest::Asleep(Depth::Light) {
            tell!(warn, &record.app, "it was not removed; it is tried again in ten minutes");
            record.not_before = Some(clock::now() + NOT_REMOVED);
        }
        self.happen(id, Event::Rests(rest));
    }

    /// Something that does not know that the app sleeps has made it run.
    fn put_back(&mut self, id: &AppId) {
        let now = clock::now();
        let Some(record) = self.apps.get_mut(id) else { return };
        let from = match record.state() {
            Some(State::Down { depth, .. }) => *depth,
            // What failed was put down, too.
            Some(State::Failed(_)) => Depth::Light,
            // It is wanted, too, and stays up. Once it has been told to start, the platform finds what it was put back from.
            Some(State::Waking(waking)) => {
                let from = waking.depth;
                if matches!(waking.step, WakeStep::Queued | WakeStep::Clearing(_)) {
                    let _it_stays = record.put_back(from, now);
                }
                return self.appears(id, [].into());
            }
            Some(
                State::Awake(_) | State::Draining(_) | State::Paused(_) | State::Absent | State::Gone { .. },
            )
            | None => return self.appears(id, [].into()),
        };
        match record.put_back(from, now) {
            PutBack::StaysUp => self.appears(id, [].into()),
            PutBack::Again(depth) => {
                if let Some(instance) = self.next_instance(id) {
                    self.happen(id, Event::PutBack { instance, depth });
                }
            }
        }
    }

    /// The platform's own word on who takes the requests of an instance. Nobody, for one that is awake: its requests wait
    /// until somebody does again.
    pub(super) fn endpoints(&mut self, id: &AppId, instance: Instance, endpoints: Arc<[Endpoint]>) {
        let Some(record) = self.apps.get_mut(id) else { return };
        if record.state().and_then(State::instance) != Some(instance) {
            return;
        }
        let first = endpoints.first().map(|first| first.address);
        let known = record.endpoints.replace((instance, endpoints));
        let changed = known != record.endpoints;
        match first {
            Some(endpoint) => self.happen(id, Event::Ready { instance, endpoint }),
            None => self.happen(id, Event::Unreachable { instance }),
        }
        let awake = self.apps.get(id).is_some_and(|record| matches!(record.state(), Some(State::Awake(_))));
        if awake && changed {
            self.gateways.publish(id);
        }
    }

    /// A word for the owner.
    pub(super) fn noted(&mut self, id: &AppId, note: Note) {
        let now = clock::now();
        let Some(record) = self.apps.get_mut(id) else { return };
        match note {
            Note::Why(failure, words) => record.because(failure, shortened(words)),
            Note::WouldLoseData(depth, what) => record.loss = Some(Loss { depth, what: shortened(what) }),
            Note::LosesNothing => record.loss = None,
            Note::PutBack(from) => {
                // Somebody wants it: whatever is to be done, it stays up for now.
                let _it_stays = record.put_back(from, now);
            }
            Note::Deployed => record.undone.forget(),
        }
        self.schedule(id, now);
        self.show(id);
    }

    /// Shows people how the app is now.
    pub(super) fn show(&self, id: &AppId) {
        if let Some(record) = self.apps.get(id) {
            self.store.show_app(super::view::view(record, (clock::now(), (self.wall)())));
        }
    }

    /// A name for the next run of an app.
    pub(super) fn next_instance(&mut self, id: &AppId) -> Option<Instance> {
        let number = self.instances.next();
        if let (None, Some(record)) = (number, self.apps.get(id)) {
            tell!(error, &record.app, "no instance number is left; restart the edge");
        }
        number.map(Instance)
    }
}

/// The instance that the platform is known to have taken on: whatever it says of the app's standing, it says of this one.
fn heard_of(state: &State) -> Option<Instance> {
    match state {
        State::Awake(_) | State::Draining(_) | State::Paused(_) => state.instance(),
        State::Waking(Waking {
            step: WakeStep::Probing { instance, .. } | WakeStep::Returning { instance, .. },
            ..
        })
        | State::Failed(Failed { remains: Remains::Running { instance, .. }, .. }) => Some(*instance),
        State::Waking(_) | State::Failed(_) | State::Down { .. } | State::Absent | State::Gone { .. } => None,
    }
}

fn shortened(mut words: String) -> String {
    let end = words.floor_char_boundary(WORDS);
    words.truncate(end);
    words
}

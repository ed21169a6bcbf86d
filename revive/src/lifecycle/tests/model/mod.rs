//! The lifecycle in every order of events: nothing bad ever happens (checked by stateright), and something good
//! always does (checked on the same graph in [`progress`]).

use config::link::{Depth, Instance};
use stateright::{Checker, Model, Property};

use super::super::{By, Demand, Event, Failed, Remains, State, WakeStep};
use crate::platform::{Light, Rest};
use world::{Stands, View, World, early, late};

mod ledger;
mod progress;
mod world;

/// The lifecycle of one app.
#[derive(Clone, Copy, Debug)]
struct Life {
    /// Whether a grant may cross a withdrawal on its way, as it does where admission and lifecycle are two tasks.
    grants_travel: bool,
    /// Whether others start and stop the app, too.
    light: Light,
}

/// One thing that happens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Happens {
    /// A request asks; late, an admin might as well.
    Wanted {
        late: bool,
    },
    Unwanted,
    Sleep(Depth),
    Changed,
    Deleted,
    /// Late: one that is early does nothing, see [`history`](super::history).
    Tick,
    /// Admission decides.
    Grants,
    /// The lifecycle hears of it.
    GrantArrives,
    /// The platform does what it was told next.
    Obeys {
        luck: bool,
    },
    /// An instance ends by itself, all of it.
    Dies(Instance),
    /// An instance ends by itself, but for something of it.
    LeavesSomething(Instance),
    /// The platform has ended what that was.
    EndsTheRest,
    /// Somebody else makes it run; or something that does not know that it sleeps.
    OthersStart {
        knowing: bool,
    },
    /// Somebody else puts it down, or deletes what runs it.
    OthersStop(Rest),
    /// The platform says that an instance takes requests.
    ComesUp(Instance),
    /// The lifecycle hears the platform's next report.
    ReportArrives {
        late: bool,
    },
    /// The gateway learns the newest state.
    Sees,
    RequestBegins,
    RequestEnds,
    /// A request finds nobody listening.
    Refused(Instance),
    Acks,
    /// The gateway gets an answer from an instance.
    Probes(Instance),
    /// The lifecycle hears what the gateway said next.
    MailArrives,
}

/// How much a gateway may have said that was not heard yet.
const MAIL: usize = 1;
/// How much the platform may have said that was not heard yet, before others do something.
const REPORTS: usize = 1;
/// And how much it was told that it has not done yet.
const COMMANDS: usize = 1;

impl Model for Life {
    type State = World;
    type Action = Happens;

    fn init_states(&self) -> Vec<World> {
        vec![World::asleep(self.light)]
    }

    fn actions(&self, world: &World, actions: &mut Vec<Happens>) {
        if world.ledger.broken.is_some() {
            return;
        }
        anybody(actions);
        around_the_platform(world, actions);
        at_the_gateway(world, actions);
        if self.light == Light::Stopped {
            // Draining, and what is open meanwhile, is the same as without others; without it there are far fewer worlds.
            actions.retain(|action| !matches!(action, Happens::RequestBegins | Happens::Changed));
        }
        if self.grants_travel {
            // Neither sleep nor sudden death has to do with grants; without them there are far fewer worlds.
            let apart = |action: &Happens| {
                matches!(
                    action,
                    Happens::Sleep(_)
                        | Happens::RequestBegins
                        | Happens::Refused(_)
                        | Happens::Dies(_)
                        | Happens::LeavesSomething(_)
                        | Happens::ComesUp(_)
                )
            };
            actions.retain(|action| !apart(action));
        }
    }

    fn next_state(&self, before: &World, action: Happens) -> Option<World> {
        let mut world = before.clone();
        match action {
            Happens::Wanted { late } => world.happens(Event::Wanted(Demand::Request), time(late)),
            Happens::Unwanted => world.happens(Event::Unwanted, early()),
            Happens::Sleep(depth) => {
                let round = world.next_round();
                world.happens(Event::Sleep { depth, round }, early());
            }
            Happens::Changed => {
                let round = world.next_round();
                world.happens(Event::Changed { round }, early());
            }
            Happens::Deleted => {
                let round = world.next_round();
                world.happens(Event::Deleted { round }, early());
            }
            Happens::Tick => world.happens(Event::Tick, late()),
            Happens::Grants => {
                world.grants();
                if !self.grants_travel {
                    world.grant_arrives();
                }
            }
            Happens::GrantArrives => world.grant_arrives(),
            Happens::Obeys { luck } => world.obeys(luck),
            Happens::Dies(instance) => world.dies(instance),
            Happens::LeavesSomething(instance) => world.leaves_something(instance),
            Happens::EndsTheRest => world.dies(world.platform.ending?),
            Happens::ReportArrives { late } => {
                world.platform.reports.front()?;
                world.hears_report(time(late));
            }
            Happens::OthersStart { knowing } => world.others_start(knowing),
            Happens::OthersStop(rest) => world.others_stop(rest),
            Happens::ComesUp(instance) => {
                let endpoint = super::sample::endpoint();
                world.platform.reports.push_back(Event::Ready { instance, endpoint });
            }
            Happens::Sees => world.gateway.sees(),
            Happens::RequestBegins => world.gateway.open = true,
            Happens::RequestEnds => world.gateway.open = false,
            Happens::Refused(instance) => world.gateway.mail.push_back(Event::Unreachable { instance }),
            Happens::Acks => world.gateway.acks(),
            Happens::Probes(instance) => world.gateway.probes(instance),
            Happens::MailArrives => {
                let mail = world.gateway.mail.pop_front()?;
                world.happens(mail, early());
            }
        }
        (world != *before).then_some(world)
    }

    fn properties(&self) -> Vec<Property<Self>> {
        vec![
            Property::always("the ledger finds nothing broken", |_, world: &World| {
                world.ledger.broken.is_none()
            }),
            Property::always("two of one app never run at once", |_, world: &World| {
                world.platform.alive.len() <= 1
            }),
            Property::always("no slot leaks", |_, world: &World| {
                let starting = matches!(&world.life, State::Waking(waking)
                    if matches!(waking.step, WakeStep::Creating { .. } | WakeStep::Probing { .. })
                    && waking.by == By::Us);
                world.admission.slots == world.admission.granted + u8::from(starting)
            }),
            Property::always(
                "who is queued stands in line, and nobody else does",
                |life: &Life, world: &World| {
                    let queued =
                        matches!(&world.life, State::Waking(waking) if waking.step == WakeStep::Queued);
                    let waits = world.admission.line + world.admission.granted;
                    // A grant that crossed a withdrawal is taken for that of the next wake, and that one's is given back.
                    if life.grants_travel { waits >= u8::from(queued) } else { waits == u8::from(queued) }
                },
            ),
        ]
    }
}

fn time(is_late: bool) -> std::time::Instant {
    if is_late { late() } else { early() }
}

/// What requests, admins and clocks do at any time.
fn anybody(actions: &mut Vec<Happens>) {
    actions.extend([Happens::Wanted { late: false }, Happens::Wanted { late: true }, Happens::Unwanted]);
    actions.push(Happens::Tick);
    actions.extend([Happens::Sleep(Depth::Light), Happens::Sleep(Depth::Deep), Happens::Changed]);
    actions.push(Happens::Deleted);
}

fn around_the_platform(world: &World, actions: &mut Vec<Happens>) {
    if world.admission.line > 0 && world.admission.granted < 1 {
        actions.push(Happens::Grants);
    }
    if world.admission.granted > 0 {
        actions.push(Happens::GrantArrives);
    }
    if !world.platform.commands.is_empty() {
        actions.extend([Happens::Obeys { luck: true }, Happens::Obeys { luck: false }]);
    }
    for instance in world.platform.alive.iter().copied().filter(|instance| world.lives(*instance)) {
        match world.light {
            Light::Paused => actions.extend([Happens::Dies(instance), Happens::LeavesSomething(instance)]),
            Light::Stopped if comes_up(&world.life, instance) && world.platform.reports.len() < REPORTS => {
                actions.push(Happens::ComesUp(instance));
            }
            Light::Stopped => {}
        }
    }
    let heard = world.platform.reports.len() < REPORTS && world.platform.commands.len() <= COMMANDS;
    if world.light == Light::Stopped && heard {
        others(world, actions);
    }
    if world.platform.ending.is_some() {
        actions.push(Happens::EndsTheRest);
    }
    if !world.platform.reports.is_empty() {
        actions.extend([Happens::ReportArrives { late: false }, Happens::ReportArrives { late: true }]);
    }
}

/// Once, as far as it matters: to who is up already it is no news.
fn comes_up(life: &State, instance: Instance) -> bool {
    let waits = matches!(life, State::Waking(waking) if !matches!(waking.step, WakeStep::Clearing(_)));
    let failed = matches!(life, State::Failed(Failed { remains: Remains::Running { .. }, .. }));
    life.instance() == Some(instance) && (waits || failed)
}

fn others(world: &World, actions: &mut Vec<Happens>) {
    let is_up = world.platform.stands == Stands::Up;
    if world.platform.alive.is_empty() && !is_up {
        actions.push(Happens::OthersStart { knowing: true });
        if world.platform.stands != Stands::Rests(Rest::Nothing) {
            actions.push(Happens::OthersStart { knowing: false });
        }
    }
    for rest in [Rest::Asleep(Depth::Light), Rest::Nothing] {
        if !world.platform.alive.is_empty() || world.platform.stands != Stands::Rests(rest) {
            actions.push(Happens::OthersStop(rest));
        }
    }
}

fn at_the_gateway(world: &World, actions: &mut Vec<Happens>) {
    let gateway = &world.gateway;
    if gateway.news.is_some() {
        actions.push(Happens::Sees);
    }
    if gateway.open {
        actions.push(Happens::RequestEnds);
    }
    if !gateway.mail.is_empty() {
        actions.push(Happens::MailArrives);
    }
    let may_write = gateway.mail.len() < MAIL;
    match gateway.view {
        View::Awake(instance) => {
            actions.push(Happens::RequestBegins);
            if may_write {
                actions.push(Happens::Refused(instance));
            }
        }
        View::Draining(Some(_)) if may_write => actions.push(Happens::Acks),
        View::Busy(_) if may_write && !gateway.open => actions.push(Happens::Acks),
        View::Waking(Some(instance)) if may_write => actions.push(Happens::Probes(instance)),
        View::Draining(_) | View::Busy(_) | View::Waking(_) | View::Idle => {}
    }
}

fn check(life: Life) {
    // Counterexamples are easier to read if they are short.
    for depth in [8, 16, usize::MAX] {
        life.checker().target_max_depth(depth).spawn_bfs().join().assert_properties();
    }
}

#[test]
fn nothing_bad_happens_in_any_order() {
    check(Life { grants_travel: false, light: Light::Paused });
}

#[test]
fn nothing_bad_happens_if_grants_cross_withdrawals() {
    check(Life { grants_travel: true, light: Light::Paused });
}

#[test]
fn nothing_bad_happens_in_any_order_among_others() {
    check(Life { grants_travel: false, light: Light::Stopped });
}

#[test]
fn nothing_bad_happens_among_others_if_grants_cross_withdrawals() {
    check(Life { grants_travel: true, light: Light::Stopped });
}

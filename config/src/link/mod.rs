//! The messages between a gateway and revive. In `dev` they go over a channel; the types are plain, so that they
//! can go over a wire ([`wire`]). Times are durations, because clocks are not shared.

pub mod tls;
pub mod wire;

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::mpsc;

use crate::model::{App, AppId, Endpoint, Limit, Rule};

/// How many messages may wait in each direction. Both ends coalesce per app, so this is not one per request.
pub const LINK_CAPACITY: usize = 4_096;

/// A gateway's end of the link.
#[derive(Debug)]
pub struct GatewayEnd {
    /// To revive.
    pub tx: mpsc::Sender<ToRevive>,
    /// From revive.
    pub rx: mpsc::Receiver<ToGateway>,
}

/// Revive's end of the link to one gateway.
#[derive(Debug)]
pub struct ReviveEnd {
    /// To the gateway.
    pub tx: mpsc::Sender<ToGateway>,
    /// From the gateway.
    pub rx: mpsc::Receiver<ToRevive>,
}

/// A link within one process.
pub fn channel() -> (GatewayEnd, ReviveEnd) {
    let (to_revive, from_gateway) = mpsc::channel(LINK_CAPACITY);
    let (to_gateway, from_revive) = mpsc::channel(LINK_CAPACITY);
    (GatewayEnd { tx: to_revive, rx: from_revive }, ReviveEnd { tx: to_gateway, rx: from_gateway })
}

/// What revive tells a gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToGateway {
    /// All apps; replaces what was before.
    Table(Table),
    /// All limits; replaces what was before, but for the counts of those that have kept their name.
    Limits(Limits),
    /// The answer to [`ToRevive::Renew`]: what was said of endpoints may be relied on for `valid`, counted from when the
    /// question was sent.
    Lease {
        /// As in the question.
        renewal: u64,
        /// For how long.
        valid: Duration,
    },
    /// An app's state has changed.
    State {
        /// Which app.
        app: AppId,
        /// Its new state.
        status: Status,
    },
}

/// All limits of one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Grows with each change; returned in [`ToRevive::LimitsInUse`].
    pub generation: u64,
    /// All of them.
    pub limits: Vec<Arc<Limit>>,
}

/// All apps of one generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Table {
    /// Grows with each table.
    pub generation: u64,
    /// The apps, each with its state; those no longer in it are gone.
    pub apps: Vec<(Arc<App>, Status)>,
    /// Which requests go where; at one host the first that matches decides.
    pub rules: Vec<Arc<Rule>>,
    /// Apps of an earlier table that are about to be ended: answered with [`ToRevive::Quiesced`] when every thread has
    /// seen this table, and what is open at them is told as ever.
    pub leaving: Vec<(AppId, Round)>,
}

/// An attempt to put an app to sleep.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Round(pub u64);

/// One run of an app: a process, a pod. Never used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Instance(pub u64);

impl fmt::Display for Instance {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An app's state, as far as requests are concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Status {
    /// Requests go to these endpoints. Without any they are answered so: nobody knows of one to wait for.
    Awake {
        /// Which run; a new one never reuses connections of an old one.
        instance: Instance,
        /// Where it listens.
        endpoints: Arc<[Endpoint]>,
    },
    /// It may be put to sleep: hold new requests, close pooled connections to it, and answer
    /// [`ToRevive::Quiesced`] when every thread has done so.
    Draining {
        /// Returned in the answer, so that a late answer to an earlier attempt is known.
        round: Round,
    },
    /// It sleeps; a request asks for a wake.
    Asleep {
        /// How deep.
        depth: Depth,
    },
    /// It is being woken; requests wait.
    Waking {
        /// How far it is.
        phase: Phase,
        /// How long it has been waking.
        elapsed: Duration,
        /// Of a queued wake: how long until it is up, as far as one can tell.
        estimate: Option<Duration>,
        /// Of a queued wake: how many others come before it.
        position: Option<u32>,
        /// What to probe, once it has an address.
        probe: Option<Probe>,
    },
    /// The last wake failed; until `retry_after` has passed, requests get that answer.
    Failed {
        /// Why.
        failure: Failure,
        /// From now, until the next request may try again.
        retry_after: Duration,
    },
}

/// An instance to be probed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Probe {
    /// Which run.
    pub instance: Instance,
    /// Where it will listen.
    pub endpoint: SocketAddr,
}

/// How deep an app sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Depth {
    /// Paused, or without replicas.
    Light,
    /// Gone.
    Deep,
}

impl Depth {
    /// The name in the API, in metrics and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Light => "light",
            Self::Deep => "deep",
        }
    }
}

/// How far a wake is. Processes know no scheduling and no pulling.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Phase {
    /// Waits for its turn.
    Queued,
    /// The platform is being told.
    Creating,
    /// Waits for a place to run.
    Scheduling,
    /// Its image is being fetched.
    Pulling,
    /// Its program begins.
    Starting,
    /// It runs; asked whether it answers.
    Probing,
}

impl Phase {
    /// All, in order.
    pub const ALL: [Self; 6] =
        [Self::Queued, Self::Creating, Self::Scheduling, Self::Pulling, Self::Starting, Self::Probing];

    /// The name in the API, in metrics and in logs.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Creating => "creating",
            Self::Scheduling => "scheduling",
            Self::Pulling => "pulling",
            Self::Starting => "starting",
            Self::Probing => "probing",
        }
    }
}

/// Why an app is not up. Each has a code for the owner and, in the gateway's pages, words for visitors.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Failure {
    /// There is no such program.
    ProgramNotFound,
    /// The program could not be started.
    NotStarted,
    /// It ended before it was up.
    ExitedEarly,
    /// It runs, but listened on its port not once.
    NeverListened,
    /// It listens, but its health check did not succeed.
    Unhealthy,
    /// It was up and then ended, again and again; or it was up and then nobody listened any more.
    Crashed,
    /// Its image cannot be fetched.
    ImagePull,
    /// It was ended for want of memory (its own limit) before it was up.
    OutOfMemory,
    /// No node takes it: of those that match what it asks for, none has the room.
    Unschedulable,
    /// A quota of its namespace does not let it run.
    Quota,
    /// The cluster refuses it: an admission policy, or a right that is missing.
    Denied,
    /// A volume of its cannot be had.
    Volume,
    /// The platform did not answer, so nothing could be done about it.
    PlatformDown,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 13] = [
        Self::ProgramNotFound,
        Self::NotStarted,
        Self::ExitedEarly,
        Self::NeverListened,
        Self::Unhealthy,
        Self::Crashed,
        Self::ImagePull,
        Self::OutOfMemory,
        Self::Unschedulable,
        Self::Quota,
        Self::Denied,
        Self::Volume,
        Self::PlatformDown,
    ];

    /// The code in answers, in the API, in metrics and in logs.
    pub fn code(self) -> &'static str {
        match self {
            Self::ProgramNotFound => "program-not-found",
            Self::NotStarted => "not-started",
            Self::ExitedEarly => "exited-early",
            Self::NeverListened => "never-listened",
            Self::Unhealthy => "unhealthy",
            Self::Crashed => "crashed",
            Self::ImagePull => "image-pull",
            Self::OutOfMemory => "out-of-memory",
            Self::Unschedulable => "unschedulable",
            Self::Quota => "quota",
            Self::Denied => "denied",
            Self::Volume => "volume",
            Self::PlatformDown => "platform-down",
        }
    }
}

/// What a gateway tells revive.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ToRevive {
    /// Somebody asks for the app. Sent once however many ask; repeated after a state change if they still do.
    Wake {
        /// Which app.
        app: AppId,
    },
    /// Asks for the routing lease, anew. A gateway without one dials no endpoint that it was told of before: the address
    /// may by now be another tenant's.
    Renew {
        /// Grows with each; returned in [`ToGateway::Lease`].
        renewal: u64,
    },
    /// This much of a table is in use; what is named here was refused, and is as it was before.
    InUse {
        /// As in [`Table`].
        generation: u64,
        /// What was refused, by its kind and name (`app/ID`, `rule/NAME`, `limit/NAME`), and why.
        refused: Vec<(String, String)>,
    },
    /// These limits hold for every request from now on.
    LimitsInUse {
        /// As in [`Limits`].
        generation: u64,
    },
    /// Nobody is held for the app any more.
    Unwanted {
        /// Which app.
        app: AppId,
    },
    /// What has been going on with these apps since the last such message.
    Activity(Vec<Activity>),
    /// Every thread holds new requests of the app and has closed its pooled connections.
    Quiesced {
        /// As in [`Status::Draining`] or [`Table::leaving`].
        round: Round,
        /// What was open when the last thread had done so.
        activity: Activity,
    },
    /// The instance answered its readiness check.
    Reachable {
        /// Which app.
        app: AppId,
        /// Which run.
        instance: Instance,
    },
    /// Probing has learnt something about an instance that is not up yet: the reason, if it never will be.
    NotReachable {
        /// Which app.
        app: AppId,
        /// Which run.
        instance: Instance,
        /// `NeverListened` or `Unhealthy`.
        so_far: Failure,
    },
    /// An instance that was up refuses connections, several in a row. Said once, until its app's state is told anew or
    /// a connection succeeds.
    Unreachable {
        /// Which app.
        app: AppId,
        /// Which run.
        instance: Instance,
    },
}

/// How busy an app is at one gateway.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Activity {
    /// Which app.
    pub app: AppId,
    /// Requests, streams and upgraded connections that are open and keep the app awake.
    pub open: u32,
    /// Requests that wait for it to wake.
    pub held: u32,
    /// Since the last of those that keep awake began or ended; `None` if there was none since the gateway started.
    pub idle_for: Option<Duration>,
}

//! An app's state.

use crate::link::wire::number::{depth, depth_number, failure, failure_number, phase, phase_number};
use crate::link::wire::parse::{Clear, Place, Span, Unclear, address, all};
use crate::link::{Depth, Failure, Instance, Phase, Probe, Round, Status};

#[derive(Clone, PartialEq, prost::Message)]
pub(super) struct WireStatus {
    #[prost(oneof = "WireState", tags = "1, 2, 3, 4, 5")]
    state: Option<WireState>,
}

#[derive(Clone, PartialEq, prost::Oneof)]
enum WireState {
    #[prost(message, tag = "1")]
    Awake(WireAwake),
    /// The attempt's number.
    #[prost(uint64, tag = "2")]
    Draining(u64),
    #[prost(uint32, tag = "3")]
    Asleep(u32),
    #[prost(message, tag = "4")]
    Waking(WireWaking),
    #[prost(message, tag = "5")]
    Failed(WireFailed),
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireAwake {
    #[prost(uint64, tag = "1")]
    instance: u64,
    #[prost(message, repeated, tag = "2")]
    endpoints: Vec<Place>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireWaking {
    #[prost(uint32, tag = "1")]
    phase: u32,
    #[prost(message, optional, tag = "2")]
    elapsed: Option<Span>,
    #[prost(message, optional, tag = "3")]
    estimate: Option<Span>,
    #[prost(uint32, optional, tag = "4")]
    position: Option<u32>,
    #[prost(message, optional, tag = "5")]
    probe: Option<WireProbe>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireProbe {
    #[prost(uint64, tag = "1")]
    instance: u64,
    #[prost(string, tag = "2")]
    address: String,
}

#[derive(Clone, PartialEq, prost::Message)]
struct WireFailed {
    #[prost(uint32, tag = "1")]
    failure: u32,
    #[prost(message, optional, tag = "2")]
    retry_after: Option<Span>,
}

impl From<&Status> for WireStatus {
    fn from(status: &Status) -> Self {
        let state = match status {
            Status::Awake { instance, endpoints } => WireState::Awake(WireAwake {
                instance: instance.0,
                endpoints: endpoints.iter().map(Into::into).collect(),
            }),
            Status::Draining { round } => WireState::Draining(round.0),
            Status::Asleep { depth } => WireState::Asleep(depth_number(*depth)),
            Status::Waking { phase, elapsed, estimate, position, probe } => WireState::Waking(WireWaking {
                phase: phase_number(*phase),
                elapsed: Some((*elapsed).into()),
                estimate: estimate.map(Into::into),
                position: *position,
                probe: probe.map(|probe| WireProbe {
                    instance: probe.instance.0,
                    address: probe.endpoint.to_string(),
                }),
            }),
            Status::Failed { failure, retry_after } => WireState::Failed(WireFailed {
                failure: failure_number(*failure),
                retry_after: Some((*retry_after).into()),
            }),
        };
        Self { state: Some(state) }
    }
}

/// What a newer peer says in words of its own about a state that is known is the nearest that is known here: it is for
/// people, and the state is not.
impl TryFrom<&WireStatus> for Status {
    type Error = Unclear;

    fn try_from(status: &WireStatus) -> Result<Self, Unclear> {
        Ok(match status.state.as_ref().or_unclear("state")? {
            WireState::Awake(awake) => {
                let endpoints: Vec<_> = all(&awake.endpoints)?;
                Self::Awake { instance: Instance(awake.instance), endpoints: endpoints.into() }
            }
            WireState::Draining(round) => Self::Draining { round: Round(*round) },
            WireState::Asleep(number) => Self::Asleep { depth: depth(*number).unwrap_or(Depth::Deep) },
            WireState::Waking(waking) => {
                let probe = |probe: &WireProbe| {
                    let endpoint = address(&probe.address)?;
                    Ok(Probe { instance: Instance(probe.instance), endpoint })
                };
                let estimate = waking.estimate.map(|span| Span::parse(Some(span), "state"));
                Self::Waking {
                    phase: phase(waking.phase).unwrap_or(Phase::Creating),
                    elapsed: Span::parse(waking.elapsed, "state")?,
                    estimate: estimate.transpose()?,
                    position: waking.position,
                    probe: waking.probe.as_ref().map(probe).transpose()?,
                }
            }
            WireState::Failed(failed) => Self::Failed {
                failure: failure(failed.failure).unwrap_or(Failure::NotStarted),
                retry_after: Span::parse(failed.retry_after, "state")?,
            },
        })
    }
}

//! What a gateway says.

use crate::link::wire::message::{FromGateway, Said};
use crate::link::wire::number::{failure, failure_number};
use crate::link::wire::parse::{Clear, Span, Unclear, app_id};
use crate::link::{Activity, Failure, Instance, Round, ToRevive};
use crate::model::AppId;

/// Apps in one message of activity: with the longest ids half a page.
const MOST_REPORTS: usize = 1_000;
/// Refusals that are told, and bytes of each: what is beyond is in the gateway's log.
const MOST_REFUSALS: usize = 256;
const MOST_WORDS: usize = 1_024;

/// The first that a gateway says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Hello {
    /// Who it is, for people: its pod.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The highest epoch that a leader has told it.
    pub epoch: u64,
}

/// What came from a gateway.
#[derive(Clone, Debug, PartialEq)]
pub enum Up {
    /// It introduces itself.
    Hello(Hello),
    /// A message of the link.
    Said(ToRevive),
    /// Something that a newer gateway says: it is passed over.
    Strange,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WireHello {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    version: String,
    #[prost(uint64, tag = "3")]
    epoch: u64,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WireInUse {
    #[prost(uint64, tag = "1")]
    generation: u64,
    #[prost(message, repeated, tag = "2")]
    refused: Vec<WireRefused>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct WireRefused {
    #[prost(string, tag = "1")]
    name: String,
    #[prost(string, tag = "2")]
    why: String,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WireReports {
    #[prost(message, repeated, tag = "1")]
    reports: Vec<WireActivity>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
struct WireActivity {
    #[prost(string, tag = "1")]
    app: String,
    #[prost(uint32, tag = "2")]
    open: u32,
    #[prost(uint32, tag = "3")]
    held: u32,
    #[prost(message, optional, tag = "4")]
    idle_for: Option<Span>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WireQuiesced {
    #[prost(uint64, tag = "1")]
    round: u64,
    #[prost(message, optional, tag = "2")]
    activity: Option<WireActivity>,
}

#[derive(Clone, PartialEq, Eq, prost::Message)]
pub(super) struct WireFinding {
    #[prost(string, tag = "1")]
    app: String,
    #[prost(uint64, tag = "2")]
    instance: u64,
    #[prost(uint32, tag = "3")]
    so_far: u32,
}

impl FromGateway {
    /// The first message.
    pub fn hello(hello: Hello) -> Self {
        let Hello { name, version, epoch } = hello;
        Said::Hello(WireHello { name, version, epoch }).into()
    }

    /// A message of the link, in as many as it takes: long lists are several.
    pub fn all(message: ToRevive) -> Vec<Self> {
        let finding = |app: AppId, instance: Instance, so_far: u32| WireFinding {
            app: app.to_string(),
            instance: instance.0,
            so_far,
        };
        let said = match message {
            ToRevive::Activity(activities) => {
                let reports =
                    |part: &[Activity]| WireReports { reports: part.iter().map(Into::into).collect() };
                let parts = activities.chunks(MOST_REPORTS);
                return parts.map(|part| Said::Activity(reports(part)).into()).collect();
            }
            ToRevive::Wake { app } => Said::Wake(app.to_string()),
            ToRevive::Unwanted { app } => Said::Unwanted(app.to_string()),
            ToRevive::Renew { renewal } => Said::Renew(renewal),
            ToRevive::InUse { generation, refused } => {
                let short = |text: String| match text.len() {
                    0..=MOST_WORDS => text,
                    _ => format!("{}…", &text[..text.floor_char_boundary(MOST_WORDS)]),
                };
                let refused = refused.into_iter().take(MOST_REFUSALS);
                let refused = refused.map(|(name, why)| WireRefused { name: short(name), why: short(why) });
                Said::InUse(WireInUse { generation, refused: refused.collect() })
            }
            ToRevive::LimitsInUse { generation } => Said::LimitsInUse(generation),
            ToRevive::Quiesced { round, activity } => {
                Said::Quiesced(WireQuiesced { round: round.0, activity: Some((&activity).into()) })
            }
            ToRevive::Reachable { app, instance } => Said::Reachable(finding(app, instance, 0)),
            ToRevive::NotReachable { app, instance, so_far } => {
                Said::NotReachable(finding(app, instance, failure_number(so_far)))
            }
            ToRevive::Unreachable { app, instance } => Said::Unreachable(finding(app, instance, 0)),
        };
        vec![said.into()]
    }

    /// What it says.
    ///
    /// # Errors
    /// Which part of it cannot be understood. The link goes on without it.
    pub fn parse(self) -> Result<Up, Unclear> {
        let Some(said) = self.said else { return Ok(Up::Strange) };
        Ok(Up::Said(match said {
            Said::Hello(WireHello { name, version, epoch }) => {
                return Ok(Up::Hello(Hello { name, version, epoch }));
            }
            Said::Wake(app) => ToRevive::Wake { app: app_id(&app)? },
            Said::Unwanted(app) => ToRevive::Unwanted { app: app_id(&app)? },
            Said::Renew(renewal) => ToRevive::Renew { renewal },
            Said::InUse(WireInUse { generation, refused }) => {
                let refused = refused.into_iter().map(|WireRefused { name, why }| (name, why)).collect();
                ToRevive::InUse { generation, refused }
            }
            Said::LimitsInUse(generation) => ToRevive::LimitsInUse { generation },
            Said::Activity(WireReports { reports }) => {
                // One app that is not understood hides no other's activity.
                ToRevive::Activity(reports.iter().filter_map(|report| report.try_into().ok()).collect())
            }
            Said::Quiesced(WireQuiesced { round, activity }) => {
                let activity = activity.as_ref().or_unclear("activity")?.try_into()?;
                ToRevive::Quiesced { round: Round(round), activity }
            }
            Said::Reachable(WireFinding { app, instance, .. }) => {
                ToRevive::Reachable { app: app_id(&app)?, instance: Instance(instance) }
            }
            Said::NotReachable(WireFinding { app, instance, so_far }) => {
                let so_far = failure(so_far).unwrap_or(Failure::Unhealthy);
                ToRevive::NotReachable { app: app_id(&app)?, instance: Instance(instance), so_far }
            }
            Said::Unreachable(WireFinding { app, instance, .. }) => {
                ToRevive::Unreachable { app: app_id(&app)?, instance: Instance(instance) }
            }
        }))
    }
}

impl From<&Activity> for WireActivity {
    fn from(activity: &Activity) -> Self {
        Self {
            app: activity.app.to_string(),
            open: activity.open,
            held: activity.held,
            idle_for: activity.idle_for.map(Into::into),
        }
    }
}

impl TryFrom<&WireActivity> for Activity {
    type Error = Unclear;

    fn try_from(activity: &WireActivity) -> Result<Self, Unclear> {
        let idle_for = activity.idle_for.map(|span| Span::parse(Some(span), "activity"));
        Ok(Self {
            app: app_id(&activity.app)?,
            open: activity.open,
            held: activity.held,
            idle_for: idle_for.transpose()?,
        })
    }
}

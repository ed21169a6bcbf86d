//! The custom resources of `edge.loco.io/v1alpha1`.
//!
//! ```text
//!   YAML ──► API server: pattern, enum, CEL ──► SleepPolicySpec ──► Sleeping ──┐ nearest wins,
//!            (from these types)                 as written          parsed     ├─► key by key ──► config::model
//!                                                                   Sleeping ──┘
//!                                               LimitPolicySpec ─────────────────────────────► config::model::Limit
//! ```
//!
//! The types are what is written; what it means is parsed by the parsers of a file of apps, whose words these are, in
//! camel case. The definitions in `charts/loco-edge/crds` are made of the types; a test holds them to it.

#![allow(unreachable_pub, reason = "KubeSchema makes its schema of a copy of the type, inside a function")]

mod definition;
mod health;
mod hours;
mod limit_policy;
mod mistake;
mod sleep_policy;
mod sleep_record;
mod sleeping;
mod target;
mod waking;

pub use definition::{definitions, stripped};
pub use health::{HealthSaid, HealthSpec};
pub use hours::{Day, Hours, HoursSpec};
pub use limit_policy::{LimitMatchSpec, LimitPolicy, LimitPolicySpec, LimitSpec};
pub use mistake::Mistake;
pub use sleep_policy::{AppKind, AppRef, DepthSpec, PolicyStatus, SleepPolicy, SleepPolicySpec};
pub use sleep_record::{
    ApplicationRef, FieldManager, RecordedKind, RestSpec, SAVED, SleepRecord, SleepRecordSpec,
    SleepRecordStatus, TOMBSTONE, WorkloadRef,
};
pub use sleeping::{Settled, Sleeping};
pub use target::{LimitTarget, LimitTargetKind, SleepTarget, SleepTargetKind};
pub use waking::{PassersbySpec, TreatmentSpec, WakeModeSpec, WakeSaid, WakeSpec};

/// The API group of all of them.
pub const GROUP: &str = "edge.loco.io";

/// A span of time, as files of apps have it, without spaces.
pub(crate) const SPAN: &str = "^([0-9]+(ms|s|m|h|d))+$";
/// A span of time, or `never`.
pub(crate) const SPAN_OR_NEVER: &str = "^(never|([0-9]+(ms|s|m|h|d))+)$";

/// A field's description is better than that of its type, which would take its place (`OptionalEnum` of kube).
fn undescribed(schema: &mut schemars::Schema) {
    schema.remove("description");
}

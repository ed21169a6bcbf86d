//! What a cluster says, and who of several replicas acts on it.
//!
//! ```text
//!   API server ══watch══► watch ─► index ─► compile ─► Compiled: apps, rules, limits, standings
//!       ▲                 (trimmed)  │         └─► statuses
//!       └──────── status ◄───────────┴── what differs from what is shown
//! ```

pub mod compile;
mod compiler;
pub mod crd;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod follow;
pub mod index;
pub mod keep;
pub mod lead;
pub mod lease;
pub mod room;
mod sent;
pub mod settings;
pub mod status;
mod watch;

/// Who we are among the managers of fields.
pub const MANAGER: &str = "edge.loco.io";

pub use self::compile::Compiled;
pub use self::compiler::{View, Watched, start};
pub use self::sent::Sent;
pub use self::settings::Settings;
pub use self::watch::{Unread, read};

//! What the two halves of loco-edge agree on, and nothing else.
//!
//! ```text
//!   apps.toml ──► load ──► model (App, Tenant, Route, policies) ──┐
//!                   │                                             ├──► link: the messages between
//!                   └────► settings (sizes and clocks) ───────────┘    gateway and revive
//! ```
//!
//! The types here are parsed, not validated: a [`model::Host`] or an [`model::AppName`] that exists is right.

pub mod hex;
pub mod link;
pub mod load;
pub mod model;
pub mod settings;

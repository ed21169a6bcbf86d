//! The control plane: puts apps to sleep and wakes them.
//!
//! ```text
//!    gateways ◄═ link ═► publish ─┐                 ┌─► admission (the line of wakes)
//!                                 ├──► driver ──────┼─► platform (process) ─► apps
//!    admin API ─► handle ─────────┘      │          └─► store, metrics
//!                                        ▼
//!                         lifecycle, idle, brakes: decide, purely
//! ```
//!
//! An app's life is in [`lifecycle`]; whatever changes it goes through [`driver`].

pub mod admin;
pub mod admission;
pub mod brakes;
pub mod capacity;
pub mod clock;
pub mod driver;
pub mod hook;
pub mod idle;
pub mod kubernetes;
pub mod lifecycle;
pub mod limits;
pub mod link;
pub mod metrics;
pub mod platform;
pub mod publish;
pub mod schedule;
pub mod store;
mod tell;
pub mod webhook;

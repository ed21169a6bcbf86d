//! The chart, rendered by helm with several values, and looked at without a cluster.
//!
//! ```text
//!   values ─► helm template ─► objects ─┬─► pods: what they may do to their node
//!                                       ├─► rights: what revive may ask of the API server, and that a gateway may nothing
//!                                       └─► flows: who may open a connection to whom, by the NetworkPolicies
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.

mod flows;
mod helm;
mod network;
mod pods;
mod rights;
mod sets;
mod values;

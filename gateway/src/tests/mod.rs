//! The data plane between a revive that is a fake and a tiny app, all on one thread and on paused time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod calls;
mod deadlines;
mod draining;
mod endpoints;
pub(crate) mod fakes;
mod following;
mod h2c;
mod holding;
mod http2;
mod languages;
mod limiting;
mod link;
mod links;
mod passersby;
mod releasing;
mod rules;
mod sizes;
mod upstreams;

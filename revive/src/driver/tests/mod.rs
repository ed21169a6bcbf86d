//! The driver between a platform and gateways that are fakes, on paused time.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test fails by panicking")]

mod admin;
mod admission;
mod brakes;
mod cluster;
mod companions;
mod crashing;
mod fakes;
mod found;
mod hours;
mod idle;
mod limits;
mod links;
mod reload;
mod sleeping;
mod waking;

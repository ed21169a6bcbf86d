//! The process platform with real programs.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "a test fails by panicking"
)]

mod harness;
mod leaving;
mod output;
mod pausing;
mod starting;
mod stopping;

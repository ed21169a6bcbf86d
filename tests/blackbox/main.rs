//! The built program, seen from outside: through sockets, its admin API, its files, and what it leaves in /proc.
//!
//! `LOCO_TEST_SCALE=1 cargo test --test blackbox` does everything as often as targets.md says.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.
#![allow(clippy::too_many_lines)] // A scenario is read from top to bottom.

#[path = "../app/src/checksum.rs"]
mod checksum;
mod harness;

mod admin;
mod admin_cli;
mod admin_limits;
mod admin_tokens;
mod answers;
mod balancing;
mod check;
mod check_kubernetes;
mod claims;
mod crowds;
mod ending;
mod export;
mod faults;
mod following;
mod framing;
mod grpc;
mod hold;
mod http2;
mod identity;
mod kill;
mod limits;
mod logs;
mod metrics;
mod openapi;
mod proxying;
mod races;
mod real_programs;
mod redirect;
mod reload;
mod routing;
mod sleep;
mod streams;
mod upstreams;
mod visitors;

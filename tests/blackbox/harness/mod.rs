//! What the tests stand on.
//!
//! ```text
//!  apps (the file) ─► edge (the process, its state, its log) ─► admin (what it says of itself)
//!  message (requests, answers) ─► wire (a connection, byte by byte)        process (what /proc says)
//!  schema (what the OpenAPI file says of an answer)
//!  http2: the same over HTTP/2
//!  upstream: an app that the test plays itself
//!  proof: that all this sees what it should, with no edge in between
//! ```

mod admin;
mod apps;
mod edge;
mod http2;
mod message;
mod process;
mod proof;
mod schema;
mod upstream;
mod wait;
mod wire;

pub(crate) use apps::{App, file, program_of};
pub(crate) use edge::{Edge, Ran, command, ended};
pub(crate) use http2::{Asked, Http2, Tunnel};
pub(crate) use message::{Answer, Request};
pub(crate) use process::{Signal, cpu_time, peak_rss, process_state, rss, runs, signal};
pub(crate) use schema::{resolved, violations};
pub(crate) use upstream::{Far, OK, Upstream};
pub(crate) use wait::{PATIENCE, eventually, let_pass, within};
pub(crate) use wire::{Broken, Wire};

/// `full`, times `LOCO_TEST_SCALE` (0.1 unless set): how often what is counted in targets.md is done here.
pub(crate) fn scaled(full: usize) -> usize {
    let scale =
        std::env::var("LOCO_TEST_SCALE").ok().and_then(|text| text.parse::<f64>().ok()).unwrap_or(0.1);
    ((full as f64 * scale) as usize).max(1)
}

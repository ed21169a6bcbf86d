//! What the load tests share.
//!
//! ```text
//!   a scenario (bin/…) ─► edge: starts the built program in a directory of its own, ends it
//!        │                 ├─► client: plain blocking HTTP/1.1, so that the client costs little and hides nothing
//!        │                 ├─► http2: many requests on one connection
//!        │                 │     └─► crowd: thousands who ask at once, over either
//!        │                 └─► process: memory, CPU time and wake-ups, as /proc has them
//!        └─► figures: percentiles, a table for people, JSON for the plots, the commit they were taken at
//! ```
//!
//! Every scenario is bounded, talks on loopback only, and ends by pid what it has started. None asserts a time: what is
//! slow is shown, not failed; only wrong or missing answers fail.

pub mod arguments;
pub mod client;
pub mod clock;
pub mod crowd;
pub mod edge;
pub mod figures;
pub mod http2;
pub mod process;

/// What a scenario comes to; the error is for people.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error>>;

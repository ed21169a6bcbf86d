//! The data plane: answers requests, never talks to the platform.
//!
//! ```text
//!            listen ─► conn ─► pipeline ─► outbound ─► upstream ─► app     one thread per core, each with its own
//!                       │       │  │  ▲                      │             runtime and connections (worker)
//!                       │       │  ▼  │                   balance
//!                       │       │ wait: wake_answer, hold ◄── app (state) ◄── session ◄══ link ══► revive
//!                       ▼       ▼  │                             ▲             │
//!             conn/answer     stop ┴─► answer, page     note ────┴─────────────┘ probe
//! ```
//!
//! A request's way is in [`pipeline`]. What all threads share is the [`table`] and the [`limit`]s, each swapped as a
//! whole, and each [`app`]'s state and counters; no lock is shared by all requests, none is held across an await.

pub mod admin;
mod again;
pub mod answer;
pub mod app;
pub mod attach;
pub mod backlog;
pub mod balance;
pub mod body;
mod caller;
pub mod conn;
pub mod deadline;
pub mod delivery;
mod fields;
pub mod filter;
pub mod forward;
pub mod hold;
pub mod hop;
pub mod host;
pub mod inbound;
pub mod interim;
pub mod language;
pub mod lease;
pub mod limit;
pub mod listen;
mod loco;
pub mod note;
pub mod outbound;
pub mod page;
pub mod pipeline;
pub mod probe;
pub mod redirect;
pub mod session;
pub mod shown;
mod spans;
mod stop;
pub mod table;
pub mod telemetry;
pub mod tenant;
mod threads;
pub mod trace;
pub mod upstream;
pub mod visitor;
mod wait;
pub mod wake_answer;
pub mod websocket;
mod whose;
pub mod worker;

pub use threads::{Gateway, StartError};

#[cfg(test)]
mod tests;

//! Clients, by the harness of the black-box tests.
#![allow(dead_code)] // Not every test here needs all that those do.

#[path = "../../blackbox/harness/http2.rs"]
mod http2;
#[path = "../../blackbox/harness/message.rs"]
mod message;
#[path = "../../blackbox/harness/wait.rs"]
mod wait;
#[path = "../../blackbox/harness/wire.rs"]
mod wire;

pub(crate) use http2::Http2;
pub(crate) use message::{Answer, Request};
pub(crate) use wait::{PATIENCE, eventually, within};
pub(crate) use wire::{Broken, Wire};

//! Raw bytes in, raw bytes out, over loopback sockets.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test fails by panicking")]

mod clocks;
mod exchanges;
mod hang_up;
mod http2;
mod refusals;
mod splits;
mod support;

//! The link's messages as they go over a wire: Protocol Buffers, written by hand, so that nobody needs a compiler for
//! them.
//!
//! ```text
//!   revive:  ToGateway ─► Teller (what was told last) ─► pages of what has changed ══► Hearer ─► ToGateway  :gateway
//!   revive:  ToRevive ◄────────────────────── said ◄══ FromGateway ◄──────────────────────────── ToRevive  :gateway
//! ```
//!
//! What comes in is parsed, not trusted. A resource that cannot be understood (a newer peer's, or broken) is refused by
//! its name, and is as it was before; the rest goes on. A field or a kind that a newer peer has added does not break an
//! older one: numbers are never used again for something else, and 0 is never a value.

mod app;
mod hear;
mod kept;
mod limit;
mod message;
mod number;
mod parse;
mod rule;
mod said;
mod status;
mod tell;
#[cfg(test)]
mod tests;

pub use hear::{Heard, Hearer};
pub use kept::{NotKept, keep, kept};
pub use message::{FromGateway, FromRevive};
pub use parse::Unclear;
pub use said::{Hello, Up};
pub use tell::{Pages, Teller, Welcome};

/// The service and the method of the one stream: gRPC, `application/grpc+proto`.
pub const ATTACH: &str = "/loco.edge.v1.Link/Attach";

/// Bytes of the largest message that is sent, but for one resource that is larger by itself.
pub const PAGE: usize = 1 << 20;

/// Bytes of the largest message that is read: a page, and one resource as large as an object of a cluster may be.
pub const MAX_MESSAGE: usize = 4 << 20;

//! Statuses: what differs between what objects show and what is to be said of them, and its writing.

mod difference;
#[cfg(test)]
mod tests;
mod writer;

pub use self::difference::{Kind, Write, writes};
pub use self::writer::Writer;

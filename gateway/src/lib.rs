//! The data plane: answers requests, never talks to the platform.

pub mod page;

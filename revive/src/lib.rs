//! The control plane.
pub mod admission;
pub mod platform;

//! The control plane.
pub mod platform;

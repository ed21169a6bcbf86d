//! The control plane.
pub mod lifecycle;
pub mod platform;

//! The control plane.
pub mod admission;
pub mod brakes;
pub mod platform;
pub mod store;

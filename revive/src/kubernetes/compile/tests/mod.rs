//! What is made of a cluster's objects.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "a test ends where it is wrong"
)]

mod apps;
mod gateways;
mod loco;
mod order;
mod policies;
mod properties;
mod routes;

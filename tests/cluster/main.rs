//! The edge on a cluster. `tests/cluster/run` builds its image and runs these.
//!
//! ```text
//!  cluster (kubectl, namespaces that go with their test)      client (HTTP/1.1 and HTTP/2, as in tests/blackbox)
//!    └─► apps (a Deployment, its Service and its route)          └─► asks an edge:
//!          edge: Edge::installed(), by the chart, one for all tests
//!                Edge::on_host(), both halves as processes of this machine, which a test may kill
//!                Edge::on_host_by(road), the same, by a road to the API server that a test may cut
//! ```
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test fails by panicking.
#![allow(clippy::too_many_lines)] // A scenario is read from top to bottom.

mod apps;
mod authority;
mod client;
mod cluster;
mod edge;
mod host;
mod road;

mod crowds;
mod definitions;
mod failures;
mod faults;
mod installed;
mod loco;
mod others;
mod outages;
mod rights;
mod sleeping;
mod troubles;

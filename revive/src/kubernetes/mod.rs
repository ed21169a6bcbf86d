//! What a cluster says, and who of several replicas acts on it.

pub mod crd;
pub mod lease;
pub mod room;

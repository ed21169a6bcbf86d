//! Who may use the admin API.

use super::Label;

/// Somebody who may use the admin API, and how much of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Token {
    /// Who it is, for the audit; unique.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of what it says to prove itself: one, or two while the old one is being replaced.
    pub secrets: Vec<[u8; 32]>,
}

/// What one may do; each may do what those before it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Role {
    /// Look.
    Viewer,
    /// Wake apps and put them to sleep.
    Operator,
    /// Change limits and brakes.
    Admin,
}

impl Role {
    /// All, from the least to the most.
    pub const ALL: [Self; 3] = [Self::Viewer, Self::Operator, Self::Admin];

    /// The name in the file and in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

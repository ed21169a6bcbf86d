//! Who may use the admin API.

use std::fmt;

use super::Label;

/// Somebody who may use the admin API, and how much of it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// Who it is, for the audit; unique.
    pub name: Label,
    /// What it may do.
    pub role: Role,
    /// SHA-256 of what it says to prove itself: one, or two while the old one is being replaced.
    pub secrets: Vec<[u8; 32]>,
}

/// Without the secrets: a hash of a bad one can be guessed.
impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .field("role", &self.role)
            .field("secrets", &self.secrets.len())
            .finish()
    }
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

//! Conditions, as objects show them.

use serde::{Deserialize, Serialize};

/// `metav1.Condition`. What one cannot read as such is left empty, so that it differs from whatever is to be said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct Condition {
    /// What it is about.
    pub r#type: String,
    /// `True`, `False` or `Unknown`.
    pub status: String,
    /// The generation of the object that was looked at.
    pub observed_generation: Option<i64>,
    /// When the status last became another (RFC 3339).
    pub last_transition_time: String,
    /// Why, in one word.
    pub reason: String,
    /// Why, for people.
    pub message: String,
}

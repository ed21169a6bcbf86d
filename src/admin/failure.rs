//! What went wrong, and what to do about it.

use serde_json::Value;

use super::client::TOKEN;

/// Why it is not done.
pub(super) enum Failure {
    /// In words.
    Said(String),
    /// The API says no (RFC 9457).
    Problem {
        status: u16,
        body: Value,
        /// As it came.
        text: String,
        /// Whether the question had a secret.
        secret_said: bool,
        /// What people are told instead.
        instead: Option<String>,
    },
}

impl Failure {
    /// The problem's code, if it is one.
    pub(super) fn code(&self) -> Option<&str> {
        match self {
            Self::Said(_) => None,
            Self::Problem { body, .. } => body["code"].as_str(),
        }
    }

    /// The same, but people are told this.
    pub(super) fn instead(mut self, words: String) -> Self {
        match &mut self {
            Self::Said(said) => *said = words,
            Self::Problem { instead, .. } => *instead = Some(words),
        }
        self
    }

    /// For people.
    pub(super) fn words(&self) -> String {
        match self {
            Self::Said(words) | Self::Problem { instead: Some(words), .. } => words.clone(),
            Self::Problem { status: 401, secret_said: false, .. } => {
                format!("the edge asks who you are: set {TOKEN}, or say --token-file FILE")
            }
            Self::Problem { status: 401, secret_said: true, .. } => {
                format!("your secret is no token's of this edge, or no longer; see {TOKEN} or --token-file")
            }
            Self::Problem { status, body, text, .. } => {
                let Some(detail) = body["detail"].as_str() else {
                    let shown: String = text.chars().take(200).collect();
                    return format!("an answer that is not the admin API's: {status} {shown}");
                };
                let errors = body["errors"].as_array().into_iter().flatten();
                let each = errors.map(|error| {
                    let text = |name: &str| error[name].as_str().unwrap_or_default();
                    format!("\n  {}: {}", text("field"), text("detail"))
                });
                format!("{detail}{}", each.collect::<String>())
            }
        }
    }
}

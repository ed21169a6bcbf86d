//! What is wrong with a resource that the API server let pass.

use std::fmt;

/// A field, and what would be right there: the message of the condition `Accepted`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    /// Such as `idleAfter` or `limits[deploys].rate`, below `spec`.
    pub field: String,
    /// What would be right.
    pub help: String,
}

impl Mistake {
    pub(super) fn new(field: impl Into<String>, help: impl ToString) -> Self {
        Self { field: field.into(), help: help.to_string() }
    }
}

impl fmt::Display for Mistake {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "spec.{}: {}", self.field, self.help)
    }
}

/// Collects what is wrong, so that all of it is said at once.
#[derive(Debug, Default)]
pub(super) struct Mistakes(Vec<Mistake>);

impl Mistakes {
    pub(super) fn add(&mut self, field: impl Into<String>, help: impl ToString) {
        self.0.push(Mistake::new(field, help));
    }

    /// What is written and right; what is wrong is recorded.
    pub(super) fn read<T, E: ToString>(
        &mut self,
        field: impl Into<String>,
        written: Option<&str>,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        match parse(written?) {
            Ok(value) => Some(value),
            Err(right) => {
                self.add(field, right.to_string());
                None
            }
        }
    }

    /// `value`, if nothing was wrong.
    pub(super) fn or<T>(self, value: T) -> Result<T, Vec<Mistake>> {
        if self.0.is_empty() { Ok(value) } else { Err(self.0) }
    }
}

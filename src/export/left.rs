//! What a file says and Kubernetes objects do not.

use std::fmt;

use config::model::AppName;

/// All that is left out, each with what to do about it.
#[derive(Debug, Default)]
pub(super) struct Left(Vec<String>);

impl Left {
    /// Of an app.
    pub(super) fn app(&mut self, app: &AppName, what: impl fmt::Display) {
        self.0.push(format!("app `{app}`: {what}"));
    }

    /// Of a limit.
    pub(super) fn limit(&mut self, limit: &str, what: impl fmt::Display) {
        self.0.push(format!("limit `{limit}`: {what}"));
    }

    /// Of the file.
    pub(super) fn file(&mut self, what: impl Into<String>) {
        self.0.push(what.into());
    }
}

impl fmt::Display for Left {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|what| writeln!(f, "warning: {what}"))
    }
}

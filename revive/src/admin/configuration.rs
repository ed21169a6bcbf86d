//! Which file is in use, and what was wrong with it when it was last read: `GET /v1/config`.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use config::load::Mistakes;
use serde::Serialize;
use serde_json::Value;

/// Told by who reads the file, shown by the API.
#[derive(Clone, Debug)]
pub struct Configuration(Arc<Mutex<ConfigurationView>>);

/// See the API's description of `GET /v1/config`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ConfigurationView {
    /// The file, as it was named.
    pub file: String,
    /// How many files have been in use, this one included.
    pub generation: u64,
    /// When the one in use was read (RFC 3339).
    pub loaded_at: String,
    /// The last time that it was read.
    pub last_read: ReadView,
    /// Settings that are other in the file than in use, such as `gateway.threads`.
    pub at_next_start: Vec<String>,
}

/// A time that the file was read.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ReadView {
    /// When (RFC 3339).
    pub at: String,
    /// `ok`: it is in use; `refused`: the one before is.
    pub result: &'static str,
    /// What is wrong with it, and what looks wrong, as `loco-edge check --json` says it.
    pub mistakes: Value,
}

impl Configuration {
    /// The first file is in use.
    pub fn of(file: String, warnings: &Mistakes) -> Self {
        let last_read = ReadView::now("ok", warnings);
        let loaded_at = last_read.at.clone();
        let view = ConfigurationView { file, generation: 1, loaded_at, last_read, at_next_start: Vec::new() };
        Self(Arc::new(Mutex::new(view)))
    }

    /// It was read again and is in use; returns its generation.
    pub fn taken(&self, warnings: &Mistakes, at_next_start: Vec<String>) -> u64 {
        let mut view = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        view.generation += 1;
        view.last_read = ReadView::now("ok", warnings);
        view.loaded_at = view.last_read.at.clone();
        view.at_next_start = at_next_start;
        view.generation
    }

    /// It was read again and could not be used.
    pub fn refused(&self, mistakes: &Mistakes) {
        let mut view = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        view.last_read = ReadView::now("refused", mistakes);
    }

    /// As it is now.
    pub fn view(&self) -> ConfigurationView {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ReadView {
    fn now(result: &'static str, mistakes: &Mistakes) -> Self {
        let at = humantime::format_rfc3339_millis(SystemTime::now()).to_string();
        // Plain texts and numbers: there is nothing that JSON could not say.
        Self { at, result, mistakes: serde_json::to_value(mistakes).unwrap_or_default() }
    }
}

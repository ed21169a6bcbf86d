//! A limit as the admin API shows it.

use std::sync::Arc;

use config::hex;
use config::model::Limit;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::Words;
use crate::store::UnixMillis;

/// A limit, where it comes from, and whether it holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitView {
    /// What it says.
    pub limit: Arc<Limit>,
    /// Who says so.
    pub source: Source,
    /// Whether it holds; only one of the file can be switched off.
    pub enabled: bool,
    /// Who set it or switched it off, and when; `None` if it is as the file says.
    pub said: Option<(String, UnixMillis)>,
    /// What the file says instead, if this is an admin's and the file has one of that name.
    pub file: Option<Arc<Limit>>,
}

/// Where a limit comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// It is written in the file.
    File,
    /// An admin has set it.
    Admin,
}

impl Source {
    /// The name in the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Admin => "admin",
        }
    }
}

impl LimitView {
    /// As JSON: the words of the file, and what is known of it beside them.
    pub fn json(&self) -> Value {
        let mut shown = json!({ "name": self.limit.name.as_str() });
        let (by, since) = self.said.clone().unzip();
        let beside = json!({
            "source": self.source.as_str(),
            "enabled": self.enabled,
            "by": by,
            "since": since.map(|since| since.to_string()),
            "file": self.file.as_deref().map(Words::from),
        });
        for part in [json!(Words::from(&*self.limit)), beside] {
            if let (Value::Object(all), Value::Object(part)) = (&mut shown, part) {
                all.extend(part);
            }
        }
        shown
    }

    /// A strong validator of what is shown (RFC 9110, section 8.8.3), with its quotes; the same after a restart.
    pub fn tag(&self) -> String {
        let digest = Sha256::digest(self.json().to_string());
        format!("\"{}\"", hex::encode(&digest[..8]))
    }
}

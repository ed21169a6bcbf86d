//! Links that the edge signs: to the page that revives an app and sends its visitor back, and to the events of a wake.
//! Pure: texts in, texts out; the clock is the caller's.
//!
//! ```text
//!   app, asked-for URL ─► Link::query ─► ?app-name=…&og_url=…&expires=…&signature=… ─► Link::read ─► back ─► //host/path
//! ```
//!
//! A signature only says that a link is ours and when it was made: anybody can have one made for any URL, by asking an
//! app for it. That a visitor is sent nowhere else than to the app is seen to at the end, by [`back`].

mod asked;
mod keys;
mod query;
#[cfg(test)]
mod tests;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use config::hex;

pub use asked::back;
pub use keys::{KEY_BYTES, Keys, KeysError};
use query::{Fields, decode, encode};

/// The path of the page that revives apps.
pub const REVIVE_PATH: &str = "/revive-app";
/// How long a link to that page may be used: long enough to be followed, too short to be kept or passed on.
pub const LINK_LIFE: Duration = Duration::from_secs(60);
/// How long what a waiting page knows may be used: by itself, until it is rendered anew.
pub const PAGE_LIFE: Duration = Duration::from_secs(10 * 60);

/// What a link is for. One that was made for one purpose is none for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// Waking the app and going there.
    Revive,
    /// Following its wake.
    Follow,
}

/// A link's content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Link {
    /// The app's id, which on one machine is its name.
    pub app: String,
    /// What was asked for: a URL, or nothing.
    pub asked: String,
}

/// Why a link does nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Unfit {
    /// It is not ours, or not for this, or not whole. The app is the one that it names, for what that is worth.
    Forged(Option<String>),
    /// It was ours.
    Expired(Link),
}

impl Link {
    /// The query of this link, signed, to be used within `life` of `now`.
    pub fn query(&self, purpose: Purpose, keys: &Keys, now: SystemTime, life: Duration) -> String {
        let expires = seconds(now).saturating_add(life.as_secs());
        let signature = keys.sign(&self.message(purpose, expires));
        let (app, asked) = (encode(&self.app), encode(&self.asked));
        format!("app-name={app}&og_url={asked}&expires={expires}&signature={}", hex::encode(&signature))
    }

    /// Reads a query. Fields that are none of ours are passed over, as whoever passes a link on may add some.
    ///
    /// # Errors
    /// Where it is not ours, not for this purpose, or not of this time.
    pub fn read(query: &str, purpose: Purpose, keys: &Keys, now: SystemTime) -> Result<Self, Unfit> {
        let forged = |app: Option<&str>| Unfit::Forged(app.and_then(decode));
        let Some(fields) = Fields::of(query) else { return Err(forged(None)) };
        let Some((link, expires, signature)) = fields.read() else { return Err(forged(fields.app)) };
        if !keys.verify(&link.message(purpose, expires), &signature) {
            return Err(forged(fields.app));
        }
        let left = expires.saturating_sub(seconds(now));
        // One that lasts longer than any was made for is of a clock that has been set back since.
        if left == 0 || left > PAGE_LIFE.as_secs() {
            return Err(Unfit::Expired(link));
        }
        Ok(link)
    }

    /// What is signed. Each part begins with its length, so that none can pass for a part of another.
    fn message(&self, purpose: Purpose, expires: u64) -> Vec<u8> {
        let tag = match purpose {
            Purpose::Revive => "loco-edge revive",
            Purpose::Follow => "loco-edge follow",
        };
        let mut message = Vec::with_capacity(64 + self.app.len() + self.asked.len());
        for part in [tag, &self.app, &self.asked] {
            message.extend_from_slice(&(part.len() as u64).to_be_bytes());
            message.extend_from_slice(part.as_bytes());
        }
        message.extend_from_slice(&expires.to_be_bytes());
        message
    }
}

/// Whole seconds since 1970. A clock before that is wrong, and makes links that have expired.
fn seconds(time: SystemTime) -> u64 {
    time.duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}

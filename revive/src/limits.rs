//! Which limits hold: those of the file, and what admins have said since. Pure: times are passed in, and what has to
//! be stored, published or audited is returned.
//!
//! ```text
//!   the file says     an admin says     what holds
//!   ──────────────    ──────────────    ─────────────────────────────────────────────
//!   X                 –                 X
//!   X or nothing      Y (PUT)           Y, until it is switched off or restored
//!   X                 off (DELETE)      nothing; restored, X again
//!   nothing           off               – (forgotten: there is nothing to switch off)
//! ```
//!
//! Saying the same twice changes nothing, so a request that is sent again does no harm.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use config::model::{Label, Limit};

use crate::store::UnixMillis;

mod spread;
#[cfg(test)]
mod tests;
mod view;
mod words;

pub use spread::{InUse, Spread};
pub use view::{LimitView, Source};
pub use words::{Mistake, Words, parse};

/// How many limits admins may have said something about: each is looked at by every request.
pub const MAX_SAID: usize = 1_000;

/// An admin's word about one limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Said {
    /// What.
    pub word: Word,
    /// Who, as in the audit.
    pub by: String,
    /// When.
    pub since: UnixMillis,
}

/// What an admin says of a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Word {
    /// It is this one, whatever the file says.
    Set(Arc<Limit>),
    /// The file's does not hold.
    Off,
}

/// What an admin wants done with a limit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// It shall be this one.
    Set(Arc<Limit>),
    /// Nothing of this name shall limit anything.
    Drop,
    /// What the file says shall hold again.
    Restore,
}

/// What the one who asks believes to be there (RFC 9110, section 13.1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Belief {
    /// Nothing in particular.
    #[default]
    None,
    /// Something (`If-Match: *`).
    Something,
    /// One of these (`If-Match`), as [`LimitView::tag`] says them.
    Exactly(Vec<String>),
    /// Nothing (`If-None-Match: *`).
    Nothing,
}

impl Belief {
    fn holds(&self, there: Option<&LimitView>) -> bool {
        match self {
            Self::None => true,
            Self::Something => there.is_some(),
            Self::Exactly(tags) => there.is_some_and(|view| tags.contains(&view.tag())),
            Self::Nothing => there.is_none(),
        }
    }
}

/// Why nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// There is none of this name.
    #[error("there is no limit \"{0}\"; GET /v1/limits lists all")]
    Unknown(Label),
    /// The file has none of this name, so there is nothing to restore.
    #[error("the file has no limit \"{0}\" that could hold again; DELETE takes the admin's away")]
    NotOfFile(Label),
    /// Somebody else was faster.
    #[error("limit \"{0}\" is not what you think it is; GET it, and decide anew")]
    Changed(Label),
    /// There are [`MAX_SAID`] already.
    #[error("there are {MAX_SAID} limits of admins; delete some, or write them into the file")]
    TooMany,
}

/// A change that was made, or was so already.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// How it was; `None` if it was not.
    pub before: Option<LimitView>,
    /// How it is; `None` if it is gone.
    pub after: Option<LimitView>,
}

impl Outcome {
    /// Whether anything is other than before.
    pub fn changed(&self) -> bool {
        self.before != self.after
    }
}

/// All limits, by name.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Limits {
    file: BTreeMap<Label, Arc<Limit>>,
    said: BTreeMap<Label, Said>,
}

impl Limits {
    /// The file's, and what admins have said. Also returns those of the file that were switched off and that it no
    /// longer has: that is forgotten, and they hold should they come back.
    pub fn new(
        file: impl IntoIterator<Item = Arc<Limit>>,
        said: impl IntoIterator<Item = (Label, Said)>,
    ) -> (Self, Vec<Label>) {
        let mut limits = Self { file: BTreeMap::new(), said: said.into_iter().collect() };
        let forgotten = limits.replace_file(file);
        (limits, forgotten)
    }

    /// The file has changed. What admins have said stays; returns what is forgotten, as [`Self::new`] does.
    pub fn replace_file(&mut self, file: impl IntoIterator<Item = Arc<Limit>>) -> Vec<Label> {
        self.file = file.into_iter().map(|limit| (limit.name.clone(), limit)).collect();
        let file = &self.file;
        let pointless = |name: &Label, said: &mut Said| said.word == Word::Off && !file.contains_key(name);
        self.said.extract_if(.., pointless).map(|(name, _)| name).collect()
    }

    /// Those that hold.
    pub fn in_force(&self) -> Vec<Arc<Limit>> {
        self.views().filter(|view| view.enabled).map(|view| view.limit).collect()
    }

    /// What an admin has said of this one.
    pub fn said(&self, name: &Label) -> Option<&Said> {
        self.said.get(name)
    }

    /// All, also those that are switched off.
    pub fn views(&self) -> impl Iterator<Item = LimitView> {
        let own = self.said.keys().filter(|name| !self.file.contains_key(*name));
        let mut names: Vec<&Label> = self.file.keys().chain(own).collect();
        names.sort();
        names.into_iter().filter_map(|name| self.view(name))
    }

    /// One of them.
    pub fn view(&self, name: &Label) -> Option<LimitView> {
        let file = self.file.get(name);
        let (limit, source, enabled) = match (self.said.get(name).map(|said| &said.word), file) {
            (Some(Word::Set(limit)), _) => (limit, Source::Admin, true),
            (Some(Word::Off), file) => (file?, Source::File, false),
            (None, file) => (file?, Source::File, true),
        };
        let said = self.said.get(name).map(|said| (said.by.clone(), said.since));
        let file = file.filter(|_| source == Source::Admin).cloned();
        Some(LimitView { limit: limit.clone(), source, enabled, said, file })
    }

    /// An admin changes a limit, if it is what they believe it to be.
    ///
    /// # Errors
    /// Why not; nothing has changed.
    pub fn change(
        &mut self,
        name: &Label,
        change: Change,
        belief: &Belief,
        (by, since): (String, UnixMillis),
    ) -> Result<Outcome, Refused> {
        let before = self.view(name);
        if !belief.holds(before.as_ref()) {
            return Err(Refused::Changed(name.clone()));
        }
        let word = match change {
            Change::Set(limit) => Some(Word::Set(limit)),
            Change::Drop | Change::Restore if before.is_none() => {
                return Err(Refused::Unknown(name.clone()));
            }
            Change::Drop => self.file.contains_key(name).then_some(Word::Off),
            Change::Restore if !self.file.contains_key(name) => {
                return Err(Refused::NotOfFile(name.clone()));
            }
            Change::Restore => None,
        };
        self.say(name, word, by, since)?;
        Ok(Outcome { before, after: self.view(name) })
    }

    fn say(
        &mut self,
        name: &Label,
        word: Option<Word>,
        by: String,
        since: UnixMillis,
    ) -> Result<(), Refused> {
        let room = self.said.len() < MAX_SAID;
        match (self.said.entry(name.clone()), word) {
            (Entry::Occupied(said), None) => drop(said.remove()),
            (Entry::Vacant(_), None) => {}
            // Who said it first stays named.
            (Entry::Occupied(said), Some(word)) if said.get().word == word => {}
            (Entry::Vacant(_), Some(_)) if !room => return Err(Refused::TooMany),
            (entry, Some(word)) => drop(entry.insert_entry(Said { word, by, since })),
        }
        Ok(())
    }
}

//! What the edge would make of a cluster that had just these objects.
//!
//! ```text
//!   documents ──► object ──► kinds (their form) ──► assumed (what is elsewhere) ──► revive: read, index, compile
//!                   │            │                       │                             │
//!                   └────────────┴───────────────────────┴─► finding ◄── conditions, references, advice
//!                                                                                      └─► Summary
//! ```

mod advice;
mod assumed;
mod conditions;
mod finding;
mod kinds;
mod object;
mod people;
mod references;
mod summary;
#[cfg(test)]
mod tests;
mod unknown;

use std::path::Path;

use ::revive::kubernetes::compile::compile;
use ::revive::kubernetes::index::{Index, Update};
use ::revive::kubernetes::{Compiled, Settings, Unread, read};
use config::load::Mistakes;

pub(super) use summary::Summary;

use super::input::Text;
use crate::revive;
use assumed::{Assumed, Missing};
use finding::Findings;
use object::{Object, Objects};

/// What revive would be told at its start: by a platform's file, else nothing.
pub(super) fn settings(file: Option<&Path>) -> Result<(Settings, Mistakes), Mistakes> {
    let loaded = revive::loaded(file)?;
    let name = file.map_or_else(|| "(no file)".to_owned(), |file| file.display().to_string());
    match revive::settings::of_cluster(&loaded) {
        Ok(settings) => Ok((settings, loaded.warnings)),
        Err(why) => Err(Mistakes::about_file(&name, why, "correct [kubernetes]")),
    }
}

/// Everything that is wrong, ignored, or could be better; and what is made of it.
pub(super) fn check(texts: &[Text], settings: Settings, namespace: &str) -> (Mistakes, Summary) {
    let mut findings = Findings::of(texts);
    let mut objects = Objects::of(texts, namespace, &mut findings);
    objects.formed(&mut findings);
    let mut known = Known { settings, index: Index::default(), compiled: Compiled::default() };
    let assumed = Assumed::of(&mut objects, &mut known.settings, &mut findings);
    for object in objects.iter() {
        known.take(object, &mut findings);
    }
    assumed.objects().for_each(|object| known.take_assumed(object));
    let missing = Missing::of(&mut known);
    known.compiled = compile(&known.index, &known.settings, None);
    conditions::say(&known, &objects, &assumed, &missing, &mut findings);
    let known = missing.supplied(known);
    references::say(&known, &objects, &mut findings);
    advice::say(&known, &objects, &mut findings);
    let summary = Summary::of(&known, &objects, &assumed, texts);
    (findings.located(), summary)
}

/// What is known, as revive would know it.
#[derive(Debug)]
struct Known {
    settings: Settings,
    index: Index,
    compiled: Compiled,
}

impl Known {
    fn take(&mut self, object: &Object, findings: &mut Findings<'_>) {
        match read(object.value.clone(), &self.settings) {
            Ok(update) => self.apply(update),
            // What is none of ours is said in the summary.
            Err(Unread::OtherKind { .. }) => {}
            Err(why @ (Unread::Malformed(_) | Unread::Useless)) => {
                findings.warning(object.named(), format!("{}: {why}", object.shown()), None);
            }
        }
    }

    fn take_assumed(&mut self, object: serde_json::Value) {
        if let Ok(update) = read(object, &self.settings) {
            self.apply(update);
        }
    }

    fn apply(&mut self, update: Update) {
        let _effect = self.index.apply(update);
    }
}

//! What there is to say, each with its place.

use std::ops::Range;

use config::load::{Mistakes, Remark, Severity};

use crate::check::input::Text;
use crate::check::yaml::Place;

/// A place in one of the texts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct At {
    /// Which text, by its number.
    pub(super) text: usize,
    /// Where in it.
    pub(super) place: Place,
}

/// Everything there is to say.
#[derive(Debug)]
pub(super) struct Findings<'t> {
    texts: &'t [Text],
    of: Vec<OfText>,
}

#[derive(Debug, Default)]
struct OfText {
    remarks: Vec<Remark>,
    secret: Vec<Range<usize>>,
}

impl<'t> Findings<'t> {
    pub(super) fn of(texts: &'t [Text]) -> Self {
        Self { texts, of: texts.iter().map(|_| OfText::default()).collect() }
    }

    /// It cannot be used as it is.
    pub(super) fn error(&mut self, at: At, message: impl Into<String>, help: Option<String>) {
        self.add(Severity::Error, at, message.into(), help);
    }

    /// It may be otherwise than is meant.
    pub(super) fn warning(&mut self, at: At, message: impl Into<String>, help: Option<String>) {
        self.add(Severity::Warning, at, message.into(), help);
    }

    /// It could be better.
    pub(super) fn hint(&mut self, at: At, message: impl Into<String>, help: Option<String>) {
        self.add(Severity::Hint, at, message.into(), help);
    }

    fn add(&mut self, severity: Severity, at: At, message: String, help: Option<String>) {
        let Place { line, column } = at.place;
        let remark = Remark { severity, line, column, message, help };
        if let Some(of) = self.of.get_mut(at.text) {
            of.remarks.push(remark);
        }
    }

    /// These lines of a text, counted from 1, are shown to nobody.
    pub(super) fn hide(&mut self, text: usize, lines: Range<usize>) {
        if let Some(of) = self.of.get_mut(text) {
            of.secret.push(lines);
        }
    }

    /// All of it, in the order of the texts.
    pub(super) fn located(self) -> Mistakes {
        let parts = self.texts.iter().zip(self.of);
        Mistakes::together(
            parts.map(|(text, of)| Mistakes::of_text(&text.name, &text.text, of.secret, of.remarks)),
        )
    }
}

//! What is wrong with a file: as data, and (in `render`) for people.

use std::fmt;
use std::ops::Range;

use serde::Serialize;

use super::text::{LineSpan, Origin, Spot, Text};

/// More are counted but not kept: a file that is no TOML at all can have one for each byte.
const MAX_KEPT: usize = 1_000;
/// A longer line is named but not shown.
const MAX_SHOWN_LINE: usize = 2_000;
/// What the place of a mistake in a variable is called.
const ENVIRONMENT: &str = "the environment";

/// All that is wrong, and all that looks wrong, in the order of the file.
///
/// `Display` is the plain rendering for people; [`Mistakes::render`] has colours.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct Mistakes {
    list: Vec<Mistake>,
    #[serde(skip)]
    left_out: usize,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Mistake {
    /// Whether the file can be used in spite of it.
    pub severity: Severity,
    /// Where it is.
    #[serde(flatten)]
    pub place: Place,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
    /// Another place that has to do with it.
    pub related: Option<Related>,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Severity {
    /// The file is not used.
    Error,
    /// The file is used; somebody should look.
    Warning,
    /// The file is used, and nothing is wrong with it; it could be better.
    Hint,
}

/// A place in the file or the environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Place {
    /// The file as it was named, or `the environment`.
    pub file: String,
    /// Counted from 1; `None` where the file as a whole or a variable of the environment is meant.
    pub line: Option<usize>,
    /// Characters, counted from 1; `None` where `line` is.
    pub column: Option<usize>,
    #[serde(skip)]
    pub(super) excerpt: Option<Excerpt>,
}

/// Another place and what it has to do with a mistake.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Related {
    /// Where.
    #[serde(flatten)]
    pub place: Place,
    /// What is there.
    pub message: String,
}

/// The line to show, and what to mark in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Excerpt {
    pub(super) line: String,
    pub(super) marked: Range<usize>,
}

/// A mistake as it is found, by spots; it becomes a [`Mistake`] when all are found.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) spot: Spot,
    message: String,
    help: Option<String>,
    related: Option<(Spot, String)>,
}

impl Finding {
    pub(super) fn new(severity: Severity, spot: &Spot, message: impl Into<String>) -> Self {
        Self { severity, spot: spot.clone(), message: message.into(), help: None, related: None }
    }

    /// Says what would be right.
    pub(super) fn help(&mut self, help: impl Into<String>) -> &mut Self {
        self.help = Some(help.into());
        self
    }

    /// Points to another place.
    pub(super) fn see(&mut self, spot: &Spot, message: impl Into<String>) -> &mut Self {
        self.related = Some((spot.clone(), message.into()));
        self
    }
}

impl Mistakes {
    /// A file that could not be read at all.
    pub(super) fn unreadable(name: &str, message: String, help: String) -> Self {
        let place = Place { file: name.to_owned(), line: None, column: None, excerpt: None };
        let severity = Severity::Error;
        let list = vec![Mistake { severity, place, message, help: Some(help), related: None }];
        Self { list, left_out: 0 }
    }

    pub(super) fn located(
        mut findings: Vec<Finding>,
        name: &str,
        file: &Text<'_>,
        environment: &Text<'_>,
    ) -> Self {
        findings.sort_by_key(|f| (f.spot.origin, f.spot.span.start, f.severity));
        // What is wrong with a default is found once for each app that uses it.
        findings.dedup_by(|a, b| a.spot == b.spot && a.message == b.message);
        let left_out = findings.len().saturating_sub(MAX_KEPT);
        findings.truncate(MAX_KEPT);
        let place = |spot: &Spot| match spot.origin {
            Origin::File => Place::in_file(name, file, &spot.span),
            Origin::Environment => Place::in_environment(environment, &spot.span),
        };
        let locate = |f: Finding| Mistake {
            severity: f.severity,
            place: place(&f.spot),
            message: f.message,
            help: f.help,
            related: f.related.map(|(spot, message)| Related { place: place(&spot), message }),
        };
        Self { list: findings.into_iter().map(locate).collect(), left_out }
    }

    /// Something about a file as a whole, which is not used.
    pub fn about_file(name: &str, message: impl Into<String>, help: impl Into<String>) -> Self {
        Self::unreadable(name, message.into(), help.into())
    }

    /// Those of several files, one after the other.
    #[must_use]
    pub fn together(parts: impl IntoIterator<Item = Self>) -> Self {
        let mut all = Self::default();
        for part in parts {
            all.left_out += part.left_out;
            all.list.extend(part.list);
        }
        all
    }

    /// In the order of the file; at most 1,000, see [`Mistakes::left_out`].
    pub fn iter(&self) -> std::slice::Iter<'_, Mistake> {
        self.list.iter()
    }

    /// How many more there are.
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// Whether there is nothing to say.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// How many of `severity` are kept.
    pub fn count(&self, severity: Severity) -> usize {
        self.list.iter().filter(|m| m.severity == severity).count()
    }
}

impl<'a> IntoIterator for &'a Mistakes {
    type Item = &'a Mistake;
    type IntoIter = std::slice::Iter<'a, Mistake>;

    fn into_iter(self) -> Self::IntoIter {
        self.iter()
    }
}

impl fmt::Display for Mistakes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.render(super::Colours::Plain))
    }
}

impl std::error::Error for Mistakes {}

impl Place {
    fn in_file(name: &str, text: &Text<'_>, span: &Range<usize>) -> Self {
        let at = text.first_line(span);
        Self {
            file: name.to_owned(),
            line: Some(at.line),
            column: Some(at.column),
            excerpt: Excerpt::of(&at).filter(|_| !text.is_secret(at.line)),
        }
    }

    fn in_environment(text: &Text<'_>, span: &Range<usize>) -> Self {
        let at = text.first_line(span);
        let is_secret = text.is_secret(at.line);
        let excerpt = if is_secret { Excerpt::name(&at) } else { Excerpt::of(&at) };
        Self { file: ENVIRONMENT.to_owned(), line: None, column: None, excerpt }
    }
}

impl Excerpt {
    fn of(at: &LineSpan<'_>) -> Option<Self> {
        let short = at.text.len() <= MAX_SHOWN_LINE;
        short.then(|| Self { line: at.text.to_owned(), marked: at.marked.clone() })
    }

    /// What a variable is called.
    fn name(at: &LineSpan<'_>) -> Option<Self> {
        let (name, _) = at.text.split_once('=')?;
        Some(Self { line: name.to_owned(), marked: 0..name.len() })
    }
}

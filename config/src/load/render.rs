//! Mistakes for people: each with its line, a marker, and what would be right.

use std::collections::BTreeSet;

use annotate_snippets::{AnnotationKind, Group, Level, Origin, Renderer, Snippet, normalize_untrusted_str};

use super::mistake::{Mistake, Mistakes, Place, Severity};

/// Whether the text is for a terminal with colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Colours {
    /// No escape sequences.
    Plain,
    /// ANSI escape sequences.
    Ansi,
}

/// A longer help does not stand beside the marker but below.
const MAX_LABEL: usize = 72;

impl Mistakes {
    /// The text for people, one mistake after the other, with a count at the end; empty if there is none.
    pub fn render(&self, colours: Colours) -> String {
        if self.is_empty() {
            return String::new();
        }
        let renderer = match colours {
            Colours::Plain => Renderer::plain(),
            Colours::Ansi => Renderer::styled(),
        };
        let mut text = String::new();
        for mistake in self {
            text.push_str(&renderer.render(&[group(mistake)]));
            text.push_str("\n\n");
        }
        text.push_str(&self.total());
        text.push('\n');
        text
    }

    /// Such as `3 errors and 1 warning in apps.toml`.
    fn total(&self) -> String {
        let count = |severity, one: &str| match self.count(severity) {
            0 => None,
            1 => Some(format!("1 {one}")),
            n => Some(format!("{n} {one}s")),
        };
        let more = (self.left_out() > 0).then(|| format!("{} more that are not shown", self.left_out()));
        let counts = [
            count(Severity::Error, "error"),
            count(Severity::Warning, "warning"),
            count(Severity::Hint, "hint"),
            more,
        ];
        let files: BTreeSet<&str> = self.iter().map(|mistake| &*mistake.place.file).collect();
        let place = match files.first() {
            Some(file) if files.len() == 1 => (*file).to_owned(),
            Some(_) | None => format!("{} files", files.len()),
        };
        format!("{} in {place}", counts.into_iter().flatten().collect::<Vec<_>>().join(" and "))
    }
}

fn group(mistake: &Mistake) -> Group<'_> {
    let level = match mistake.severity {
        Severity::Error => Level::ERROR,
        Severity::Warning => Level::WARNING,
        Severity::Hint => Level::NOTE.with_name("hint"),
    };
    let beside = mistake.help.as_deref().filter(|help| fits_beside(mistake, help));
    let below = mistake.help.as_deref().filter(|_| beside.is_none());
    let title = Group::with_title(level.primary_title(&*mistake.message));
    let mut group = shown(title, &mistake.place, AnnotationKind::Primary, beside);
    if let Some(related) = &mistake.related {
        group = shown(group, &related.place, AnnotationKind::Context, Some(&related.message));
    }
    match below {
        Some(help) => group.element(Level::HELP.message(normalize_untrusted_str(help))),
        None => group,
    }
}

fn fits_beside(mistake: &Mistake, help: &str) -> bool {
    mistake.place.excerpt.is_some() && help.len() <= MAX_LABEL && !help.contains('\n')
}

fn shown<'a>(group: Group<'a>, place: &'a Place, kind: AnnotationKind, label: Option<&'a str>) -> Group<'a> {
    let Some(excerpt) = &place.excerpt else {
        let origin = Origin::path(&*place.file);
        return group.element(match (place.line, place.column) {
            (Some(line), Some(column)) => origin.line(line).char_column(column),
            _ => origin,
        });
    };
    let snippet = Snippet::source(&*excerpt.line).annotation(kind.span(excerpt.marked.clone()).label(label));
    match place.line {
        Some(line) => group.element(snippet.path(&*place.file).line_start(line)),
        // The line names the variable; a place in a list that nobody wrote would only puzzle.
        None => group.element(snippet.line_numbering(false)),
    }
}

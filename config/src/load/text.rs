//! The texts that mistakes point into, by byte.

use std::ops::Range;

use super::secret;

/// Which text a [`Spot`] lies in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Origin {
    /// The file.
    File,
    /// The variables that override it, one a line.
    Environment,
}

/// A place in one of the two texts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Spot {
    pub(super) origin: Origin,
    /// Bytes of the text.
    pub(super) span: Range<usize>,
}

impl Spot {
    pub(super) fn file(span: Range<usize>) -> Self {
        Self { origin: Origin::File, span }
    }

    pub(super) fn environment(span: Range<usize>) -> Self {
        Self { origin: Origin::Environment, span }
    }
}

/// A text whose lines are found in logarithmic time, since a bad file can have as many mistakes as bytes.
#[derive(Debug)]
pub(super) struct Text<'a> {
    text: &'a str,
    line_starts: Vec<usize>,
    /// Lines that nobody must see, in order.
    secret: Vec<Range<usize>>,
}

/// A span within one line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LineSpan<'a> {
    /// Counted from 1.
    pub(super) line: usize,
    /// Characters, counted from 1.
    pub(super) column: usize,
    /// The line without its end.
    pub(super) text: &'a str,
    /// Bytes of `text`, at its character boundaries.
    pub(super) marked: Range<usize>,
}

impl<'a> Text<'a> {
    pub(super) fn new(text: &'a str) -> Self {
        Self::with_secret(text, secret::lines(text))
    }

    /// A text of another kind, of which these lines are secret.
    pub(super) fn with_secret(text: &'a str, secret: Vec<Range<usize>>) -> Self {
        Self { secret, ..Self::plain(text) }
    }

    fn plain(text: &'a str) -> Self {
        let after_newlines = text.bytes().enumerate().filter(|(_, b)| *b == b'\n').map(|(i, _)| i + 1);
        Self { text, line_starts: std::iter::once(0).chain(after_newlines).collect(), secret: Vec::new() }
    }

    /// Bytes of the word at a line and a character of it, both counted from 1; up to the next space.
    pub(super) fn word_at(&self, line: usize, column: usize) -> Range<usize> {
        let start = self.line_starts.get(line.saturating_sub(1)).copied().unwrap_or(self.text.len());
        let text = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let before = text.char_indices().nth(column.saturating_sub(1)).map_or(text.len(), |(at, _)| at);
        let word = text.get(before..).and_then(|rest| rest.split_whitespace().next()).unwrap_or("");
        start + before..start + before + word.len()
    }

    /// Whether a line may have something in it that must not be shown.
    pub(super) fn is_secret(&self, line: usize) -> bool {
        let after = self.secret.partition_point(|lines| lines.start <= line);
        after.checked_sub(1).and_then(|at| self.secret.get(at)).is_some_and(|lines| lines.contains(&line))
    }

    /// Counted from 1. The end of a text that ends in a newline counts to its last written line.
    pub(super) fn line_number(&self, offset: usize) -> usize {
        let last = self.text.strip_suffix('\n').unwrap_or(self.text).len();
        self.line_starts.partition_point(|start| *start <= offset.min(last)).max(1)
    }

    /// Bytes of a line's text, without the space around it.
    pub(super) fn span_of(&self, line: usize) -> Range<usize> {
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let text = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let start = start + text.len() - text.trim_start().len();
        start..start + text.trim().len()
    }

    /// The part of `span` in its first line; at least a character where there is one.
    pub(super) fn first_line(&self, span: &Range<usize>) -> LineSpan<'a> {
        let line = self.line_number(span.start);
        let start = self.line_starts.get(line - 1).copied().unwrap_or(0);
        let text = self.text.get(start..).and_then(|rest| rest.lines().next()).unwrap_or("");
        let from = text.floor_char_boundary(span.start.saturating_sub(start).min(text.len()));
        let to = text.ceil_char_boundary(span.end.saturating_sub(start).min(text.len()));
        let to = to.max(text.ceil_char_boundary((from + 1).min(text.len())));
        let column = text.get(..from).map_or(1, |before| before.chars().count() + 1);
        LineSpan { line, column, text, marked: from..to }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_column_counts_characters_and_a_marker_keeps_to_its_line() {
        let text = Text::new("ä = [\r\n  \"ö\",\r\n]\n");
        let array = text.first_line(&(5..20));
        assert_eq!((array.line, array.column, array.text, array.marked), (1, 5, "ä = [", 5..6));
        let inside_a_character = text.first_line(&(12..12));
        assert_eq!((inside_a_character.line, inside_a_character.column), (2, 4));
        assert_eq!(inside_a_character.marked, 3..5);
    }

    #[test]
    fn the_end_lies_in_the_last_line() {
        assert_eq!(Text::new("a\nb\n").first_line(&(4..4)).line, 2);
        assert_eq!(Text::new("a\nb").first_line(&(9..12)).line, 2);
        assert_eq!(Text::new("").first_line(&(0..0)).line, 1);
    }
}

//! From text to tables, as far as the text is TOML.
//!
//! The parser gives up at the first statement that it does not understand. So that one round finds all that is wrong,
//! such a statement is taken out, by spaces that keep every other place where it is, and the rest is parsed again.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, Error};

use super::mistake::{Finding, Severity};
use super::text::{LineSpan, Spot, Text};

/// How many statements are taken out; what is beyond is found when these are right.
const MAX_ROUNDS: usize = 50;
/// A text with more errors than this is no file of apps with slips in it: nothing is taken out.
const MAX_ERRORS: usize = 500;
/// Bytes of a text beyond which only its first mistake is told: all of them would be too many to keep, and to parse
/// again and again would take too long.
const MAX_REPAIRED: usize = 1 << 18;

/// A text that could be parsed, or at least is better than before.
pub(super) struct Repaired {
    /// As long as the source, with the same lines.
    pub(super) text: String,
    /// By line, what was taken out or is still wrong: the first of each line, as the others mostly follow from it.
    pub(super) mistakes: BTreeMap<usize, Finding>,
}

/// Takes out what is no TOML.
pub(super) fn repair(source: &str, lines: &Text<'_>) -> Repaired {
    let mut text = source.to_owned();
    let mut mistakes = BTreeMap::new();
    let mut errors = errors(&text);
    for _ in 0..MAX_ROUNDS {
        let Some(line) = first_line(&errors, lines) else {
            return Repaired { text, mistakes };
        };
        record(&errors, lines, Some(line), &mut mistakes);
        if errors.len() > MAX_ERRORS {
            break;
        }
        let Some(better) = without_statement(&text, lines, line) else { break };
        (text, errors) = better;
    }
    record(&errors, lines, None, &mut mistakes);
    Repaired { text, mistakes }
}

fn errors(text: &str) -> Vec<Error> {
    if text.len() > MAX_REPAIRED {
        return DeTable::parse(text).err().into_iter().collect();
    }
    DeTable::parse_recoverable(text).1
}

/// The tables of a text that has been repaired as far as possible.
pub(super) fn tables(text: &str) -> DeTable<'_> {
    if text.len() > MAX_REPAIRED {
        return DeTable::parse(text).map(Spanned::into_inner).unwrap_or_default();
    }
    DeTable::parse_recoverable(text).0.into_inner()
}

fn line_of(error: &Error, lines: &Text<'_>) -> usize {
    lines.line_number(error.span().map_or(0, |span| span.start))
}

fn first_line(errors: &[Error], lines: &Text<'_>) -> Option<usize> {
    errors.iter().map(|error| line_of(error, lines)).min()
}

/// Records the errors of one line, or of all.
fn record(errors: &[Error], lines: &Text<'_>, only: Option<usize>, mistakes: &mut BTreeMap<usize, Finding>) {
    for error in errors {
        let line = line_of(error, lines);
        if only.is_none_or(|only| only == line) {
            mistakes.entry(line).or_insert_with(|| explained(error, lines));
        }
    }
}

/// What the parser calls it, what a person would, and what to do.
const EXPLAINED: &[(&str, &str, &str)] = &[
    ("invalid basic string", "this text has no closing quote", "end it with `\"` on the same line"),
    ("invalid literal string", "this text has no closing quote", "end it with `'` on the same line"),
    (
        "missing escaped value",
        "a backslash begins an escape here",
        "write `\\\\`, or put the text in single quotes",
    ),
    ("unclosed table", "a table's name has no closing bracket", "such as `[gateway]`"),
    ("unclosed array table", "a table's name has no closing brackets", "such as `[[app]]`"),
    ("unclosed array", "this list is not closed", "end it with `]`"),
    ("unclosed inline table", "this table is not closed", "end it with `}`"),
    ("key with no value", "a key without a value", "such as `name = \"hello\"`"),
    ("missing comma between array elements", "a comma is missing in this list", "put `,` between its items"),
    ("missing comma between key-value pairs", "a comma is missing in this table", "put `,` between its keys"),
];

/// The parser's words where they are good, better ones where they are not.
fn explained(error: &Error, lines: &Text<'_>) -> Finding {
    let spot = Spot::file(error.span().unwrap_or(0..0));
    let at = lines.first_line(&spot.span);
    let before = at.text.get(..at.marked.start).unwrap_or_default().trim_end();
    let marked = at.text.get(at.marked.clone()).unwrap_or_default();
    let (what, expected) = error.message().split_once(", expected ").unwrap_or((error.message(), ""));
    if what == "duplicate key" {
        return duplicate(&spot, &at, lines);
    }
    let known = EXPLAINED.iter().find(|(known, _, _)| *known == what);
    let (message, help) = match known {
        _ if before.ends_with('=') && (spot.span.is_empty() || marked.is_empty()) => {
            ("the value is missing", "write one after `=`, such as \"hello\"".to_owned())
        }
        _ if what == "string values must be quoted" => {
            let shown = if lines.is_secret(at.line) { "…" } else { marked };
            ("text must be in quotes", format!("did you mean {shown:?}?"))
        }
        _ if what == "key with no value" && at.text.contains(':') => {
            ("a key without a value", "write `=` instead of `:`".to_owned())
        }
        Some((_, message, help)) => (*message, (*help).to_owned()),
        None if expected.is_empty() => (what, "this is no TOML: see https://toml.io".to_owned()),
        None => (what, format!("expected {expected}")),
    };
    let mut finding = Finding::new(Severity::Error, &spot, message);
    finding.help(help);
    finding
}

fn duplicate(spot: &Spot, at: &LineSpan<'_>, lines: &Text<'_>) -> Finding {
    let name = at.text.get(at.marked.clone()).unwrap_or_default();
    let mut finding = Finding::new(Severity::Error, spot, format!("`{name}` is written twice"));
    finding.help(match at.text.trim() {
        "[app]" => "apps are a list: write [[app]] with two brackets",
        _ => "keep one of the two",
    });
    if let Some(first) = first_written(name, at, lines) {
        finding.see(&Spot::file(first), "the first one");
    }
    finding
}

/// The line above that has the same header, or, in the same table, the same key.
fn first_written(name: &str, at: &LineSpan<'_>, lines: &Text<'_>) -> Option<Range<usize>> {
    // A file of thousands of repeated lines must not be searched from the top for each.
    const FARTHEST: usize = 200;
    let mut above = (1..at.line).rev().take(FARTHEST).map(|number| {
        let span = lines.span_of(number);
        let line = lines.first_line(&span).text;
        (span, line)
    });
    if is_header(at.text) {
        return above.find(|(_, line)| line.trim() == at.text.trim()).map(|(span, _)| span);
    }
    let mut table = above.take_while(|(_, line)| !is_header(line));
    table
        .find(|(_, line)| line.split_once('=').is_some_and(|(key, _)| key.trim() == name))
        .map(|(span, _)| span)
}

/// Takes out the statement that is wrong at `line`, or else the one before, which may not have ended (`hosts = [`);
/// whichever leads further. `None` where neither leads beyond `line`.
fn without_statement(text: &str, lines: &Text<'_>, line: usize) -> Option<(String, Vec<Error>)> {
    if text.len() > MAX_REPAIRED {
        return None;
    }
    let own = statement_start(text, line);
    let attempt = |from: usize| {
        let better = blank(text, from..=statement_end(text, from, line));
        let errors = errors(&better);
        let next = first_line(&errors, lines).unwrap_or(usize::MAX);
        (next > line).then_some((next, (better, errors)))
    };
    let before = (own > 1).then(|| statement_start(text, own - 1));
    let before = before.filter(|line| text.lines().nth(line - 1).is_some_and(is_pair)).and_then(attempt);
    let attempts = [before, attempt(own)];
    attempts.into_iter().flatten().max_by_key(|(next, _)| *next).map(|(_, better)| better)
}

/// The last line up to `line` that looks like `key =` or `[table]`, or `line` itself.
fn statement_start(text: &str, line: usize) -> usize {
    let begins = text.lines().take(line).enumerate().filter(|(_, text)| is_header(text) || is_pair(text));
    begins.last().map_or(line, |(index, _)| index + 1)
}

/// Without its header, a table's keys would be read as the table's before: they go with it.
fn statement_end(text: &str, from: usize, line: usize) -> usize {
    let mut rest = text.lines().enumerate().skip(from - 1);
    if !rest.next().is_some_and(|(_, text)| is_header(text)) {
        return line;
    }
    rest.find(|(_, text)| is_header(text)).map_or(usize::MAX, |(index, _)| index.max(line))
}

/// Whether a line begins a table.
pub(super) fn is_header(line: &str) -> bool {
    line.trim_start().starts_with('[')
}

/// Whether a line begins with a key.
pub(super) fn is_pair(line: &str) -> bool {
    line.split_once(['=', ':']).is_some_and(|(key, _)| {
        let key = key.trim();
        !key.is_empty() && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-.\"'".contains(&b))
    })
}

fn blank(text: &str, lines: RangeInclusive<usize>) -> String {
    let mut blanked = String::with_capacity(text.len());
    for (index, line) in text.split_inclusive('\n').enumerate() {
        match line.strip_suffix('\n') {
            _ if !lines.contains(&(index + 1)) => blanked.push_str(line),
            Some(line) => {
                blanked.extend(std::iter::repeat_n(' ', line.len()));
                blanked.push('\n');
            }
            None => blanked.extend(std::iter::repeat_n(' ', line.len())),
        }
    }
    blanked
}

//! From text to tables, as far as the text is TOML.

use std::collections::BTreeMap;

use toml::de::DeTable;

use super::mistake::{Finding, Severity};
use super::text::{Spot, Text};

/// The tables that could be read.
pub(super) struct Parsed<'a> {
    pub(super) table: DeTable<'a>,
    /// What is no TOML: the first mistake of each line, since the others mostly follow from it.
    pub(super) mistakes: BTreeMap<usize, Finding>,
}

/// Parses what can be parsed.
pub(super) fn parse<'a>(source: &'a str, text: &Text<'a>) -> Parsed<'a> {
    let (table, errors) = DeTable::parse_recoverable(source);
    let mut mistakes = BTreeMap::new();
    for error in errors {
        let spot = Spot::file(error.span().unwrap_or(0..0));
        let line = text.line_number(spot.span.start);
        mistakes.entry(line).or_insert_with(|| Finding::new(Severity::Error, &spot, error.message()));
    }
    Parsed { table: table.into_inner(), mistakes }
}

//! What is said of texts that are no files of apps, in the same form.

use std::ops::Range;

use super::mistake::{Finding, Mistakes, Severity};
use super::text::{Spot, Text};

/// Something about a place in a text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remark {
    /// How bad it is.
    pub severity: Severity,
    /// Counted from 1.
    pub line: usize,
    /// Characters, counted from 1.
    pub column: usize,
    /// What is wrong.
    pub message: String,
    /// What would be right.
    pub help: Option<String>,
}

impl Mistakes {
    /// Remarks about a text that is called `name`. The lines in `secret`, counted from 1, are not shown.
    pub fn of_text(name: &str, text: &str, secret: Vec<Range<usize>>, remarks: Vec<Remark>) -> Self {
        let text = Text::with_secret(text, secret);
        let finding = |remark: Remark| {
            let spot = Spot::file(text.word_at(remark.line, remark.column));
            let mut finding = Finding::new(remark.severity, &spot, remark.message);
            if let Some(help) = remark.help {
                finding.help(help);
            }
            finding
        };
        Self::located(remarks.into_iter().map(finding).collect(), name, &text, &Text::new(""))
    }
}

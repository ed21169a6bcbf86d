//! Tables for people: aligned columns, colours only where they are welcome, times as one says them.

use std::time::{Duration, SystemTime};

/// How a text looks on a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Look {
    Plain,
    Head,
    Good,
    Busy,
    Bad,
    Faint,
}

impl Look {
    /// Its ANSI codes (ECMA-48, SGR).
    fn codes(self) -> &'static str {
        match self {
            Self::Plain => "",
            Self::Head => "1",
            Self::Good => "32",
            Self::Busy => "33",
            Self::Bad => "31",
            Self::Faint => "2",
        }
    }
}

/// A field of a table.
#[derive(Clone, Debug)]
pub(super) struct Cell {
    text: String,
    look: Look,
}

impl<T: Into<String>> From<T> for Cell {
    fn from(text: T) -> Self {
        Self { text: text.into(), look: Look::Plain }
    }
}

impl Cell {
    pub(super) fn new(text: impl Into<String>, look: Look) -> Self {
        Self { text: text.into(), look }
    }

    fn width(&self) -> usize {
        self.text.chars().count()
    }

    /// With so much space after it; what has no look gets no codes.
    fn shown(&self, width: usize, colours: bool) -> String {
        let space = " ".repeat(width.saturating_sub(self.width()));
        match self.look {
            look if colours && look != Look::Plain => {
                format!("\x1b[{}m{}\x1b[0m{space}", look.codes(), self.text)
            }
            _ => format!("{}{space}", self.text),
        }
    }
}

/// The rows below their heads, each column as wide as it must be.
pub(super) fn table(heads: &[&str], rows: Vec<Vec<Cell>>, colours: bool) -> String {
    let heads: Vec<Cell> = heads.iter().map(|head| Cell::new(*head, Look::Head)).collect();
    lines(std::iter::once(heads).chain(rows).collect(), colours)
}

/// Rows without heads.
pub(super) fn lines(rows: Vec<Vec<Cell>>, colours: bool) -> String {
    let mut widths = Vec::new();
    for row in &rows {
        widths.resize(widths.len().max(row.len()), 0);
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = cell.width().max(*width);
        }
    }
    let line = |row: Vec<Cell>| {
        let cells = row.iter().zip(&widths).map(|(cell, width)| cell.shown(*width, colours));
        format!("{}\n", cells.collect::<Vec<_>>().join("  ").trim_end())
    };
    rows.into_iter().map(line).collect()
}

/// How long ago a moment was that the API has told (RFC 3339).
pub(super) fn ago(moment: Option<&str>, now: SystemTime) -> String {
    let Some(moment) = moment else { return "never".to_owned() };
    match humantime::parse_rfc3339(moment) {
        // A clock that is a little ahead of ours is not in the future.
        Ok(at) => format!("{} ago", span(now.duration_since(at).unwrap_or_default())),
        Err(_) => moment.to_owned(),
    }
}

/// In its largest unit.
fn span(span: Duration) -> String {
    match span.as_secs() {
        seconds @ 0..60 => format!("{seconds}s"),
        seconds @ 60..3_600 => format!("{}m", seconds / 60),
        seconds @ 3_600..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_are_aligned_and_colours_take_no_room() {
        let rows = || vec![vec!["ä".into(), Cell::new("up", Look::Good)], vec!["long".into(), "x".into()]];
        assert_eq!(table(&["A", "B"], rows(), false), "A     B\nä     up\nlong  x\n");
        let coloured = table(&["A", "B"], rows(), true);
        assert_eq!(coloured.lines().nth(1), Some("ä     \x1b[32mup\x1b[0m"));
    }

    #[test]
    fn times_are_said_in_their_largest_unit() {
        let now = humantime::parse_rfc3339("2026-01-03T00:00:00Z").unwrap_or(SystemTime::UNIX_EPOCH);
        for (moment, said) in [
            ("2026-01-02T23:59:59.500Z", "0s ago"),
            ("2026-01-02T23:59:01Z", "59s ago"),
            ("2026-01-02T23:01:00Z", "59m ago"),
            ("2026-01-01T00:00:01Z", "47h ago"),
            ("2025-01-03T00:00:00Z", "365d ago"),
            ("2026-01-03T00:00:09Z", "0s ago"),
            ("later", "later"),
        ] {
            assert_eq!(ago(Some(moment), now), said);
        }
        assert_eq!(ago(None, now), "never");
    }
}

//! YAML with places.

mod tree;

pub(super) use tree::{Inner, Node, Place};

/// A document of a stream.
#[derive(Debug)]
pub(super) struct Document<'t> {
    /// The line of the stream before its first, counted from 1: what must be added to its own lines.
    pub(super) before: usize,
    /// As it is written.
    pub(super) text: &'t str,
    /// What it says, or what is no YAML.
    pub(super) node: Result<Node, Broken>,
}

/// What is no YAML.
#[derive(Debug)]
pub(super) struct Broken {
    /// Where, in the stream.
    pub(super) place: Place,
    /// Why.
    pub(super) message: String,
}

/// The documents of a stream. A line of three dashes begins one, whatever is around it (YAML 1.2.2, section 9.1.2); so
/// what is wrong in one leaves the others readable.
pub(super) fn documents(stream: &str) -> Vec<Document<'_>> {
    parts(stream).into_iter().filter_map(|(before, text)| document(before, text)).collect()
}

fn document(before: usize, text: &str) -> Option<Document<'_>> {
    let says_something = |line: &str| {
        let line = line.strip_prefix("---").unwrap_or(line).trim();
        !(line.is_empty() || line.starts_with('#') || line.starts_with('%') || line == "...")
    };
    text.lines().any(says_something).then(|| Document { before, text, node: tree::read(text, before) })
}

fn parts(stream: &str) -> Vec<(usize, &str)> {
    let marks = |line: &str| {
        line.strip_prefix("---").is_some_and(|rest| rest.is_empty() || rest.starts_with(char::is_whitespace))
    };
    let (mut parts, mut start, mut first) = (Vec::new(), 0, 0);
    let mut offset = 0;
    for (number, line) in stream.split_inclusive('\n').enumerate() {
        if marks(line) && offset > start {
            parts.push((first, stream.get(start..offset).unwrap_or_default()));
            (start, first) = (offset, number);
        }
        offset += line.len();
    }
    parts.push((first, stream.get(start..).unwrap_or_default()));
    parts
}

#[cfg(test)]
mod tests;

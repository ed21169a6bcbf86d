//! Which lines of a file may have a secret in them. Mistakes there have their place, but the line is not shown.
//!
//! By the letters, not by the tables: also a line that is no TOML, or whose key is misspelt, keeps what it has.

use std::ops::Range;

use super::syntax::{is_header, is_pair};

/// The lines, counted from 1, of tables and of values whose name says so.
pub(super) fn lines(text: &str) -> Vec<Range<usize>> {
    let mut secret = Vec::new();
    let (mut of_table, mut of_value) = (false, false);
    for (line, number) in text.lines().zip(1..) {
        if is_header(line) {
            of_table = is_told(line);
            of_value = false;
        } else if is_pair(line) {
            of_value = false;
        }
        of_value |= is_told(line);
        if of_table || of_value {
            push(&mut secret, number);
        }
    }
    secret
}

/// Whether a line, or what follows, is about what one must know to be let in.
fn is_told(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    let name = line.split_once('=').map_or(&*line, |(name, _)| name);
    let told = |text: &str, words: &[&str]| words.iter().any(|word| text.contains(word));
    told(name, &["admin", "token"]) || told(&line, &["secret", "sha256:"])
}

fn push(lines: &mut Vec<Range<usize>>, number: usize) {
    match lines.last_mut() {
        Some(last) if last.end == number => last.end += 1,
        _ => lines.push(number..number + 1),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_and_a_value_are_kept_to_their_end() {
        let text = "[[admin.token]]\nx = 1\n\n[[app]]\nname = \"a\"\nsecrts = [\n\"sha256:1\",\n\"2\",\n]\nmy_secrets = [\n \"3\"\n]\ndir = \"token\"\n";
        assert_eq!(lines(text), [1..4, 7..13]);
    }
}

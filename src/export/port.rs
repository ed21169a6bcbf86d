//! Where programs listen in a pod, and how they are told.

/// The port of every pod: each has an address of its own.
pub(super) const CONTAINER: i32 = 8080;
/// The port of every Service.
pub(super) const SERVICE: i32 = 80;
/// What both are called.
pub(super) const NAME: &str = "http";

/// A word of a command, in which `$PORT` and `${PORT}` stand for the port: Kubernetes writes `$(PORT)`. What else it
/// would take for a variable is kept from it.
pub(super) fn word(word: &str) -> String {
    let mut result = String::new();
    let mut rest = word;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        let port =
            after.strip_prefix("{PORT}").or_else(|| after.strip_prefix("PORT").filter(|rest| ends(rest)));
        match port {
            Some(after) => {
                result.push_str("$(PORT)");
                rest = after;
            }
            None => {
                result.push_str(dollar(after));
                rest = after;
            }
        }
    }
    result + rest
}

/// A value as it is, for a field in which Kubernetes replaces variables (core/v1, `EnvVar.value`).
pub(super) fn literal(value: &str) -> String {
    let mut result = String::new();
    let mut rest = value;
    while let Some((before, after)) = rest.split_once('$') {
        result.push_str(before);
        result.push_str(dollar(after));
        rest = after;
    }
    result + rest
}

/// `$PORTS` is another variable.
fn ends(rest: &str) -> bool {
    !rest.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_')
}

/// A dollar sign before `after`: two stand for one, and one before anything else for itself.
fn dollar(after: &str) -> &'static str {
    if after.starts_with(['$', '(']) { "$$" } else { "$" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_the_variable_of_kubernetes() {
        for (written, expected) in [
            ("$PORT", "$(PORT)"),
            ("--listen=0.0.0.0:${PORT}", "--listen=0.0.0.0:$(PORT)"),
            ("$PORT-$PORT", "$(PORT)-$(PORT)"),
            ("$PORTS $PORT_ $HOME", "$PORTS $PORT_ $HOME"),
            ("$(date)", "$$(date)"),
            ("$$PORT", "$$$(PORT)"),
            ("cost: 5$", "cost: 5$"),
        ] {
            assert_eq!(word(written), expected);
        }
    }

    #[test]
    fn a_value_is_taken_as_it_is() {
        for (written, expected) in [("$(A)", "$$(A)"), ("$$", "$$$"), ("$PORT", "$PORT"), ("", "")] {
            assert_eq!(literal(written), expected);
            assert_eq!(replaced(expected), written, "as Kubernetes reads it");
        }
    }

    /// What Kubernetes makes of a text while no variable is known (`third_party/forked/golang/expansion`).
    fn replaced(text: &str) -> String {
        let mut result = String::new();
        let mut characters = text.chars().peekable();
        while let Some(c) = characters.next() {
            result.push(c);
            if c == '$' && characters.peek() == Some(&'$') {
                characters.next();
            }
        }
        result
    }
}

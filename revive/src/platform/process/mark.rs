//! The variable by which whatever an instance starts is known, whatever group or session it moves to.

use std::fmt;

use config::hex;
use config::link::Instance;

/// The variable's name. Its value is the state directory's token, a point, and the instance.
pub(super) const MARK: &str = "LOCO_EDGE_INSTANCE";

/// What one state directory has and no other: 32 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Token(Box<str>);

impl Token {
    /// From 16 random bytes.
    pub(super) fn new(random: [u8; 16]) -> Self {
        Self(hex::encode(&random).into())
    }

    /// Parses what [`Token::as_str`] wrote.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let right = text.len() == 32 && text.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
        right.then(|| Self(text.into()))
    }

    /// As it is stored.
    pub(super) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Whose a process is.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) struct Mark {
    /// Of which edge.
    pub(super) token: Token,
    /// Of which run.
    pub(super) instance: Instance,
}

impl Mark {
    /// Parses the variable's value.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let (token, instance) = text.split_once('.')?;
        Some(Self { token: Token::parse(token)?, instance: Instance(instance.parse().ok()?) })
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.token.as_str(), self.instance)
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_was_written_and_nothing_else_is() {
        let mark = Mark { token: Token::new([0xa5; 16]), instance: Instance(7) };
        assert_eq!(Mark::parse(&mark.to_string()), Some(mark));
        for wrong in
            ["", ".", "7", "a5.7", &format!("{}.x", "a5".repeat(16)), &format!("{}.7", "A5".repeat(16))]
        {
            assert_eq!(Mark::parse(wrong), None, "{wrong}");
        }
    }
}

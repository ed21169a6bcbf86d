//! Spans of time outside a file of apps, by the same words: custom resources say `idleAfter: 30s`, too.

use std::time::Duration;

use super::quantity::{self, DURATION_HELP, Wrong};
use super::values::LONGEST;
use crate::model::After;

/// Parses a span such as `30s` or `1h30m`, of at least `least` and at most ten years.
///
/// # Errors
/// What would be right.
pub fn span(text: &str, least: Duration) -> Result<Duration, String> {
    let span = quantity::duration(text).map_err(|wrong| match wrong {
        Wrong::Meant(text) | Wrong::Unit(_, text) => format!("did you mean \"{text}\"?"),
        Wrong::Never | Wrong::TooLarge | Wrong::NotOne => DURATION_HELP.to_owned(),
    })?;
    if span < least {
        return Err(format!("at least \"{}\"", quantity::shown_duration(least)));
    }
    if span > LONGEST { Err("at most 10 years".to_owned()) } else { Ok(span) }
}

/// Parses a span, or `never`.
///
/// # Errors
/// What would be right.
pub fn after(text: &str) -> Result<After, String> {
    match text {
        "never" => Ok(After::Never),
        text => span(text, Duration::from_millis(1)).map(After::Elapsed),
    }
}

/// A span as one would write it: `90s`, `2h`.
pub fn shown_span(span: Duration) -> String {
    quantity::shown_duration(span)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_span_is_read_as_in_a_file() {
        assert_eq!(span("1h30m", Duration::ZERO), Ok(Duration::from_secs(5_400)));
        assert_eq!(after("never"), Ok(After::Never));
        assert_eq!(after("7d"), Ok(After::Elapsed(Duration::from_secs(604_800))));
        assert_eq!(shown_span(Duration::from_secs(5_400)), "90m");
    }

    #[test]
    fn what_is_no_span_says_what_would_be() {
        assert_eq!(span("15", Duration::ZERO), Err("did you mean \"15s\"?".to_owned()));
        assert_eq!(span("1s", Duration::from_secs(2)), Err("at least \"2s\"".to_owned()));
        assert_eq!(span("4000d", Duration::ZERO), Err("at most 10 years".to_owned()));
        for text in ["soon", "never", ""] {
            assert_eq!(span(text, Duration::ZERO), Err(DURATION_HELP.to_owned()), "{text}");
        }
        assert_eq!(after("0s"), Err("at least \"1ms\"".to_owned()));
    }
}

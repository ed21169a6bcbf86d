//! Durations as visitors say them.

use std::time::Duration;

/// Whole seconds, rounded up and at least one: what is announced has passed when it has, and nothing reloads at once.
pub(super) fn whole_seconds_up(duration: Duration) -> u64 {
    duration.as_secs().saturating_add(u64::from(duration.subsec_nanos() > 0)).max(1)
}

/// How long something has lasted, rounded down.
pub(super) fn so_far(elapsed: Duration) -> String {
    match elapsed.as_secs() {
        0 => "less than a second".to_owned(),
        seconds => spoken(seconds),
    }
}

/// How long something will last, rounded up.
pub(super) fn to_come(duration: Duration) -> String {
    spoken(whole_seconds_up(duration))
}

fn spoken(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, seconds) => count(seconds, "second"),
        (minutes, 0) => count(minutes, "minute"),
        (minutes, seconds) => format!("{} {}", count(minutes, "minute"), count(seconds, "second")),
    }
}

fn count(number: u64, unit: &str) -> String {
    format!("{number} {unit}{}", if number == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn past_is_rounded_down_and_future_up() {
        let cases = [
            (0, "less than a second", "1 second"),
            (999, "less than a second", "1 second"),
            (1_000, "1 second", "1 second"),
            (1_001, "1 second", "2 seconds"),
            (59_500, "59 seconds", "1 minute"),
            (61_000, "1 minute 1 second", "1 minute 1 second"),
            (180_000, "3 minutes", "3 minutes"),
        ];
        for (millis, past, future) in cases {
            let duration = Duration::from_millis(millis);
            assert_eq!(
                (so_far(duration).as_str(), to_come(duration).as_str()),
                (past, future),
                "{millis} ms"
            );
        }
    }

    #[test]
    fn the_longest_duration_is_no_overflow() {
        assert_eq!(whole_seconds_up(Duration::MAX), u64::MAX);
    }
}

//! `--name value` on a scenario's command line; everything has a default.

use std::str::FromStr;

use crate::Outcome;

/// The value of `--name`, or the default.
///
/// # Errors
/// Where the value is missing or makes no sense.
pub fn value<T: FromStr>(name: &str, unset: T) -> Outcome<T> {
    let flag = format!("--{name}");
    let mut arguments = std::env::args().skip_while(|argument| *argument != flag);
    if arguments.next().is_none() {
        return Ok(unset);
    }
    let value = arguments.next().ok_or_else(|| format!("{flag} needs a value"))?;
    value.parse().map_err(|_| format!("{flag} {value} makes no sense").into())
}

/// Whether `--name` is there.
pub fn flag(name: &str) -> bool {
    let flag = format!("--{name}");
    std::env::args().any(|argument| argument == flag)
}

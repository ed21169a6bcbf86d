//! Takes typed values out of fields. Each returns `None` where it has recorded a mistake.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::de::DeValue;

use super::guess;
use super::quantity::{self, Wrong};
use super::reader::{Field, Reader, is_variable, items, shortened, wrong_type};
use crate::model::{After, Rate, RateError};
use crate::settings::{Secret, SecretError};

/// The longest clock: far beyond it `Instant` ends.
pub(super) const LONGEST: Duration = Duration::from_secs(10 * 365 * 24 * 3_600);

impl Reader {
    /// Text without a NUL, which neither arguments, variables nor paths can have.
    pub(super) fn text<'a>(&mut self, field: &Field<'a>, example: &str) -> Option<&'a str> {
        match field.value {
            DeValue::String(text) if text.contains('\0') => {
                self.mistake(&field.spot, format!("`{}` has a NUL character", shortened(field.name)))
                    .help("take it out: the operating system ends a text there");
                None
            }
            DeValue::String(text) => Some(text),
            DeValue::Integer(n) => self.unquoted(field, n),
            DeValue::Float(n) => self.unquoted(field, n),
            DeValue::Boolean(b) => self.unquoted(field, b),
            DeValue::Datetime(time) => self.unquoted(field, time),
            DeValue::Array(_) | DeValue::Table(_) => {
                self.mistake(&field.spot, wrong_type(field, "text", field.value))
                    .help(format!("such as {example:?}"));
                None
            }
        }
    }

    fn unquoted<'a>(&mut self, field: &Field<'a>, value: &dyn Display) -> Option<&'a str> {
        let help = format!("put it in quotes: \"{value}\"");
        self.mistake(&field.spot, wrong_type(field, "text", field.value)).help(help);
        None
    }

    /// Text that a type of the model accepts; its error says what would be right.
    pub(super) fn parsed<T, E: Display>(
        &mut self,
        field: &Field<'_>,
        example: &str,
        parse: impl FnOnce(&str) -> Result<T, E>,
    ) -> Option<T> {
        let text = self.text(field, example)?;
        match parse(text) {
            Ok(value) => Some(value),
            Err(right) => {
                let message = format!("`{}` cannot be {:?}", shortened(field.name), shortened(text));
                self.mistake(&field.spot, message).help(right.to_string());
                None
            }
        }
    }

    /// One of some words, each with what it stands for.
    pub(super) fn word<T: Copy, const N: usize>(
        &mut self,
        field: &Field<'_>,
        words: [(&'static str, T); N],
    ) -> Option<T> {
        let names = words.map(|(name, _)| name);
        self.parsed(field, names.first().copied().unwrap_or_default(), |text| {
            let known = words.into_iter().find(|(name, _)| *name == text);
            known.map(|(_, value)| value).ok_or_else(|| guess::or_list(text, &names))
        })
    }

    /// How many in how long, such as `"5/min"`.
    pub(super) fn rate(&mut self, field: &Field<'_>) -> Option<Rate> {
        const EXAMPLE: &str = "5/min";
        if !matches!(field.value, DeValue::String(_)) {
            let help = format!("how many in how long, such as {EXAMPLE:?}");
            self.mistake(&field.spot, wrong_type(field, "text", field.value)).help(help);
            return None;
        }
        self.parsed(field, EXAMPLE, str::parse)
    }

    /// A list, of the items that are right; `None` where it is no list or an item is wrong.
    pub(super) fn list<T>(
        &mut self,
        field: &Field<'_>,
        example: &str,
        mut item: impl FnMut(&mut Self, &Field<'_>) -> Option<T>,
    ) -> Option<Vec<T>> {
        let DeValue::Array(array) = field.value else {
            self.mistake(&field.spot, wrong_type(field, "a list", field.value))
                .help(format!("such as {example}"));
            return None;
        };
        let mut right = Vec::with_capacity(array.len());
        let mut all_right = true;
        for field in items(field, array) {
            match item(self, &field) {
                Some(value) => right.push(value),
                None => all_right = false,
            }
        }
        all_right.then_some(right)
    }

    pub(super) fn boolean(&mut self, field: &Field<'_>) -> Option<bool> {
        match field.value {
            DeValue::Boolean(value) => Some(*value),
            other => {
                self.mistake(&field.spot, wrong_type(field, "true or false", other))
                    .help("without quotes: true");
                None
            }
        }
    }

    /// A whole number within `range`.
    pub(super) fn count<N: TryFrom<u64>>(
        &mut self,
        field: &Field<'_>,
        range: RangeInclusive<u64>,
    ) -> Option<N> {
        let number = match field.value {
            DeValue::Integer(n) => i128::from_str_radix(n.as_str(), n.radix()).ok(),
            DeValue::String(text) if is_variable(field) => text.trim().parse().ok(),
            _ => None,
        };
        let Some(number) = number else {
            let quotes = if is_variable(field) { "" } else { "without quotes, " };
            let help = format!("{quotes}such as {}", range.end().min(&100));
            self.mistake(&field.spot, wrong_type(field, "a whole number", field.value)).help(help);
            return None;
        };
        let right =
            u64::try_from(number).ok().filter(|n| range.contains(n)).and_then(|n| N::try_from(n).ok());
        if right.is_none() {
            let help = format!("from {} to {}", range.start(), range.end());
            self.mistake(&field.spot, format!("`{}` cannot be {number}", field.name)).help(help);
        }
        right
    }

    /// Bytes: a whole number, or text such as `"32KiB"`.
    pub(super) fn size<N: TryFrom<u64>>(
        &mut self,
        field: &Field<'_>,
        range: RangeInclusive<u64>,
    ) -> Option<N> {
        let bytes = match field.value {
            DeValue::Integer(n) => u64::from_str_radix(n.as_str(), n.radix()).map_err(|_| Wrong::NotOne),
            DeValue::String(text) => quantity::size(text),
            other => {
                self.mistake(&field.spot, wrong_type(field, "a size", other)).help(quantity::SIZE_HELP);
                return None;
            }
        };
        let bytes = self.quantity(field, "a size", quantity::SIZE_HELP, bytes)?;
        let right = Some(bytes).filter(|n| range.contains(n)).and_then(|n| N::try_from(n).ok());
        if right.is_none() {
            let (low, high) = (quantity::shown_size(*range.start()), quantity::shown_size(*range.end()));
            let message = format!("`{}` cannot be {}", field.name, quantity::shown_size(bytes));
            self.mistake(&field.spot, message).help(format!("from {low} to {high}"));
        }
        right
    }

    /// A span of time of at least `least`.
    pub(super) fn duration(&mut self, field: &Field<'_>, least: Duration) -> Option<Duration> {
        let span = match field.value {
            DeValue::String(text) => quantity::duration(text),
            DeValue::Integer(n) => Err(Wrong::Meant(format!("{n}s"))),
            DeValue::Float(n) => Err(Wrong::Meant(format!("{}s", n.as_str()))),
            other => {
                self.mistake(&field.spot, wrong_type(field, "a time", other)).help(quantity::DURATION_HELP);
                return None;
            }
        };
        let span = self.quantity(field, "a time", quantity::DURATION_HELP, span)?;
        if (least..=LONGEST).contains(&span) {
            return Some(span);
        }
        let help = if span < least {
            format!("at least \"{}\"", quantity::shown_duration(least))
        } else {
            "at most 10 years".to_owned()
        };
        let message = format!("`{}` cannot be {}", field.name, quantity::shown_duration(span));
        self.mistake(&field.spot, message).help(help);
        None
    }

    /// A span of time or `"never"`.
    pub(super) fn after(&mut self, field: &Field<'_>) -> Option<After> {
        if field.value.as_str() == Some("never") {
            return Some(After::Never);
        }
        if field.value.as_bool() == Some(false) {
            self.mistake(&field.spot, wrong_type(field, "a time", field.value))
                .help("did you mean \"never\"?");
            return None;
        }
        self.duration(field, Duration::from_millis(1)).map(After::Elapsed)
    }

    /// How many in how long, or `"none"` for no limit.
    pub(super) fn rate_or_none(&mut self, field: &Field<'_>, example: &str) -> Option<Option<Rate>> {
        if field.value.as_str() == Some("none") {
            return Some(None);
        }
        self.parsed(field, example, |text| {
            text.parse().map(Some).map_err(|right: RateError| format!("{right}; or \"none\" for no limit"))
        })
    }

    /// At most so many secrets; of a variable, with a comma between them. What is wrong is said without showing them.
    pub(super) fn secrets(&mut self, field: &Field<'_>, most: usize) -> Option<Vec<Secret>> {
        let secrets: Option<Vec<&str>> = match field.value {
            DeValue::Array(list) => list.iter().map(|item| item.get_ref().as_str()).collect(),
            DeValue::String(text) if is_variable(field) => Some(text.split(',').map(str::trim).collect()),
            _ => None,
        };
        let right = secrets.filter(|secrets| secrets.len() <= most).ok_or(SecretError);
        let right = right.and_then(|secrets| secrets.into_iter().map(Secret::parse).collect());
        if right.is_err() {
            let help = format!("at most {most}, each of at least {} bytes, in quotes", Secret::LEAST);
            let message = format!("`{}` must be a list of secrets", field.name);
            self.mistake(&field.spot, message).help(help);
        }
        right.ok()
    }

    fn quantity<T>(
        &mut self,
        field: &Field<'_>,
        what: &str,
        help: &str,
        read: Result<T, Wrong>,
    ) -> Option<T> {
        let wrong = match read {
            Ok(value) => return Some(value),
            Err(wrong) => wrong,
        };
        let written = match field.value {
            DeValue::String(text) => format!("{:?}", shortened(text)),
            DeValue::Integer(n) => n.to_string(),
            DeValue::Float(n) => n.to_string(),
            _ => String::from("this"),
        };
        let (message, help) = match wrong {
            Wrong::Meant(text) => {
                (format!("`{}` has no unit", field.name), format!("did you mean \"{text}\"?"))
            }
            Wrong::Unit(unit, text) => (
                format!("`{}` has the unit {unit:?}, which is none here", field.name),
                format!("did you mean \"{text}\"?"),
            ),
            Wrong::Never => (format!("`{}` cannot be \"never\"", field.name), help.to_owned()),
            Wrong::TooLarge => (format!("`{}` is too large: {written}", field.name), help.to_owned()),
            Wrong::NotOne => {
                (format!("`{}` must be {what}, which {written} is not", field.name), help.to_owned())
            }
        };
        self.mistake(&field.spot, message).help(help);
        None
    }
}

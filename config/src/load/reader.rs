//! Walks tables by lists of keys and collects everything that is wrong on the way.
//!
//! One list of [`Key`]s per struct is all there is to say about it: it decodes the table, names the allowed keys, and
//! is what a wrong key is compared with.

use std::collections::BTreeMap;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::guess;
use super::mistake::{Finding, Severity};
use super::text::{Origin, Spot};

/// A key of the tables that become a `T`.
pub(super) struct Key<T> {
    /// As it is written.
    pub(super) name: &'static str,
    /// Reads the value into the `T`, or records a mistake and leaves the `T` as it is.
    pub(super) take: fn(&mut T, &Field<'_>, &mut Reader),
}

/// A key that has the name of a slot and fills it.
macro_rules! slot {
    ($name:ident, $read:expr) => {
        $crate::load::reader::Key {
            name: stringify!($name),
            take: |draft, field, reader| {
                draft.$name = $crate::load::reader::Slot::of(field, $read(reader, field));
            },
        }
    };
}
pub(super) use slot;

/// A key with its value.
#[derive(Debug)]
pub(super) struct Field<'a> {
    pub(super) name: &'a str,
    /// Where the key is.
    pub(super) key: Spot,
    /// Where the value is.
    pub(super) spot: Spot,
    pub(super) value: &'a DeValue<'a>,
}

/// What a file says about one setting.
#[derive(Clone, Debug, Default)]
pub(super) enum Slot<T> {
    /// Nothing.
    #[default]
    Absent,
    /// Something that is a mistake, which has been recorded.
    Wrong,
    /// This, there.
    Written(T, Spot),
}

impl<T> Slot<T> {
    /// What reading `field` gave.
    pub(super) fn of(field: &Field<'_>, value: Option<T>) -> Self {
        match value {
            Some(value) => Self::Written(value, field.spot.clone()),
            None => Self::Wrong,
        }
    }

    /// This, or `defaults` where nothing is said.
    pub(super) fn or(self, defaults: &Self) -> Self
    where
        T: Clone,
    {
        match self {
            Self::Absent => defaults.clone(),
            written => written,
        }
    }

    pub(super) fn is_absent(&self) -> bool {
        matches!(self, Self::Absent)
    }

    pub(super) fn written(&self) -> Option<(&T, &Spot)> {
        match self {
            Self::Absent | Self::Wrong => None,
            Self::Written(value, spot) => Some((value, spot)),
        }
    }

    /// The value, or the fallback where there is none that is right.
    pub(super) fn value_or(self, fallback: T) -> T {
        match self {
            Self::Absent | Self::Wrong => fallback,
            Self::Written(value, _) => value,
        }
    }
}

/// Collects mistakes.
#[derive(Debug)]
pub(super) struct Reader {
    findings: Vec<Finding>,
    /// Where a key would be right that is wrong where it is, such as `in [gateway]`.
    home: fn(&str) -> Option<&'static str>,
    /// Where settings are written that others must agree with; the last place counts.
    places: BTreeMap<&'static str, Spot>,
    /// Where the text is no TOML, something that seems to be missing may just not have been understood.
    incomplete: bool,
}

impl Reader {
    pub(super) fn new(home: fn(&str) -> Option<&'static str>) -> Self {
        Self { findings: Vec::new(), home, places: BTreeMap::new(), incomplete: false }
    }

    pub(super) fn mistake(&mut self, spot: &Spot, message: impl Into<String>) -> &mut Finding {
        self.found(Severity::Error, spot, message)
    }

    pub(super) fn warning(&mut self, spot: &Spot, message: impl Into<String>) -> &mut Finding {
        self.found(Severity::Warning, spot, message)
    }

    fn found(&mut self, severity: Severity, spot: &Spot, message: impl Into<String>) -> &mut Finding {
        self.findings.push_mut(Finding::new(severity, spot, message))
    }

    /// Records that something is missing, unless it may have been lost to a syntax error.
    pub(super) fn missing(&mut self, spot: &Spot, message: impl Into<String>, help: impl Into<String>) {
        if !self.incomplete {
            self.mistake(spot, message).help(help);
        }
    }

    /// Keeps where a setting is written.
    pub(super) fn remember(&mut self, name: &'static str, field: &Field<'_>) {
        self.places.insert(name, field.spot.clone());
    }

    pub(super) fn place_of(&self, name: &str) -> Option<&Spot> {
        self.places.get(name)
    }

    /// From here on, what is missing is not recorded.
    pub(super) fn set_incomplete(&mut self) {
        self.incomplete = true;
    }

    pub(super) fn into_findings(self) -> Vec<Finding> {
        self.findings
    }

    /// Reads every entry of a table by `keys`; `place` is what a person calls the table, such as `in [gateway]`.
    pub(super) fn entries<T>(&mut self, table: &DeTable<'_>, keys: &[&[Key<T>]], place: &str, into: &mut T) {
        for (name, value) in table {
            let field = Field {
                name: name.get_ref(),
                key: Spot::file(name.span()),
                spot: Spot::file(value.span()),
                value: value.get_ref(),
            };
            if field.spot.span.is_empty() {
                // Here the parser found no value; it has said so.
                continue;
            }
            match find(keys, field.name) {
                Some(key) => (key.take)(into, &field, self),
                None => self.unknown_key(&field, keys, place),
            }
        }
    }

    /// Reads a field that is a table.
    pub(super) fn table<T>(&mut self, field: &Field<'_>, keys: &[&[Key<T>]], place: &str, into: &mut T) {
        match field.value {
            DeValue::Table(table) => self.entries(table, keys, place, into),
            other => {
                let names: Vec<_> = names(keys).collect();
                let help = format!("a table of {}", guess::listed(&names));
                self.mistake(&field.spot, wrong_type(field, "a table", other)).help(help);
            }
        }
    }

    /// Reads a field that is a list of tables, each with the place where it begins. Of the two helps, the first is for
    /// who wrote one table instead.
    pub(super) fn tables<T: Default>(
        &mut self,
        field: &Field<'_>,
        keys: &[&[Key<T>]],
        place: &str,
        [not_one, not_else]: [&str; 2],
        into: &mut Vec<(T, Spot)>,
    ) {
        let DeValue::Array(array) = field.value else {
            let help = if matches!(field.value, DeValue::Table(_)) { not_one } else { not_else };
            self.mistake(&field.spot, wrong_type(field, "a list of tables", field.value)).help(help);
            return;
        };
        for item in items(field, array) {
            let mut value = T::default();
            self.table(&item, keys, place, &mut value);
            into.push((value, item.spot));
        }
    }

    fn unknown_key<T>(&mut self, field: &Field<'_>, keys: &[&[Key<T>]], place: &str) {
        let names: Vec<_> = names(keys).collect();
        let home = (self.home)(field.name);
        let (what, help) = match (guess::near(field.name, &names, guess::Nearness::Slip), home) {
            (Some(question), _) => ("unknown", question),
            (None, Some(home)) => ("misplaced", format!("it belongs {home}")),
            (None, None) => ("unknown", guess::or_list(field.name, &names)),
        };
        self.mistake(&field.key, format!("{what} key `{}` {place}", shortened(field.name))).help(help);
    }
}

/// The names of all keys.
pub(super) fn names<T>(keys: &[&[Key<T>]]) -> impl Iterator<Item = &'static str> {
    keys.iter().flat_map(|list| list.iter().map(|key| key.name))
}

/// The key of this name.
pub(super) fn find<'k, T>(keys: &[&'k [Key<T>]], name: &str) -> Option<&'k Key<T>> {
    keys.iter().flat_map(|list| list.iter()).find(|key| key.name == name)
}

/// Such as `` `max_head` must be a size, but this is a boolean ``.
pub(super) fn wrong_type(field: &Field<'_>, expected: &str, found: &DeValue<'_>) -> String {
    let found = match found {
        DeValue::String(_) => "text",
        DeValue::Integer(_) => "a whole number",
        DeValue::Float(_) => "a decimal number",
        DeValue::Boolean(_) => "true or false",
        DeValue::Datetime(_) => "a date or time",
        DeValue::Array(_) => "a list",
        DeValue::Table(_) => "a table",
    };
    format!("`{}` must be {expected}, not {found}", shortened(field.name))
}

/// A text from the file, in a message: not more of it than helps.
pub(super) fn shortened(text: &str) -> String {
    const MAX: usize = 60;
    if text.chars().count() <= MAX {
        return text.to_owned();
    }
    text.chars().take(MAX - 1).chain(['…']).collect()
}

/// The entries of a list as fields of the same name.
pub(super) fn items<'a>(
    field: &Field<'a>,
    list: &'a [Spanned<DeValue<'a>>],
) -> impl Iterator<Item = Field<'a>> {
    let (name, key) = (field.name, field.key.clone());
    let origin = field.spot.origin;
    list.iter().map(move |item| Field {
        name,
        key: key.clone(),
        spot: Spot { origin, span: item.span() },
        value: item.get_ref(),
    })
}

/// Whether a field comes from a variable, where everything is text.
pub(super) fn is_variable(field: &Field<'_>) -> bool {
    field.spot.origin == Origin::Environment
}

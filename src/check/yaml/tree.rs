//! What a document says, each value with its place.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};
use serde_saphyr::Spanned;

use super::Broken;

/// A place in a text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::check) struct Place {
    /// Counted from 1.
    pub(in crate::check) line: usize,
    /// Characters, counted from 1.
    pub(in crate::check) column: usize,
}

/// A value.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::check) struct Node {
    /// Where it is; of what a key names, where the key is.
    pub(in crate::check) place: Place,
    /// It.
    pub(in crate::check) inner: Inner,
}

/// What a value is.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::check) enum Inner {
    /// Text, a number, or nothing.
    Scalar(Value),
    /// A list.
    List(Vec<Node>),
    /// Names, each with a value.
    Map(Vec<(String, Node)>),
}

/// Reads a document that begins after so many lines.
pub(super) fn read(text: &str, before: usize) -> Result<Node, Broken> {
    let options = serde_saphyr::options! { with_snippet: false };
    let read: Result<Spanned<Inner>, _> = serde_saphyr::from_str_with_options(text, options);
    match read {
        Ok(read) => {
            let mut node = Node { place: place(&read.referenced), inner: read.value };
            node.shift(before);
            Ok(node)
        }
        Err(error) => {
            let at = error.location().map(|location| place(&location)).unwrap_or_default();
            let place = Place { line: before + at.line.max(1), column: at.column.max(1) };
            // The place is told with the text; the first line has no snippet and no second place.
            let message = error.without_snippet().to_string();
            let message = message.lines().next().unwrap_or_default();
            let message = message.strip_prefix("error: ").unwrap_or(message);
            Err(Broken { place, message: without_place(message).to_owned() })
        }
    }
}

/// A message without the place at its beginning or end, which would be that within the document.
fn without_place(message: &str) -> &str {
    let message = message.split_once(" at line ").map_or(message, |(before, _)| before);
    match message.strip_prefix("line ").and_then(|rest| rest.split_once(": ")) {
        Some((_, after)) => after,
        None => message,
    }
}

fn place(location: &serde_saphyr::Location) -> Place {
    let number = |n: u64| usize::try_from(n).unwrap_or(usize::MAX);
    Place { line: number(location.line()), column: number(location.column()) }
}

impl Node {
    fn shift(&mut self, lines: usize) {
        self.place.line += lines;
        match &mut self.inner {
            Inner::Scalar(_) => {}
            Inner::List(list) => list.iter_mut().for_each(|node| node.shift(lines)),
            Inner::Map(map) => map.iter_mut().for_each(|(_, node)| node.shift(lines)),
        }
    }

    /// What is there under a name.
    pub(in crate::check) fn at(&self, name: &str) -> Option<&Self> {
        match &self.inner {
            Inner::Map(map) => map.iter().find(|(key, _)| key == name).map(|(_, node)| node),
            Inner::Scalar(_) | Inner::List(_) => None,
        }
    }

    /// What is there in a list; nothing if it is none.
    pub(in crate::check) fn items(&self) -> &[Self] {
        match &self.inner {
            Inner::List(list) => list,
            Inner::Scalar(_) | Inner::Map(_) => &[],
        }
    }

    /// The text that is there.
    pub(in crate::check) fn text(&self) -> Option<&str> {
        match &self.inner {
            Inner::Scalar(value) => value.as_str(),
            Inner::List(_) | Inner::Map(_) => None,
        }
    }

    /// The place of what a path means, such as `spec.rules[0].matches` or `spec.limits[NAME].rate`; or of the last that
    /// is there on the way.
    pub(in crate::check) fn place_of(&self, path: &str) -> Place {
        let mut node = self;
        for step in
            path.split(['.', '[']).map(|step| step.trim_end_matches(']')).filter(|step| !step.is_empty())
        {
            let found = match (&node.inner, step.parse::<usize>()) {
                (Inner::List(list), Ok(number)) => list.get(number),
                (Inner::List(list), Err(_)) => {
                    list.iter().find(|item| item.at("name").and_then(Self::text) == Some(step))
                }
                (Inner::Map(_), _) => node.at(step),
                (Inner::Scalar(_), _) => None,
            };
            match found {
                Some(found) => node = found,
                None => return node.place,
            }
        }
        node.place
    }

    /// It as JSON has it.
    pub(in crate::check) fn json(&self) -> Value {
        match &self.inner {
            Inner::Scalar(value) => value.clone(),
            Inner::List(list) => list.iter().map(Self::json).collect(),
            Inner::Map(map) => Value::Object(
                map.iter().map(|(name, node)| (name.clone(), node.json())).collect::<Map<_, _>>(),
            ),
        }
    }
}

impl<'de> Deserialize<'de> for Inner {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Reader)
    }
}

struct Reader;

impl<'de> Visitor<'de> for Reader {
    type Value = Inner;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("YAML")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Inner, E> {
        Ok(Inner::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Inner, E> {
        Ok(Inner::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Inner, E> {
        Ok(Inner::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Inner, E> {
        Ok(Inner::Scalar(Number::from_f64(value).map_or(Value::Null, Value::Number)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Inner, E> {
        Ok(Inner::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Inner, E> {
        Ok(Inner::Scalar(Value::Null))
    }

    fn visit_none<E>(self) -> Result<Inner, E> {
        Ok(Inner::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Inner, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element::<Spanned<Inner>>()? {
            list.push(Node { place: place(&item.referenced), inner: item.value });
        }
        Ok(Inner::List(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Inner, A::Error> {
        let mut map = Vec::new();
        while let Some(key) = entries.next_key::<Spanned<String>>()? {
            let value: Spanned<Inner> = entries.next_value()?;
            map.push((key.value, Node { place: place(&key.referenced), inner: value.value }));
        }
        Ok(Inner::Map(map))
    }
}

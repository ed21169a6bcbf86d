//! Values that only `[kubernetes]` has.

use std::collections::BTreeSet;

use toml::de::DeValue;

use super::reader::{Field, Reader, is_variable};

/// What a pattern of namespaces can say.
const PLACEHOLDERS: [&str; 3] = ["{org}", "{workspace}", "{app}"];

impl Reader {
    /// Ports, each once, at least one and at most so many; of a variable, with a comma between them.
    pub(super) fn ports(&mut self, field: &Field<'_>, most: usize) -> Option<Vec<u16>> {
        let ports: Option<BTreeSet<u16>> = match field.value {
            DeValue::Array(list) => list.iter().map(|item| port(item.get_ref())).collect(),
            DeValue::String(text) if is_variable(field) => {
                text.split(',').map(|port| port.trim().parse().ok()).collect()
            }
            _ => None,
        };
        let right = ports.filter(|ports| (1..=most).contains(&ports.len()) && !ports.contains(&0));
        if right.is_none() {
            let message = format!("`{}` must be a list of ports", field.name);
            self.mistake(&field.spot, message).help("from 1 to 65535, such as [80, 443]");
        }
        right.map(|ports| ports.into_iter().collect())
    }

    /// Words; of a variable, with a comma between them.
    pub(super) fn texts(&mut self, field: &Field<'_>, example: &str) -> Option<Vec<String>> {
        if let (DeValue::String(text), true) = (field.value, is_variable(field)) {
            let words = text.split(',').map(str::trim).filter(|word| !word.is_empty());
            return Some(words.map(str::to_owned).collect());
        }
        self.list(field, &format!("[{example:?}]"), |reader, field| {
            reader.text(field, example).map(str::to_owned)
        })
    }

    /// A name with a prefix, as Kubernetes has for labels and controllers: `example.com/name`.
    pub(super) fn label_key(&mut self, field: &Field<'_>, example: &str) -> Option<String> {
        self.parsed(field, example, |text| {
            let (prefix, name) = text.rsplit_once('/').unwrap_or(("", text));
            let part = |b: u8| b.is_ascii_alphanumeric() || b"-_.".contains(&b);
            let right = (1..=63).contains(&name.len())
                && name.bytes().all(part)
                && prefix.len() <= 253
                && prefix.bytes().all(|b| part(b) || b == b'/');
            if right { Ok(text.to_owned()) } else { Err(format!("a name such as {example:?}")) }
        })
    }

    /// An object of a namespace, `NAMESPACE/NAME`, or nothing.
    pub(super) fn object_or_empty(&mut self, field: &Field<'_>, example: &str) -> Option<String> {
        self.parsed(field, example, |text| {
            let part = |part: &str| {
                !part.is_empty()
                    && part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
            };
            let right = text.split_once('/').is_some_and(|(namespace, name)| part(namespace) && part(name));
            if right || text.is_empty() {
                Ok(text.to_owned())
            } else {
                Err(format!("NAMESPACE/NAME, such as {example:?}"))
            }
        })
    }

    /// The names of tenants' namespaces; empty: they say nothing.
    pub(super) fn tenant_pattern(&mut self, field: &Field<'_>, example: &str) -> Option<String> {
        self.parsed(field, example, |text| {
            let mut rest = text.to_owned();
            for placeholder in PLACEHOLDERS {
                rest = rest.replacen(placeholder, "", 1);
            }
            let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
            // Between two that touch nobody could say where one ends.
            let touching = text.contains("}{");
            if rest.bytes().all(plain) && !touching {
                return Ok(text.to_owned());
            }
            Err(format!("a namespace's name with {} in it, such as {example:?}", PLACEHOLDERS.join(", ")))
        })
    }

    /// An `http://` or `https://` URL, or nothing.
    pub(super) fn url_or_empty(&mut self, field: &Field<'_>, example: &str) -> Option<String> {
        self.parsed(field, example, |text| {
            let rest = text.strip_prefix("http://").or_else(|| text.strip_prefix("https://"));
            let right =
                rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|b| b.is_ascii_graphic()));
            if right || text.is_empty() {
                Ok(text.to_owned())
            } else {
                Err(format!("a URL such as {example:?}"))
            }
        })
    }

    /// True or false, of a variable too.
    pub(super) fn boolean_as(&mut self, field: &Field<'_>, example: &str) -> Option<bool> {
        if !is_variable(field) {
            return self.boolean(field);
        }
        self.parsed(field, example, |text| text.parse::<bool>().map_err(|_| "true or false"))
    }
}

fn port(value: &DeValue<'_>) -> Option<u16> {
    match value {
        DeValue::Integer(n) => u16::from_str_radix(n.as_str(), n.radix()).ok(),
        _ => None,
    }
}

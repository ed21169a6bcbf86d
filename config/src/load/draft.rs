//! What a file says about an app, before defaults fill the gaps.

use std::collections::BTreeMap;
use std::time::Duration;

use toml::de::DeValue;

use super::passersby::{self, PassersbyDraft};
use super::reader::{Field, Key, Reader, Slot, shortened, slot, wrong_type};
use super::text::Spot;
use super::upstream;
use crate::model::{After, AppName, Check, Endpoint, HostPattern, Label, PathPrefix, Protocol, WakeMode};

/// An `[[app]]`, or `[defaults]` for all of them.
#[derive(Clone, Debug, Default)]
pub(super) struct AppDraft {
    pub(super) name: Slot<AppName>,
    pub(super) command: Slot<Vec<String>>,
    pub(super) upstreams: Slot<Vec<Endpoint>>,
    pub(super) hosts: Slot<Vec<(HostPattern, Spot)>>,
    pub(super) paths: Slot<Vec<(PathPrefix, Spot)>>,
    pub(super) dir: Slot<String>,
    pub(super) env: Slot<BTreeMap<String, String>>,
    pub(super) tenant: TenantDraft,
    pub(super) protocol: Slot<Protocol>,
    pub(super) health: HealthDraft,
    pub(super) idle_after: Slot<After>,
    pub(super) remove_after: Slot<After>,
    pub(super) wake: Slot<WakeMode>,
    pub(super) page_after: Slot<Duration>,
    pub(super) hold_timeout: Slot<Duration>,
    pub(super) max_held: Slot<u32>,
    pub(super) passersby: PassersbyDraft,
    pub(super) response_timeout: Slot<Duration>,
}

/// `tenant = { … }`
#[derive(Clone, Debug, Default)]
pub(super) struct TenantDraft {
    pub(super) org: Slot<Label>,
    pub(super) workspace: Slot<Label>,
}

/// `health = { … }`
#[derive(Clone, Debug, Default)]
pub(super) struct HealthDraft {
    pub(super) http: Slot<Check>,
    pub(super) tcp: Slot<bool>,
    pub(super) grpc: Slot<Check>,
    pub(super) timeout: Slot<Duration>,
    pub(super) grace: Slot<Duration>,
}

const MOMENT: Duration = Duration::from_millis(1);

/// What only an app can say.
pub(super) static APP: &[Key<AppDraft>] = &[
    slot!(name, name),
    slot!(command, command),
    slot!(upstreams, upstream::endpoints),
    slot!(hosts, hosts),
    slot!(paths, paths),
];

/// What an app and `[defaults]` can say.
pub(super) static SHARED: &[Key<AppDraft>] = &[
    slot!(dir, |r: &mut Reader, f| r.text(f, "site").map(str::to_owned)),
    slot!(env, env),
    Key { name: "tenant", take: |draft, f, r| r.table(f, &[TENANT], "in `tenant`", &mut draft.tenant) },
    slot!(protocol, protocol),
    Key { name: "health", take: |draft, f, r| r.table(f, &[HEALTH], "in `health`", &mut draft.health) },
    slot!(idle_after, Reader::after),
    slot!(remove_after, Reader::after),
    slot!(wake, wake),
    slot!(page_after, |r: &mut Reader, f| r.duration(f, Duration::ZERO)),
    slot!(hold_timeout, |r: &mut Reader, f| r.duration(f, MOMENT)),
    slot!(max_held, |r: &mut Reader, f| r.count(f, 1..=10_000_000)),
    Key {
        name: "passersby",
        take: |draft, f, r| r.table(f, &[passersby::PASSERSBY], "in `passersby`", &mut draft.passersby),
    },
    slot!(response_timeout, |r: &mut Reader, f| r.duration(f, MOMENT)),
];

pub(super) static TENANT: &[Key<TenantDraft>] = &[slot!(org, label), slot!(workspace, label)];

pub(super) static HEALTH: &[Key<HealthDraft>] = &[
    slot!(http, http_check),
    slot!(tcp, Reader::boolean),
    slot!(grpc, grpc_check),
    slot!(timeout, |r: &mut Reader, f| r.duration(f, MOMENT)),
    slot!(grace, |r: &mut Reader, f| r.duration(f, MOMENT)),
];

pub(super) fn label(reader: &mut Reader, field: &Field<'_>) -> Option<Label> {
    reader.parsed(field, "acme", Label::parse)
}

fn name(reader: &mut Reader, field: &Field<'_>) -> Option<AppName> {
    reader.parsed(field, "hello", |text| {
        let plain = text.trim().to_ascii_lowercase().replace(['_', ' ', '.'], "-");
        AppName::parse(text).map_err(|_| match AppName::parse(&plain) {
            Ok(_) => format!("did you mean {plain:?}? It becomes part of a host name"),
            Err(error) => error.to_string(),
        })
    })
}

fn command(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<String>> {
    const EXAMPLE: &str = r#"["python3", "-m", "http.server", "$PORT"]"#;
    if let DeValue::String(line) = field.value {
        let words: Vec<_> = line.split_whitespace().collect();
        let help = format!("no shell takes it apart; write {}", shortened(&format!("{words:?}")));
        reader.mistake(&field.spot, wrong_type(field, "a list", field.value)).help(help);
        return None;
    }
    let command = reader.list(field, EXAMPLE, |r, f| r.text(f, "$PORT").map(str::to_owned))?;
    if command.first().is_none_or(|program| program.trim().is_empty()) {
        reader.mistake(&field.spot, "`command` names no program").help(format!("such as {EXAMPLE}"));
        return None;
    }
    Some(command)
}

pub(super) fn hosts(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<(HostPattern, Spot)>> {
    const EXAMPLE: &str = "hello.localhost";
    const HOSTS: &str = "a DNS name such as shop.example.com, or *.example.com for all below it: up to 253 characters \
                         of a-z, 0-9, '-', '_' and '.'";
    let hosts = reader.list(field, &format!("[{EXAMPLE:?}]"), |r, f| {
        let host =
            r.parsed(f, EXAMPLE, |text| HostPattern::parse(text).map_err(|_| host_help(text, HOSTS)))?;
        Some((host, f.spot.clone()))
    })?;
    some(reader, field, hosts, "leave `hosts` out, or name at least one")
}

/// What somebody should have written who wrote `text` for a host.
pub(super) fn host_help(text: &str, error: impl ToString) -> String {
    let (scheme, rest) = text.split_once("://").unwrap_or(("", text));
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let bare = authority.rsplit_once(':').map_or(authority, |(host, _)| host);
    let parts = [("scheme", !scheme.is_empty()), ("port", bare != authority), ("path", authority != rest)];
    let parts: Vec<_> = parts.into_iter().filter(|(_, there)| *there).map(|(part, _)| part).collect();
    match HostPattern::parse(bare) {
        Ok(host) if bare != text => {
            format!("a host has no {}: did you mean \"{host}\"?", parts.join(" and no "))
        }
        _ => error.to_string(),
    }
}

pub(super) fn paths(reader: &mut Reader, field: &Field<'_>) -> Option<Vec<(PathPrefix, Spot)>> {
    let paths = reader.list(field, r#"["/"]"#, |r, f| {
        let path = r.parsed(f, "/api", path)?;
        Some((path, f.spot.clone()))
    })?;
    some(reader, field, paths, "leave `paths` out for all of them, or name at least one")
}

/// Parses a prefix. One that ends in `*` is a habit from elsewhere: here it would match only a path that has one.
fn path(text: &str) -> Result<PathPrefix, String> {
    match PathPrefix::parse(text) {
        Ok(path) if !text.ends_with('*') => Ok(path),
        Ok(_) => Err(path_help(text, "a prefix stands for all that is below, without '*'")),
        Err(error) => Err(path_help(text, error)),
    }
}

fn path_help(text: &str, error: impl ToString) -> String {
    let bare = text.trim_end_matches('*');
    match PathPrefix::parse(&format!("/{}", bare.trim_start_matches('/'))) {
        Ok(path) => format!("did you mean \"{path}\"? It stands for all that is below"),
        Err(_) => error.to_string(),
    }
}

pub(super) fn some<T>(reader: &mut Reader, field: &Field<'_>, list: Vec<T>, help: &str) -> Option<Vec<T>> {
    if list.is_empty() {
        reader.mistake(&field.spot, format!("`{}` is empty", field.name)).help(help);
        return None;
    }
    Some(list)
}

fn env(reader: &mut Reader, field: &Field<'_>) -> Option<BTreeMap<String, String>> {
    let DeValue::Table(table) = field.value else {
        let help = r#"such as { GREETING = "hi" }"#;
        reader.mistake(&field.spot, wrong_type(field, "a table", field.value)).help(help);
        return None;
    };
    let mut variables = BTreeMap::new();
    for (name, value) in table {
        let item = Field {
            name: name.get_ref(),
            key: Spot::file(name.span()),
            spot: Spot::file(value.span()),
            value: value.get_ref(),
        };
        if item.spot.span.is_empty() {
            continue;
        }
        let named = variable_name(reader, &item);
        if let (Some(text), true) = (reader.text(&item, "hi"), named) {
            variables.insert(item.name.to_owned(), text.to_owned());
        }
    }
    Some(variables)
}

fn variable_name(reader: &mut Reader, field: &Field<'_>) -> bool {
    let name = field.name;
    if name == "PORT" || name.starts_with("LOCO_") {
        reader
            .mistake(&field.key, format!("`{}` is set by the edge itself", shortened(name)))
            .help("take it out, or give it another name");
        return false;
    }
    if name.is_empty() || name.contains(['=', '\0']) {
        reader
            .mistake(&field.key, format!("{:?} cannot be a variable's name", shortened(name)))
            .help("letters, digits and '_', such as GREETING");
        return false;
    }
    true
}

fn wake(reader: &mut Reader, field: &Field<'_>) -> Option<WakeMode> {
    const MODES: [(&str, WakeMode); 4] = [
        ("auto", WakeMode::Auto),
        ("hold", WakeMode::Hold),
        ("page", WakeMode::Page),
        ("redirect", WakeMode::Redirect),
    ];
    reader.word(field, MODES)
}

fn protocol(reader: &mut Reader, field: &Field<'_>) -> Option<Protocol> {
    reader.word(field, [("auto", Protocol::Auto), ("http1", Protocol::Http1), ("h2c", Protocol::H2c)])
}

fn http_check(reader: &mut Reader, field: &Field<'_>) -> Option<Check> {
    reader.parsed(field, "/healthz", Check::http)
}

fn grpc_check(reader: &mut Reader, field: &Field<'_>) -> Option<Check> {
    reader.parsed(field, "shop.v1.Cart", Check::grpc)
}

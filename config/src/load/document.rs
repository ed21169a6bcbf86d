//! The file as a whole: its tables, and the variables that override it.

use toml::de::{DeTable, DeValue};

use super::draft::{self, AppDraft};
use super::guess;
use super::limit::{LIMIT, LimitDraft, MATCH};
use super::passersby::PASSERSBY;
use super::reader::{Field, Key, Reader, Slot, find, names};
use super::settings::{GATEWAY, KUBERNETES, REVIVE};
use super::text::Spot;
use super::token::{ADMIN, AdminDraft, TOKEN};
use super::upstream::ENDPOINT;
use crate::model::{Host, HostPattern, Label};
use crate::settings::Settings;

/// What a file says.
#[derive(Default)]
pub(super) struct Document {
    pub(super) domain: Slot<Host>,
    pub(super) region: Slot<Label>,
    pub(super) environment: Slot<Label>,
    pub(super) settings: Settings,
    pub(super) defaults: AppDraft,
    /// Each with the place where it begins.
    pub(super) apps: Vec<(AppDraft, Spot)>,
    /// Each with the place where it begins.
    pub(super) limits: Vec<(LimitDraft, Spot)>,
    pub(super) admin: AdminDraft,
    /// Where `[kubernetes]` begins.
    pub(super) kubernetes: Option<Spot>,
    /// Apps are written, but not as apps are: that is one mistake, and that there are none would be no second one.
    pub(super) apps_are_misspelt: bool,
}

/// Keys at the top of the file.
pub(super) static TOP: &[Key<Document>] = &[
    Key { name: "domain", take: |d, f, r| d.domain = Slot::of(f, domain(r, f)) },
    Key { name: "region", take: |d, f, r| d.region = Slot::of(f, draft::label(r, f)) },
    Key { name: "environment", take: |d, f, r| d.environment = Slot::of(f, draft::label(r, f)) },
];

/// The tables.
pub(super) static TABLES: &[Key<Document>] = &[
    Key { name: "defaults", take: |d, f, r| r.table(f, &[draft::SHARED], "in [defaults]", &mut d.defaults) },
    Key { name: "app", take: apps },
    Key { name: "limit", take: limits },
    Key { name: "admin", take: |d, f, r| r.table(f, &[ADMIN], "in [admin]", &mut d.admin) },
    Key { name: "gateway", take: |d, f, r| r.table(f, &[GATEWAY], "in [gateway]", &mut d.settings.gateway) },
    Key { name: "revive", take: |d, f, r| r.table(f, &[REVIVE], "in [revive]", &mut d.settings.revive) },
    Key {
        name: "kubernetes",
        take: |d, f, r| {
            d.kubernetes = Some(f.key.clone());
            r.table(f, &[KUBERNETES], "in [kubernetes]", &mut d.settings.kubernetes);
        },
    },
];

/// Whether there is an `[app]`, `[[apps]]` or the like.
pub(super) fn apps_are_misspelt(table: &DeTable<'_>) -> bool {
    let tables = |value: &DeValue<'_>| matches!(value, DeValue::Array(_) | DeValue::Table(_));
    let near = |key: &str| guess::near(key, &["app"], guess::Nearness::Slip).is_some();
    table.iter().any(|(key, value)| match (key.get_ref().as_ref(), value.get_ref()) {
        ("app", DeValue::Array(_)) => false,
        (key, value) => tables(value) && near(key),
    })
}

/// Where a key belongs, for one who has put it elsewhere.
pub(super) fn home(key: &str) -> Option<&'static str> {
    let homes = [
        (find(&[TOP], key).is_some(), "at the top of the file, before the first [table]"),
        (find(&[draft::APP], key).is_some(), "in an [[app]]"),
        (find(&[draft::SHARED], key).is_some(), "in an [[app]] or in [defaults]"),
        (find(&[GATEWAY], key).is_some(), "in [gateway]"),
        (find(&[REVIVE], key).is_some(), "in [revive]"),
        (find(&[KUBERNETES], key).is_some(), "in [kubernetes]"),
        (find(&[draft::TENANT], key).is_some(), "in `tenant = { … }` of an [[app]] or [defaults]"),
        (find(&[draft::HEALTH], key).is_some(), "in `health = { … }` of an [[app]] or [defaults]"),
        (find(&[PASSERSBY], key).is_some(), "in `passersby = { … }` of an [[app]] or [defaults]"),
        (find(&[LIMIT], key).is_some(), "in a [[limit]]"),
        (find(&[MATCH], key).is_some(), "in `match = { … }` of a [[limit]]"),
        (find(&[TOKEN], key).is_some(), "in an [[admin.token]]"),
        (find(&[ENDPOINT], key).is_some(), "in `{ address = …, weight = … }` of `upstreams`"),
    ];
    homes.into_iter().find(|(here, _)| *here).map(|(_, home)| home)
}

fn domain(reader: &mut Reader, field: &Field<'_>) -> Option<Host> {
    reader.parsed(field, "localhost", |text| {
        if text.parse::<std::net::IpAddr>().is_ok() {
            return Err(
                "apps answer at NAME.domain, and an address has no names below: such as \"localhost\""
                    .to_owned(),
            );
        }
        match HostPattern::parse(text) {
            Ok(HostPattern::Exact(host)) => Ok(host),
            Ok(HostPattern::Wildcard(host)) => Err(format!("without the wildcard: did you mean \"{host}\"?")),
            Err(error) => Err(draft::host_help(text, error)),
        }
    })
}

fn apps(document: &mut Document, field: &Field<'_>, reader: &mut Reader) {
    let tables =
        ["apps are a list: write [[app]] with two brackets", "write [[app]], and below it the app's keys"];
    reader.tables(field, &[draft::APP, draft::SHARED], "in [[app]]", tables, &mut document.apps);
}

fn limits(document: &mut Document, field: &Field<'_>, reader: &mut Reader) {
    let tables = [
        "limits are a list: write [[limit]] with two brackets",
        "write [[limit]], and below it the limit's keys",
    ];
    reader.tables(field, &[LIMIT], "in [[limit]]", tables, &mut document.limits);
}

/// Variables of these names override the file.
const PREFIX: &str = "LOCO_EDGE__";
/// Between a table and its key in a variable's name.
const SEPARATOR: &str = "__";

/// Lets variables override what `document` says. Returns the text that mistakes about variables point into.
///
/// A variable that is unknown is shown without its value, which may be meant for somebody else.
pub(super) fn overlay(
    document: &mut Document,
    variables: &[(String, String)],
    reader: &mut Reader,
) -> String {
    let mut ours: Vec<_> = variables.iter().filter_map(|(n, v)| Some((n.strip_prefix(PREFIX)?, v))).collect();
    ours.sort();
    let mut text = String::new();
    for (name, value) in ours {
        let start = text.len();
        text.push_str(PREFIX);
        text.extend(name.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
        let key = Spot::environment(start..text.len());
        if variable_names().any(|known| known == name) {
            text.push('=');
            let from = text.len();
            text.extend(value.chars().map(|c| if c.is_control() { '\u{fffd}' } else { c }));
            let decoded = DeValue::String(value.as_str().into());
            let spot = Spot::environment(from..text.len());
            set(document, &name.to_ascii_lowercase(), &key, &spot, &decoded, reader);
        } else {
            let names: Vec<_> = variable_names().map(|name| format!("{PREFIX}{name}")).collect();
            let names: Vec<_> = names.iter().map(String::as_str).collect();
            let known = || {
                format!("{PREFIX}KEY, {PREFIX}GATEWAY__KEY or {PREFIX}REVIVE__KEY, with a key of the file")
            };
            let help = guess::near(&text[start..], &names, guess::Nearness::Far).unwrap_or_else(known);
            reader.mistake(&key, format!("no setting has the variable {PREFIX}{name}")).help(help);
        }
        text.push('\n');
    }
    text
}

fn set(
    document: &mut Document,
    name: &str,
    key: &Spot,
    spot: &Spot,
    value: &DeValue<'_>,
    reader: &mut Reader,
) {
    let (table, name) = name.split_once(SEPARATOR).unwrap_or(("", name));
    let field = Field { name, key: key.clone(), spot: spot.clone(), value };
    if let (Some(key), "") = (find(&[TOP], name), table) {
        (key.take)(document, &field, reader);
    } else if let (Some(key), "gateway") = (find(&[GATEWAY], name), table) {
        (key.take)(&mut document.settings.gateway, &field, reader);
    } else if let (Some(key), "revive") = (find(&[REVIVE], name), table) {
        (key.take)(&mut document.settings.revive, &field, reader);
    } else if let (Some(key), "kubernetes") = (find(&[KUBERNETES], name), table) {
        (key.take)(&mut document.settings.kubernetes, &field, reader);
    }
}

/// All variables that are known, without the prefix.
fn variable_names() -> impl Iterator<Item = String> {
    let top = names(&[TOP]).map(str::to_ascii_uppercase).collect::<Vec<_>>();
    let in_table =
        |table: &'static str| move |key: &str| format!("{table}{SEPARATOR}{}", key.to_ascii_uppercase());
    let gateway = names(&[GATEWAY]).map(in_table("GATEWAY")).collect::<Vec<_>>();
    let revive = names(&[REVIVE]).map(in_table("REVIVE")).collect::<Vec<_>>();
    let kubernetes = names(&[KUBERNETES]).map(in_table("KUBERNETES")).collect::<Vec<_>>();
    top.into_iter().chain(gateway).chain(revive).chain(kubernetes)
}

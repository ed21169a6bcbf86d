//! `docs/operations.md` says of each key what it is when it is not written. It has to be true.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it is wrong")]

use std::collections::BTreeSet;
use std::fmt::Debug;
use std::path::Path;

use config::load::{Loaded, parse, parse_platform};
use config::settings::Settings;

const APP: &str = "[[app]]\nname = \"hello\"\ncommand = [\"hello\"]\n";

fn loaded(text: &str) -> Loaded {
    parse("apps.toml", text, Path::new("/srv"), &[]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

/// Key and default of each row of the table after this line.
fn rows(after: &str) -> Vec<(String, String)> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/operations.md");
    let text = std::fs::read_to_string(path).expect("the document");
    let (_, table) = text.split_once(after).expect("the table's introduction");
    let table = table.lines().skip_while(|line| !line.starts_with('|')).skip(2);
    let cells = |line: &str| {
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().replace('`', ""));
        (cells.next().expect("a key"), cells.next().expect("a default"))
    };
    table.take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn fields(value: &impl Debug) -> Vec<String> {
    let shown = format!("{value:#?}");
    let names = shown.lines().filter_map(|line| line.strip_prefix("    ")?.split_once(':'));
    names.map(|(name, _)| name.to_owned()).collect()
}

fn cluster(text: &str) -> Loaded {
    parse_platform("edge.toml", text, &[]).unwrap_or_else(|mistakes| panic!("{text}\n{mistakes}"))
}

fn is_documented(table: &str, fields: Vec<String>) {
    let rows = rows(&format!("`[{table}]`: "));
    assert_eq!(rows.iter().map(|(key, _)| key.clone()).collect::<Vec<_>>(), fields);
    for (key, default) in rows {
        let text = format!("{APP}[{table}]\n{key} = {default}\n");
        assert_eq!(loaded(&text).settings, Settings::default(), "{key}");
    }
}

#[test]
fn settings_of_the_gateway() {
    is_documented("gateway", fields(&Settings::default().gateway));
}

#[test]
fn settings_of_revive() {
    is_documented("revive", fields(&Settings::default().revive));
}

#[test]
fn settings_of_a_cluster() {
    let rows = rows("`[kubernetes]`: ");
    let keys: Vec<_> = rows.iter().map(|(key, _)| key.clone()).collect();
    assert_eq!(keys, fields(&Settings::default().kubernetes));
    for (key, default) in rows {
        let text = format!("[kubernetes]\n{key} = {default}\n");
        assert_eq!(cluster(&text).settings, Settings::default(), "{key}");
    }
}

#[test]
fn keys_of_an_app() {
    let rows = rows("An app, in `[[app]]`");
    assert!(rows.len() > 10, "{rows:?}");
    let none = loaded(APP).apps;
    for (key, default) in rows.into_iter().filter(|(_, default)| default != "–") {
        let default = if key == "hosts" { "[\"hello.localhost\"]".to_owned() } else { default };
        assert_eq!(loaded(&format!("{APP}{key} = {default}\n")).apps, none, "{key}");
    }
}

/// The keys of a table, as the mistake about an unknown one lists them.
fn known(text: &str) -> BTreeSet<String> {
    let mistakes =
        parse("apps.toml", &format!("{APP}{text}\nzzzzzz = 1\n"), Path::new("/srv"), &[]).unwrap_err();
    let help =
        mistakes.iter().find_map(|m| m.help.as_ref().filter(|_| m.message.contains("`zzzzzz`"))).unwrap();
    help.trim_start_matches("one of ").replace('`', "").split(", ").map(str::to_owned).collect()
}

#[test]
fn every_key_is_there() {
    let keys = |after: &str| rows(after).into_iter().map(|(key, _)| key).collect::<BTreeSet<_>>();
    assert_eq!(keys("An app, in `[[app]]`"), known(""));
    assert_eq!(keys("A `[[limit]]` "), known("[[limit]]"));
    assert_eq!(keys("With an `[[admin.token]]`"), known("[[admin.token]]"));
}

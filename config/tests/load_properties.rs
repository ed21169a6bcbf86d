//! What holds for every file, however wrong.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test ends where it is wrong")]

use std::path::Path;

use config::load::{Colours, Loaded, Mistakes, Severity, parse};
use proptest::prelude::*;
use proptest::sample::{Index, select};

const VALID: &str = include_str!("data/valid.toml");
const WRONG: &str = include_str!("data/mistakes.toml");
const NO_TOML: &str = include_str!("data/syntax.toml");

fn parsed(text: &str) -> Result<Loaded, Mistakes> {
    parse("apps.toml", text, Path::new("/srv"), &[])
}

/// Loads, or has a mistake, and every mistake lies in the text and can be shown.
fn loads_or_says_where(text: &str) -> Result<(), TestCaseError> {
    let mistakes = match parsed(text) {
        Ok(loaded) => loaded.warnings,
        Err(mistakes) => {
            prop_assert!(mistakes.count(Severity::Error) > 0);
            mistakes
        }
    };
    let lines = text.lines().count().max(1);
    for mistake in &mistakes {
        let line = mistake.place.line.unwrap_or(0);
        prop_assert!((1..=lines).contains(&line), "line {line} of {lines}: {mistake:?}");
    }
    let rendered = mistakes.render(Colours::Plain);
    let shown = mistakes.iter().all(|m| rendered.contains(&format!(":{}:", m.place.line.unwrap_or(0))));
    prop_assert!(shown);
    Ok(())
}

/// Bits of the language and of the keys, so that something like a file comes about.
fn bits() -> impl Strategy<Value = String> {
    let bit = select(vec![
        "[[app]]",
        "[app]",
        "[gateway]",
        "[defaults]",
        "[",
        "]",
        "{",
        "}",
        "=",
        ".",
        ",",
        "\n",
        "\r\n",
        " ",
        "\"",
        "'",
        "\"\"\"",
        "'''",
        "\\",
        "\\u0000",
        "#",
        "name",
        "command",
        "upstreams",
        "hosts",
        "health",
        "env",
        "http",
        "app",
        "max_held",
        "idle_after",
        "\"a\"",
        "\"15m\"",
        "[\"a\"]",
        "-1",
        "0x10",
        "1e999",
        "nan",
        "1979-05-27",
        "true",
        "ä",
        "\u{0}",
        "\u{feff}",
        "\u{202e}",
        "name = \"a\"\n",
        "command = [\"a\"]\n",
        "[[app]]\n",
        "health.http = \"/\"\n",
        "[[limit]]\n",
        "[[admin.token]]\n",
        "match",
        "secrets = ",
        "\"hunter2hunter2hunter2\"",
        "preset = \"loco-deploy\"\n",
    ]);
    prop::collection::vec(bit, 0..60).prop_map(|bits| bits.concat())
}

/// A file with some characters taken out, put in or doubled.
fn damaged() -> impl Strategy<Value = String> {
    let damage = prop::collection::vec((any::<Index>(), any::<char>(), 0..3), 1..6);
    (select(vec![VALID, WRONG, NO_TOML]), damage).prop_map(|(text, damage)| {
        let mut text: Vec<char> = text.chars().collect();
        for (place, character, kind) in damage {
            let place = place.index(text.len());
            match kind {
                0 => drop(text.remove(place)),
                1 => text.insert(place, character),
                _ => text.insert(place, text[place]),
            }
        }
        text.into_iter().collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_text_loads_or_says_where(text in any::<String>()) {
        loads_or_says_where(&text)?;
    }

    #[test]
    fn anything_like_a_file_loads_or_says_where(text in bits()) {
        loads_or_says_where(&text)?;
    }

    #[test]
    fn a_damaged_token_keeps_its_secret(
        damage in prop::collection::vec((any::<Index>(), any::<char>(), any::<bool>()), 1..3),
    ) {
        let (before, tokens) = VALID.split_at(VALID.find("[[admin.token]]").unwrap());
        let mut tokens: Vec<char> = tokens.chars().collect();
        for (place, character, insert) in damage {
            let place = place.index(tokens.len());
            let end = if insert { place } else { place + 1 };
            tokens.splice(place..end, insert.then_some(character));
        }
        let text = format!("{before}{}", tokens.into_iter().collect::<String>());
        let mistakes = parsed(&text).map_or_else(|mistakes| mistakes, |loaded| loaded.warnings);
        let shown = format!("{mistakes} {}", serde_json::to_string(&mistakes).unwrap());
        prop_assert!(!shown.contains("hunter2"), "{}", shown);
    }

    #[test]
    fn a_damaged_file_loads_or_says_where(text in damaged()) {
        loads_or_says_where(&text)?;
    }
}

/// Each key of the file that loco-edge knows: its name and where it begins.
fn keys(text: &str) -> Vec<(&str, usize)> {
    let of_tenants = ["GREETING", "COLOUR"];
    let word = |c: char| c.is_ascii_alphabetic() || c == '_';
    let mut found = Vec::new();
    for (place, line) in text.lines().map(|line| (line.as_ptr() as usize - text.as_ptr() as usize, line)) {
        if let Some(header) = line.strip_prefix('[') {
            let names = header.trim_matches(['[', ']']);
            let place = place + line.len() - line.trim_start_matches('[').len();
            let at = |name: &str| place + (name.as_ptr() as usize - names.as_ptr() as usize);
            found.extend(names.split('.').map(|name| (name, at(name))));
        }
        for (equals, _) in line.match_indices(" = ").filter(|_| !line.starts_with('#')) {
            let begin = line[..equals].rfind(|c| !word(c)).map_or(0, |before| before + 1);
            found.push((&line[begin..equals], place + begin));
        }
    }
    found.retain(|(name, _)| !of_tenants.contains(name));
    found
}

/// `name` with one letter changed, taken out, put in, or swapped with the next.
fn misspelt(name: &str, kind: usize, place: usize, letter: char) -> String {
    let mut letters: Vec<char> = name.chars().collect();
    match kind {
        0 => letters[place] = letter,
        1 => drop(letters.remove(place)),
        2 => letters.insert(place, letter),
        _ => letters.swap(place, (place + 1).min(name.len() - 1)),
    }
    letters.into_iter().collect()
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn a_misspelt_key_is_guessed(
        which in any::<Index>(), kind in 0..4_usize, place in any::<Index>(), letter in prop::char::range('a', 'z'),
    ) {
        let keys = keys(VALID);
        prop_assert!(keys.len() > 50);
        let (name, at) = *which.get(&keys);
        let wrong = misspelt(name, kind, place.index(name.len()), letter);
        prop_assume!(keys.iter().all(|(right, _)| *right != wrong) && wrong != name);
        let text = format!("{}{wrong}{}", &VALID[..at], &VALID[at + name.len()..]);
        let mistakes = parsed(&text).err().unwrap();
        let line = VALID[..at].lines().count() + usize::from(VALID[..at].ends_with('\n') || at == 0);
        let told = mistakes.iter().any(|m| {
            m.place.line == Some(line) && m.help.as_ref().is_some_and(|help| help.contains(&format!("`{name}`")))
        });
        prop_assert!(told, "{wrong} for {name}\n{mistakes}");
    }
}

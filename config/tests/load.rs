//! Files of apps, right and wrong, as their writers meet them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test ends where it is wrong")]

use std::path::{Path, PathBuf};

use config::load::{Colours, load, parse};

fn here(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The rendering of a file's mistakes, with file names as in `tests/data`.
fn rendered(name: &str) -> String {
    let file = here("tests/data").join(name);
    let path = [("PATH".to_owned(), "/usr/bin:/bin".to_owned())];
    let mistakes = load(&file, &path).expect_err("the file is wrong");
    let folder = format!("{}/", file.parent().unwrap().display());
    mistakes.render(Colours::Plain).replace(&folder, "")
}

#[test]
fn show() {
    eprintln!("{}", rendered("mistakes.toml"));
    eprintln!("{}", rendered("syntax.toml"));
    let _ = parse;
}

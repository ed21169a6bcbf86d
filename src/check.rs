//! `loco-edge check`.

use std::io::Write as _;
use std::process::ExitCode;

use config::load::{self, Colours, Mistakes};

use crate::cli;
use crate::files;

/// Looks for mistakes.
pub(crate) fn run(args: &cli::Check) -> ExitCode {
    let loaded = load::load(&args.file, &files::variables());
    let (mistakes, summary) = match &loaded {
        Ok(loaded) => (
            &loaded.warnings,
            Some(format!("{}: {}, no mistakes\n", args.file.display(), apps(loaded.apps.len()))),
        ),
        Err(mistakes) => (mistakes, None),
    };
    let shown = if args.json { json(mistakes) } else { people(mistakes, summary) };
    // A reader that has left (`| head`) has seen what it wanted.
    let _left = std::io::stdout().write_all(shown.as_bytes());
    if loaded.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn apps(count: usize) -> String {
    if count == 1 { "1 app".to_owned() } else { format!("{count} apps") }
}

fn json(mistakes: &Mistakes) -> String {
    serde_json::to_string_pretty(mistakes).unwrap_or_default() + "\n"
}

fn people(mistakes: &Mistakes, summary: Option<String>) -> String {
    let colours = if files::colourful(&std::io::stdout()) { Colours::Ansi } else { Colours::Plain };
    let rendered = if mistakes.is_empty() { String::new() } else { mistakes.render(colours) };
    rendered + &summary.unwrap_or_default()
}

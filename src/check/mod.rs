//! `loco-edge check`.
//!
//! ```text
//!   files ──► input ─┬─► files of apps ──► config::load ─────────────────────────────┬─► Mistakes ─► people, JSON
//!                    └─► Kubernetes YAML ──► yaml (documents, places) ──► cluster ───┴─► Summary
//! ```

mod cluster;
mod input;
mod yaml;

use std::io::Write as _;
use std::path::Path;
use std::process::ExitCode;

use config::load::{self, Colours, Loaded, Mistakes, Severity};

use crate::{cli, files};
use cluster::Summary;
use input::{Input, Text};

/// Looks for mistakes.
pub(crate) fn run(args: &cli::Check) -> ExitCode {
    let checked = Checked::of(args);
    let shown = if args.json { checked.json() } else { checked.people() };
    // A reader that has left (`| head`) has seen what it wanted.
    let _left = std::io::stdout().write_all(shown.as_bytes());
    if checked.mistakes.count(Severity::Error) == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// All that is to be said.
struct Checked {
    mistakes: Mistakes,
    /// A line for each file of apps that is right.
    right: Vec<String>,
    /// What the edge makes of Kubernetes objects, if there are any.
    summary: Option<Summary>,
}

impl Checked {
    fn of(args: &cli::Check) -> Self {
        let mut checked = Self { mistakes: Mistakes::default(), right: Vec::new(), summary: None };
        let (mut parts, mut texts) = (Vec::new(), Vec::new());
        for input in input::inputs(&args.files) {
            match input {
                Ok(Input::Apps(path)) => {
                    parts.push(checked.apps(&path, load::load(&path, &files::variables())))
                }
                Ok(Input::AppsText(Text { name, text })) => {
                    let loaded = load::parse(&name, &text, Path::new("/"), &files::variables());
                    parts.push(checked.apps(Path::new(&name), loaded));
                }
                Ok(Input::Kubernetes(text)) => texts.push(text),
                Err(mistakes) => parts.push(mistakes),
            }
        }
        if !texts.is_empty() {
            match cluster::settings(args.config.as_deref()) {
                Ok((settings, warnings)) => {
                    let (mistakes, summary) = cluster::check(&texts, settings, &args.namespace);
                    parts.extend([warnings, mistakes]);
                    checked.summary = Some(summary);
                }
                Err(mistakes) => parts.push(mistakes),
            }
        }
        checked.mistakes = Mistakes::together(parts);
        checked
    }

    fn apps(&mut self, path: &Path, loaded: Result<Loaded, Mistakes>) -> Mistakes {
        match loaded {
            Ok(loaded) => {
                self.right.push(format!(
                    "{}: {}, no mistakes\n",
                    path.display(),
                    counted(loaded.apps.len(), "app")
                ));
                loaded.warnings
            }
            Err(mistakes) => mistakes,
        }
    }

    /// Of files of apps a list of mistakes; with Kubernetes objects, that list and what the edge makes of them.
    fn json(&self) -> String {
        let text = match &self.summary {
            None => serde_json::to_string_pretty(&self.mistakes),
            Some(summary) => {
                let mut whole = serde_json::json!({ "mistakes": self.mistakes });
                if let (Some(whole), Ok(serde_json::Value::Object(summary))) =
                    (whole.as_object_mut(), serde_json::to_value(summary))
                {
                    whole.extend(summary);
                }
                serde_json::to_string_pretty(&whole)
            }
        };
        text.unwrap_or_default() + "\n"
    }

    fn people(&self) -> String {
        let colours = if files::colourful(&std::io::stdout()) { Colours::Ansi } else { Colours::Plain };
        let rendered = self.mistakes.render(colours);
        let summary = self.summary.as_ref().map(ToString::to_string).unwrap_or_default();
        let gap = if rendered.is_empty() || summary.is_empty() { "" } else { "\n" };
        let mut text = summary + gap + &rendered + &self.right.concat();
        if let (Some(summary), 0) = (&self.summary, self.mistakes.count(Severity::Error)) {
            text.push_str(&summary.total());
        }
        text
    }
}

/// `1 app`, `2 apps`.
fn counted(count: usize, one: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {one}s") }
}

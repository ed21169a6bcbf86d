//! The file of apps that an edge is started with.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// One `[[app]]`: the test app, unless it is given another command. In all lines `{dir}` stands for the test's own
/// directory and `{app}` for the test app.
#[derive(Clone, Debug)]
pub(crate) struct App {
    name: String,
    lines: Vec<String>,
    environment: Vec<(String, String)>,
    command: Option<Vec<String>>,
}

impl App {
    /// The test app, at `NAME.localhost`.
    pub(crate) fn named(name: &str) -> Self {
        let environment = ["STARTS", "REQUESTS"]
            .map(|what| (format!("{what}_FILE"), format!("{{dir}}/{name}.{}", what.to_ascii_lowercase())));
        let command = Some(vec!["{app}".to_owned()]);
        Self { name: name.to_owned(), lines: Vec::new(), environment: environment.into(), command }
    }

    /// Any other program.
    pub(crate) fn running(name: &str, command: &[&str]) -> Self {
        let command = Some(command.iter().map(|&word| word.to_owned()).collect());
        Self { name: name.to_owned(), lines: Vec::new(), environment: Vec::new(), command }
    }

    /// What somebody else runs; `upstreams` is to be among its lines.
    pub(crate) fn elsewhere(name: &str) -> Self {
        Self { name: name.to_owned(), lines: Vec::new(), environment: Vec::new(), command: None }
    }

    /// A setting, as it stands in the file.
    pub(crate) fn line(mut self, line: &str) -> Self {
        self.lines.push(line.to_owned());
        self
    }

    /// A variable of its environment.
    pub(crate) fn env(mut self, name: &str, value: &str) -> Self {
        self.environment.push((name.to_owned(), value.to_owned()));
        self
    }

    fn write(&self, text: &mut String) -> std::fmt::Result {
        writeln!(text, "\n[[app]]\nname = {}", quoted(&self.name))?;
        if let Some(command) = &self.command {
            let words: Vec<_> = command.iter().map(|word| quoted(word)).collect();
            writeln!(text, "command = [{}]", words.join(", "))?;
        }
        self.lines.iter().try_for_each(|line| writeln!(text, "{line}"))?;
        let variables = self.environment.iter().map(|(name, value)| format!("{name} = {}", quoted(value)));
        match self.environment.as_slice() {
            [] => Ok(()),
            _ => writeln!(text, "env = {{ {} }}", variables.collect::<Vec<_>>().join(", ")),
        }
    }
}

/// A file of these apps, none of which sleeps unless it says so. Tables may be put after it.
pub(crate) fn file(apps: &[App]) -> String {
    let mut text = "[defaults]\nidle_after = \"never\"\nremove_after = \"never\"\n".to_owned();
    apps.iter().try_for_each(|app| app.write(&mut text)).expect("a String takes all");
    text
}

/// A basic string of TOML.
fn quoted(text: &str) -> String {
    let escaped = text.chars().map(|c| match c {
        '"' => "\\\"".to_owned(),
        '\\' => "\\\\".to_owned(),
        '\r' => "\\r".to_owned(),
        '\n' => "\\n".to_owned(),
        c => c.to_string(),
    });
    format!("\"{}\"", escaped.collect::<String>())
}

/// A program that may be missing: its path, or `None` and a line that says what is skipped.
#[allow(clippy::print_stderr)] // A test that silently tests nothing is worse than none.
pub(crate) fn program_of(name: &str, check: &[&str]) -> Option<String> {
    let works = Command::new(name).args(check).output().is_ok_and(|output| output.status.success());
    if !works {
        eprintln!("skipped: no {name}");
    }
    works.then(|| name.to_owned())
}

/// The test app, next to the edge: built once for each run, because one that is there may be of yesterday.
pub(super) fn test_app() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let edge = Path::new(env!("CARGO_BIN_EXE_loco-edge"));
        let profile = edge.parent().expect("a directory");
        if let Some(cargo) = std::env::var_os("CARGO") {
            build(Path::new(&cargo), profile);
        }
        let app = profile.join("test-app");
        assert!(app.exists(), "{} is missing; build it with: cargo build -p test-app", app.display());
        app
    })
}

fn build(cargo: &Path, profile: &Path) {
    let name = match profile.file_name().and_then(|name| name.to_str()).expect("a profile") {
        "debug" => "dev",
        other => other,
    };
    let target = profile.parent().expect("a target directory");
    let mut command = Command::new(cargo);
    command
        .args(["build", "--quiet", "--package", "test-app", "--profile", name, "--target-dir"])
        .arg(target);
    let status = command.current_dir(env!("CARGO_MANIFEST_DIR")).status().expect("cargo runs");
    assert!(status.success(), "the test app does not build");
}

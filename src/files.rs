//! What the program reads of its surroundings, and where it keeps its own files.

use std::collections::BTreeMap;
use std::io::{self, IsTerminal, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use config::load::{Colours, Mistakes};
use rustix::process::{Pid, test_kill_process};
use serde_json::{Value, json};

/// The process's variables; those that are not UTF-8 are none of ours.
pub(crate) fn variables() -> Vec<(String, String)> {
    std::env::vars_os().filter_map(|(k, v)| Some((k.into_string().ok()?, v.into_string().ok()?))).collect()
}

/// Whether colours are welcome there (<https://no-color.org>).
pub(crate) fn colourful(stream: &impl IsTerminal) -> bool {
    stream.is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty())
}

/// Mistakes, for standard error.
pub(crate) fn shown(mistakes: &Mistakes) -> String {
    mistakes.render(if colourful(&io::stderr()) { Colours::Ansi } else { Colours::Plain })
}

/// Says why the program ends.
pub(crate) fn fail(why: &str) -> ExitCode {
    // Nobody is left to tell if standard error is closed.
    let _closed = io::stderr().write_all(why.as_bytes());
    ExitCode::FAILURE
}

/// Where the state of a file of apps is kept, unless told otherwise: beside the file, one folder for each.
pub(crate) fn default_state(file: &Path) -> PathBuf {
    let name = file.file_stem().unwrap_or(file.as_os_str());
    file.parent().unwrap_or(Path::new("")).join(".loco-edge").join(name)
}

/// Where the admin API of the edge answers that runs with this state directory, if one does: the address of an edge
/// that was killed may be somebody else's by now.
pub(crate) fn running(state: &Path) -> Option<String> {
    let text = std::fs::read_to_string(state.join("edge.json")).ok()?;
    let said: Value = serde_json::from_str(&text).ok()?;
    let pid = Pid::from_raw(said["pid"].as_i64()?.try_into().ok()?)?;
    match test_kill_process(pid) {
        // It is somebody else's, but there.
        Ok(()) | Err(rustix::io::Errno::PERM) => said["admin"].as_str().map(str::to_owned),
        Err(_) => None,
    }
}

/// The real addresses of a run, for programs that start the edge on port 0.
#[derive(Debug)]
pub(crate) struct Addresses {
    /// Where requests come in.
    pub listen: SocketAddr,
    /// Where the admin API answers.
    pub admin: SocketAddr,
    /// Each app's own address.
    pub apps: BTreeMap<String, SocketAddr>,
}

impl Addresses {
    /// Writes `edge.json` in the state directory, whole or not at all.
    pub(crate) fn write(&self, state: &Path) -> io::Result<()> {
        let text = json!({
            "listen": self.listen.to_string(),
            "admin": self.admin.to_string(),
            "pid": std::process::id(),
            "apps": self.apps.iter().map(|(name, at)| (name.clone(), at.to_string())).collect::<BTreeMap<_, _>>(),
        });
        let draft = state.join("edge.json.new");
        std::fs::write(&draft, format!("{text:#}\n"))?;
        std::fs::rename(draft, state.join("edge.json"))
    }

    /// Takes it away again: whoever reads it next must not find a port that is somebody else's by then.
    pub(crate) fn remove(state: &Path) -> io::Result<()> {
        match std::fs::remove_file(state.join("edge.json")) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            Ok(()) | Err(_) => Ok(()),
        }
    }
}

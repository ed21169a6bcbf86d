//! From an app to a running program.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::io;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use config::link::Failure;
use config::model::ProcessSpec;
use rustix::fs::{Access, access};
use tokio::process::{Child, Command};

/// The edge's own settings; they may hold secrets and are nothing to an app.
const SETTINGS: &str = "LOCO_EDGE_";

/// Why a program was not started, and what its owner can do about it.
#[derive(Debug, thiserror::Error)]
pub(super) enum StartError {
    #[error("the app has no program: give it a `command`")]
    NoProgram,
    #[error("its working directory {} does not exist: make it, or correct `dir`", .0.display())]
    NoDir(PathBuf),
    #[error("its working directory {} cannot be used ({source}): correct `dir`", dir.display())]
    BadDir { dir: PathBuf, source: io::Error },
    #[error("there is no program {}: correct `command`, or build the program first", .0.display())]
    NoFile(PathBuf),
    #[error("there is no program `{name}` in PATH: install it, or correct `command`{}", hint(local.as_deref()))]
    NotInPath { name: String, local: Option<PathBuf> },
    #[error("{} is not executable: chmod +x it, or name its interpreter in `command`", .0.display())]
    NotExecutable(PathBuf),
    #[error("{} exists, but the interpreter that its first line names does not: install it, or correct that line", .0.display())]
    NoInterpreter(PathBuf),
    #[error("{} could not be started: {source}", program.display())]
    Refused { program: PathBuf, source: io::Error },
    #[error(
        "no port is free outside of the range of outgoing connections: stop something, or narrow net.ipv4.ip_local_port_range"
    )]
    NoPort,
    #[error("it cannot be watched in /proc: {0}")]
    Unseen(io::Error),
}

fn hint(local: Option<&Path>) -> String {
    local.map(|path| format!(" (did you mean {}? Then write it with ./)", path.display())).unwrap_or_default()
}

impl StartError {
    /// What the rest of the edge is told.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::NoFile(_) | Self::NotInPath { .. } | Self::NoInterpreter(_) => Failure::ProgramNotFound,
            Self::NoProgram
            | Self::NoDir(_)
            | Self::BadDir { .. }
            | Self::NotExecutable(_)
            | Self::Refused { .. }
            | Self::NoPort
            | Self::Unseen(_) => Failure::NotStarted,
        }
    }
}

/// Starts the program in a process group of its own, with nothing on stdin and pipes on stdout and stderr.
///
/// `variables` win over those of the app, which win over the edge's own.
///
/// # Errors
/// Where directory or program are missing or cannot be used.
pub(super) fn spawn(
    spec: &ProcessSpec,
    port: u16,
    variables: BTreeMap<String, String>,
) -> Result<Child, StartError> {
    let mut words = spec.command.iter().map(|word| with_port(word, port));
    let name = words.next().filter(|name| !name.is_empty()).ok_or(StartError::NoProgram)?;
    check_dir(&spec.dir)?;
    let path = spec.env.get("PATH").map(OsString::from).or_else(|| std::env::var_os("PATH"));
    let program = find(&name, &spec.dir, path.as_deref())?;
    let mut command = Command::new(&program);
    command.arg0(&name).args(words).current_dir(&spec.dir);
    for (name, _) in std::env::vars_os().filter(|(name, _)| is_setting(name)) {
        command.env_remove(name);
    }
    command.envs(&spec.env).envs(variables);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped()).process_group(0);
    command.spawn().map_err(|source| match source.kind() {
        io::ErrorKind::NotFound => StartError::NoInterpreter(program),
        _ => StartError::Refused { program, source },
    })
}

fn is_setting(name: &OsStr) -> bool {
    name.as_encoded_bytes().starts_with(SETTINGS.as_bytes())
}

/// Puts the port where `$PORT` or `${PORT}` stands, as a shell would; `$PORTS` is another variable.
fn with_port(word: &str, port: u16) -> String {
    let port = port.to_string();
    let word = word.replace("${PORT}", &port);
    let mut pieces = word.split("$PORT");
    let mut result = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let longer = piece.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        result.push_str(if longer { "$PORT" } else { &port });
        result.push_str(piece);
    }
    result
}

fn check_dir(dir: &Path) -> Result<(), StartError> {
    let bad = |source| StartError::BadDir { dir: dir.to_owned(), source };
    match std::fs::metadata(dir) {
        Ok(found) if !found.is_dir() => Err(bad(io::ErrorKind::NotADirectory.into())),
        Ok(_) => access(dir, Access::EXEC_OK).map_err(|e| bad(e.into())),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Err(StartError::NoDir(dir.to_owned())),
        Err(e) => Err(bad(e)),
    }
}

/// Finds the program as a shell in `dir` would (POSIX, Shell Command Language, 2.9.1.4): by its path if it has a
/// slash, else in PATH. Done here and not by the kernel, to know what exactly is missing.
fn find(name: &str, dir: &Path, path: Option<&OsStr>) -> Result<PathBuf, StartError> {
    if name.contains('/') {
        let file = dir.join(name);
        return match look(&file) {
            File::Program => Ok(file),
            File::Other => Err(StartError::NotExecutable(file)),
            File::Missing => Err(StartError::NoFile(file)),
        };
    }
    let mut not_executable = None;
    for place in std::env::split_paths(path.unwrap_or_default()) {
        let file = dir.join(place).join(name);
        match look(&file) {
            File::Program => return Ok(file),
            File::Other => not_executable = not_executable.or(Some(file)),
            File::Missing => {}
        }
    }
    Err(not_executable.map_or_else(|| not_in_path(name, dir), StartError::NotExecutable))
}

fn not_in_path(name: &str, dir: &Path) -> StartError {
    let local = Some(dir.join(name)).filter(|file| matches!(look(file), File::Program));
    StartError::NotInPath { name: name.to_owned(), local }
}

enum File {
    Program,
    Other,
    Missing,
}

fn look(file: &Path) -> File {
    match std::fs::metadata(file) {
        Ok(found) if found.is_file() && access(file, Access::EXEC_OK).is_ok() => File::Program,
        Ok(_) => File::Other,
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => File::Other,
        Err(_) => File::Missing,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_stands_where_a_shell_would_put_it() {
        for (word, expected) in [
            ("$PORT", "81"),
            ("${PORT}", "81"),
            ("--listen=127.0.0.1:$PORT", "--listen=127.0.0.1:81"),
            ("$PORT-$PORT/${PORT}x", "81-81/81x"),
            ("$PORTS $PORT_ $PORT1", "$PORTS $PORT_ $PORT1"),
            ("$HOME", "$HOME"),
            ("", ""),
        ] {
            assert_eq!(with_port(word, 81), expected);
        }
    }
}

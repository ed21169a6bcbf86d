//! What is to be checked: files of apps, and Kubernetes objects.

use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use config::load::Mistakes;

/// Bytes of the largest text that is read.
const LARGEST: u64 = 16 << 20;
/// How a text is called that came by a pipe.
const PIPE: &str = "standard input";
const OBJECTS: [&str; 3] = ["yaml", "yml", "json"];

/// Something to check.
#[derive(Debug)]
pub(super) enum Input {
    /// A file of apps.
    Apps(PathBuf),
    /// The same, by a pipe.
    AppsText(Text),
    /// Kubernetes objects.
    Kubernetes(Text),
}

/// A text, and what it is called.
#[derive(Debug)]
pub(super) struct Text {
    pub(super) name: String,
    pub(super) text: String,
}

/// All that the arguments name, in their order: `-` is standard input, a directory all objects in it, as with
/// `kubectl apply -f`.
pub(super) fn inputs(paths: &[PathBuf]) -> Vec<Result<Input, Mistakes>> {
    paths.iter().flat_map(|path| if path.is_dir() { directory(path) } else { vec![file(path)] }).collect()
}

fn directory(path: &Path) -> Vec<Result<Input, Mistakes>> {
    let name = path.display().to_string();
    let entries = fs::read_dir(path).and_then(Iterator::collect::<io::Result<Vec<_>>>);
    let entries = match entries {
        Ok(entries) => entries,
        Err(error) => {
            let why = format!("the directory cannot be read: {error}");
            return vec![Err(Mistakes::about_file(&name, why, "check the path and who may read it"))];
        }
    };
    let mut paths: Vec<PathBuf> = entries.into_iter().map(|entry| entry.path()).collect();
    paths.retain(|path| is_of_objects(path) && path.is_file());
    paths.sort();
    if paths.is_empty() {
        let help = format!(
            "name files, such as {}/apps.toml; below a directory nothing is looked for",
            name.trim_end_matches('/')
        );
        return vec![Err(Mistakes::about_file(
            &name,
            "no file of this directory ends in .yaml, .yml or .json",
            help,
        ))];
    }
    paths.iter().map(|path| file(path)).collect()
}

fn is_of_objects(path: &Path) -> bool {
    path.extension().and_then(|end| end.to_str()).is_some_and(|end| OBJECTS.contains(&end))
}

fn file(path: &Path) -> Result<Input, Mistakes> {
    if path == Path::new("-") {
        let text = text(PIPE.to_owned(), io::stdin())?;
        return Ok(if says_objects(&text.text) { Input::Kubernetes(text) } else { Input::AppsText(text) });
    }
    if path.extension().is_some_and(|end| end == "toml") {
        return Ok(Input::Apps(path.to_owned()));
    }
    let name = path.display().to_string();
    // What cannot be opened is told by those who open files of apps, unless it is known to be none.
    let opened = match File::open(path) {
        Ok(file) => file,
        Err(error) if is_of_objects(path) => {
            let why = match error.kind() {
                io::ErrorKind::NotFound => "there is no such file".to_owned(),
                _ => format!("the file cannot be read: {error}"),
            };
            return Err(Mistakes::about_file(&name, why, "check the path and who may read it"));
        }
        Err(_) => return Ok(Input::Apps(path.to_owned())),
    };
    let text = text(name, opened)?;
    if is_of_objects(path) || says_objects(&text.text) {
        Ok(Input::Kubernetes(text))
    } else {
        Ok(Input::Apps(path.to_owned()))
    }
}

fn text(name: String, from: impl Read) -> Result<Text, Mistakes> {
    let mut bytes = Vec::new();
    if let Err(error) = from.take(LARGEST + 1).read_to_end(&mut bytes) {
        return Err(Mistakes::about_file(
            &name,
            format!("it cannot be read: {error}"),
            "check the path and the disk",
        ));
    }
    if bytes.len() as u64 > LARGEST {
        return Err(Mistakes::about_file(
            &name,
            "it is larger than 16 MiB",
            "is it the right one? Check it in parts",
        ));
    }
    match String::from_utf8(bytes) {
        Ok(text) => Ok(Text { name, text }),
        Err(_) => Err(Mistakes::about_file(&name, "it is not UTF-8", "save it with the encoding UTF-8")),
    }
}

/// Whether a text is about Kubernetes objects rather than apps: no file of apps has such a line.
fn says_objects(text: &str) -> bool {
    let word = |line: &str| line.trim_start_matches(['{', ' ', '"']).to_owned();
    text.lines().map(word).any(|line| line.starts_with("apiVersion:") || line.starts_with("apiVersion\":"))
}

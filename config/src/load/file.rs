//! From a path to text.

use std::fs::File;
use std::io::{self, ErrorKind, Read};
use std::path::Path;

use super::mistake::Mistakes;

/// Bytes of the largest file that is read.
const MAX_FILE: u64 = 16 << 20;

/// Reads a file, or says why not.
pub(super) fn read(path: &Path) -> Result<String, Mistakes> {
    let name = path.display().to_string();
    let mut bytes = Vec::new();
    // The limit is on what is read, not on what a size says: pipes and devices have none.
    let read = File::open(path).and_then(|file| file.take(MAX_FILE + 1).read_to_end(&mut bytes));
    if let Err(error) = read {
        let (message, help) = unreadable(&name, &error);
        return Err(Mistakes::unreadable(&name, message, help));
    }
    if bytes.len() as u64 > MAX_FILE {
        let help = "a file of apps is text of a few kilobytes: is it the right one?";
        return Err(Mistakes::unreadable(&name, "the file is larger than 16 MiB".into(), help.into()));
    }
    String::from_utf8(bytes).map_err(|error| {
        let good = &error.as_bytes()[..error.utf8_error().valid_up_to()];
        let line = 1 + good.iter().filter(|byte| **byte == b'\n').count();
        let help = "save it with the encoding UTF-8".to_owned();
        Mistakes::unreadable(&name, format!("line {line} of the file is not UTF-8"), help)
    })
}

fn unreadable(name: &str, error: &io::Error) -> (String, String) {
    let (message, help) = match error.kind() {
        ErrorKind::NotFound => {
            ("there is no such file", "check the path, or begin with a copy of examples/minimal.toml".into())
        }
        ErrorKind::IsADirectory => (
            "this is a directory",
            format!("name the file in it, such as {}/apps.toml", name.trim_end_matches('/')),
        ),
        ErrorKind::PermissionDenied => {
            ("the file may not be read", format!("let this user read it: chmod u+r {name}"))
        }
        _ => return (format!("the file cannot be read: {error}"), "check the path and the disk".into()),
    };
    (message.into(), help)
}

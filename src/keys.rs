//! The keys that links are signed with: they outlive a run, so that a link does, too.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;

use gateway::redirect::Keys;

const FILE: &str = "link.keys";

/// Those of the directory, made if there are none.
pub(crate) fn open(dir: &Path) -> Result<Keys, String> {
    let path = dir.join(FILE);
    let failed =
        |what: &str, error: &dyn std::fmt::Display| format!("cannot {what} {}: {error}", path.display());
    match fs::read_to_string(&path) {
        Ok(text) => Keys::parse(&text).map_err(|error| {
            failed("use", &format!("{error}; without the file the next start makes a new key"))
        }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let keys = Keys::random().map_err(|error| error.to_string())?;
            write(&path, &keys).map_err(|error| failed("write", &error))?;
            Ok(keys)
        }
        Err(error) => Err(failed("read", &error)),
    }
}

/// Whole or not at all, and for nobody else to read: whoever has a key can make links that wake apps.
fn write(path: &Path, keys: &Keys) -> io::Result<()> {
    let draft = path.with_extension("new");
    // One that a killed run has left may be anybody's to read.
    match fs::remove_file(&draft) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&draft)?;
    file.write_all(keys.to_text().as_bytes())?;
    fs::rename(draft, path)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn keys_are_made_once_and_are_ours_alone() {
        let dir = tempfile::tempdir().unwrap();
        let made = open(dir.path()).unwrap();
        assert_eq!(open(dir.path()).unwrap().to_text(), made.to_text());
        let file = dir.path().join(FILE);
        assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        fs::write(&file, "none").unwrap();
        assert!(open(dir.path()).unwrap_err().contains("hexadecimal"));
    }
}

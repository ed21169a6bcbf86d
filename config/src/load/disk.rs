//! What of the machine's disk a file of apps names.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;

/// The questions that reading a file asks the disk, so that reading itself stays pure.
pub(super) trait Disk {
    fn is_directory(&self, path: &Path) -> bool;
    /// Whether the path is a file that may be executed by somebody.
    fn is_program(&self, path: &Path) -> bool;
}

/// The machine's.
pub(super) struct RealDisk;

impl Disk for RealDisk {
    fn is_directory(&self, path: &Path) -> bool {
        path.is_dir()
    }

    fn is_program(&self, path: &Path) -> bool {
        path.metadata().is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    }
}

/// A disk that has everything.
pub(super) struct FullDisk;

impl Disk for FullDisk {
    fn is_directory(&self, _: &Path) -> bool {
        true
    }

    fn is_program(&self, _: &Path) -> bool {
        true
    }
}

/// Whether `program` would be found when it is started in `dir` with the search path `path`.
pub(super) fn finds_program(disk: &dyn Disk, program: &str, dir: &Path, path: &str) -> bool {
    if program.contains('/') {
        return disk.is_program(&dir.join(program));
    }
    std::env::split_paths(path).any(|folder| disk.is_program(&dir.join(folder).join(program)))
}

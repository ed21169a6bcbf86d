//! Why something could not be kept, and what to do about it.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;

/// Why the store could not be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The state directory is not there and cannot be made.
    #[error("cannot create the state directory {}: {source}", path.display())]
    Directory {
        /// The directory.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file can be neither opened nor created.
    #[error("cannot open or create {}: its directory must be one that this user may write to", path.display())]
    CannotOpen {
        /// The file.
        path: PathBuf,
    },
    /// The file can be read only.
    #[error("{} cannot be written: make it and its directory writable for this user", path.display())]
    ReadOnly {
        /// The file.
        path: PathBuf,
    },
    /// A newer loco-edge has been here.
    #[error(
        "{} is of version {found}, and this loco-edge knows versions up to {known}: run the newer loco-edge, or \
         another state directory",
        path.display()
    )]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: i64,
        /// The newest known.
        known: i64,
    },
    /// A database, but of another program.
    #[error("{} belongs to another program: give loco-edge another state directory", path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is damaged.
    #[error(
        "{0} is damaged ({detail}). Nothing has been changed. Move it away (mv {0} {0}.damaged) together with its -wal \
         and -shm files and start again: apps keep working; who slept, paused sleep and the audit begin anew",
        path.display()
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        detail: String,
    },
    /// No space is left.
    #[error("the disk is full: {} cannot grow", path.display())]
    Full {
        /// The file.
        path: PathBuf,
    },
    /// Another process has been writing for too long.
    #[error("another process keeps {} locked", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// The disk fails.
    #[error("cannot read or write {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
    /// SQLite refuses a statement of ours: a mistake in loco-edge.
    #[error("unexpected answer from {}: {source}", path.display())]
    Refused {
        /// The file.
        path: PathBuf,
        /// What SQLite says.
        source: rusqlite::Error,
    },
}

impl StoreError {
    pub(super) fn from_sqlite(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        match source.sqlite_error_code() {
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase) => {
                Self::Corrupt { path, detail: source.to_string() }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path },
            Some(ErrorCode::ReadOnly | ErrorCode::PermissionDenied) => Self::ReadOnly { path },
            Some(ErrorCode::CannotOpen) => Self::CannotOpen { path },
            Some(ErrorCode::DatabaseBusy | ErrorCode::DatabaseLocked) => Self::Busy { path },
            Some(ErrorCode::SystemIoFailure) => Self::Io { path, source },
            _ => Self::Refused { path, source },
        }
    }

    /// Whether the same write may succeed later, once somebody has made room or put something right.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::Directory { .. }
            | Self::CannotOpen { .. }
            | Self::ReadOnly { .. }
            | Self::Full { .. }
            | Self::Busy { .. }
            | Self::Io { .. } => true,
            Self::NewerVersion { .. }
            | Self::Foreign { .. }
            | Self::Corrupt { .. }
            | Self::Refused { .. } => false,
        }
    }
}

//! What must outlive the edge about the processes it runs: `<state>/instances/`, with a token, a lock, and one small
//! file for each live instance.
//!
//! Files are replaced whole (written aside, then renamed) and not synced: they must survive a kill -9 of the edge,
//! not a power cut, which ends the processes as well.

use std::fs::{DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use config::link::Instance;
use rustix::process::Pid;
use serde::{Deserialize, Serialize};

use super::mark::{Mark, Token};
use super::procfs::{self, Identity};

/// A state directory's part about processes, held by one edge at a time.
#[derive(Debug)]
pub struct Records {
    dir: PathBuf,
    token: Token,
    boot: String,
    _lock: File,
}

/// Why a state directory cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RecordsError {
    /// Another edge uses it.
    #[error("{} is in use by another loco-edge: stop that one, or choose another --state", .0.display())]
    InUse(PathBuf),
    /// It cannot be read or written.
    #[error("cannot use {}: {source}", path.display())]
    Io {
        /// What.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

/// A live instance, as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    pub(super) app: String,
    pub(super) instance: u64,
    /// Of the group's leader, which is also the group's number.
    pub(super) pid: i32,
    /// Of the leader, in clock ticks since boot.
    pub(super) started: u64,
    pub(super) port: u16,
    /// Which boot of the machine that was.
    pub(super) boot: String,
}

impl Record {
    /// The process that led the group.
    pub(super) fn leader(&self) -> Option<Identity> {
        let pid = Some(self.pid).filter(|pid| *pid > 0).and_then(Pid::from_raw)?;
        Some(Identity { pid, started: self.started })
    }
}

/// A token is good only in the directory it was made for: a copied one is another edge's state.
#[derive(Serialize, Deserialize)]
struct StoredToken {
    token: String,
    device: u64,
    inode: u64,
}

impl Records {
    /// Opens `<state>/instances`, makes it if need be, and holds it until dropped.
    ///
    /// # Errors
    /// Where another edge holds it, or it cannot be read or written.
    pub fn open(state: &Path) -> Result<Self, RecordsError> {
        let dir = state.join("instances");
        let io = |source| RecordsError::Io { path: dir.clone(), source };
        DirBuilder::new().recursive(true).mode(0o700).create(&dir).map_err(io)?;
        let lock = owned(OpenOptions::new().write(true).create(true)).open(dir.join("lock")).map_err(io)?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => return Err(RecordsError::InUse(state.to_owned())),
            Err(TryLockError::Error(source)) => return Err(io(source)),
        }
        let token = token(&dir).map_err(io)?;
        let boot = procfs::boot().map_err(io)?;
        Ok(Self { dir, token, boot, _lock: lock })
    }

    pub(super) fn token(&self) -> &Token {
        &self.token
    }

    pub(super) fn mark(&self, instance: Instance) -> Mark {
        Mark { token: self.token.clone(), instance }
    }

    /// Writes down a live instance.
    pub(super) fn add(
        &self,
        app: &str,
        instance: Instance,
        leader: Identity,
        port: u16,
    ) -> Result<(), RecordsError> {
        let record = Record {
            app: app.to_owned(),
            instance: instance.0,
            pid: leader.pid.as_raw_pid(),
            started: leader.started,
            port,
            boot: self.boot.clone(),
        };
        let path = self.path(instance);
        replace(&path, &record).map_err(|source| RecordsError::Io { path, source })
    }

    /// Takes out an instance of which nothing is left.
    pub(super) fn remove(&self, instance: Instance) -> Result<(), RecordsError> {
        let path = self.path(instance);
        match std::fs::remove_file(&path) {
            Err(source) if source.kind() != io::ErrorKind::NotFound => Err(RecordsError::Io { path, source }),
            _ => Ok(()),
        }
    }

    /// All instances that were live when an edge last wrote here; those of an earlier boot are left out. A file that
    /// makes no sense is left out too and said, the others count.
    pub(super) fn all(&self) -> Result<Vec<Record>, RecordsError> {
        let io = |source| RecordsError::Io { path: self.dir.clone(), source };
        let mut records = Vec::new();
        for entry in std::fs::read_dir(&self.dir).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.extension().is_none_or(|e| e != "json") {
                continue;
            }
            let text = std::fs::read(&path).map_err(io)?;
            match serde_json::from_slice::<Record>(&text) {
                Ok(record) => records.push(record),
                Err(error) => tracing::warn!(path = %path.display(), %error, "a record that makes no sense"),
            }
        }
        Ok(records)
    }

    /// Whether the record is of this boot of the machine, so that its numbers mean something.
    pub(super) fn is_current(&self, record: &Record) -> bool {
        record.boot == self.boot
    }

    fn path(&self, instance: Instance) -> PathBuf {
        self.dir.join(format!("{instance}.json"))
    }
}

fn token(dir: &Path) -> io::Result<Token> {
    let path = dir.join("token");
    let place = std::fs::metadata(dir)?;
    let stored = std::fs::read(&path).ok().and_then(|text| serde_json::from_slice::<StoredToken>(&text).ok());
    let stored = stored.filter(|s| (s.device, s.inode) == (place.dev(), place.ino()));
    if let Some(token) = stored.and_then(|s| Token::parse(&s.token)) {
        return Ok(token);
    }
    let token = Token::new(super::random()?);
    let stored = StoredToken { token: token.as_str().to_owned(), device: place.dev(), inode: place.ino() };
    replace(&path, &stored)?;
    Ok(token)
}

fn replace(path: &Path, content: &impl Serialize) -> io::Result<()> {
    let aside = path.with_extension("new");
    let mut file = owned(OpenOptions::new().write(true).create(true).truncate(true)).open(&aside)?;
    file.write_all(&serde_json::to_vec(content)?)?;
    std::fs::rename(&aside, path)
}

/// For nobody but the owner: who has the token can pass as one of our processes.
fn owned(options: &mut OpenOptions) -> &mut OpenOptions {
    options.mode(0o600)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn leader() -> Identity {
        Identity { pid: Pid::from_raw(77).unwrap(), started: 5 }
    }

    #[test]
    fn a_record_stays_until_removed_and_the_token_for_good() {
        let state = tempfile::tempdir().unwrap();
        let first = Records::open(state.path()).unwrap();
        first.add("shop", Instance(3), leader(), 12_345).unwrap();
        let token = first.token().clone();
        drop(first);
        let second = Records::open(state.path()).unwrap();
        assert_eq!(second.token(), &token);
        let records = second.all().unwrap();
        assert_eq!(records.len(), 1);
        assert_eq!((records[0].leader(), records[0].port), (Some(leader()), 12_345));
        assert!(second.is_current(&records[0]));
        second.remove(Instance(3)).unwrap();
        second.remove(Instance(3)).unwrap();
        assert_eq!(second.all().unwrap(), []);
    }

    #[test]
    fn one_edge_at_a_time_and_only_the_owner_may_read() {
        let state = tempfile::tempdir().unwrap();
        let first = Records::open(state.path()).unwrap();
        assert!(matches!(Records::open(state.path()), Err(RecordsError::InUse(_))));
        let token = std::fs::metadata(state.path().join("instances/token")).unwrap();
        assert_eq!(token.mode() & 0o777, 0o600);
        drop(first);
        Records::open(state.path()).unwrap();
    }

    #[test]
    fn a_copied_directory_is_another_edges() {
        let (state, copy) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let original = Records::open(state.path()).unwrap();
        std::fs::create_dir(copy.path().join("instances")).unwrap();
        std::fs::copy(state.path().join("instances/token"), copy.path().join("instances/token")).unwrap();
        assert_ne!(Records::open(copy.path()).unwrap().token(), original.token());
    }

    #[test]
    fn a_record_that_makes_no_sense_hides_no_other() {
        let state = tempfile::tempdir().unwrap();
        let records = Records::open(state.path()).unwrap();
        records.add("shop", Instance(1), leader(), 12_345).unwrap();
        std::fs::write(state.path().join("instances/2.json"), "{").unwrap();
        assert_eq!(records.all().unwrap().len(), 1);
    }
}

//! Sees that the file has changed: by inotify on the directories that its name leads through, so that an editor that
//! puts a new file in its place is seen, and so is a link that is made to point elsewhere. Nothing runs while nothing
//! happens there.

use std::collections::BTreeSet;
use std::fs::{self, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use tokio::sync::Notify;

/// An editor writes a file in several steps: it is read when nothing has happened for so long.
const QUIET: Duration = Duration::from_millis(100);
/// Or after so many times that: there may be a directory in which something happens always.
const MOST: u32 = 10;
/// Links that are followed, as by the kernel (path_resolution(7)).
const LINKS: usize = 40;

/// See the module.
pub(super) struct Watch {
    file: PathBuf,
    inotify: Arc<OwnedFd>,
    happened: Arc<Notify>,
    seen: Option<Stamp>,
}

/// By what one knows that a file is another, or has been written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Stamp {
    inode: (u64, u64),
    size: u64,
    written: (i64, i64),
    changed: (i64, i64),
}

impl Stamp {
    pub(super) fn of(file: &Path) -> Option<Self> {
        let about: Metadata = fs::metadata(file).ok()?;
        Some(Self {
            inode: (about.dev(), about.ino()),
            size: about.size(),
            written: (about.mtime(), about.mtime_nsec()),
            changed: (about.ctime(), about.ctime_nsec()),
        })
    }
}

impl Watch {
    /// Watches a file that was like this when it was read.
    ///
    /// # Errors
    /// Where the system has no inotify, or no more of it.
    pub(super) fn of(file: &Path, read: Option<Stamp>) -> io::Result<Self> {
        let inotify = Arc::new(inotify::init(CreateFlags::CLOEXEC)?);
        let happened = Arc::new(Notify::new());
        let watch = Self { file: std::path::absolute(file)?, inotify, happened, seen: read };
        watch.look_everywhere()?;
        let (inotify, happened) = (watch.inotify.clone(), watch.happened.clone());
        // A thread that sleeps in the kernel: it ends with the program.
        std::thread::Builder::new().name("watch".to_owned()).spawn(move || listen(&inotify, &happened))?;
        Ok(watch)
    }

    /// Waits until the file is another, or has been written, and leaves its writer time to finish.
    pub(super) async fn changed(&mut self) {
        // It may have been written between being read and being watched.
        if self.is_other() {
            return;
        }
        loop {
            self.happened.notified().await;
            for _ in 0..MOST {
                if tokio::time::timeout(QUIET, self.happened.notified()).await.is_err() {
                    break;
                }
            }
            // A link may lead elsewhere now.
            if let Err(error) = self.look_everywhere() {
                tracing::warn!(%error, "the file's directory cannot be watched");
            }
            if self.is_other() {
                return;
            }
        }
    }

    /// Whether there is a file that is not the one last seen; now it is.
    fn is_other(&mut self) -> bool {
        let now = Stamp::of(&self.file);
        let other = now.is_some() && now != self.seen;
        if other {
            self.seen = now;
        }
        other
    }

    /// Watches what is not watched yet: the same directory twice is once.
    fn look_everywhere(&self) -> io::Result<()> {
        let what = WatchFlags::CLOSE_WRITE
            | WatchFlags::CREATE
            | WatchFlags::MOVED_TO
            | WatchFlags::ATTRIB
            | WatchFlags::ONLYDIR;
        for directory in directories(&self.file) {
            inotify::add_watch(&self.inotify, &directory, what)?;
        }
        Ok(())
    }
}

/// Says whenever something happens in one of the directories.
fn listen(inotify: &OwnedFd, happened: &Notify) {
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    loop {
        match events.next() {
            Ok(_) => happened.notify_one(),
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "changes of the file are no longer seen; SIGHUP has it read again");
                return;
            }
        }
    }
}

/// The directories of a file, and of all that it is a link to.
fn directories(file: &Path) -> BTreeSet<PathBuf> {
    let mut directories = BTreeSet::new();
    let mut here = file.to_owned();
    for _ in 0..LINKS {
        let Some(directory) = here.parent() else { break };
        directories.insert(directory.to_owned());
        // A directory may be a link, too, as in a mounted ConfigMap.
        if let Ok(real) = directory.canonicalize() {
            directories.insert(real);
        }
        match fs::read_link(&here) {
            Ok(target) => here = directory.join(target),
            Err(_) => break,
        }
    }
    let links = directories.iter().filter(|directory| directory.is_symlink());
    let around: Vec<PathBuf> = links.filter_map(|link| link.parent()).map(Path::to_owned).collect();
    directories.extend(around);
    directories
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use std::os::unix::fs::symlink;

    use tokio::time::timeout;

    use super::*;

    const SOON: Duration = Duration::from_secs(20);

    async fn is_seen(watch: &mut Watch, what: &str) {
        assert!(timeout(SOON, watch.changed()).await.is_ok(), "{what} is not seen");
    }

    #[tokio::test]
    async fn a_file_that_is_written_or_replaced_is_seen() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("apps.toml");
        fs::write(&file, "one").unwrap();
        let mut watch = Watch::of(&file, Stamp::of(&file)).unwrap();
        fs::write(&file, "two!").unwrap();
        is_seen(&mut watch, "what is written").await;
        fs::write(folder.path().join("apps.toml~"), "three").unwrap();
        fs::rename(folder.path().join("apps.toml~"), &file).unwrap();
        is_seen(&mut watch, "a file that takes its place").await;
        fs::remove_file(&file).unwrap();
        assert!(timeout(QUIET * 5, watch.changed()).await.is_err(), "there is none to be read");
        fs::write(&file, "four").unwrap();
        is_seen(&mut watch, "a file that is back").await;
        fs::write(folder.path().join("other.toml"), "five").unwrap();
        assert!(timeout(QUIET * 5, watch.changed()).await.is_err(), "that is another file");
    }

    /// As a ConfigMap is mounted: the file is a link into a directory that is a link, which is swapped.
    #[tokio::test]
    async fn a_link_that_is_swapped_is_seen_again_and_again() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for version in ["v1", "v2", "v3"] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("apps.toml"), version).unwrap();
        }
        symlink("v1", at("data")).unwrap();
        symlink("data/apps.toml", at("apps.toml")).unwrap();
        let mut watch = Watch::of(&at("apps.toml"), Stamp::of(&at("apps.toml"))).unwrap();
        for version in ["v2", "v3"] {
            symlink(version, at("data.new")).unwrap();
            fs::rename(at("data.new"), at("data")).unwrap();
            is_seen(&mut watch, version).await;
        }
        fs::write(at("v3/apps.toml"), "written in place").unwrap();
        is_seen(&mut watch, "what is written behind the links").await;
    }
}

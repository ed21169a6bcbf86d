//! Sees that the file has changed: by inotify on the directories that its name leads through, so that an editor that
//! puts a new file in its place is seen, and so is a link that is made to point elsewhere. Nothing runs while nothing
//! happens there, and what happens there to other files does not count: a file that is being written at length is read
//! when its writer closes it.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::fs::{self, Metadata};
use std::io;
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
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
    /// What the file, and links on the way to it, are called.
    names: Arc<Mutex<BTreeSet<OsString>>>,
    /// Something has happened that was not looked at yet.
    to_look: bool,
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
        let (file, names) = (std::path::absolute(file)?, Arc::default());
        // It may have been written between being read and being watched.
        let watch = Self { file, inotify, happened, names, to_look: true, seen: read };
        watch.look_everywhere()?;
        let (inotify, happened, names) = (watch.inotify.clone(), watch.happened.clone(), watch.names.clone());
        // A thread that sleeps in the kernel: it ends with the program.
        std::thread::Builder::new()
            .name("watch".to_owned())
            .spawn(move || listen(&inotify, &names, &happened))?;
        Ok(watch)
    }

    /// Waits until the file is another, or has been written, and leaves its writer time to finish.
    pub(super) async fn changed(&mut self) {
        loop {
            if !self.to_look {
                self.happened.notified().await;
                // Remembered, because whoever waits here may be called away.
                self.to_look = true;
            }
            for _ in 0..MOST {
                if tokio::time::timeout(QUIET, self.happened.notified()).await.is_err() {
                    break;
                }
            }
            // A link may lead elsewhere now.
            if let Err(error) = self.look_everywhere() {
                tracing::warn!(%error, "the file's directory cannot be watched");
            }
            self.to_look = false;
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
        let Places { directories, names } = Places::of(&self.file);
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
        for directory in directories {
            inotify::add_watch(&self.inotify, &directory, what)?;
        }
        Ok(())
    }
}

/// Says whenever something happens to what is called so in one of the directories.
fn listen(inotify: &OwnedFd, names: &Mutex<BTreeSet<OsString>>, happened: &Notify) {
    let mut buffer = [MaybeUninit::uninit(); 4_096];
    let mut events = inotify::Reader::new(inotify, &mut buffer);
    loop {
        match events.next() {
            Ok(event) => {
                // Without a name it is of a directory, or too much has happened to be told.
                let name = event.file_name().map(|name| OsStr::from_bytes(name.to_bytes()));
                let names = names.lock().unwrap_or_else(PoisonError::into_inner);
                if name.is_none_or(|name| names.contains(name)) {
                    happened.notify_one();
                }
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(error) => {
                tracing::error!(%error, "changes of the file are no longer seen; SIGHUP has it read again");
                return;
            }
        }
    }
}

/// Where a file is, and all that it is a link to.
struct Places {
    directories: BTreeSet<PathBuf>,
    names: BTreeSet<OsString>,
}

impl Places {
    fn of(file: &Path) -> Self {
        let (mut directories, mut names) = (BTreeSet::new(), BTreeSet::new());
        let mut here = file.to_owned();
        for _ in 0..LINKS {
            let Some(directory) = here.parent() else { break };
            directories.insert(directory.to_owned());
            names.extend(here.file_name().map(OsStr::to_owned));
            // A directory may be a link, too, as in a mounted ConfigMap.
            if let Ok(real) = directory.canonicalize() {
                directories.insert(real);
            }
            match fs::read_link(&here) {
                Ok(target) => here = directory.join(target),
                Err(_) => break,
            }
        }
        let links: Vec<PathBuf> =
            directories.iter().filter(|directory| directory.is_symlink()).cloned().collect();
        names.extend(links.iter().filter_map(|link| link.file_name()).map(OsStr::to_owned));
        directories.extend(links.iter().filter_map(|link| link.parent()).map(Path::to_owned));
        Self { directories, names }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test ends where it is wrong")]

    use std::io::Write;
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

    #[tokio::test]
    async fn a_file_that_is_being_written_is_left_alone_whatever_happens_beside_it() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("apps.toml");
        fs::write(&file, "all of it").unwrap();
        let mut watch = Watch::of(&file, Stamp::of(&file)).unwrap();
        assert!(timeout(QUIET * 5, watch.changed()).await.is_err(), "it is as it was");
        let mut writer = fs::File::create(&file).unwrap();
        writer.write_all(b"half").unwrap();
        for name in ["apps.log", "apps.toml~"] {
            fs::write(folder.path().join(name), "something").unwrap();
            assert!(timeout(QUIET * 5, watch.changed()).await.is_err(), "{name} is another file");
        }
        writer.write_all(b" and half").unwrap();
        drop(writer);
        is_seen(&mut watch, "what is written at length").await;
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

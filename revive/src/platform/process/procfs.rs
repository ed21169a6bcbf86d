//! What `/proc` says about processes: proc_pid_stat(5) and proc_pid_environ(5).

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use rustix::process::Pid;
use tokio::sync::Mutex;

use super::mark::{MARK, Mark};

/// How much of a process's environment is read; Linux allows it a quarter of the stack's limit, 2 MiB by default.
const MAX_ENVIRON: u64 = 4 << 20;

/// A process that is no other, even when its number has been given to another: numbers are reused, start times not.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Identity {
    /// Its number.
    pub(super) pid: Pid,
    /// When it began, in clock ticks since boot (field 22 of `stat`).
    pub(super) started: u64,
}

/// What a process does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Activity {
    /// Runs, waits, or is stopped.
    Alive,
    /// Has ended, and its parent has not asked how.
    Zombie,
}

/// A process as one look at `/proc` found it.
#[derive(Clone, Debug)]
pub(super) struct Process {
    /// Which.
    pub(super) identity: Identity,
    /// Its parent; `None` for what the kernel started.
    pub(super) parent: Option<Pid>,
    /// Its process group.
    pub(super) group: Option<Pid>,
    /// Its session.
    pub(super) session: Option<Pid>,
    /// What it does.
    pub(super) activity: Activity,
    /// The mark in its environment, where there is one to be read.
    pub(super) mark: Option<Mark>,
}

impl Process {
    /// Reads one process, without its mark; `None` if there is no such process.
    ///
    /// # Errors
    /// Where `/proc` cannot be read, for want of descriptors for instance: then nothing is known.
    pub(super) fn read(pid: Pid) -> io::Result<Option<Self>> {
        let text = if_there(std::fs::read(format!("/proc/{}/stat", pid.as_raw_pid())))?;
        Ok(text.and_then(|text| Self::parse(pid, &text)))
    }

    /// The name, in brackets, may hold spaces and brackets itself; no later field does.
    fn parse(pid: Pid, stat: &[u8]) -> Option<Self> {
        let end_of_name = stat.iter().rposition(|&b| b == b')')?;
        let fields = std::str::from_utf8(stat.get(end_of_name + 1..)?).ok()?;
        let fields: Vec<&str> = fields.split_ascii_whitespace().collect();
        let number = |field: usize| Pid::from_raw(fields.get(field)?.parse().ok().filter(|n| *n > 0)?);
        let activity = match *fields.first()? {
            "Z" | "X" => Activity::Zombie,
            _ => Activity::Alive,
        };
        Some(Self {
            identity: Identity { pid, started: fields.get(19)?.parse().ok()? },
            parent: number(1),
            group: number(2),
            session: number(3),
            activity,
            mark: None,
        })
    }

    /// Whether it leads its process group.
    pub(super) fn leads_group(&self) -> bool {
        self.group == Some(self.identity.pid)
    }
}

impl Identity {
    /// Whether this very process still runs.
    ///
    /// # Errors
    /// As [`Process::read`].
    pub(super) fn is_alive(self) -> io::Result<bool> {
        let found = Process::read(self.pid)?;
        Ok(found.is_some_and(|p| p.identity == self && p.activity == Activity::Alive))
    }
}

/// All processes, as one look at `/proc` found them.
#[derive(Debug)]
pub(super) struct Snapshot {
    /// The edge itself.
    pub(super) edge: Process,
    /// All, the edge included.
    pub(super) all: Vec<Process>,
}

impl Snapshot {
    /// Looks at all processes; marks are looked for only in those that began at `since` (ticks) or later.
    fn take(since: u64) -> io::Result<Self> {
        let mut all = Vec::new();
        for entry in std::fs::read_dir("/proc")? {
            let name = entry?.file_name();
            let pid = name.to_str().and_then(|n| n.parse().ok()).filter(|n| *n > 0).and_then(Pid::from_raw);
            let Some(pid) = pid else { continue };
            let Some(mut process) = Process::read(pid)? else { continue };
            if process.identity.started >= since && process.activity == Activity::Alive {
                process.mark = mark_of(pid)?;
            }
            all.push(process);
        }
        let own = rustix::process::getpid();
        let edge = all.iter().find(|p| p.identity.pid == own).cloned();
        let edge = edge.ok_or_else(|| io::Error::other("/proc shows another set of processes than ours"))?;
        Ok(Self { edge, all })
    }
}

fn mark_of(pid: Pid) -> io::Result<Option<Mark>> {
    let mut environ = Vec::new();
    let read = File::open(format!("/proc/{}/environ", pid.as_raw_pid()))
        .and_then(|file| file.take(MAX_ENVIRON).read_to_end(&mut environ));
    if if_there(read)?.is_none() {
        return Ok(None);
    }
    let value = environ.split(|&b| b == 0).find_map(|v| v.strip_prefix(MARK.as_bytes())?.strip_prefix(b"="));
    Ok(value.and_then(|v| std::str::from_utf8(v).ok()).and_then(Mark::parse))
}

/// Processes come and go while one looks, and others' may not be looked into; all else is a failure to look.
fn if_there<T>(read: io::Result<T>) -> io::Result<Option<T>> {
    match read {
        Ok(found) => Ok(Some(found)),
        Err(e) if matches!(e.kind(), io::ErrorKind::NotFound | io::ErrorKind::PermissionDenied) => Ok(None),
        Err(e) if e.raw_os_error() == Some(rustix::io::Errno::SRCH.raw_os_error()) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Looks at `/proc`, off the runtime's thread. However many ask at once, at most two looks are under way or due, so
/// that ending a hundred apps does not read `/proc` a hundred times.
#[derive(Debug)]
pub(super) struct Processes {
    since: u64,
    begun: AtomicU64,
    latest: Mutex<Option<(u64, Arc<Snapshot>)>>,
}

impl Processes {
    /// Marks are looked for only in processes that began at `since` (ticks) or later.
    pub(super) fn since(since: u64) -> Self {
        Self { since, begun: AtomicU64::new(0), latest: Mutex::new(None) }
    }

    /// A look that began after this call did.
    ///
    /// # Errors
    /// Where `/proc` cannot be read.
    pub(super) async fn look(&self) -> io::Result<Arc<Snapshot>> {
        let begun = self.begun.load(Ordering::SeqCst);
        let mut latest = self.latest.lock().await;
        if let Some((number, snapshot)) = &*latest
            && *number > begun
        {
            return Ok(Arc::clone(snapshot));
        }
        let number = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let since = self.since;
        let snapshot =
            tokio::task::spawn_blocking(move || Snapshot::take(since)).await.map_err(io::Error::other)?;
        let snapshot = Arc::new(snapshot?);
        *latest = Some((number, Arc::clone(&snapshot)));
        Ok(snapshot)
    }
}

/// When this very boot of the machine began, as a name; process numbers and start times of another mean nothing.
///
/// # Errors
/// Where `/proc` cannot be read.
pub(super) fn boot() -> io::Result<String> {
    Ok(std::fs::read_to_string("/proc/sys/kernel/random/boot_id")?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    #[test]
    fn a_name_may_hold_brackets_and_spaces() {
        let stat = b"42 (a) Z (b c) T 7 42 40 0 -1 4194560 0 0 0 0 0 0 0 0 20 0 1 0 987654 0 0";
        let process = Process::parse(Pid::from_raw(42).unwrap(), stat).unwrap();
        assert_eq!(process.identity.started, 987_654);
        assert_eq!(process.parent, Pid::from_raw(7));
        assert_eq!(process.group, Pid::from_raw(42));
        assert_eq!(process.session, Pid::from_raw(40));
        assert_eq!(process.activity, Activity::Alive);
    }

    #[test]
    fn one_finds_oneself_and_not_who_is_gone() {
        let own = Process::read(rustix::process::getpid()).unwrap().unwrap();
        assert!(own.identity.is_alive().unwrap());
        assert!(!Identity { started: own.identity.started + 1, ..own.identity }.is_alive().unwrap());
    }

    #[tokio::test]
    async fn looks_are_shared_but_never_older_than_the_question() {
        let processes = Processes::since(0);
        let (a, b, c) = tokio::join!(processes.look(), processes.look(), processes.look());
        let (a, b, c) = (a.unwrap(), b.unwrap(), c.unwrap());
        assert!(!Arc::ptr_eq(&a, &b), "the first look had begun when the second asked");
        assert!(Arc::ptr_eq(&b, &c));
        assert!(!Arc::ptr_eq(&c, &processes.look().await.unwrap()));
    }
}

//! Ending processes: politely, then by force, until nothing of them is left or it is plain that it will not go.

use std::collections::HashSet;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use tokio::time::{Instant, sleep_until};

use super::adopted::claim;
use super::kin::{Kin, alive};
use super::procfs::{Activity, Identity, Process, Processes, Snapshot};

/// What SIGKILL may take: the kernel ends a process at once unless it is inside a system call that cannot be
/// interrupted (a dead network file system).
pub(super) const FORCED: Duration = Duration::from_secs(2);

/// Between two looks at all processes, while those known have not ended: some may have started more.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// Between two looks at the processes known; doubles from the first to the last.
const POLL: (Duration, Duration) = (Duration::from_millis(1), Duration::from_millis(20));

/// How it went.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ending {
    /// Nothing is left; so many processes were told to end.
    Gone(usize),
    /// These did not end, not even by force, or nobody can say.
    Left(HashSet<Identity>),
}

/// Looks that must find nobody: one look is not one moment, and misses a process that was started with a lower number
/// than the look had come to, by one that ended before the look came to it.
const EMPTY_LOOKS: usize = 2;

/// Ends all of `kin`: SIGTERM, after `stop_timeout` SIGKILL, and after [`FORCED`] gives up. A process in `except`
/// (a child that somebody else waits for) is ended, but its exit status is not taken.
pub(super) async fn end(
    kin: &mut Kin,
    except: Option<Pid>,
    processes: &Processes,
    stop_timeout: Duration,
) -> Ending {
    let polite_until = Instant::now() + stop_timeout;
    let deadline = polite_until + FORCED;
    let mut asked = HashSet::new();
    let mut empty = 0;
    while empty < EMPTY_LOOKS {
        let members = look(kin, except, processes).await;
        let now = Instant::now();
        let until = (now + LOOK_AGAIN).min(if now < polite_until { polite_until } else { deadline });
        match members {
            Ok(members) if members.is_empty() => empty += 1,
            Ok(members) if now >= deadline => {
                return Ending::Left(members.iter().map(|m| m.identity).collect());
            }
            Err(_) if now >= deadline => return Ending::Left(kin.known.clone()),
            Ok(members) => {
                empty = 0;
                tell_to_end(&members, &kin.groups, now < polite_until, &mut asked);
                wait_for_end(&members, until).await;
            }
            Err(error) => {
                tracing::warn!(%error, "cannot see which processes are left; looking again");
                sleep_until(until).await;
            }
        }
    }
    Ending::Gone(asked.iter().map(|m: &Member| m.identity).collect::<HashSet<_>>().len())
}

/// Each is asked once, and once more if it has left its group: it may have done so just before the group was told.
fn tell_to_end(members: &[Member], groups: &[Pid], politely: bool, asked: &mut HashSet<Member>) {
    if politely {
        let new: Vec<Member> = members.iter().filter(|m| !asked.contains(*m)).copied().collect();
        signal(&new, groups, Signal::TERM);
        signal(&new, groups, Signal::CONT);
    } else {
        signal(members, groups, Signal::KILL);
    }
    asked.extend(members);
}

/// Who is left. A failure to look (out of descriptors, most likely) is not the same as seeing nobody.
async fn look(kin: &mut Kin, except: Option<Pid>, processes: &Processes) -> std::io::Result<Vec<Member>> {
    let snapshot = processes.look().await?;
    claim(kin, &snapshot).await;
    Ok(remaining(kin, except, &snapshot))
}

/// A process to be told something.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Member {
    identity: Identity,
    group: Option<Pid>,
}

impl Member {
    /// Told on its own, not with its group.
    pub(super) fn alone(identity: Identity) -> Self {
        Self { identity, group: None }
    }
}

impl From<&Process> for Member {
    fn from(process: &Process) -> Self {
        Self { identity: process.identity, group: process.group }
    }
}

fn remaining(kin: &mut Kin, except: Option<Pid>, snapshot: &Snapshot) -> Vec<Member> {
    let members = kin.members(snapshot);
    let ended = members.iter().filter(|p| p.activity == Activity::Zombie);
    for process in ended.filter(|p| p.parent == Some(snapshot.edge.identity.pid)) {
        if Some(process.identity.pid) != except {
            reap(process.identity.pid);
        }
    }
    alive(&members).into_iter().map(Member::from).collect()
}

/// Takes the exit status of a child that has ended, which nobody else waits for, so that its number is free.
pub(super) fn reap(pid: Pid) {
    match waitpid(Some(pid), WaitOptions::NOHANG) {
        Ok(_) | Err(Errno::CHILD) => {}
        Err(error) => tracing::warn!(pid = pid.as_raw_pid(), %error, "cannot reap a process"),
    }
}

/// Signals members; those in one of `groups` with their whole group, because that also reaches what they fork
/// meanwhile.
pub(super) fn signal(members: &[Member], groups: &[Pid], signal: Signal) {
    let with_group = |m: &Member| m.group.filter(|group| groups.contains(group));
    for group in members.iter().filter_map(with_group).collect::<HashSet<_>>() {
        signalled(group, kill_process_group(group, signal));
    }
    for member in members.iter().filter(|m| with_group(m).is_none()) {
        // The last moment at which its number could have become another's is microseconds away.
        if member.identity.is_alive().unwrap_or(true) {
            signalled(member.identity.pid, kill_process(member.identity.pid, signal));
        }
    }
}

fn signalled(pid: Pid, result: Result<(), Errno>) {
    match result {
        Ok(()) | Err(Errno::SRCH) => {}
        Err(error) => tracing::warn!(pid = pid.as_raw_pid(), %error, "cannot signal a process"),
    }
}

async fn wait_for_end(members: &[Member], until: Instant) {
    let mut pause = POLL.0;
    while Instant::now() < until {
        if !members.iter().any(|m| m.identity.is_alive().unwrap_or(true)) {
            return;
        }
        sleep_until(until.min(Instant::now() + pause)).await;
        pause = (pause * 2).min(POLL.1);
    }
}

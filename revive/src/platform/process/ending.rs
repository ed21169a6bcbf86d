//! Ending processes: politely, then by force, until nothing of them is left or it is plain that it will not go.

use std::collections::HashSet;
use std::time::Duration;

use rustix::io::Errno;
use rustix::process::{Pid, Signal, WaitOptions, kill_process, kill_process_group, waitpid};
use tokio::time::{Instant, sleep_until};

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
    loop {
        let looked = processes.look().await.map(|snapshot| remaining(kin, except, &snapshot));
        let now = Instant::now();
        let Some(members) = seen(looked) else {
            if now >= deadline {
                return Ending::Left(kin.known.clone());
            }
            sleep_until(now + LOOK_AGAIN).await;
            continue;
        };
        if members.is_empty() {
            return Ending::Gone(asked.len());
        } else if now >= deadline {
            return Ending::Left(members.iter().map(|m| m.identity).collect());
        } else if now >= polite_until {
            signal(&members, &kin.groups, Signal::KILL);
        } else {
            let new: Vec<Member> = members.iter().filter(|m| !asked.contains(&m.identity)).copied().collect();
            signal(&new, &kin.groups, Signal::TERM);
            signal(&new, &kin.groups, Signal::CONT);
        }
        asked.extend(members.iter().map(|m| m.identity));
        let stage = if now < polite_until { polite_until } else { deadline };
        wait_for_end(&members, stage.min(now + LOOK_AGAIN)).await;
    }
}

/// Who cannot look (out of descriptors, most likely) knows nothing: that is not the same as seeing nobody.
fn seen(looked: std::io::Result<Vec<Member>>) -> Option<Vec<Member>> {
    looked
        .inspect_err(|error| tracing::warn!(%error, "cannot see which processes are left; looking again"))
        .ok()
}

/// A process to be told something.
#[derive(Clone, Copy, Debug)]
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

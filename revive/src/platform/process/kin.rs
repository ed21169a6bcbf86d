//! Which processes belong to an instance: its process group, whatever carries its mark, and what descends from
//! either. A program may leave its group (`setsid`), its parents (a double fork) and even its environment (nginx
//! writes its title over it), but seldom all at once; whoever was once known stays known.

use std::collections::{HashMap, HashSet};

use rustix::process::Pid;

use super::mark::{Mark, Token};
use super::procfs::{Activity, Identity, Process, Snapshot};

/// Whose marks count.
#[derive(Debug)]
pub(super) enum Marked {
    /// One instance's.
    By(Mark),
    /// Those of any instance of a state directory.
    With(Token),
}

impl Marked {
    fn has(&self, process: &Process) -> bool {
        match (self, &process.mark) {
            (Self::By(mark), Some(found)) => mark == found,
            (Self::With(token), Some(found)) => *token == found.token,
            (_, None) => false,
        }
    }
}

/// How the processes of one or more instances are known.
#[derive(Debug)]
pub(super) struct Kin {
    /// Their process groups. One without a member is forgotten: its number may become another's.
    pub(super) groups: Vec<Pid>,
    /// Their marks.
    pub(super) marked: Marked,
    /// The port on which nobody else listens, if they have one.
    pub(super) port: Option<u16>,
    /// Those found earlier, or by other means.
    pub(super) known: HashSet<Identity>,
}

impl Kin {
    /// Those in the snapshot who belong, zombies included; never the edge or its own forebears, who carry a mark if
    /// an app started them. They are remembered.
    pub(super) fn members<'a>(&mut self, snapshot: &'a Snapshot) -> Vec<&'a Process> {
        self.groups.retain(|group| snapshot.all.iter().any(|p| p.group == Some(*group)));
        let forebears = forebears(snapshot);
        let mut children: HashMap<Pid, Vec<&Process>> = HashMap::new();
        for process in &snapshot.all {
            if let Some(parent) = process.parent {
                children.entry(parent).or_default().push(process);
            }
        }
        let mut found = HashSet::new();
        let mut members = Vec::new();
        let mut next: Vec<&Process> = snapshot.all.iter().filter(|p| self.claims(p)).collect();
        while let Some(process) = next.pop() {
            if forebears.contains(&process.identity.pid) || !found.insert(process.identity) {
                continue;
            }
            members.push(process);
            next.extend(children.get(&process.identity.pid).into_iter().flatten());
        }
        self.known.extend(found);
        members
    }

    fn claims(&self, process: &Process) -> bool {
        process.group.is_some_and(|group| self.groups.contains(&group))
            || self.marked.has(process)
            || self.known.contains(&process.identity)
    }
}

/// The edge, its parent, and so on.
fn forebears(snapshot: &Snapshot) -> HashSet<Pid> {
    let parents: HashMap<Pid, Pid> =
        snapshot.all.iter().filter_map(|p| Some((p.identity.pid, p.parent?))).collect();
    let mut forebears = HashSet::new();
    let mut next = Some(snapshot.edge.identity.pid);
    while let Some(pid) = next.filter(|pid| forebears.insert(*pid)) {
        next = parents.get(&pid).copied();
    }
    forebears
}

/// Those that still do something.
pub(super) fn alive<'a>(members: &[&'a Process]) -> Vec<&'a Process> {
    members.iter().copied().filter(|p| p.activity == Activity::Alive).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use config::link::Instance;

    use super::*;

    fn process(pid: i32, parent: i32, group: i32) -> Process {
        Process {
            identity: Identity { pid: Pid::from_raw(pid).unwrap(), started: 1 },
            parent: Pid::from_raw(parent),
            group: Pid::from_raw(group),
            session: Pid::from_raw(1),
            activity: Activity::Alive,
            mark: None,
        }
    }

    fn mark(instance: u64) -> Mark {
        Mark { token: Token::new([1; 16]), instance: Instance(instance) }
    }

    fn kin(groups: &[i32], marked: Marked) -> Kin {
        let groups = groups.iter().filter_map(|g| Pid::from_raw(*g)).collect();
        Kin { groups, marked, port: None, known: HashSet::new() }
    }

    fn pids(members: &[&Process]) -> Vec<i32> {
        let mut pids: Vec<i32> = members.iter().map(|p| p.identity.pid.as_raw_pid()).collect();
        pids.sort_unstable();
        pids
    }

    fn snapshot(processes: Vec<Process>) -> Snapshot {
        let edge = process(10, 1, 10);
        let mut all = vec![process(1, 0, 1), edge.clone()];
        all.extend(processes);
        Snapshot { edge, all }
    }

    #[test]
    fn group_mark_and_descent_all_count_and_others_do_not() {
        let mut marked = process(30, 10, 30);
        marked.mark = Some(mark(1));
        let mut foreign = process(40, 10, 40);
        foreign.mark = Some(mark(2));
        let all = vec![
            process(20, 10, 20),
            process(21, 20, 20),
            process(22, 21, 22),
            marked,
            process(31, 30, 31),
            foreign,
            process(41, 40, 41),
        ];
        let found = snapshot(all);
        assert_eq!(pids(&kin(&[20], Marked::By(mark(1))).members(&found)), [20, 21, 22, 30, 31]);
        assert_eq!(pids(&kin(&[], Marked::With(Token::new([1; 16]))).members(&found)), [30, 31, 40, 41]);
        assert_eq!(pids(&kin(&[], Marked::With(Token::new([2; 16]))).members(&found)), [0; 0]);
    }

    #[test]
    fn who_was_known_stays_known_but_not_who_got_the_number() {
        let mut kin = kin(&[20], Marked::By(mark(1)));
        kin.members(&snapshot(vec![process(20, 10, 20), process(21, 20, 21)]));
        assert_eq!(pids(&kin.members(&snapshot(vec![process(21, 10, 21)]))), [21]);
        let mut reused = process(21, 10, 21);
        reused.identity.started = 2;
        assert_eq!(pids(&kin.members(&snapshot(vec![reused]))), [0; 0]);
    }

    #[test]
    fn the_edge_and_its_forebears_are_never_among_them() {
        let mut found = snapshot(vec![process(20, 10, 20)]);
        for process in &mut found.all {
            process.mark = Some(mark(1));
        }
        assert_eq!(pids(&kin(&[10, 1], Marked::By(mark(1))).members(&found)), [20]);
    }
}

//! What /proc says, and signals.

use std::fs;
use std::path::Path;
use std::time::Duration;

use rustix::param::clock_ticks_per_second;
pub(crate) use rustix::process::Signal;
use rustix::process::{Pid, Resource, Rlimit, getrlimit, kill_process, setrlimit};

/// Sends a signal to a process that the test started, itself or through the edge.
pub(crate) fn signal(pid: u32, signal: Signal) {
    let raw = i32::try_from(pid).expect("a pid");
    kill_process(Pid::from_raw(raw).expect("not 0"), signal)
        .unwrap_or_else(|error| panic!("signal to {pid}: {error}"));
}

/// Whether a process is there and no zombie.
pub(crate) fn runs(pid: u32) -> bool {
    process_state(pid).is_some_and(|state| state != 'Z' && state != 'X')
}

/// The letter of proc_pid_stat(5): R running, S sleeping, T stopped, Z zombie.
pub(crate) fn process_state(pid: u32) -> Option<char> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(") ")?.1.chars().next()
}

/// How long it has kept processors busy, itself and the kernel for it (utime and stime of proc_pid_stat(5)).
pub(crate) fn cpu_time(pid: u32) -> Duration {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process runs");
    let (_, fields) = stat.rsplit_once(") ").expect("a name in parentheses");
    let ticks = fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("a number"));
    Duration::from_secs(ticks.sum()) / u32::try_from(clock_ticks_per_second()).expect("a small number")
}

/// Resident memory now, in bytes.
pub(crate) fn rss(pid: u32) -> u64 {
    status_kib(pid, "VmRSS:") << 10
}

/// The most resident memory there ever was, in bytes.
pub(crate) fn peak_rss(pid: u32) -> u64 {
    status_kib(pid, "VmHWM:") << 10
}

fn status_kib(pid: u32, line: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("the process runs");
    let value = status.lines().find_map(|l| l.strip_prefix(line)).expect("the line is there");
    value.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// All processes whose environment or command line names the directory, in which each edge of a test lives alone.
pub(super) fn of(directory: &Path) -> Vec<u32> {
    let needle = directory.to_str().expect("an ASCII path").as_bytes();
    let names_it = |file: String| {
        fs::read(file).is_ok_and(|bytes| bytes.windows(needle.len()).any(|window| window == needle))
    };
    let pids = fs::read_dir("/proc")
        .expect("/proc")
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    pids.filter(|pid: &u32| *pid != std::process::id())
        .filter(|pid| names_it(format!("/proc/{pid}/environ")) || names_it(format!("/proc/{pid}/cmdline")))
        .filter(|pid| runs(*pid))
        .collect()
}

/// `comm` and state, for messages.
pub(super) fn describe(pid: u32) -> String {
    let name = fs::read_to_string(format!("/proc/{pid}/comm")).unwrap_or_default();
    format!("{} (pid {pid}, {})", name.trim(), process_state(pid).unwrap_or('?'))
}

/// A thousand clients are a thousand descriptors; many systems begin with 1,024.
pub(super) fn allow_many_descriptors() {
    let limit = getrlimit(Resource::Nofile);
    // Where it is refused, the tests with many clients say so themselves.
    let _ = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
}

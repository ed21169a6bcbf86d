//! What a process costs, as proc(5) has it.

use std::fs;

use crate::Outcome;

/// What a process has used until now.
#[derive(Clone, Copy, Debug)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub resident: u64,
    /// The part of it that is backed by no file: what the program has allocated or changed.
    pub anonymous: u64,
    /// CPU time, user and system, of all threads, in nanoseconds.
    pub cpu: u64,
    /// How often a thread has given up the CPU to wait: each is a wake-up later.
    pub waits: u64,
}

/// Looks at a process.
///
/// # Errors
/// Where it has ended.
pub fn usage(pid: u32) -> Outcome<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mut usage =
        Usage { resident: kib(&status, "VmRSS:")?, anonymous: kib(&status, "RssAnon:")?, cpu: 0, waits: 0 };
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?.path();
        let switches = fs::read_to_string(thread.join("status"))?;
        usage.waits += field(&switches, "voluntary_ctxt_switches:")?;
        // The first figure is the time on a CPU, exact where stat(5) counts ticks of 10 ms.
        let time = fs::read_to_string(thread.join("schedstat"))?;
        usage.cpu += time.split(' ').next().unwrap_or_default().parse::<u64>()?;
    }
    Ok(usage)
}

/// How many descriptors this process, and those it starts, may have open.
///
/// # Errors
/// Where /proc cannot be read.
pub fn descriptors() -> Outcome<u64> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line = limits.lines().find(|line| line.starts_with("Max open files")).ok_or("no limit of open files")?;
    Ok(line.split_whitespace().nth(4).ok_or("no hard limit")?.parse().unwrap_or(u64::MAX))
}

fn kib(status: &str, name: &str) -> Outcome<u64> {
    Ok(field(status, name)? << 10)
}

fn field(status: &str, name: &str) -> Outcome<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().ok_or("no value")?.parse()?)
}

//! What a process costs, as proc(5) has it.

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use crate::Outcome;

/// What a process has used until now.
#[derive(Clone, Debug)]
pub struct Usage {
    /// Resident memory, in bytes.
    pub resident: u64,
    /// The part of it that is backed by no file: what the program has allocated or changed.
    pub anonymous: u64,
    threads: HashMap<u32, Work>,
}

/// What a thread has done.
#[derive(Clone, Copy, Debug, Default)]
pub struct Work {
    /// CPU time, user and system, in nanoseconds.
    pub cpu: u64,
    /// How often it has given up the CPU to wait: each is a wake-up later.
    pub waits: u64,
}

impl Usage {
    /// What the threads that are still there have done since `before`.
    pub fn since(&self, before: &Self) -> Work {
        self.threads.iter().fold(Work::default(), |sum, (thread, now)| {
            let then = before.threads.get(thread).copied().unwrap_or_default();
            Work { cpu: sum.cpu + now.cpu - then.cpu, waits: sum.waits + now.waits - then.waits }
        })
    }
}

/// Looks at a process.
///
/// # Errors
/// Where it has ended.
pub fn usage(pid: u32) -> Outcome<Usage> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let mut threads = HashMap::new();
    for thread in fs::read_dir(format!("/proc/{pid}/task"))? {
        let thread = thread?;
        // A thread may end while it is looked at.
        if let (Ok(id), Ok(work)) = (thread.file_name().to_string_lossy().parse(), work(&thread.path())) {
            threads.insert(id, work);
        }
    }
    Ok(Usage { resident: kib(&status, "VmRSS:")?, anonymous: kib(&status, "RssAnon:")?, threads })
}

fn work(thread: &Path) -> Outcome<Work> {
    let waits = field(&fs::read_to_string(thread.join("status"))?, "voluntary_ctxt_switches:")?;
    // The first figure is the time on a CPU, exact where stat(5) counts ticks of 10 ms.
    let time = fs::read_to_string(thread.join("schedstat"))?;
    Ok(Work { cpu: time.split(' ').next().unwrap_or_default().parse()?, waits })
}

/// How many descriptors this process, and those it starts, may have open.
///
/// # Errors
/// Where /proc cannot be read.
pub fn descriptors() -> Outcome<u64> {
    let limits = fs::read_to_string("/proc/self/limits")?;
    let line =
        limits.lines().find(|line| line.starts_with("Max open files")).ok_or("no limit of open files")?;
    Ok(line.split_whitespace().nth(4).ok_or("no hard limit")?.parse().unwrap_or(u64::MAX))
}

fn kib(status: &str, name: &str) -> Outcome<u64> {
    Ok(field(status, name)? << 10)
}

fn field(status: &str, name: &str) -> Outcome<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name)).ok_or_else(|| format!("no {name}"))?;
    Ok(line.split_whitespace().next().ok_or("no value")?.parse()?)
}

//! What a killed edge left running.
//!
//! It is ended, not adopted: the pipes that took its output ended with the edge, so the program dies of its next line
//! anyway, and its exit status would reach somebody else. The app sleeps deeply then, and is started again on request.

use std::collections::HashSet;
use std::io;
use std::time::Duration;

use config::link::Instance;

use super::ending::{self, Ending};
use super::kin::{Kin, Marked};
use super::procfs::Processes;
use super::records::{Record, Records, RecordsError};

/// What was found, for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leftovers {
    /// The instances that a killed edge had left on record, by app name, whether or not any of them still ran.
    pub recorded: Vec<(String, Instance)>,
    /// How many processes were ended.
    pub ended: usize,
    /// The numbers of those that could not be ended, not even by force.
    pub left: Vec<i32>,
}

/// Why leftovers could not be looked for.
#[derive(Debug, thiserror::Error)]
pub enum LeftoversError {
    /// The records cannot be used.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// Processes cannot be seen.
    #[error("cannot read /proc: {0}")]
    Processes(#[from] io::Error),
}

/// Ends whatever an earlier edge with the same records left: SIGTERM, after `stop_timeout` SIGKILL. To be called before
/// anything is started. Takes two seconds longer than `stop_timeout` at most.
///
/// A process is ours if it carries our mark, descends from one that does, or is of a recorded group whose leader still
/// is the one recorded: numbers are reused, so a number alone proves nothing.
///
/// # Errors
/// Where records or processes cannot be read; then nothing has been ended.
pub async fn end(records: &Records, stop_timeout: Duration) -> Result<Leftovers, LeftoversError> {
    let recorded = records.all()?;
    let processes = Processes::since(0);
    let snapshot = processes.look().await?;
    let leaders = recorded.iter().filter(|record| records.is_current(record)).filter_map(Record::leader);
    let leaders: HashSet<_> =
        leaders.filter(|leader| snapshot.all.iter().any(|p| p.identity == *leader)).collect();
    let groups = leaders.iter().map(|leader| leader.pid).collect();
    let mut kin = Kin { groups, marked: Marked::With(records.token().clone()), port: None, known: leaders };
    let (ended, left) = match ending::end(&mut kin, None, &processes, stop_timeout).await {
        Ending::Gone(ended) => (ended, HashSet::new()),
        Ending::Left(left) => (kin.known.len().saturating_sub(left.len()), left),
    };
    if left.is_empty() {
        for record in &recorded {
            records.remove(Instance(record.instance))?;
        }
    }
    Ok(Leftovers {
        recorded: recorded.into_iter().map(|r| (r.app, Instance(r.instance))).collect(),
        ended,
        left: left.iter().map(|identity| identity.pid.as_raw_pid()).collect(),
    })
}

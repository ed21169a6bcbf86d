//! How a workload stands, by what its record and the API server say of it: nothing is remembered. Pure.

use config::link::Depth;
use serde_json::Value;

use super::saved::{generation, leaving, ours, replicas, replicas_by, spec_hash};
use crate::kubernetes::crd::{RestSpec, SleepRecordSpec};

/// How a workload stands: [`crate::platform::Standing`], but for its endpoints, which are its pods' to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum How {
    /// It runs, or is about to, because somebody wants it to.
    Up,
    /// It has no replicas, or is not there and can be made again.
    Asleep(Depth),
    /// It was put back by something that does not know that it sleeps.
    PutBack,
    /// There is nothing.
    Nothing,
}

/// How a workload stands, and what is to be put right in its record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Judged {
    pub(super) standing: How,
    /// What the record should say.
    pub(super) mend: Mend,
}

/// What is to be put right in a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Mend {
    /// Nothing.
    Nothing,
    /// The workload was never scaled or deleted, or has come back: what is saved is no longer needed.
    Rests(RestSpec),
}

/// How it stands.
pub(super) fn judge(record: Option<&SleepRecordSpec>, object: Option<&Value>) -> Judged {
    let rest = record.map_or(RestSpec::Awake, |record| record.rest);
    match (record, object) {
        (Some(record), Some(object)) if !leaving(object) => match rest {
            RestSpec::Awake => keep(by_replicas(object)),
            RestSpec::Light => light(record, object),
            RestSpec::Deep => deep(record, object),
        },
        (None, Some(object)) if !leaving(object) => keep(by_replicas(object)),
        // One that is on its way out is as good as gone.
        (_, _) => match rest {
            RestSpec::Deep => keep(How::Asleep(Depth::Deep)),
            RestSpec::Awake => keep(How::Nothing),
            // Its owner has deleted it: when he makes it again, he means it to run.
            RestSpec::Light => Judged { standing: How::Nothing, mend: Mend::Rests(RestSpec::Awake) },
        },
    }
}

fn keep(standing: How) -> Judged {
    Judged { standing, mend: Mend::Nothing }
}

fn by_replicas(object: &Value) -> How {
    if replicas(object) > 0 { How::Up } else { How::Asleep(Depth::Light) }
}

fn light(record: &SleepRecordSpec, object: &Value) -> Judged {
    let same = record.spec_hash == spec_hash(object);
    match (same, replicas(object)) {
        (true, 0) => keep(How::Asleep(Depth::Light)),
        // Somebody else has changed what it is to run.
        (false, _) => keep(How::Up),
        // The sleep that the record tells of has not come about, and nobody holds requests for it any more.
        (true, _) if is_it(record, object) && record.generation == generation(object) => {
            Judged { standing: How::Up, mend: Mend::Rests(RestSpec::Awake) }
        }
        (true, now) => keep(brought_back(record, object, now)),
    }
}

/// The replicas of a workload that sleeps lightly are no longer 0. Who scales by hand leaves no manager of the replicas
/// behind: scaling to 0 has taken them from everybody, and the server gives them to nobody new (tried with 1.37). Nor do
/// we. Who applies all of it has them again, and if he says what he always said, he does not know that it sleeps.
pub(super) fn brought_back(record: &SleepRecordSpec, object: &Value, now: i32) -> How {
    let applied = !replicas_by(object).is_empty() && !ours(object);
    if applied && now == record.replicas { How::PutBack } else { How::Up }
}

fn deep(record: &SleepRecordSpec, object: &Value) -> Judged {
    if is_it(record, object) {
        // It was not deleted.
        let rest = if replicas(object) > 0 { RestSpec::Awake } else { RestSpec::Light };
        return Judged { standing: by_replicas(object), mend: Mend::Rests(rest) };
    }
    if ours(object) {
        // We have made it again, and not come to say so.
        return Judged { standing: How::Up, mend: Mend::Rests(RestSpec::Awake) };
    }
    let same = record.spec_hash == spec_hash(object) && replicas(object) == record.replicas;
    keep(if same { How::PutBack } else { How::Up })
}

/// Whether it is the very object that was put to sleep, and none that was made later.
pub(super) fn is_it(record: &SleepRecordSpec, object: &Value) -> bool {
    record.workload.uid.as_deref() == object["metadata"]["uid"].as_str()
}

#[cfg(test)]
mod tests;

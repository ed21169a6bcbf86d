//! How apps stand, as their objects say it.

use config::link::Depth;

use super::app::Draft;
use super::target::{Target, ready};
use super::workload::Runs;
use crate::kubernetes::index::Index;
use crate::platform::Standing;

/// How an app stands.
pub(super) fn standing(index: &Index, draft: &Draft<'_>, target: &Target) -> Standing {
    let up = || Standing::Up { endpoints: ready(index, target) };
    match &draft.runs {
        Runs::Workload { there: Some(workload), record, .. } if !workload.meta.leaving => {
            let saved = record.and_then(|record| record.saved.as_ref());
            match (workload.replicas > 0, saved) {
                (false, _) => Standing::Asleep(Depth::Light),
                // What was deleted is there again, and asks for what it asked for before, under another uid: nobody
                // wanted anything new. The record of one that we put back ourselves has nothing saved any more.
                (true, Some(saved))
                    if saved.spec_hash == workload.spec_hash && saved.meta.uid != workload.meta.uid =>
                {
                    Standing::PutBack
                }
                (true, _) => up(),
            }
        }
        Runs::Workload { record: Some(record), .. } if record.saved.is_some() => {
            Standing::Asleep(Depth::Deep)
        }
        Runs::Workload { .. } => Standing::Nothing,
        Runs::Others => {
            let slices = draft.services.keys().flat_map(|service| index.slices_of(service));
            if slices.into_iter().any(|slice| slice.any_ready()) { up() } else { Standing::Nothing }
        }
    }
}

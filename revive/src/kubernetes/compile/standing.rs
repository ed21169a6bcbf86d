//! How apps stand, as their objects say it.

use config::link::Depth;

use super::app::Draft;
use super::target::{Target, ready};
use super::workload::Runs;
use crate::kubernetes::index::Index;
use crate::kubernetes::index::application::Stands;
use crate::kubernetes::index::policy::{Rest, SleepRecord};
use crate::kubernetes::index::workload::Workload;
use crate::platform::Standing;

/// How an app stands, as far as that can be told from afar. Its platform, which sees who manages which field, says it more
/// exactly once the app is known.
pub(super) fn standing(index: &Index, draft: &Draft<'_>, target: &Target) -> Standing {
    let up = || Standing::Up { endpoints: ready(index, target) };
    match &draft.runs {
        Runs::Workload { application: Some(application), there, .. } => {
            match application.stands(there.map(|there| &**there)) {
                Stands::Asleep(depth) => Standing::Asleep(depth),
                Stands::Up => up(),
            }
        }
        Runs::Workload { there: Some(workload), record, .. } if !workload.meta.leaving => {
            if workload.replicas == 0 {
                Standing::Asleep(Depth::Light)
            } else if record.is_some_and(|record| is_put_back(workload, record)) {
                Standing::PutBack
            } else {
                up()
            }
        }
        Runs::Workload { record: Some(record), .. } if record.rest == Rest::Deep => {
            Standing::Asleep(Depth::Deep)
        }
        Runs::Workload { .. } => Standing::Nothing,
        Runs::Others => {
            let mut slices = draft.services.keys().flat_map(|service| index.slices_of(service));
            if slices.any(|slice| slice.any_ready()) { up() } else { Standing::Nothing }
        }
    }
}

/// Whether what was deleted is there again under another uid, in the same words, and not by us: nobody wanted anything
/// new.
fn is_put_back(workload: &Workload, record: &SleepRecord) -> bool {
    let saved = record.saved.as_ref().filter(|_| record.rest == Rest::Deep);
    saved.is_some_and(|saved| {
        saved.meta.uid != workload.meta.uid
            && saved.spec_hash == workload.spec_hash
            && record.replicas == workload.replicas
            && !workload.by_us
    })
}

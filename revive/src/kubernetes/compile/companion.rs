//! Apps that others need, and hours in which apps are awake.

use std::collections::BTreeMap;

use config::model::{AppId, Label, WorkloadKind};

use super::Compiled;
use super::app::Drafts;
use super::sleep::Extras;
use super::workload::Runs;
use crate::kubernetes::crd::{AppKind, AppRef};
use crate::kubernetes::index::Key;

/// Says of each app what it needs and when it is awake. What is not there, or another workspace's, it does not need:
/// whoever may write in one workspace does not wake what is another's.
pub(super) fn settle(compiled: &mut Compiled, drafts: &Drafts<'_>, extras: BTreeMap<AppId, Extras>) {
    let names = names(drafts);
    let workspaces: BTreeMap<&AppId, &Label> =
        compiled.apps.iter().map(|app| (&app.id, &app.tenant.workspace)).collect();
    for (id, extra) in extras {
        let place = compiled.targets.get(&id).map(|target| target.service.namespace.clone());
        let meant = |needed: &AppRef| {
            let key = Key::new(needed.namespace.as_deref().or(place.as_deref())?, &needed.name);
            let other = *names.get(&(needed.kind, key))?;
            (*other != id && workspaces.get(other) == workspaces.get(&id)).then(|| other.clone())
        };
        let needs: Vec<AppId> = extra.wake_with.iter().filter_map(meant).collect();
        if !needs.is_empty() {
            compiled.companions.insert(id.clone(), needs);
        }
        if !extra.schedule.is_empty() {
            compiled.hours.insert(id, extra.schedule);
        }
    }
}

/// What apps are called by.
fn names<'d>(drafts: &'d Drafts<'_>) -> BTreeMap<(AppKind, Key), &'d AppId> {
    let mut names = BTreeMap::new();
    for draft in drafts.iter() {
        names.extend(draft.services.keys().map(|key| ((AppKind::Service, (*key).clone()), &draft.id)));
        if let (Runs::Workload { kind, .. }, Some(key)) = (&draft.runs, draft.runs.workload_key()) {
            let kind = match kind {
                WorkloadKind::Deployment => AppKind::Deployment,
                WorkloadKind::StatefulSet => AppKind::StatefulSet,
            };
            names.insert((kind, key), &draft.id);
        }
    }
    names
}

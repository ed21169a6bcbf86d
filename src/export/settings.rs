//! What a file says of the edge itself: on a cluster that is the operator's matter.

use std::collections::BTreeMap;

use config::load::Loaded;
use config::model::{App, Label, Source};
use config::settings::{Gateway, Revive};

use super::left::Left;

/// Says which settings are not in the objects.
pub(super) fn say(loaded: &Loaded, left: &mut Left) {
    const FILE: &str = "the file of `loco-edge revive --config` and `loco-edge gateway --config` (the chart's value `config`)";
    let own = Gateway { revive_url: loaded.settings.gateway.revive_url.clone(), ..Gateway::default() };
    if loaded.settings.gateway != own {
        left.file(format!("[gateway]: its settings belong into {FILE}"));
    }
    if loaded.settings.revive != Revive::default() {
        left.file(format!("[revive]: its settings belong into {FILE}"));
    }
    if !loaded.tokens.is_empty() {
        left.file(format!("[[admin.token]]: tokens belong into {FILE}, or into variables from a Secret"));
    }
    say_where(loaded, left);
    for app in loaded.apps.iter().filter(|app| app.response_timeout != loaded.defaults.response_timeout) {
        left.app(&app.name, "`response_timeout` is not carried over: the platform's holds");
    }
    say_neighbours(loaded, left);
}

fn say_where(loaded: &Loaded, left: &mut Left) {
    for (key, value, unsaid) in
        [("region", &loaded.region, "local"), ("environment", &loaded.environment, "dev")]
    {
        if value.as_str() != unsaid {
            left.file(format!(
                "{key} = {:?} is not carried over: the platform's own is sent to apps and logged",
                value.as_str()
            ));
        }
    }
}

/// Only a request that passes the edge counts and wakes.
fn say_neighbours(loaded: &Loaded, left: &mut Left) {
    let mut workspaces: BTreeMap<&Label, Vec<&App>> = BTreeMap::new();
    for app in &loaded.apps {
        workspaces.entry(&app.tenant.workspace).or_default().push(app);
    }
    let runs = |app: &&App| matches!(app.source, Source::Process(_));
    let missed = workspaces.values().any(|apps| apps.len() > 1 && apps.iter().any(runs));
    if missed {
        left.file(
            "LOCO_<APP>_URL is not set in pods: a call from app to app wakes the other one if it goes to its host, \
             through the Gateway; a call to its Service does not",
        );
    }
}

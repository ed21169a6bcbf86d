//! What a file says of the edge itself: on a cluster that is the operator's matter.

use std::collections::{BTreeMap, BTreeSet};

use config::load::Loaded;
use config::model::{App, Label, Source};
use config::settings::{Gateway, Revive};

use super::left::Left;

/// Says which settings are not in the objects.
pub(super) fn say(loaded: &Loaded, namespace: Option<&str>, left: &mut Left) {
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
    say_tenants(loaded, namespace, left);
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

/// Whose apps are is said of their namespace, by those who may: who writes in it could say that it is somebody else's.
fn say_tenants(loaded: &Loaded, namespace: Option<&str>, left: &mut Left) {
    let of = |app: &App| (app.tenant.org.to_string(), app.tenant.workspace.to_string());
    let tenants: BTreeSet<_> = loaded.apps.iter().map(|app| of(app)).collect();
    let keys = &loaded.settings.kubernetes;
    match tenants.first() {
        // What holds in a file that says nothing.
        Some((org, workspace)) if tenants.len() == 1 && org == "local" && workspace == "local" => {}
        Some((org, workspace)) if tenants.len() == 1 => left.file(format!(
            "whose the apps are is said by their namespace: kubectl label namespace {} {}={org} {}={workspace}",
            namespace.unwrap_or("NAMESPACE"),
            keys.org_label,
            keys.workspace_label,
        )),
        Some(_) | None => left.file(
            "the apps are several tenants', and the edge goes by the labels of their namespace: \
             export each tenant's apps to a namespace of its own",
        ),
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

//! What apps must agree on between them: names, and who answers where.

use std::collections::BTreeMap;
use std::sync::Arc;

use super::app::Built;
use super::reader::Reader;
use super::text::Spot;
use crate::model::{App, AppName, HostPattern, PathPrefix, RouteMatch};

/// Gives apps their routes, the first in the file first. A wildcard beside a host that it covers is no conflict: the
/// exact host wins.
pub(super) fn settle(apps: Vec<Built>, reader: &mut Reader) -> Vec<Arc<App>> {
    let mut names: BTreeMap<AppName, Spot> = BTreeMap::new();
    let mut claims = Claims::default();
    let mut settled = Vec::with_capacity(apps.len());
    for Built { app, name, spot, hosts, paths } in apps {
        if let Some(first) = names.get(&name) {
            reader
                .mistake(&spot, format!("there is already an app `{name}`"))
                .help("an app's name is its own: rename one of the two")
                .see(first, "the first one");
            continue;
        }
        for (host, spot) in &hosts {
            claims.claim(&name, host, &paths, spot, reader);
        }
        names.insert(name, spot);
        settled.extend(app.map(|app| Arc::new(App { routes: routes(&hosts, &paths), ..app })));
    }
    settled
}

fn routes(hosts: &[(HostPattern, Spot)], paths: &[PathPrefix]) -> Vec<RouteMatch> {
    let of_host = |(host, _): &(HostPattern, Spot)| {
        let host = host.clone();
        paths.iter().map(move |path| RouteMatch { host: host.clone(), path: path.clone() })
    };
    hosts.iter().flat_map(of_host).collect()
}

/// Who answers where, and the place that says so.
#[derive(Default)]
struct Claims(BTreeMap<(HostPattern, PathPrefix), (AppName, Spot)>);

impl Claims {
    /// Records at most one mistake for a host, however many paths are taken.
    fn claim(
        &mut self,
        app: &AppName,
        host: &HostPattern,
        paths: &[PathPrefix],
        spot: &Spot,
        reader: &mut Reader,
    ) {
        let mut told = false;
        for path in paths {
            let owner = self.0.entry((host.clone(), path.clone()));
            let std::collections::btree_map::Entry::Occupied(owner) = owner else {
                owner.or_insert_with(|| (app.clone(), spot.clone()));
                continue;
            };
            if std::mem::replace(&mut told, true) {
                continue;
            }
            let (other, first) = owner.get();
            if other == app {
                reader
                    .mistake(spot, format!("`{app}` says twice that it answers at {host}{path}"))
                    .help("say it once")
                    .see(first, "the first time");
            } else {
                reader
                    .mistake(spot, format!("`{other}` and `{app}` both answer at {host}{path}"))
                    .help("give one of them another host, or other `paths`")
                    .see(first, format!("`{other}` does so here"));
            }
        }
    }
}

//! What apps must agree on between them: names, and who answers where.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::Arc;

use super::app::Built;
use super::reader::Reader;
use super::text::Spot;
use crate::model::{App, AppName, HostPattern, PathPrefix, RouteMatch};
use crate::settings::ReviveUrl;

/// Gives apps their routes, the first in the file first. A wildcard beside a host that it covers is no conflict: the
/// exact host wins.
pub(super) fn settle(apps: Vec<Built>, revive: &ReviveUrl, reader: &mut Reader) -> Vec<Arc<App>> {
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
        for host in &hosts {
            leave_revive(host, revive, reader);
            claims.claim(&name, &spot, host, &paths, reader);
        }
        names.insert(name, spot);
        settled.extend(app.map(|app| Arc::new(App { routes: routes(&hosts, &paths), ..app })));
    }
    settled
}

/// An app at the host of the page that revives apps could take that page over for all who come there.
fn leave_revive((host, spot): &(HostPattern, Spot), revive: &ReviveUrl, reader: &mut Reader) {
    if let (HostPattern::Exact(host), ReviveUrl::Own(own)) = (host, revive)
        && *host.as_str() == **own
    {
        reader
            .mistake(spot, format!("`{host}` is where the edge itself shows the page that revives apps"))
            .help("give the app another host (or name), or that page with `revive_url` in [gateway]");
    }
}

fn routes(hosts: &[(HostPattern, Spot)], paths: &[(PathPrefix, Spot)]) -> Vec<RouteMatch> {
    let of_host = |(host, _): &(HostPattern, Spot)| {
        let host = host.clone();
        paths.iter().map(move |(path, _)| RouteMatch { host: host.clone(), path: path.clone() })
    };
    hosts.iter().flat_map(of_host).collect()
}

/// Who answers where, and the places that say so.
#[derive(Default)]
struct Claims(BTreeMap<(HostPattern, PathPrefix), Claim>);

/// An app's word that it answers somewhere.
#[derive(Clone)]
struct Claim {
    app: AppName,
    /// Where its name is.
    name: Spot,
    host: Spot,
    path: Spot,
}

impl Claims {
    /// Records at most one mistake for a host, however many paths are taken. `name` is where the app's name is.
    fn claim(
        &mut self,
        app: &AppName,
        name: &Spot,
        (host, host_spot): &(HostPattern, Spot),
        paths: &[(PathPrefix, Spot)],
        reader: &mut Reader,
    ) {
        let mut told = false;
        for (path, path_spot) in paths {
            let (app, name) = (app.clone(), name.clone());
            let claim = Claim { app, name, host: host_spot.clone(), path: path_spot.clone() };
            match self.0.entry((host.clone(), path.clone())) {
                Entry::Vacant(free) => {
                    free.insert(claim);
                }
                Entry::Occupied(first) if !std::mem::replace(&mut told, true) => {
                    claim.collides(first.get(), &format!("{host}{path}"), reader);
                }
                Entry::Occupied(_) => {}
            }
        }
    }
}

impl Claim {
    /// The place that says most of why it is claimed: a host that is not written follows from the name, which is not
    /// what is wrong where a path is written.
    fn place(&self) -> &Spot {
        if self.host == self.name { &self.path } else { &self.host }
    }

    fn collides(&self, first: &Self, at: &str, reader: &mut Reader) {
        let (app, other) = (&self.app, &first.app);
        if app == other {
            let same_host = self.host == first.host;
            let (again, before) =
                if same_host { (&self.path, &first.path) } else { (&self.host, &first.host) };
            reader
                .mistake(again, format!("`{app}` says twice that it answers at {at}"))
                .help("say it once")
                .see(before, "the first time");
        } else {
            reader
                .mistake(self.place(), format!("`{other}` and `{app}` both answer at {at}"))
                .help("give one of them another host, or other `paths`")
                .see(first.place(), format!("`{other}` does so here"));
        }
    }
}

//! What a person sees at the start.

use std::io::Write as _;

use config::load::{Colours, Loaded};
use config::model::Source;

use crate::files::Addresses;

/// Says what is served, and where.
pub(super) fn announce(loaded: &Loaded, addresses: &Addresses) {
    let mut text = format!("\n  loco-edge serves on http://{}\n\n", addresses.listen);
    let width = loaded.apps.iter().map(|app| app.name.as_str().len()).max().unwrap_or(0);
    for app in &loaded.apps {
        let name = app.name.as_str();
        let state = match app.source {
            Source::Process(_) => "asleep",
            Source::Upstreams(_) | Source::Service(_) => "always up",
        };
        let own = addresses.apps.get(name).map(ToString::to_string).unwrap_or_default();
        for (index, route) in app.routes.iter().enumerate() {
            let url = format!("http://{}:{}{}", route.host, addresses.listen.port(), route.path);
            let line = if index == 0 {
                format!("  {name:width$}  {url}  (also http://{own}, {state})\n")
            } else {
                format!("  {:width$}  {url}\n", "")
            };
            text.push_str(&line);
        }
    }
    text.push_str(&format!(
        "\n  admin API on http://{}/v1/apps; Ctrl-C stops everything\n\n",
        addresses.admin
    ));
    if !loaded.warnings.is_empty() {
        text.push_str(&loaded.warnings.render(Colours::Plain));
    }
    // A closed standard output is no reason not to serve.
    let _closed = std::io::stdout().write_all(text.as_bytes());
}

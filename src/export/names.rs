//! What the objects of each app are called.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::model::{App, Source};

use super::ExportError;
use super::left::Left;

/// Of each app, in their order. A Service's name begins with a letter (RFC 1035, section 2.3.1), an app's need not.
pub(super) fn settle(apps: &[Arc<App>], left: &mut Left) -> Result<Vec<String>, ExportError> {
    let mut taken: BTreeMap<String, String> = BTreeMap::new();
    let mut names = Vec::new();
    for app in apps {
        let name = object(app.name.as_str());
        if name != app.name.as_str() {
            left.app(
                &app.name,
                format_args!("its objects are called {name}, because a Service's name begins with a letter"),
            );
        }
        if let Some(other) = taken.insert(name.clone(), app.name.to_string()) {
            return Err(ExportError::SameName(other, app.name.to_string(), name));
        }
        names.push(name);
    }
    Ok(names)
}

fn object(app: &str) -> String {
    if app.starts_with(|c: char| c.is_ascii_lowercase()) {
        return app.to_owned();
    }
    let mut name = format!("app-{app}");
    name.truncate(63);
    name.trim_end_matches('-').to_owned()
}

/// Whether every image is some app's that has a use for it.
pub(super) fn all_there(images: &BTreeMap<&str, &str>, apps: &[Arc<App>]) -> Result<(), ExportError> {
    let runs = |app: &&Arc<App>| matches!(app.source, Source::Process(_));
    let known = |name: &str| apps.iter().filter(runs).any(|app| app.name.as_str() == name);
    match images.keys().find(|name| !known(name)) {
        Some(name) => Err(ExportError::NoSuchApp((*name).to_owned())),
        None => Ok(()),
    }
}

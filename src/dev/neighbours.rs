//! What an app's program is told beside its port: who its neighbours are, and where.

use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use config::load::Loaded;
use config::model::{App, AppId, Label};
use revive::platform::process::Variables;

/// As of the last good file; a new run is told what is true when it begins.
#[derive(Clone)]
pub(super) struct Neighbours(Arc<RwLock<Arc<Known>>>);

struct Known {
    apps: Vec<Arc<App>>,
    ports: HashMap<AppId, u16>,
    profile: Label,
}

impl Known {
    fn of(loaded: &Loaded, ports: &HashMap<AppId, u16>) -> Arc<Self> {
        let (apps, profile) = (loaded.apps.clone(), loaded.environment.clone());
        Arc::new(Self { apps, ports: ports.clone(), profile })
    }
}

impl Neighbours {
    pub(super) fn of(loaded: &Loaded, ports: &HashMap<AppId, u16>) -> Self {
        Self(Arc::new(RwLock::new(Known::of(loaded, ports))))
    }

    /// From now on there are these.
    pub(super) fn replace(&self, loaded: &Loaded, ports: &HashMap<AppId, u16>) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Known::of(loaded, ports);
    }

    pub(super) fn variables(&self) -> Variables {
        let known = self.0.clone();
        Box::new(move |app, instance| {
            let known = known.read().unwrap_or_else(PoisonError::into_inner).clone();
            let neighbours = known.apps.iter().filter(|other| other.tenant.workspace == app.tenant.workspace);
            let urls = neighbours.filter_map(|other| {
                let name = other.name.as_str().to_ascii_uppercase().replace('-', "_");
                let port = known.ports.get(&other.id)?;
                Some((format!("LOCO_{name}_URL"), format!("http://127.0.0.1:{port}")))
            });
            let profile = known.profile.to_string();
            let own = [
                ("LOCO_APP_NAME", app.name.to_string()),
                ("LOCO_DEPLOYMENT_ID", format!("{}-{instance}", app.name)),
                ("LOCO_PROFILE", profile.clone()),
                ("LOCO_VERSION", profile),
            ];
            urls.chain(own.map(|(name, value)| (name.to_owned(), value))).collect()
        })
    }
}

//! From what the file says to what the control plane of a cluster is told.

use std::time::Duration;

use config::load::Loaded;
use config::model::After;
use config::settings::Kubernetes;
use revive::hook;
use revive::kubernetes::Settings;
use revive::kubernetes::crd::Sleeping;
use revive::kubernetes::index::Key;
use revive::kubernetes::room::Nodes;
use revive::kubernetes::settings::{Addresses, NamePattern, Ports};
use revive::platform::kubernetes::{self as platform, Renewal};

/// How long a pull secret may take to be renewed.
const RENEWAL: Duration = Duration::from_secs(10);

/// What the edge is to make of the cluster.
pub(crate) fn of_cluster(loaded: &Loaded) -> Result<Settings, String> {
    let Kubernetes { controller, ports, addresses, tenant_pattern, org_label, workspace_label, .. } =
        &loaded.settings.kubernetes;
    let defaults = &loaded.defaults;
    let (org, region) = (defaults.tenant.org.as_str(), loaded.region.as_str());
    let settings = Settings::new(org, region, loaded.environment.as_str());
    let mut settings = settings.map_err(|error| error.to_string())?;
    settings.controller = controller.as_str().into();
    settings.ports = Ports { http: ports.iter().copied().collect(), https: [].into() };
    settings.addresses = match loaded.settings.kubernetes.service.split_once('/') {
        Some((namespace, name)) if addresses.is_empty() => Addresses::Service(Key::new(namespace, name)),
        Some(_) | None => Addresses::Fixed(addresses.iter().map(|address| address.as_str().into()).collect()),
    };
    settings.tenants.keys.org = org_label.as_str().into();
    settings.tenants.keys.workspace = workspace_label.as_str().into();
    if !tenant_pattern.is_empty() {
        let pattern = NamePattern::parse(tenant_pattern).map_err(|error| error.to_string())?;
        settings.tenants.pattern = Some(pattern);
    }
    let written = |after: After| (after != After::Never).then_some(after);
    settings.sleep = Sleeping {
        idle_after: written(defaults.sleep.idle_after),
        remove_after: written(defaults.sleep.remove_after),
        wake: (&defaults.wake).into(),
        ..Sleeping::default()
    };
    settings.health = defaults.health.clone();
    settings.response_timeout = defaults.response_timeout;
    settings.loco = loaded.settings.kubernetes.loco.then_some(loaded.settings.kubernetes.loco_sleep);
    Ok(settings)
}

/// Who is told of failures, if anybody is.
pub(super) fn failure_webhook(loaded: &Loaded) -> Result<Option<hook::Uri>, String> {
    match loaded.settings.kubernetes.failure_webhook.as_str() {
        "" => Ok(None),
        text => hook::address(text).map(Some).map_err(|error| format!("`failure_webhook`: {error}")),
    }
}

/// Whether the nodes that there are decide whether an app has room.
pub(super) fn nodes(loaded: &Loaded) -> Nodes {
    if loaded.settings.kubernetes.trust_autoscaler { Nodes::Grow } else { Nodes::Count }
}

/// How the platform behaves.
pub(super) fn of_platform(loaded: &Loaded, replica: &str) -> Result<platform::Settings, String> {
    let hook = &loaded.settings.kubernetes.pull_secret_hook;
    let renewal = if hook.is_empty() {
        None
    } else {
        let url = hook::address(hook).map_err(|error| format!("`pull_secret_hook`: {error}"))?;
        Some(Renewal { url, deadline: RENEWAL })
    };
    let loco = loaded.settings.kubernetes.loco_sleep;
    Ok(platform::Settings { renewal, loco, replica: replica.to_owned(), ..platform::Settings::default() })
}

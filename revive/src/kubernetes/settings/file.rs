//! Settings as the file of a platform has them.

use config::load::Loaded;

use super::{Addresses, NamePattern, Ports, Settings, TenantKeys, Tenants};
use crate::kubernetes::crd::Sleeping;

impl Settings {
    /// What a platform's file says. A port serves what its listeners say, in the clear or over TLS.
    pub fn of_file(loaded: &Loaded) -> Self {
        let (kubernetes, defaults) = (&loaded.settings.kubernetes, &loaded.defaults);
        let ports = || kubernetes.ports.iter().copied().collect();
        Self {
            controller: kubernetes.controller.as_str().into(),
            ports: Ports { http: ports(), https: ports() },
            addresses: Addresses::Fixed(kubernetes.addresses.iter().map(|one| one.as_str().into()).collect()),
            tenants: Tenants {
                keys: TenantKeys {
                    org: kubernetes.org_label.as_str().into(),
                    workspace: kubernetes.workspace_label.as_str().into(),
                    region: "loco.dev/region".into(),
                    environment: "loco.dev/environment".into(),
                },
                // The file's own check lets nothing else through but an empty one.
                pattern: NamePattern::parse(&kubernetes.tenant_pattern).ok(),
                org: defaults.tenant.org.clone(),
                region: loaded.region.clone(),
                environment: loaded.environment.clone(),
            },
            sleep: Sleeping {
                idle_after: Some(defaults.sleep.idle_after),
                remove_after: Some(defaults.sleep.remove_after),
                wake: (&defaults.wake).into(),
                ..Sleeping::default()
            },
            health: defaults.health.clone(),
            response_timeout: defaults.response_timeout,
        }
    }
}

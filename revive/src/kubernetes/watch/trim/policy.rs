//! Policies.

use super::gateway::conditions;
use super::{Keeps, Watched, meta};
use crate::kubernetes::crd;
use crate::kubernetes::index::policy::{LimitPolicy, PolicyStatus, SleepPolicy};
use crate::kubernetes::index::{Seen, Update};

fn status(of: Option<crd::PolicyStatus>) -> PolicyStatus {
    let status = of.unwrap_or_default();
    let controller = status.controller.map(String::into_boxed_str);
    PolicyStatus { apps: status.apps, controller, conditions: conditions(status.conditions) }
}

impl Watched for crd::SleepPolicy {
    type Kept = SleepPolicy;

    fn trimmed(self, keeps: &Keeps) -> Option<SleepPolicy> {
        let says = self.spec.parsed();
        let (targets, status) = (self.spec.target_refs, status(self.status));
        Some(SleepPolicy { meta: meta(self.metadata, keeps)?, targets, says, status })
    }

    fn update(seen: Seen<SleepPolicy>) -> Update {
        Update::SleepPolicy(seen)
    }
}

impl Watched for crd::LimitPolicy {
    type Kept = LimitPolicy;

    fn trimmed(self, keeps: &Keeps) -> Option<LimitPolicy> {
        let meta = meta(self.metadata, keeps)?;
        let says = self.spec.limits(&meta.key.namespace, &meta.key.name);
        let (targets, status) = (self.spec.target_refs, status(self.status));
        Some(LimitPolicy { meta, targets, says, status })
    }

    fn update(seen: Seen<LimitPolicy>) -> Update {
        Update::LimitPolicy(seen)
    }
}

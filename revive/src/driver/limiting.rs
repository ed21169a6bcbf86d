//! Limits: what admins and the file change, and how far that has got.

use std::sync::Arc;

use config::link;
use config::model::{Label, Limit};
use serde_json::{Value, json};

use super::Driver;
use crate::limits::{Belief, Change, InUse, LimitView, Outcome, Refused};
use crate::publish::GatewayId;

/// All limits as the admin API shows them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitsView {
    /// By name, also those that are switched off.
    pub limits: Vec<LimitView>,
    /// How many gateways count by them.
    pub in_use: InUse,
}

/// A limit as an admin has changed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LimitChanged {
    /// Before and after.
    pub outcome: Outcome,
    /// It is in use where gateways count by this generation.
    pub generation: u64,
}

impl Driver {
    pub(super) fn limits_view(&self) -> LimitsView {
        let in_use = self.spread.borrow().of(self.limits_generation);
        LimitsView { limits: self.limits.views().collect(), in_use }
    }

    /// What gateways are told.
    pub(super) fn limits_in_force(&self) -> link::Limits {
        link::Limits { generation: self.limits_generation, limits: self.limits.in_force() }
    }

    pub(super) fn change_limit(
        &mut self,
        name: &Label,
        change: Change,
        belief: &Belief,
        by: String,
    ) -> Result<LimitChanged, Refused> {
        let action = match change {
            Change::Set(_) => "limit.set",
            Change::Drop => "limit.delete",
            Change::Restore => "limit.restore",
        };
        let outcome = self.limits.change(name, change, belief, (by.clone(), (self.wall)().into()))?;
        if outcome.changed() {
            tracing::info!(limit = %name, by, action, "a limit is changed");
            let after = json!({ "result": "ok", "limit": shown(outcome.after.as_ref()) });
            self.audit(by, action, name.to_string(), shown(outcome.before.as_ref()), after);
            match self.limits.said(name) {
                Some(said) => self.store.say_limit(name.clone(), said.clone()),
                None => self.store.unsay_limit(name.clone()),
            }
            self.publish_limits();
        }
        Ok(LimitChanged { outcome, generation: self.limits_generation })
    }

    /// The file has been read again.
    pub(super) fn limits_of_file(&mut self, file: Vec<Arc<Limit>>) {
        let before = self.limits.in_force();
        let forgotten = self.limits.replace_file(file);
        self.forget_limits(forgotten);
        if self.limits.in_force() != before {
            self.publish_limits();
        }
    }

    /// What was switched off is no longer in the file: should it come back, it holds.
    pub(super) fn forget_limits(&self, names: Vec<Label>) {
        for name in names {
            tracing::warn!(limit = %name, "switched off, and no longer in the file: forgotten; if it comes back, it holds");
            self.store.unsay_limit(name);
        }
    }

    fn publish_limits(&mut self) {
        self.limits_generation += 1;
        let limits = self.limits_in_force();
        self.gateways.publish_limits(&limits);
    }

    pub(super) fn limits_in_use(&self, gateway: GatewayId, generation: u64) {
        self.spread.send_modify(|spread| spread.said(gateway, generation));
    }
}

fn shown(view: Option<&LimitView>) -> Value {
    view.map_or(Value::Null, LimitView::json)
}

//! Before an app sleeps, all gateways hold its requests and say what is still open.

use config::link::{Activity, Round};
use config::model::AppId;

use super::record::Quiesce;
use super::{Driver, SLACK};
use crate::clock;
use crate::lifecycle::{Event, State};
use crate::publish::GatewayId;

impl Driver {
    /// From now on gateways hold the app's requests; who has said so is noted here.
    pub(super) fn begin_quiesce(&mut self, id: &AppId, round: Round) {
        let waiting_for: Vec<GatewayId> = self.gateways.ids().collect();
        let alone = waiting_for.is_empty();
        let Some(record) = self.apps.get_mut(id) else { return };
        record.quiesce.waiting_for = waiting_for;
        record.quiesce.busy = false;
        if alone {
            self.happen(id, Event::Quiesced { round, busy: false });
        }
    }

    pub(super) fn quiesced(&mut self, gateway: GatewayId, round: Round, activity: &Activity) {
        self.observe(gateway, activity);
        let Some(record) = self.apps.get_mut(&activity.app) else { return };
        let current = matches!(record.state(), Some(State::Draining(draining)) if draining.round == round);
        if !current {
            return;
        }
        let usage = record.usage;
        let Quiesce { waiting_for, busy, idle_since } = &mut record.quiesce;
        waiting_for.retain(|waiting| *waiting != gateway);
        let used_since = idle_since.is_some_and(|since| usage.last_active > since + SLACK);
        *busy |= activity.open > 0 || activity.held > 0 || used_since;
        if waiting_for.is_empty() || *busy {
            let busy = *busy;
            self.happen(&activity.app, Event::Quiesced { round, busy });
        }
    }

    /// A gateway has gone, and all that was open there with it.
    pub(super) fn lost(&mut self, gateway: GatewayId) {
        self.spread.send_modify(|spread| spread.left(gateway));
        let apps: Vec<AppId> = self.apps.keys().cloned().collect();
        for id in apps {
            let Some(record) = self.apps.get_mut(&id) else { continue };
            if record.wanted_by.contains(&gateway) {
                self.unwanted(gateway, &id);
            }
            let Some(record) = self.apps.get_mut(&id) else { continue };
            if !record.forget(gateway) && record.quiesce.waiting_for.is_empty() {
                continue;
            }
            self.admission.waiters(&id, record.waiters());
            if let Some(State::Draining(draining)) = record.state() {
                let round = draining.round;
                record.quiesce.waiting_for.retain(|waiting| *waiting != gateway);
                if record.quiesce.waiting_for.is_empty() {
                    self.happen(&id, Event::Quiesced { round, busy: false });
                }
            }
            self.schedule(&id, clock::now());
        }
    }
}

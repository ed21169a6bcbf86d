//! Before an app sleeps, all gateways hold its requests and say what is still open.

use config::link::{Activity, Round};
use config::model::AppId;

use super::record::Quiesce;
use super::{Driver, SLACK};
use crate::clock;
use crate::lifecycle::{Aim, Draining, Event, State};
use crate::publish::GatewayId;

impl Driver {
    /// From now on gateways hold the app's requests; who has said so is noted here.
    pub(super) fn begin_quiesce(&mut self, id: &AppId, round: Round) {
        let waiting_for: Vec<GatewayId> = self.leases.routing().collect();
        let alone = waiting_for.is_empty();
        let Some(record) = self.apps.get_mut(id) else { return };
        record.quiesce.waiting_for = waiting_for;
        record.quiesce.busy = false;
        if alone {
            // What was open went with the last gateway, or with its lease.
            self.happen(id, Event::Quiesced { round, busy: false });
        }
    }

    pub(super) fn quiesced(&mut self, gateway: GatewayId, round: Round, activity: &Activity) {
        self.observe(gateway, activity);
        let Some(record) = self.apps.get_mut(&activity.app) else { return };
        let aim = match record.state() {
            Some(State::Draining(draining)) if draining.round == round => draining.aim,
            _ => return,
        };
        if matches!(aim, Aim::Renew | Aim::Retire) {
            record.quiesce.waiting_for.retain(|waiting| *waiting != gateway);
            return self.drained(&activity.app);
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

    /// An app that is to be changed or ended may have nothing open any more. What was open when a gateway held its
    /// requests ends one by one, and nothing is added.
    pub(super) fn drained(&mut self, id: &AppId) {
        let Some(record) = self.apps.get(id) else { return };
        if let Some(State::Draining(Draining { aim: Aim::Renew | Aim::Retire, round, .. })) = record.state()
            && record.quiesce.waiting_for.is_empty()
            && record.usage.open == 0
        {
            let round = *round;
            self.happen(id, Event::Quiesced { round, busy: false });
        }
    }

    /// A gateway is no longer waited for by this attempt.
    pub(super) fn answered(&mut self, id: &AppId, round: Round, aim: Aim) {
        let Some(record) = self.apps.get(id) else { return };
        if matches!(aim, Aim::Renew | Aim::Retire) {
            self.drained(id);
        } else if record.quiesce.waiting_for.is_empty() {
            self.happen(id, Event::Quiesced { round, busy: false });
        }
    }

    /// A gateway has gone, and all that was open there with it; and it sends nothing to any app any more.
    pub(super) fn lost(&mut self, gateway: GatewayId) {
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
                let (round, aim) = (draining.round, draining.aim);
                record.quiesce.waiting_for.retain(|waiting| *waiting != gateway);
                self.answered(&id, round, aim);
            }
            self.schedule(&id, clock::now());
        }
    }
}

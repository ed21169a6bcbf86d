//! What gateways and the platform say, and what that means for an app.

use config::link::{Activity, Instance, ToRevive};
use config::model::AppId;

use super::{Driver, USED_INTERVAL};
use crate::clock;
use crate::lifecycle::{Demand, Event};
use crate::platform::{self, Report};
use crate::publish::GatewayId;

impl Driver {
    /// What a gateway says.
    pub(super) fn hear(&mut self, gateway: GatewayId, message: ToRevive) {
        match message {
            ToRevive::Wake { app } => self.wanted(gateway, &app),
            ToRevive::Renew { renewal } => self.renew(gateway, renewal),
            ToRevive::InUse { .. } => {}
            ToRevive::LimitsInUse { generation } => self.limits_in_use(gateway, generation),
            ToRevive::Unwanted { app } => self.unwanted(gateway, &app),
            ToRevive::Activity(activities) => {
                for activity in &activities {
                    self.observe(gateway, activity);
                }
            }
            ToRevive::Quiesced { round, activity } => self.quiesced(gateway, round, &activity),
            ToRevive::Reachable { app, instance } => self.reachable(&app, instance),
            ToRevive::NotReachable { app, instance, so_far } => {
                self.happen(&app, Event::NotReachable { instance, so_far });
            }
            ToRevive::Unreachable { app, instance } => self.unreachable(&app, instance),
        }
    }

    fn wanted(&mut self, gateway: GatewayId, id: &AppId) {
        let Some(record) = self.apps.get_mut(id) else { return };
        record.wanted_by.insert(gateway);
        self.happen(id, Event::Wanted(Demand::Request));
    }

    /// Nobody waits at this gateway any more; perhaps they do at another, and its hours want an
    /// app in any case.
    pub(super) fn unwanted(&mut self, gateway: GatewayId, id: &AppId) {
        let Some(record) = self.apps.get_mut(id) else { return };
        record.wanted_by.remove(&gateway);
        if !record.wanted_by.is_empty() {
            return;
        }
        if record.within.is_due() {
            self.admission.waiters(id, record.waiters());
        } else {
            self.happen(id, Event::Unwanted);
        }
    }

    /// A gateway's finding counts, unless the platform says that nobody takes requests.
    fn reachable(&mut self, id: &AppId, instance: Instance) {
        let Some(record) = self.apps.get(id) else { return };
        if record.told_endpoints(instance).is_none_or(|endpoints| !endpoints.is_empty()) {
            self.happen(id, Event::Reachable { instance });
        }
    }

    /// One of several endpoints is the gateway's own matter: it leaves that one out.
    fn unreachable(&mut self, id: &AppId, instance: Instance) {
        let Some(record) = self.apps.get(id) else { return };
        if record.told_endpoints(instance).is_none_or(|endpoints| endpoints.len() <= 1) {
            self.happen(id, Event::Unreachable { instance });
        }
    }

    /// What the platform says.
    pub(super) fn report(&mut self, report: Report) {
        let (app, instance, event) = match report {
            Report::Happened { app, instance, event } => (app, instance, event),
            Report::Stands { app, standing } => return self.stands(&app, standing),
            Report::Noted { app, note } => return self.noted(&app, note),
        };
        let Some(record) = self.apps.get_mut(&app) else { return };
        let event = match event {
            platform::Event::Created { endpoint, pid } => {
                record.pid = pid.map(|pid| (instance, pid));
                Event::Created { instance, endpoint }
            }
            platform::Event::Phase(phase) => Event::Phase { instance, phase },
            platform::Event::Ails(failure) => Event::Ails { instance, failure },
            platform::Event::PutDown(rest) => Event::PutDown { instance, rest },
            platform::Event::Endpoints(endpoints) => return self.endpoints(&app, instance, endpoints),
            platform::Event::NotCreated(failure) => Event::NotCreated { instance, failure },
            platform::Event::Paused => Event::Paused { instance },
            platform::Event::Resumed => Event::Resumed { instance },
            platform::Event::Ending(exit) => {
                record.ended(instance, exit);
                Event::Ending { instance }
            }
            platform::Event::Exited(exit) => {
                record.ended(instance, exit);
                Event::Exited { instance }
            }
        };
        self.happen(&app, event);
    }

    /// How busy the app is at a gateway.
    pub(super) fn observe(&mut self, gateway: GatewayId, activity: &Activity) {
        let now = clock::now();
        let Some(record) = self.apps.get_mut(&activity.app) else { return };
        record.observe(gateway, activity, now);
        self.admission.waiters(&activity.app, record.waiters());
        self.used.insert(activity.app.clone());
        self.used_at.get_or_insert(now + USED_INTERVAL);
        self.drained(&activity.app);
        self.schedule(&activity.app, now);
    }
}

//! What gateways are told: the table when they attach, then every change.

use std::time::{Duration, Instant};

use config::link::{Phase, Status, Table, ToGateway};
use config::model::Rule;

use super::Driver;
use super::record::Record;
use crate::admission::Admission;
use crate::clock;
use crate::publish::GatewayId;

impl Driver {
    /// Tells gateways what has changed.
    pub(super) fn flush(&mut self) {
        let now = clock::now();
        let (apps, line) = (&self.apps, (&self.admission, self.typical.wake()));
        let left = self.gateways.flush(|id| {
            let status = told(apps.get(id)?, line, now)?;
            Some(ToGateway::State { app: id.clone(), status })
        });
        for gateway in left {
            self.lost(gateway);
        }
    }

    pub(super) fn left(&mut self, gateway: GatewayId) {
        if self.gateways.detach(gateway) {
            self.lost(gateway);
        }
    }

    pub(super) fn table(&self) -> Table {
        let now = clock::now();
        let line = (&self.admission, self.typical.wake());
        let told = |record: &Record| Some((record.told_app().clone(), told(record, line, now)?));
        let apps: Vec<_> = self.apps.values().filter_map(told).collect();
        let rules = Rule::of_apps(apps.iter().map(|(app, _)| &**app));
        Table { generation: self.generation, apps, rules, leaving: self.leaving() }
    }
}

/// What gateways are told of an app.
fn told(record: &Record, (admission, typical): (&Admission, Duration), now: Instant) -> Option<Status> {
    let mut status = record.status(now)?;
    if let Status::Waking { estimate, position, phase: Phase::Queued, .. } = &mut status {
        *estimate = admission.estimate(&record.app.id, now, typical);
        *position = admission.position(&record.app.id);
    }
    Some(status)
}

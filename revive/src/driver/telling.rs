//! What gateways are told: the table when they attach, then every change.

use std::time::{Duration, Instant};

use config::link::{Phase, Status, Table, ToGateway};

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
            self.has_left(gateway);
        }
    }

    pub(super) fn left(&mut self, gateway: GatewayId) {
        if self.gateways.detach(gateway) {
            self.has_left(gateway);
        }
    }

    /// A gateway is not attached any more; if it has a lease, it may serve on until that is over.
    fn has_left(&mut self, gateway: GatewayId) {
        self.spread.send_modify(|spread| spread.left(gateway));
        if self.leases.left(gateway, clock::now()) {
            self.lost(gateway);
        }
    }

    pub(super) fn table(&self) -> Table {
        let now = clock::now();
        let line = (&self.admission, self.typical.wake());
        let told = |record: &Record| Some((record.told_app().clone(), told(record, line, now)?));
        let apps = self.apps.values().filter_map(told).collect();
        Table { generation: self.generation, apps, rules: self.rules.clone(), leaving: self.leaving() }
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

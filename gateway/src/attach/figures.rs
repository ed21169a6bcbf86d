//! What is counted of the link.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::Registry;

/// How the gateway stands with revive.
#[derive(Clone, Debug, Default)]
pub struct Figures {
    attached: Gauge,
    lease: Gauge,
    table: Gauge<u64, AtomicU64>,
    attachments: Counter,
    refused: Gauge,
}

impl Figures {
    /// Shows them to a registry.
    pub fn register(&self, registry: &mut Registry) {
        let help = "Whether the gateway is attached to revive: 1 or 0";
        registry.register("loco_edge_link_attached", help, self.attached.clone());
        let help = "Whether the gateway holds a routing lease, without which it dials no endpoint it was told of: 1 or 0";
        registry.register("loco_edge_link_lease", help, self.lease.clone());
        let help = "The generation of the table in use";
        registry.register("loco_edge_table_generation", help, self.table.clone());
        let help = "Times that the gateway has attached to revive";
        registry.register("loco_edge_link_attachments", help, self.attachments.clone());
        let help = "Apps, rules and limits that revive has told and that are not understood: they are as they were before";
        registry.register("loco_edge_link_refused", help, self.refused.clone());
    }

    pub(crate) fn attached(&self) {
        self.attached.set(1);
        self.attachments.inc();
    }

    pub(crate) fn parted(&self) {
        self.attached.set(0);
    }

    pub(crate) fn lease(&self, held: bool) {
        self.lease.set(i64::from(held));
    }

    pub(crate) fn table(&self, generation: u64) {
        self.table.set(generation);
    }

    pub(crate) fn refused(&self, count: usize) {
        self.refused.set(i64::try_from(count).unwrap_or(i64::MAX));
    }
}

//! How far the latest limits have got: which gateways count by them.

use std::collections::BTreeMap;

use serde::Serialize;

use crate::publish::GatewayId;

/// Which generation of limits each gateway counts by; 0 for none yet.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spread(BTreeMap<GatewayId, u64>);

/// How many gateways count by some limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct InUse {
    /// Those that do.
    pub gateways: usize,
    /// Of so many that are attached.
    pub of: usize,
}

impl InUse {
    /// Whether all do.
    pub fn everywhere(self) -> bool {
        self.gateways == self.of
    }
}

impl Spread {
    /// A gateway is there.
    pub fn attached(&mut self, gateway: GatewayId) {
        self.0.insert(gateway, 0);
    }

    /// A gateway has left: nobody waits for it.
    pub fn left(&mut self, gateway: GatewayId) {
        self.0.remove(&gateway);
    }

    /// A gateway counts by this generation. Of one that has left, or of an older one, this is no news.
    pub fn said(&mut self, gateway: GatewayId, generation: u64) {
        if let Some(known) = self.0.get_mut(&gateway) {
            *known = generation.max(*known);
        }
    }

    /// How many count by this generation, or a later one.
    pub fn of(&self, generation: u64) -> InUse {
        let gateways = self.0.values().filter(|known| **known >= generation).count();
        InUse { gateways, of: self.0.len() }
    }
}

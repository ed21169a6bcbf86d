//! Apps that are woken with others, because those need them.

use std::collections::HashMap;
use std::mem;

use config::model::AppId;

use super::Driver;
use crate::lifecycle::{Demand, Event};

/// Which apps an app needs, and those whose wake has just begun.
#[derive(Debug, Default)]
pub(super) struct Companions {
    needs: HashMap<AppId, Vec<AppId>>,
    begun: Vec<AppId>,
}

impl Companions {
    pub(super) fn new(needs: HashMap<AppId, Vec<AppId>>) -> Self {
        Self { needs, begun: Vec::new() }
    }

    pub(super) fn replace(&mut self, needs: HashMap<AppId, Vec<AppId>>) {
        self.needs = needs;
    }

    /// A wake begins.
    pub(super) fn wakes(&mut self, id: &AppId) {
        if self.needs.contains_key(id) {
            self.begun.push(id.clone());
        }
    }

    fn take(&mut self) -> Vec<AppId> {
        let begun = mem::take(&mut self.begun);
        begun.iter().filter_map(|id| self.needs.get(id)).flatten().cloned().collect()
    }
}

impl Driver {
    /// Asks for those that are needed by what has begun to wake, and for those that these need, as a request would: each
    /// waits for its own turn, its backoff holds, and one that is up is left alone. A cycle ends where a wake is under
    /// way already. Not while an event happens, so that no chain, however long, is as deep as the stack.
    pub(super) fn wake_companions(&mut self) {
        loop {
            let needed = self.companions.take();
            if needed.is_empty() {
                return;
            }
            for id in needed {
                self.happen(&id, Event::Wanted(Demand::Request));
            }
        }
    }
}

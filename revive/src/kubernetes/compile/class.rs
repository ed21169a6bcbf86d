//! GatewayClasses: which are ours.

use std::collections::BTreeSet;

use super::said::{ClassSaid, Said, Statuses};
use crate::kubernetes::index::Index;
use crate::kubernetes::index::gateway::GatewayClass;
use crate::kubernetes::settings::Settings;

/// The names of our classes that can be used.
pub(super) fn ours<'i>(index: &'i Index, settings: &Settings, statuses: &mut Statuses) -> BTreeSet<&'i str> {
    let ours = index.classes.iter().filter(|class| class.controller == settings.controller);
    let mut names = BTreeSet::new();
    for class in ours {
        let accepted = accepted(class);
        if accepted.holds {
            names.insert(&*class.meta.key.name);
        }
        let said = ClassSaid { generation: class.meta.generation, conditions: vec![accepted] };
        statuses.classes.insert(class.meta.key.clone(), said);
    }
    names
}

fn accepted(class: &GatewayClass) -> Said {
    if class.parameters {
        Said::no("Accepted", "InvalidParameters", "spec.parametersRef: this controller has no parameters")
    } else {
        Said::yes("Accepted", "Accepted")
    }
}

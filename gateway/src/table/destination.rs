//! Where the requests of a rule go.

use std::sync::Arc;

use super::Route;
use crate::app::App;
use crate::filter::Redirect;

/// Where the requests of a rule go.
#[derive(Clone, Debug)]
pub enum To {
    /// All of them there.
    All(One),
    /// By chance.
    Split(Arc<Split>),
}

/// One place where requests go.
#[derive(Clone, Debug)]
pub enum One {
    /// An app.
    App(Arc<Route>),
    /// The client is sent elsewhere.
    Redirect(Arc<Redirect>),
    /// What the rule names is not there.
    Nobody,
}

/// Several places, each with its part.
#[derive(Debug)]
pub struct Split {
    /// At least two, each with a weight.
    parts: Box<[(u32, One)]>,
    total: u64,
}

impl To {
    /// Of places with their weights. Those without one get nothing.
    pub(super) fn of(parts: Vec<(u32, One)>) -> Self {
        let mut parts: Vec<_> = parts.into_iter().filter(|(weight, _)| *weight > 0).collect();
        match parts.len() {
            0 => Self::All(One::Nobody),
            1 => Self::All(parts.swap_remove(0).1),
            _ => {
                let total = parts.iter().map(|(weight, _)| u64::from(*weight)).sum();
                Self::Split(Arc::new(Split { parts: parts.into(), total }))
            }
        }
    }

    /// Whether requests may go to this app.
    pub(super) fn may_be(&self, app: &Arc<App>) -> bool {
        match self {
            Self::All(one) => one.is(app),
            Self::Split(split) => split.parts.iter().any(|(_, one)| one.is(app)),
        }
    }
}

impl One {
    fn is(&self, app: &Arc<App>) -> bool {
        match self {
            Self::App(route) => Arc::ptr_eq(&route.app, app),
            Self::Redirect(_) | Self::Nobody => false,
        }
    }
}

impl Split {
    /// Where the next request goes, each place as often as its weight says. One that went to an app before, and was
    /// held or failed there, stays with it; `random` gives a number below another.
    pub fn choose(&self, before: Option<&Route>, random: impl FnOnce(u64) -> u64) -> &One {
        before.and_then(|before| self.again(before)).unwrap_or_else(|| self.by_chance(random))
    }

    /// The same app, rather at the same port.
    fn again(&self, before: &Route) -> Option<&One> {
        let is_same = |one: &One, by_port: bool| match one {
            One::App(route) => {
                Arc::ptr_eq(&route.app, &before.app) && !(by_port && route.port() != before.port())
            }
            One::Redirect(_) | One::Nobody => false,
        };
        let find = |by_port| self.parts.iter().map(|(_, one)| one).find(|one| is_same(one, by_port));
        find(true).or_else(|| find(false))
    }

    fn by_chance(&self, random: impl FnOnce(u64) -> u64) -> &One {
        let mut left = random(self.total);
        let chosen = self.parts.iter().find(|(weight, _)| {
            let weight = u64::from(*weight);
            let is_here = left < weight;
            left = left.saturating_sub(weight);
            is_here
        });
        chosen.map_or(&One::Nobody, |(_, one)| one)
    }
}

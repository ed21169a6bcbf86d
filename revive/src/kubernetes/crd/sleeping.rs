//! What SleepPolicies mean: each is parsed alone, then the nearest wins, key by key.

use config::link::Depth;
use config::load::after;
use config::model::{After, SleepPolicy, WakePolicy};

use super::health::HealthSaid;
use super::mistake::{Mistake, Mistakes};
use super::waking::WakeSaid;
use super::{AppRef, DepthSpec, Hours, SleepPolicySpec};

/// What one policy says, or several that have been put together.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sleeping {
    /// Idle for so long: light sleep.
    pub idle_after: Option<After>,
    /// Idle for so long: deep sleep.
    pub remove_after: Option<After>,
    /// The deepest sleep.
    pub depth: Option<Depth>,
    /// What a request meets.
    pub wake: WakeSaid,
    /// When the app is up.
    pub health: HealthSaid,
    /// What it needs.
    pub wake_with: Option<Vec<AppRef>>,
    /// When it is awake, asked for or not.
    pub schedule: Option<Vec<Hours>>,
}

/// What holds for an app, all policies put together.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// When it sleeps.
    pub sleep: SleepPolicy,
    /// What a request meets.
    pub wake: WakePolicy,
    /// What is said of its health: see [`HealthSaid::over`].
    pub health: HealthSaid,
    /// What it needs.
    pub wake_with: Vec<AppRef>,
    /// When it is awake, asked for or not.
    pub schedule: Vec<Hours>,
}

impl SleepPolicySpec {
    /// What it says.
    ///
    /// # Errors
    /// All that is wrong with it.
    pub fn parsed(&self) -> Result<Sleeping, Vec<Mistake>> {
        let mut mistakes = Mistakes::default();
        let idle_after = mistakes.read("idleAfter", self.idle_after.as_deref(), after);
        let remove_after = mistakes.read("removeAfter", self.remove_after.as_deref(), after);
        if let (Some(After::Elapsed(idle)), Some(After::Elapsed(remove))) = (idle_after, remove_after)
            && remove < idle
        {
            mistakes
                .add("removeAfter", "shorter than idleAfter: an app sleeps lightly first and deeply later");
        }
        let health = self.health.as_ref().map(|health| health.parsed(&mut mistakes));
        let wake = self.wake.as_ref().map(|wake| wake.parsed(&mut mistakes));
        let mut hours = |hours: &Vec<super::HoursSpec>| {
            hours.iter().enumerate().filter_map(|(at, hours)| hours.parsed(at, &mut mistakes)).collect()
        };
        let schedule = self.schedule.as_ref().map(&mut hours);
        mistakes.or(Sleeping {
            idle_after,
            remove_after,
            depth: self.depth.map(Depth::from),
            wake: wake.unwrap_or_default(),
            health: health.unwrap_or_default(),
            wake_with: self.wake_with.clone(),
            schedule,
        })
    }
}

impl Sleeping {
    /// This, and what a farther policy says where this one says nothing.
    #[must_use]
    pub fn or(self, farther: &Self) -> Self {
        Self {
            idle_after: self.idle_after.or(farther.idle_after),
            remove_after: self.remove_after.or(farther.remove_after),
            depth: self.depth.or(farther.depth),
            wake: self.wake.or(&farther.wake),
            health: self.health.or(&farther.health),
            wake_with: self.wake_with.or_else(|| farther.wake_with.clone()),
            schedule: self.schedule.or_else(|| farther.schedule.clone()),
        }
    }

    /// What holds. What nobody says of sleep is *never*: on a cluster nothing sleeps, and above all nothing is removed,
    /// unless somebody wrote so.
    pub fn settled(self) -> Settled {
        let sleep = self.sleep();
        Settled {
            sleep,
            wake: self.wake.settled(),
            health: self.health,
            wake_with: self.wake_with.unwrap_or_default(),
            schedule: self.schedule.unwrap_or_default(),
        }
    }

    /// The two ages may come of two policies, so that they need not fit one another: a nearer `idleAfter: never` rules
    /// out removal too, and one longer than `removeAfter` puts it off.
    fn sleep(&self) -> SleepPolicy {
        let remove_after = match self.depth {
            Some(Depth::Light) => After::Never,
            Some(Depth::Deep) | None => self.remove_after.unwrap_or(After::Never),
        };
        match (self.idle_after, remove_after) {
            (Some(After::Never), _) => SleepPolicy { idle_after: After::Never, remove_after: After::Never },
            (Some(After::Elapsed(idle)), After::Elapsed(remove)) => SleepPolicy {
                idle_after: After::Elapsed(idle),
                remove_after: After::Elapsed(remove.max(idle)),
            },
            (Some(idle_after), After::Never) => SleepPolicy { idle_after, remove_after: After::Never },
            (None, remove_after) => SleepPolicy { idle_after: remove_after, remove_after },
        }
    }
}

impl From<DepthSpec> for Depth {
    fn from(depth: DepthSpec) -> Self {
        match depth {
            DepthSpec::Light => Self::Light,
            DepthSpec::Deep => Self::Deep,
        }
    }
}

#[cfg(test)]
mod tests;

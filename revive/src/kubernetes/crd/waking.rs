//! What a request meets while its app sleeps, as a SleepPolicy says it.

use std::time::Duration;

use config::load::span;
use config::model::{Passersby, Treatment, WakeMode, WakePolicy};
use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::SPAN;
use super::mistake::Mistakes;

/// What a request meets while its app sleeps.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct WakeSpec {
    /// `auto`: a browser's navigation is held for `pageAfter`, then gets the waiting page; `page`: it gets the page at
    /// once; `hold`: never; `redirect`: GET and HEAD are sent to the page that revives apps, and from there back. All
    /// else is always held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mode: Option<WakeModeSpec>,
    /// See `mode`; `2s` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN))]
    pub page_after: Option<String>,
    /// Nobody is held for longer, but gets 504; `30s` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN))]
    pub hold_timeout: Option<String>,
    /// So many are held at once, the next gets 503; 10000 unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 10_000_000))]
    pub max_held: Option<i32>,
    /// What those get of a sleeping app who only look whether it is there. None of them keeps it awake.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passersby: Option<PassersbySpec>,
}

/// How requests to a sleeping app are treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
#[schemars(transform = super::undescribed)]
pub enum WakeModeSpec {
    /// Browsers are held for a while, then get the waiting page.
    Auto,
    /// All is held.
    Hold,
    /// Browsers get the waiting page at once.
    Page,
    /// GET and HEAD are sent to the page that revives apps.
    Redirect,
}

/// How visitors are treated that never keep an app awake, by their kind.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
pub struct PassersbySpec {
    /// Requests for the app's health check.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub health_checks: Option<TreatmentSpec>,
    /// Monitors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub monitors: Option<TreatmentSpec>,
    /// Search engines and other robots.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crawlers: Option<TreatmentSpec>,
    /// How often those with `budget` may wake the app, all kinds together: once in so long. `24h` unless said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(length(max = 32), regex(pattern = SPAN))]
    pub budget: Option<String>,
}

/// What a passerby gets of an app that sleeps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(transform = super::undescribed)]
pub enum TreatmentSpec {
    /// It wakes the app, and waits.
    #[serde(rename = "wake")]
    Wake,
    /// The same once in `budget`, else 503.
    #[serde(rename = "budget")]
    Budget,
    /// 200, and the app sleeps on.
    #[serde(rename = "answer-200")]
    Answer200,
    /// 503, and the app sleeps on.
    #[serde(rename = "answer-503")]
    Answer503,
}

/// What policies say of the requests to a sleeping app.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WakeSaid {
    mode: Option<WakeMode>,
    page_after: Option<Duration>,
    hold_timeout: Option<Duration>,
    max_held: Option<u32>,
    health_checks: Option<Treatment>,
    monitors: Option<Treatment>,
    crawlers: Option<Treatment>,
    budget: Option<Duration>,
}

impl WakeSpec {
    pub(super) fn parsed(&self, mistakes: &mut Mistakes) -> WakeSaid {
        let of = |least: Duration| move |text: &str| span(text, least);
        let (moment, second) = (Duration::from_millis(1), Duration::from_secs(1));
        let passersby = self.passersby.clone().unwrap_or_default();
        WakeSaid {
            mode: self.mode.map(WakeMode::from),
            page_after: mistakes.read("wake.pageAfter", self.page_after.as_deref(), of(Duration::ZERO)),
            hold_timeout: mistakes.read("wake.holdTimeout", self.hold_timeout.as_deref(), of(moment)),
            max_held: self.max_held.and_then(|held| u32::try_from(held).ok()),
            health_checks: passersby.health_checks.map(Treatment::from),
            monitors: passersby.monitors.map(Treatment::from),
            crawlers: passersby.crawlers.map(Treatment::from),
            budget: mistakes.read("wake.passersby.budget", passersby.budget.as_deref(), of(second)),
        }
    }
}

impl WakeSaid {
    pub(super) fn or(self, farther: &Self) -> Self {
        Self {
            mode: self.mode.or(farther.mode),
            page_after: self.page_after.or(farther.page_after),
            hold_timeout: self.hold_timeout.or(farther.hold_timeout),
            max_held: self.max_held.or(farther.max_held),
            health_checks: self.health_checks.or(farther.health_checks),
            monitors: self.monitors.or(farther.monitors),
            crawlers: self.crawlers.or(farther.crawlers),
            budget: self.budget.or(farther.budget),
        }
    }

    pub(super) fn settled(self) -> WakePolicy {
        let fallback = WakePolicy::default();
        let passersby = fallback.passersby;
        WakePolicy {
            mode: self.mode.unwrap_or(fallback.mode),
            page_after: self.page_after.unwrap_or(fallback.page_after),
            hold_timeout: self.hold_timeout.unwrap_or(fallback.hold_timeout),
            max_held: self.max_held.unwrap_or(fallback.max_held),
            passersby: Passersby {
                health_checks: self.health_checks.unwrap_or(passersby.health_checks),
                monitors: self.monitors.unwrap_or(passersby.monitors),
                crawlers: self.crawlers.unwrap_or(passersby.crawlers),
                budget: self.budget.unwrap_or(passersby.budget),
            },
        }
    }
}

impl From<&WakePolicy> for WakeSaid {
    fn from(policy: &WakePolicy) -> Self {
        Self {
            mode: Some(policy.mode),
            page_after: Some(policy.page_after),
            hold_timeout: Some(policy.hold_timeout),
            max_held: Some(policy.max_held),
            health_checks: Some(policy.passersby.health_checks),
            monitors: Some(policy.passersby.monitors),
            crawlers: Some(policy.passersby.crawlers),
            budget: Some(policy.passersby.budget),
        }
    }
}

impl From<WakeModeSpec> for WakeMode {
    fn from(mode: WakeModeSpec) -> Self {
        match mode {
            WakeModeSpec::Auto => Self::Auto,
            WakeModeSpec::Hold => Self::Hold,
            WakeModeSpec::Page => Self::Page,
            WakeModeSpec::Redirect => Self::Redirect,
        }
    }
}

impl From<TreatmentSpec> for Treatment {
    fn from(treatment: TreatmentSpec) -> Self {
        match treatment {
            TreatmentSpec::Wake => Self::Wake,
            TreatmentSpec::Budget => Self::Budget,
            TreatmentSpec::Answer200 => Self::Answer200,
            TreatmentSpec::Answer503 => Self::Answer503,
        }
    }
}

//! Tests of the lifecycle: every pair of state and event against a written table, every order of events against
//! a model of what is around it, and random histories in random time.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)] // A test that panics has failed: that is meant.

mod history;
mod model;
mod sample;
mod say;
mod table;
mod time;

use std::time::Duration;

use super::Rules;
use crate::platform::Light;

/// The defaults of the settings, and a grace that is neither of the other times. For processes.
const RULES: Rules = Rules {
    grace: Duration::from_secs(30),
    backoff_first: Duration::from_secs(1),
    backoff_max: Duration::from_secs(60),
    drain: Duration::from_secs(10),
    light: Light::Paused,
};

/// The same where others start and stop apps, too.
const AMONG_OTHERS: Rules = Rules { light: Light::Stopped, ..RULES };

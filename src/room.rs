//! How many connections this process can have.

use config::load::Loaded;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// As many connections as are wanted and as there are descriptors for, after raising their limit: each may need two.
pub(crate) fn connections(loaded: &Loaded) -> usize {
    let wanted = loaded.settings.gateway.max_connections;
    let limit = getrlimit(Resource::Nofile);
    let raised = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, maximum: limit.maximum });
    let descriptors = match raised {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    };
    let Some(descriptors) = descriptors.and_then(|count| usize::try_from(count).ok()) else { return wanted };
    let most = (descriptors.saturating_sub(others(loaded)) / 2).max(16);
    if most < wanted {
        tracing::info!(connections = most, descriptors, "`max_connections` is more than `ulimit -n` allows");
    }
    wanted.min(most)
}

/// Descriptors for all but connections: 512, and for each app its listener on every thread and its output.
fn others(loaded: &Loaded) -> usize {
    512 + loaded.apps.len() * (loaded.settings.gateway.serving_threads() + 4)
}

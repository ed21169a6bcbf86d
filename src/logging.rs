//! Logs: for people on a terminal, JSON otherwise. They go through a bounded queue to a thread of their own, which
//! drops lines when nobody reads them: a request never waits for a log.

use std::io::IsTerminal;

use tracing_appender::non_blocking::WorkerGuard;
use tracing_subscriber::EnvFilter;

use crate::files;

/// Starts logging to standard error; what is still queued is written when the guard is dropped.
pub(crate) fn start() -> WorkerGuard {
    let stderr = std::io::stderr();
    let (terminal, colours) = (stderr.is_terminal(), files::colourful(&stderr));
    let (writer, guard) = tracing_appender::non_blocking(stderr);
    let filter = std::env::var("LOCO_EDGE_LOG").unwrap_or_else(|_| "info".to_owned());
    let (filter, mistaken) = match EnvFilter::try_new(&filter) {
        Ok(filter) => (filter, None),
        Err(error) => (EnvFilter::new("info"), Some(error)),
    };
    let subscriber = tracing_subscriber::fmt().with_env_filter(filter).with_writer(writer);
    if terminal {
        subscriber.with_ansi(colours).with_target(false).compact().init();
    } else {
        subscriber.json().flatten_event(true).with_current_span(false).with_span_list(false).init();
    }
    if let Some(error) = mistaken {
        tracing::warn!(%error, "LOCO_EDGE_LOG was not understood; try LOCO_EDGE_LOG=debug");
    }
    guard
}

//! Waiting for something, never for nothing.

use std::fmt::Display;
use std::future::Future;
use std::time::{Duration, Instant};

/// For what should take far less: long enough for a busy machine, short enough to see a hang.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// Between two looks.
const LOOK: Duration = Duration::from_millis(5);

/// Looks again and again until `look` finds it; fails with what it saw last.
pub(crate) async fn eventually<T, E: Display>(
    deadline: Duration,
    what: &str,
    mut look: impl AsyncFnMut() -> Result<T, E>,
) -> T {
    let begin = Instant::now();
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) if begin.elapsed() > deadline => {
                panic!("not within {deadline:?}: {what}; last seen: {seen}")
            }
            Err(_) => tokio::time::sleep(LOOK).await,
        }
    }
}

/// The future's result, if it comes in time.
pub(crate) async fn within<F: Future>(deadline: Duration, what: &str, future: F) -> F::Output {
    match tokio::time::timeout(deadline, future).await {
        Ok(output) => output,
        Err(_) => panic!("not within {deadline:?}: {what}"),
    }
}

/// Lets real time pass where the time is the matter itself: somebody else's timer, the shift between two racers.
pub(crate) async fn let_pass(time: Duration, _why: &str) {
    tokio::time::sleep(time).await;
}

//! A request that its app did not answer, and whether it goes once more.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::answer::Refusal;
use crate::app::UNREACHABLE_AFTER;
use crate::balance::Tried;
use crate::balance::retry::{self, Again, Outcome};
use crate::outbound::{Outbound, Unsent};
use crate::pipeline::{Passage, Pipeline};
use crate::stop::Stop;
use crate::table::Route;

/// How often a request is tried whose app refuses the connection: when it has refused so often that revive was told, the
/// request is held instead.
const ATTEMPTS: u32 = UNREACHABLE_AFTER + 1;
/// How long it waits before that: of an app that has just died one knows so a moment later.
const TRY_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// How often a request was tried, and at which of several endpoints.
#[derive(Debug, Default)]
pub(crate) struct Tries {
    count: retry::Count,
    at: Tried,
}

impl Tries {
    /// Whether it was not tried yet.
    pub(crate) fn is_first(&self) -> bool {
        self.count.tries == 0
    }

    /// Where it failed.
    pub(crate) fn at(&self) -> &Tried {
        &self.at
    }

    fn add(&mut self, endpoint: SocketAddr, outcome: Outcome) {
        self.count.tries += 1;
        self.count.sent += u32::from(outcome == Outcome::Repeatable);
        self.at.add(endpoint);
    }
}

impl Pipeline {
    /// Returns when a request that its app did not answer may be tried again, and says where it was.
    ///
    /// # Errors
    /// Says why it may not.
    pub(crate) async fn again(
        &self,
        outbound: &Outbound,
        unsent: Unsent,
        passage: Passage,
        tries: &mut Tries,
    ) -> Result<Arc<Route>, Stop> {
        let Passage { route, entered, .. } = &passage;
        let route = route.clone();
        let refusal = outbound.refusal(unsent);
        // Otherwise the client is to blame.
        if matches!(refusal, Refusal::Upstream(_)) {
            entered.open.failed(&self.worker.settings);
        }
        let Unsent::Again(_, outcome) = unsent else { return Err(Stop::at(&route, refusal)) };
        tries.add(entered.endpoint, outcome);
        let several = route.app.state().several(route.port());
        let others = several.is_some_and(|all| all.has_other_than(&tries.at));
        let spend = || route.app.spend_retry(self.worker.settings.retry_budget);
        match retry::decide(outcome, tries.count, ATTEMPTS, others, spend) {
            Again::Elsewhere => {}
            Again::Later => {
                drop(passage);
                tokio::time::sleep(TRY_AGAIN_AFTER).await;
            }
            Again::No => return Err(Stop::at(&route, refusal)),
        }
        Ok(route)
    }
}

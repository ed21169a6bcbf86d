//! Waiting for an app that is not awake: what `wake_answer` decides, done.

use std::sync::Arc;

use config::model::WakePolicy;
use http::Request;
use tokio::time::Instant;

use crate::answer::Refusal;
use crate::app::Place;
use crate::caller::Caller;
use crate::hold::{self, Ticket, Waited};
use crate::loco::Manner;
use crate::pipeline::Pipeline;
use crate::stop::Stop;
use crate::table::Route;
use crate::wake_answer::{self, TooLong, WakeAnswer};

impl Pipeline {
    /// Waits for an app that is not awake, or says what the request gets instead.
    pub(crate) async fn wait<B>(
        &self,
        request: &Request<B>,
        route: &Arc<Route>,
        manner: &Manner,
        caller: &mut Caller,
    ) -> Result<Option<Ticket>, Stop> {
        if self.worker.is_closing() {
            return Err(Stop::at(route, Refusal::ShuttingDown));
        }
        let policy =
            &WakePolicy { mode: manner.mode(), hold_timeout: route.hold_timeout(), ..route.model.wake };
        let asks = caller.asks(request);
        let may_wake = || caller.may_wake(|| route.app.spend_budget(policy.passersby.budget));
        let answer = wake_answer::decide(&route.app.state(), policy, asks, may_wake);
        if matches!(answer, WakeAnswer::Hold { .. } | WakeAnswer::Page) {
            self.check_wake(route)?;
        }
        let (at_most, or) = match answer {
            WakeAnswer::Hold { at_most, or } => (at_most, or),
            WakeAnswer::Page => {
                route.app.ask();
                return Err(Stop::waiting(route));
            }
            WakeAnswer::Redirect => return Err(Stop::redirected(route, manner)),
            WakeAnswer::AllIsWell => return Err(Stop::all_is_well(route, request)),
            WakeAnswer::Refuse(refusal) => return Err(Stop::at(route, refusal)),
        };
        let place = Place::take(&route.app, policy.max_held);
        let place = place.ok_or_else(|| Stop::at(route, Refusal::TooManyHeld))?;
        match hold::wait(&self.worker, &route.app, place, caller.began + at_most).await {
            Waited::Up(ticket) => Ok(Some(ticket)),
            Waited::Changed => Ok(None),
            Waited::TooLong => Err(match or {
                TooLong::Page => Stop::waiting(route),
                TooLong::Refuse(refusal) => Stop::at(route, refusal),
            }),
        }
    }

    /// Who would be the first to ask for an app may do so only for so many.
    fn check_wake(&self, route: &Arc<Route>) -> Result<(), Stop> {
        if !route.app.sleeps_unasked() {
            return Ok(());
        }
        let may = self.worker.limits.admit_wake(self.peer, route, Instant::now());
        may.map_err(|retry_after| Stop::at(route, Refusal::TooManyWakes(retry_after)))
    }
}

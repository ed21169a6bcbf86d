//! One request at its app, from the head of the response to the end of its body: the connection it holds, the count
//! it is part of, and the one record that is made of it.

use std::rc::Rc;

use http::StatusCode;
use tokio::time::Instant;

use crate::app::Open;
use crate::limit::Leave;
use crate::upstream::{self, Carrier, Upload};
use crate::worker::{Slot, Worker};

/// See the module.
#[derive(Debug)]
pub struct Delivery {
    stage: Stage,
    began: Instant,
    status: StatusCode,
}

#[derive(Debug)]
enum Stage {
    /// The body is on its way.
    Streaming {
        worker: Rc<Worker>,
        slot: Rc<Slot>,
        connection: Carrier,
        upload: Option<Upload>,
        open: Open,
        leave: Leave,
    },
    /// It has ended, and that is on record.
    Ended,
}

/// How a response ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// As the app meant it to.
    Complete,
    /// The app broke it off.
    AppBrokeOff,
    /// The client left before its end.
    ClientLeft,
}

impl Delivery {
    /// From the head of the response on.
    pub fn new(
        (worker, slot): (Rc<Worker>, Rc<Slot>),
        connection: Carrier,
        upload: Option<Upload>,
        (open, leave): (Open, Leave),
        (began, status): (Instant, StatusCode),
    ) -> Self {
        Self { stage: Stage::Streaming { worker, slot, connection, upload, open, leave }, began, status }
    }

    /// What the body comes on, until its end.
    pub fn carrier(&mut self) -> Option<&mut Carrier> {
        match &mut self.stage {
            Stage::Streaming { connection, .. } => Some(connection),
            Stage::Ended => None,
        }
    }

    /// The body has ended, in one way or another; only the first word counts.
    pub fn end(&mut self, ending: Ending) {
        let Stage::Streaming { worker, slot, connection, upload, open, leave } =
            std::mem::replace(&mut self.stage, Stage::Ended)
        else {
            return;
        };
        let now = Instant::now();
        open.app().stats.record(self.status, ending, now.saturating_duration_since(self.began));
        if ending == Ending::AppBrokeOff {
            open.failed(&worker.settings);
        }
        // A response that came before the app had read the whole request leaves the connection in a state that
        // nobody can know: it is closed (hyperium/hyper#4176).
        let uploaded = upload.is_none_or(|upload| upload.is_finished());
        if ending == Ending::Complete && uploaded && connection.is_current(open.app()) {
            upstream::give_back(&worker, &slot, connection, now);
        }
        // Those who wait because the app has all it may have get the room that is left here.
        let waited_for = (!slot.queue.borrow().is_empty()).then(|| open.app().clone());
        drop((open, leave));
        if let Some(app) = waited_for {
            worker.let_go(&app);
        }
    }
}

impl Drop for Delivery {
    /// Hyper drops the body of a response whose client has left; it is the only sign of it.
    fn drop(&mut self) {
        self.end(Ending::ClientLeft);
    }
}

//! Limits and requests as tests need them.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::sync::Arc;

use config::link::{Depth, Status};
use config::model::{Label, Limit, LimitKey, LimitMatch, Tenant};

use crate::app::App;
use crate::note::Notes;
use crate::table::Route;
use crate::tenant;
use crate::tests::fakes;

/// A limit of nothing, by client.
pub(super) fn limit(name: &str) -> Limit {
    Limit {
        name: Label::parse(name).unwrap(),
        matches: LimitMatch::default(),
        key: LimitKey::Client,
        rate: None,
        concurrency: None,
    }
}

pub(super) fn tenant() -> Tenant {
    fakes::app("a").tenant
}

/// The route of an app that sleeps.
pub(super) fn route(name: &str) -> Arc<Route> {
    let model = fakes::app(name);
    let (notes, _) = Notes::channel();
    let app = App::new(model.id.clone(), 0, Status::Asleep { depth: Depth::Deep }, notes);
    let identity = tenant::identity(&model).unwrap();
    Arc::new(Route::new(app, model.into(), identity))
}

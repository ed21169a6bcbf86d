//! Why a request does not reach its app, and what it is answered.

use std::sync::Arc;

use http::header::HeaderValue;
use http::{Request, Response};

use crate::answer::{self, AllIsWell, Onward, Refusal};
use crate::body::Body;
use crate::filter::Redirect;
use crate::language::Language;
use crate::limit::Told;
use crate::loco::{Manner, Origin, PageLinks};
use crate::page;
use crate::pipeline::Pipeline;
use crate::table::Route;
use crate::wake_answer::Progress;
use crate::{tenant, visitor};

/// Why a request does not reach its app.
#[derive(Debug)]
pub(crate) struct Stop {
    route: Option<Arc<Route>>,
    why: Why,
}

#[derive(Debug)]
enum Why {
    Refused(Refusal),
    Limited(Box<Told>),
    Waiting(Progress),
    Redirected(HeaderValue),
    SentOn(Box<Response<Body>>),
    AllIsWell(AllIsWell),
}

impl Stop {
    /// A refusal that is an app's.
    pub(crate) fn at(route: &Arc<Route>, refusal: Refusal) -> Self {
        Self { route: Some(route.clone()), why: Why::Refused(refusal) }
    }

    /// A refusal that is no app's.
    pub(crate) fn nobodys(refusal: Refusal) -> Self {
        Self { route: None, why: Why::Refused(refusal) }
    }

    /// A limit has refused it.
    pub(crate) fn limited(route: &Arc<Route>, told: Box<Told>) -> Self {
        Self { route: Some(route.clone()), why: Why::Limited(told) }
    }

    /// Its client is sent to the page that revives apps.
    pub(crate) fn redirected(route: &Arc<Route>, manner: &Manner) -> Self {
        match manner {
            Manner::Redirect(to) => Self { route: Some(route.clone()), why: Why::Redirected(to.clone()) },
            // There was nowhere to send it.
            Manner::As(_) => Self::waiting(route),
        }
    }

    /// Its rule sends its client elsewhere; no app has anything to do with it.
    pub(crate) fn sent_on(redirect: &Redirect, to: HeaderValue) -> Self {
        let mut response = answer::sent_on(redirect.status(), to);
        redirect.answered(response.headers_mut());
        tenant::drop_cookies_for_domains(response.headers_mut());
        Self { route: None, why: Why::SentOn(Box::new(response)) }
    }

    /// Its client looks on while the app wakes.
    pub(crate) fn waiting(route: &Arc<Route>) -> Self {
        let progress = Progress::of(&route.app.state());
        Self { route: Some(route.clone()), why: Why::Waiting(progress) }
    }

    /// One that only looks is told that all is well.
    pub(crate) fn all_is_well<B>(route: &Arc<Route>, request: &Request<B>) -> Self {
        let is_check = visitor::is_grpc_check(request);
        let what = if is_check { AllIsWell::Serving } else { AllIsWell::Asleep };
        Self { route: Some(route.clone()), why: Why::AllIsWell(what) }
    }
}

impl Pipeline {
    /// The answer to a request that does not reach its app.
    pub(crate) fn stopped(
        &self,
        Stop { route, why }: Stop,
        origin: Option<&Origin>,
        language: Language,
    ) -> Response<Body> {
        let app = route.as_ref().map(|route| route.model.name.as_str());
        let links = |route: &Arc<Route>| PageLinks::new(&self.worker, &route.app.id, origin);
        let refuse = |refusal: Refusal| {
            let counts = route.as_ref().map_or(&*self.worker.refusals, |route| &route.app.stats.refusals);
            counts.count(&refusal);
            // Links are signed: not for a flood of refusals, of which nobody reads a page.
            let links = origin.and(route.as_ref()).map(links);
            let next = links.as_ref().and_then(|links| links.next.as_deref());
            refusal.response_onward(app, Onward { next, home: None }, language)
        };
        match why {
            Why::Refused(refusal) => refuse(refusal),
            Why::Limited(told) => {
                let mut response = refuse(told.refusal());
                told.describe(response.headers_mut());
                response
            }
            Why::AllIsWell(what) => answer::all_is_well(what, language),
            Why::Waiting(progress) => {
                let links = route.as_ref().map(links);
                let events = links.as_ref().map(|links| links.events.as_str());
                let next = links.as_ref().and_then(|links| links.next.as_deref());
                answer::waiting(&progress.waiting(app.unwrap_or_default(), page::Links { events, next }))
            }
            Why::Redirected(to) => answer::redirect(to),
            Why::SentOn(response) => *response,
        }
    }
}

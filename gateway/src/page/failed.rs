//! The page when an app could not be woken.

use std::time::Duration;

use config::link::Failure;
use maud::{Markup, html};

use super::document::{Document, Engine, Links, Onward, app_heading, inside, look_link, owner_code};
use super::{spoken, words};

/// An app whose last wake failed.
#[derive(Clone, Copy, Debug)]
pub struct Failed<'a> {
    /// Its name.
    pub app: &'a str,
    /// Why.
    pub failure: Failure,
    /// From now, until a request tries again. The page does so by itself.
    pub retry_after: Duration,
    /// Where the page looks again, if that is not its own URL.
    pub next: Option<&'a str>,
}

/// The page for an app that could not be woken: what happened, as a visitor understands it, and what comes next.
pub fn failed(failed: &Failed<'_>) -> String {
    Document {
        title: &format!("{} could not be opened", failed.app),
        onward: Onward::Alone(failed.retry_after, Links { events: None, next: failed.next }),
        header: heading(failed),
        body: body(failed),
    }
    .render()
}

/// The inside of the page's `<main>`, for a page that is there already.
pub fn failed_inside(failed: &Failed<'_>) -> String {
    inside(&heading(failed), &body(failed)).into_string()
}

fn heading(failed: &Failed<'_>) -> Markup {
    app_heading(failed.app, "could not be opened", Engine::Cold)
}

fn body(failed: &Failed<'_>) -> Markup {
    let words = words::failure(failed.failure);
    html! {
        p.lead { (words.title) }
        p { (words.text) }
        p {
            "It is tried again in "
            b data-until=(failed.retry_after.as_millis()) data-again { (spoken::to_come(failed.retry_after)) }
            ". This page does that by itself."
        }
        p { (look_link("button", failed.next, "Look again")) }
        (owner_code("Is this your app? Its code:", failed.failure.code()))
    }
}

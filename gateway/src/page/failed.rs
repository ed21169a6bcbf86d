//! The page when an app could not be woken.

use std::time::Duration;

use config::link::Failure;
use maud::html;

use super::document::{Document, Engine, Reload, app_heading, owner_code, reload_link};
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
}

/// The page for an app that could not be woken: what happened, as a visitor understands it, and what comes next.
pub fn failed(failed: &Failed<'_>) -> String {
    let words = words::failure(failed.failure);
    Document {
        title: &format!("{} could not be opened", failed.app),
        reload: Reload::After(failed.retry_after),
        header: app_heading(failed.app, "could not be opened", Engine::Cold),
        body: html! {
            p.lead { (words.title) }
            p { (words.text) }
            p role="status" {
                "It is tried again in " b { (spoken::to_come(failed.retry_after)) }
                ". This page does that by itself."
            }
            p { (reload_link("button", "Look again")) }
            (owner_code("Is this your app? Its code:", failed.failure.code()))
        },
    }
    .render()
}

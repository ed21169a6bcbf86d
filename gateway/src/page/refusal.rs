//! The page for every refusal that is not about waking.

use std::time::Duration;

use http::StatusCode;
use maud::html;

use super::document::{Document, Engine, Onward, locomotive, look_link, owner_code};
use super::spoken;
use super::words::Words;

/// A request that is refused.
#[derive(Clone, Copy, Debug)]
pub struct RefusalPage<'a> {
    /// The answer's status.
    pub status: StatusCode,
    /// What a visitor is told.
    pub words: Words,
    /// The refusal's code, as in problem+json and in logs.
    pub code: &'static str,
    /// From now, until asking again makes sense, if it ever does.
    pub retry_after: Option<Duration>,
    /// Where the app is to be found, if that is not here.
    pub home: Option<&'a str>,
}

/// The page for a refusal. It does not reload by itself: what was refused may have been a form, and a reload would
/// make a GET of it; and a full queue is not emptied by all pages asking again.
pub fn refusal(refusal: &RefusalPage<'_>) -> String {
    let RefusalPage { status, words, code, retry_after, home } = refusal;
    Document {
        title: words.title,
        onward: Onward::ByHand,
        header: html! { p.status { (status.as_str()) } h1 { (words.title) } (locomotive(Engine::Cold)) },
        body: html! {
            p.lead { (words.text) }
            @if let Some(delay) = retry_after {
                p { "It is worth trying again in " b { (spoken::to_come(*delay)) } "." }
                p { (look_link("button", None, "Try again")) }
            }
            @if home.is_some() { p { (look_link("button", *home, "Open the app")) } }
            (owner_code("Code:", code))
        },
    }
    .render()
}

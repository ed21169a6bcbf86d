//! The page while an app wakes.

use std::time::Duration;

use config::link::Phase;
use maud::{Markup, html};

use super::document::{Document, Engine, Reload, app_heading, reload_link};
use super::{spoken, words};

/// The phases of a local process; Kubernetes has all of [`Phase::ALL`].
pub const PROCESS_PHASES: &[Phase] = &[Phase::Queued, Phase::Creating, Phase::Starting, Phase::Probing];

/// An app that is being woken.
#[derive(Clone, Copy, Debug)]
pub struct Waiting<'a> {
    /// Its name.
    pub app: &'a str,
    /// How far it is.
    pub phase: Phase,
    /// Those that its platform has.
    pub phases: &'a [Phase],
    /// How long it has been waking.
    pub elapsed: Duration,
    /// How long until it is up, as far as one can tell.
    pub estimate: Option<Duration>,
    /// After this the page asks for its own URL again; in whole seconds, at least one.
    pub reload_after: Duration,
}

/// The page for a 503 while an app wakes: how far it is, and that it opens by itself.
pub fn waiting(waiting: &Waiting<'_>) -> String {
    Document {
        title: &format!("{} is waking up", waiting.app),
        reload: Reload::After(waiting.reload_after),
        header: app_heading(waiting.app, "is waking up", Engine::Steaming),
        body: html! {
            p.lead { "It opens here by itself. There is nothing you need to do." }
            (progress(waiting))
            p.soft {
                "Apps sleep here while nobody uses them. This page looks again every "
                (spoken::to_come(waiting.reload_after)) "; you can also " (reload_link("", "look now")) "."
            }
        },
    }
    .render()
}

/// What changes while one waits, and nothing else: the live page is to replace this element's inside.
fn progress(waiting: &Waiting<'_>) -> Markup {
    html! {
        div #progress {
            ol role="list" aria-label="Steps" {
                @for step in Phase::ALL.into_iter().filter(|step| is_shown(*step, waiting)) {
                    (item(step, waiting.phase))
                }
            }
            p role="status" { (clock(waiting)) }
        }
    }
}

/// A phase that the platform is not said to have is shown all the same when it is there.
fn is_shown(step: Phase, waiting: &Waiting<'_>) -> bool {
    step == waiting.phase || waiting.phases.contains(&step)
}

fn item(step: Phase, now: Phase) -> Markup {
    let words = words::phase(step);
    html! {
        @match step.cmp(&now) {
            std::cmp::Ordering::Less => li.done { (words.title) small { "done" } },
            std::cmp::Ordering::Equal => li.now aria-current="step" {
                (words.title) small { "now" } i aria-hidden="true" {} p { (words.text) }
            },
            std::cmp::Ordering::Greater => li { (words.title) small { "to come" } },
        }
    }
}

fn clock(waiting: &Waiting<'_>) -> Markup {
    html! {
        "Waking for " b { (spoken::so_far(waiting.elapsed)) }
        @if let Some(estimate) = waiting.estimate { ", about " b { (spoken::to_come(estimate)) } " to go" }
        "."
    }
}

//! The page while an app wakes.

use std::time::Duration;

use config::link::Phase;
use maud::{Markup, html};

use super::document::{Document, Engine, Links, Onward, app_heading, left, look_link, passed};
use super::words;

/// How often the page reloads itself, without scripts.
pub const RELOAD_AFTER: Duration = Duration::from_secs(1);

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
    /// How many others come before it, while it waits in line.
    pub position: Option<u32>,
    /// After this the page looks again, without scripts; in whole seconds, at least one.
    pub reload_after: Duration,
    /// What the page asks for.
    pub links: Links<'a>,
}

/// The page for a 503 while an app wakes: how far it is, and that it opens by itself.
pub fn waiting(waiting: &Waiting<'_>) -> String {
    Document {
        title: &format!("{} is waking up", waiting.app),
        onward: Onward::Alone(waiting.reload_after, waiting.links),
        header: app_heading(waiting.app, "is waking up", Engine::Steaming),
        body: html! {
            p.lead { "It opens here by itself. There is nothing you need to do." }
            div #progress { (inside(waiting)) }
            p.soft {
                "Apps sleep here while nobody uses them. If nothing moves, "
                (look_link("", waiting.links.next, "look now")) "."
            }
        },
    }
    .render()
}

/// What changes while one waits: the inside of the page's `#progress`, for a page that is there already.
pub fn progress(waiting: &Waiting<'_>) -> String {
    inside(waiting).into_string()
}

fn inside(waiting: &Waiting<'_>) -> Markup {
    html! {
        ol role="list" aria-label="Steps" {
            @for step in Phase::ALL.into_iter().filter(|step| is_shown(*step, waiting)) {
                (item(step, waiting))
            }
        }
        p { (clock(waiting)) }
    }
}

/// A phase that the platform is not said to have is shown all the same when it is there.
fn is_shown(step: Phase, waiting: &Waiting<'_>) -> bool {
    step == waiting.phase || waiting.phases.contains(&step)
}

fn item(step: Phase, waiting: &Waiting<'_>) -> Markup {
    let words = words::phase(step);
    html! {
        @match step.cmp(&waiting.phase) {
            std::cmp::Ordering::Less => li.done { (words.title) small { "done" } },
            std::cmp::Ordering::Equal => li.now aria-current="step" {
                (words.title) small { "now" } i aria-hidden="true" {} p { (words.text) (place(waiting)) }
            },
            std::cmp::Ordering::Greater => li { (words.title) small { "to come" } },
        }
    }
}

/// How the line moves, for whoever stands in it.
fn place(waiting: &Waiting<'_>) -> Markup {
    html! {
        @match (waiting.phase, waiting.position) {
            (Phase::Queued, Some(0)) => " It is next.",
            (Phase::Queued, Some(1)) => " One is before it.",
            (Phase::Queued, Some(others)) => { " " (others) " are before it." }
            (_, _) => {}
        }
    }
}

fn clock(waiting: &Waiting<'_>) -> Markup {
    html! {
        "Waking for " (passed(waiting.elapsed))
        @if let Some(estimate) = waiting.estimate { ", about " (left(estimate)) " to go" }
        "."
    }
}

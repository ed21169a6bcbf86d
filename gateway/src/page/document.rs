//! What all pages share: the head, the frame and the picture.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::spoken::{self, whole_seconds_up};

/// The one stylesheet. Its hash stands in [`super::CONTENT_SECURITY_POLICY`].
pub(super) const STYLE: &str = include_str!("style.css");

/// The one script: it follows a wake, counts, and looks again; without it a page reloads. Its hash stands there, too.
///
/// It takes as HTML what the edge itself has rendered: [`super::waiting()`]'s progress and [`super::failed()`]'s inside.
/// What it says aloud (`#heard`) changes with the step only: a live region that counted seconds would be heard each second.
/// A page that nobody sees does not look again before somebody does. All come at a moment of their own, so that a crowd that waits does not
/// come as one.
pub(super) const SCRIPT: &str = include_str!("script.js");

/// A page's parts.
pub(super) struct Document<'a> {
    /// Plain text, for the tab.
    pub(super) title: &'a str,
    /// How the page goes on.
    pub(super) onward: Onward<'a>,
    /// The orange half.
    pub(super) header: Markup,
    /// The other half.
    pub(super) body: Markup,
}

/// How a page goes on.
pub(super) enum Onward<'a> {
    /// By itself: with its script, else after this.
    Alone(Duration, Links<'a>),
    /// Only when the visitor wants to.
    ByHand,
}

/// What a page that goes on by itself asks for.
#[derive(Clone, Copy, Debug, Default)]
pub struct Links<'a> {
    /// The events of the wake; without them it only looks again.
    pub events: Option<&'a str>,
    /// Where it looks again, if that is not its own URL.
    pub next: Option<&'a str>,
}

impl Document<'_> {
    pub(super) fn render(self) -> String {
        let page = html! {
            (DOCTYPE)
            html lang="en" {
                head {
                    meta charset="utf-8";
                    meta name="viewport" content="width=device-width, initial-scale=1";
                    meta name="color-scheme" content="light dark";
                    meta name="robots" content="noindex, nofollow";
                    (refresh(&self.onward))
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                @match self.onward {
                    Onward::Alone(_, Links { events, next }) => body {
                        main data-events=[events] data-next=[next] { (inside(&self.header, &self.body)) }
                        p #heard role="status" {}
                        script { (PreEscaped(SCRIPT)) }
                    },
                    Onward::ByHand => body { main { (inside(&self.header, &self.body)) } },
                }
            }
        };
        page.into_string()
    }
}

/// Both halves.
pub(super) fn inside(header: &Markup, body: &Markup) -> Markup {
    html! { header { (header) } section { (body) } }
}

/// For browsers without scripts; the script does it otherwise. Without a URL it means the document's own, with its query (HTML, "shared declarative refresh
/// steps").
fn refresh(onward: &Onward<'_>) -> Markup {
    html! {
        @match onward {
            Onward::Alone(delay, Links { next, .. }) => noscript {
                meta http-equiv="refresh" content={
                    (whole_seconds_up(*delay)) @if let Some(next) = next { ";url=" (next) }
                };
            },
            Onward::ByHand => {}
        }
    }
}

/// A name of more characters than this is set smaller: a label of 63 would fill the screen of a phone.
const LONG_NAME: usize = 20;

/// What is the matter with an app, and the engine in the same state.
pub(super) fn app_heading(app: &str, predicate: &str, engine: Engine) -> Markup {
    html! {
        h1 { b.long[app.chars().count() > LONG_NAME] { (app) } " " (predicate) }
        (locomotive(engine))
    }
}

/// The picture: an engine under steam while something happens, else a cold one.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Engine {
    Steaming,
    Cold,
}

/// A locomotive; says nothing that the words do not.
pub(super) fn locomotive(engine: Engine) -> Markup {
    html! {
        svg viewBox="0 0 160 84" aria-hidden="true" {
            @if engine == Engine::Steaming {
                g.steam { circle cx="123" cy="4" r="7" {} circle cx="123" cy="4" r="7" {} circle cx="123" cy="4" r="7" {} }
            }
            path.dark d="M8 10h60v8H8z" {}
            path d="M14 18h46v46H14zM60 34h72v30H60z" {}
            path.dark d="M24 28h24v16H24zM115 34V16h16v18zM132 48h8l14 22h-22z" {}
            path d="M76 34v-6q8-10 16 0v6z" {}
            path.dark d="M10 62h124v6H10z" {}
            circle cx="36" cy="68" r="14" {} circle cx="80" cy="71" r="11" {} circle cx="112" cy="71" r="11" {}
            path.dark.rod d="M36 66h44v4H36z" {}
        }
    }
}

/// The line for whoever runs the app: the code to look up or to report.
pub(super) fn owner_code(question: &str, code: &str) -> Markup {
    html! { dl.soft { dt { (question) } dd { (code) } } }
}

/// A link to where the page looks again, or to its own URL: for browsers that are told not to reload by themselves, and for hands.
pub(super) fn look_link(class: &str, next: Option<&str>, text: &str) -> Markup {
    html! { a class=(class) href=(next.unwrap_or_default()) { (text) } }
}

/// A time that has passed, and passes on before one's eyes.
pub(super) fn passed(time: Duration) -> Markup {
    html! { b data-since=(time.as_millis()) { (spoken::so_far(time)) } }
}

/// A time to come.
pub(super) fn left(time: Duration) -> Markup {
    html! { b data-until=(time.as_millis()) { (spoken::to_come(time)) } }
}

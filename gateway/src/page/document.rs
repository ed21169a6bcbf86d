//! What all pages share: the head, the frame and the picture.

use std::time::Duration;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use super::spoken::whole_seconds_up;

/// The one stylesheet. Its hash stands in [`super::CONTENT_SECURITY_POLICY`].
pub(super) const STYLE: &str = include_str!("style.css");

/// A page's parts.
pub(super) struct Document<'a> {
    /// Plain text, for the tab.
    pub(super) title: &'a str,
    /// When the page asks for its own URL again.
    pub(super) reload: Reload,
    /// The orange half.
    pub(super) header: Markup,
    /// The other half.
    pub(super) body: Markup,
}

/// Whether a page asks for its own URL again.
pub(super) enum Reload {
    /// By itself, after this.
    After(Duration),
    /// Only when the visitor wants to.
    ByHand,
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
                    (refresh(&self.reload))
                    title { (self.title) }
                    style { (PreEscaped(STYLE)) }
                }
                body { main { header { (self.header) } section { (self.body) } } }
            }
        };
        page.into_string()
    }
}

/// Without a URL it means the document's own, with its query (HTML, "shared declarative refresh steps").
fn refresh(reload: &Reload) -> Markup {
    html! {
        @match reload {
            Reload::After(delay) => { meta http-equiv="refresh" content=(whole_seconds_up(*delay)); }
            Reload::ByHand => {}
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
            path.dark d="M36 66h44v4H36z" {}
        }
    }
}

/// The line for whoever runs the app: the code to look up or to report.
pub(super) fn owner_code(question: &str, code: &str) -> Markup {
    html! { dl.soft { dt { (question) } dd { (code) } } }
}

/// A link to the page's own URL, for browsers that are told not to reload by themselves, and for hands.
pub(super) fn reload_link(class: &str, text: &str) -> Markup {
    html! { a class=(class) href="" { (text) } }
}

//! The pages that a browser is shown instead of the app's own answer. Pure: data in, a whole HTML document out.
//!
//! ```text
//!   waiting.rs   an app wakes            ┐
//!   failed.rs    its wake has failed     ├─► document.rs ─► String   + HEADERS, the same for all of them
//!   refusal.rs   any other refusal       ┘      ▲
//!   words.rs     all that visitors read         └ style.css, script.js: the one stylesheet, the one script
//! ```
//!
//! Nothing here is loaded from anywhere: style and script stand in the document, where hashes in
//! [`CONTENT_SECURITY_POLICY`] allow them and nothing else. So there are no `style` attributes either. The script asks
//! for one thing, the events of a wake (`loco`), from the page's own host; they bring what `progress` and
//! `failed_inside` render.

mod document;
mod failed;
mod headers;
mod refusal;
mod spoken;
mod waiting;
pub mod words;

pub use document::Links;
pub use failed::{Failed, failed, failed_inside};
pub use headers::{CONTENT_SECURITY_POLICY, HEADERS};
pub use refusal::{RefusalPage, refusal};
pub use waiting::{PROCESS_PHASES, RELOAD_AFTER, Waiting, progress, waiting};

#[cfg(test)]
mod tests;

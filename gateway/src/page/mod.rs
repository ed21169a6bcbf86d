//! The pages that a browser is shown instead of the app's own answer. Pure: data in, a whole HTML document out.
//!
//! ```text
//!   waiting.rs   an app wakes            ┐
//!   failed.rs    its wake has failed     ├─► document.rs ─► String   + HEADERS, the same for all of them
//!   refusal.rs   any other refusal       ┘      ▲
//!   words.rs     all that visitors read         └ style.css, the one stylesheet
//! ```
//!
//! Nothing here is loaded from anywhere: the style stands in the document, where a hash in
//! [`CONTENT_SECURITY_POLICY`] allows it and nothing else. So there are no `style` attributes either.

mod document;
mod failed;
mod headers;
mod refusal;
mod spoken;
mod waiting;
pub mod words;

pub use failed::{Failed, failed};
pub use headers::{CONTENT_SECURITY_POLICY, HEADERS};
pub use refusal::{RefusalPage, refusal};
pub use waiting::{PROCESS_PHASES, Waiting, waiting};

#[cfg(test)]
mod tests;

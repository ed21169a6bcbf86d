//! YAML documents with a word for people before them.

use std::path::Path;

use serde::Serialize;

use super::ExportError;

/// An object as it is written down.
#[derive(Debug)]
pub(super) struct Document(String);

impl Document {
    /// The object, below lines of comment.
    pub(super) fn of(object: &impl Serialize, comment: &[&str]) -> Result<Self, ExportError> {
        let comment: String = comment.iter().map(|line| format!("# {line}\n")).collect();
        Ok(Self(comment + &serde_saphyr::to_string(object)?))
    }
}

/// All of them as one stream.
pub(super) fn stream(file: &Path, documents: &[Document]) -> String {
    // The name ends where a comment would.
    let name: String = file.display().to_string().chars().filter(|c| !c.is_control()).collect();
    let mut text = format!("# The apps of {name}, by `loco-edge export`.\n");
    for Document(document) in documents {
        text.push_str("---\n");
        text.push_str(document);
        if !document.ends_with('\n') {
            text.push('\n');
        }
    }
    text
}

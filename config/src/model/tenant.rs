//! Whose an app is.

use std::borrow::Borrow;
use std::fmt;
use std::sync::Arc;

/// Bytes of the longest identity or name: namespace, separator and name of an object of a cluster are 317 at most.
const LONGEST: usize = 320;

/// Identity of an app, unique on the platform; it survives a rename. On one machine it is the app's name.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppId(Arc<str>);

impl AppId {
    /// The id of an app that a file of apps names.
    pub fn from_name(name: &AppName) -> Self {
        Self(name.0.clone())
    }

    /// The id of an object of a cluster: `NAMESPACE/NAME`, which Kubernetes makes unique.
    pub fn from_object(namespace: &str, name: &str) -> Self {
        Self(format!("{namespace}/{name}").into())
    }

    /// The id that the platform itself has for it.
    pub fn from_label(label: &Label) -> Self {
        Self(label.0.clone())
    }

    /// Parses an id, wherever it is from.
    ///
    /// # Errors
    /// Where `text` is empty, longer than any, or could not be a header's value.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let right = (1..=LONGEST).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if right { Ok(Self(text.into())) } else { Err(LabelError) }
    }

    /// The id as it is sent in `loco-app-id`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// So that it is found by its text.
impl Borrow<str> for AppId {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An app's name, unique. In a file it is one DNS label (RFC 1123, section 2.1), because it becomes part of a host name;
/// of an object of a cluster it is `NAME.NAMESPACE`.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct AppName(Arc<str>);

/// Why a text is no app name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("an app name is 1 to 63 of a-z, 0-9 and '-', and neither begins nor ends with '-'")]
pub struct AppNameError;

impl AppName {
    /// Parses an app name.
    ///
    /// # Errors
    /// Where `text` is not one lower-case DNS label.
    pub fn parse(text: &str) -> Result<Self, AppNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
        let right = (1..=63).contains(&text.len())
            && text.bytes().all(allowed)
            && !text.starts_with('-')
            && !text.ends_with('-');
        if right { Ok(Self(text.into())) } else { Err(AppNameError) }
    }

    /// The name of an object of a cluster; Kubernetes lets it be made of DNS labels only.
    pub fn from_object(namespace: &str, name: &str) -> Self {
        Self(format!("{name}.{namespace}").into())
    }

    /// Parses the name of an app of a file, or of an object of a cluster.
    ///
    /// # Errors
    /// Where `text` is not lower-case DNS labels with dots between them.
    pub fn parse_object(text: &str) -> Result<Self, AppNameError> {
        let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-' || b == b'.';
        let right = (1..=LONGEST).contains(&text.len()) && text.bytes().all(allowed);
        if right { Ok(Self(text.into())) } else { Err(AppNameError) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for AppName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that is sent as a header and shown as a metric's label: 1 to 128 visible ASCII characters.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Label(Arc<str>);

/// Why a text is no [`Label`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("must be 1 to 128 visible ASCII characters without spaces, because it is sent as a header")]
pub struct LabelError;

impl Label {
    /// Parses a label.
    ///
    /// # Errors
    /// Where `text` is empty, too long, or could not be a header's value.
    pub fn parse(text: &str) -> Result<Self, LabelError> {
        let right = (1..=128).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic());
        if right { Ok(Self(text.into())) } else { Err(LabelError) }
    }

    /// The value.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Whose an app is, and where it runs: what telemetry about its traffic carries.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tenant {
    /// The organisation, sent as `loco-org-id`.
    pub org: Label,
    /// The workspace, sent as `loco-workspace-id` and, as the tenant, in `loco-tenant-id`.
    pub workspace: Label,
    /// The region.
    pub region: Label,
    /// The environment, such as `dev`.
    pub environment: Label,
}

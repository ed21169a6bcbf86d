//! Why the API server did not do what it was asked.

use config::link::Failure;

/// What went wrong with a request.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(super) enum Trouble {
    /// There is no such object.
    #[error("it is not there")]
    NotFound,
    /// It is not what it was when it was read, or it is there already.
    #[error("somebody else changed it: {0}")]
    Conflict(String),
    /// The answer is no, and will be until somebody changes something.
    #[error("{message}")]
    Refused {
        /// HTTP's status.
        code: u16,
        /// For people.
        message: String,
    },
    /// Nobody answered, or only that it cannot be done now: the same request may go well a little later.
    #[error("{0}")]
    Away(String),
}

impl Trouble {
    /// What it means for an app that was to be woken.
    pub(super) fn failure(&self) -> Failure {
        match self {
            Self::Refused { message, .. } => refused(message),
            Self::NotFound | Self::Conflict(_) => Failure::NotStarted,
            Self::Away(_) => Failure::PlatformDown,
        }
    }
}

/// Admission has no code of its own for quotas: `forbidden: exceeded quota: …` (k8s.io/apiserver, `resourcequota`).
pub(super) fn refused(message: &str) -> Failure {
    if message.contains("exceeded quota") || message.contains("insufficient quota") {
        Failure::Quota
    } else {
        Failure::Denied
    }
}

impl From<kube::Error> for Trouble {
    fn from(error: kube::Error) -> Self {
        let kube::Error::Api(status) = error else { return Self::Away(chain(&error)) };
        let message = status.message.clone();
        match status.code {
            404 => Self::NotFound,
            409 => Self::Conflict(message),
            // A webhook that is away and must be asked: it is the cluster's own wish that this be a no.
            500 if message.contains("failed calling webhook") => Self::Refused { code: 500, message },
            429 | 500..=599 => Self::Away(message),
            code => Self::Refused { code, message },
        }
    }
}

/// An error with its causes.
fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        text = format!("{text}: {error}");
        cause = error.source();
    }
    text
}

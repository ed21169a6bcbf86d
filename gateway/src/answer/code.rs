//! How calls are told what became of them: the codes that gRPC and Connect share.

use http::StatusCode;

/// A code of gRPC (its "Status codes and their use in gRPC") and of Connect ("Error Codes"); those that we give.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// The request is wrong, whoever gets it.
    InvalidArgument,
    /// Time was over. Whether the app has acted is in the refusal's own code.
    DeadlineExceeded,
    /// The client has had its share, or wants more than there may be.
    ResourceExhausted,
    /// There is nothing here that could be called.
    Unimplemented,
    /// Something broke, and the app may have acted.
    Internal,
    /// Not now, and the app has not seen it: whatever was asked may be asked again.
    Unavailable,
}

impl Code {
    /// As gRPC says it.
    pub fn number(self) -> u8 {
        match self {
            Self::InvalidArgument => 3,
            Self::DeadlineExceeded => 4,
            Self::ResourceExhausted => 8,
            Self::Unimplemented => 12,
            Self::Internal => 13,
            Self::Unavailable => 14,
        }
    }

    /// As Connect says it.
    pub fn name(self) -> &'static str {
        match self {
            Self::InvalidArgument => "invalid_argument",
            Self::DeadlineExceeded => "deadline_exceeded",
            Self::ResourceExhausted => "resource_exhausted",
            Self::Unimplemented => "unimplemented",
            Self::Internal => "internal",
            Self::Unavailable => "unavailable",
        }
    }

    /// The HTTP status that a Connect error must have (Connect protocol, "Error Codes").
    pub fn connect_status(self) -> StatusCode {
        match self {
            Self::InvalidArgument => StatusCode::BAD_REQUEST,
            Self::DeadlineExceeded => StatusCode::GATEWAY_TIMEOUT,
            Self::ResourceExhausted => StatusCode::TOO_MANY_REQUESTS,
            Self::Unimplemented => StatusCode::NOT_IMPLEMENTED,
            Self::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

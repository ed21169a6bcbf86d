//! What is refused before there is a request, or by a clock while one is read.

use http::StatusCode;

/// Why a connection is ended by us with an answer that no application gave.
///
/// Every variant is the client's doing. A connection of HTTP/1.1 is closed after the answer, because where the next
/// request begins cannot be known (RFC 9112, section 9.3); over HTTP/2 it is the answer of one stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Violation {
    /// A head was begun and not ended within `header_timeout`.
    HeaderTimeout,
    /// A body came at less than `min_body_rate` while it was waited for.
    BodyTooSlow,
    /// The request line has more bytes than `max_request_line`.
    RequestLineTooLong,
    /// The head, or the trailer section, has more bytes than `max_head`.
    HeadTooLarge,
    /// Header lines and trailer lines together are more than `max_header_lines`.
    TooManyHeaderLines,
    /// RFC 9112, section 6.1: both at once are how requests are smuggled.
    LengthWithTransferEncoding,
    /// Not a number, too large a number, a list of them, or more than one line (RFC 9112, section 6.3).
    BadContentLength,
    /// Anything but exactly `chunked`, or any of it on HTTP/1.0 (RFC 9112, section 6.1).
    BadTransferEncoding,
    /// RFC 9112, section 3.2.
    MissingHost,
    /// RFC 9112, section 3.2.
    DoubledHost,
    /// Not a host with an optional port (RFC 9112, section 3.2).
    BadHost,
    /// Spaces, control bytes, a fragment, user information, or none of the forms of RFC 9112, section 3.2.
    BadTarget,
    /// More `..` than there are segments before it, percent-encoded or not (RFC 3986, section 5.2.4).
    AboveRoot,
    /// A header line that begins with whitespace (RFC 9112, section 5.2).
    FoldedHeader,
    /// Anything else that is not an HTTP/1.1 head.
    MalformedHead,
    /// A chunked body that does not follow RFC 9112, section 7.1, to the byte.
    MalformedChunk,
    /// HTTP, but neither 1.0 nor 1.1.
    UnsupportedVersion,
    /// TRACE and CONNECT (RFC 9110, sections 9.3.6 and 9.3.8). The answer needs an `Allow` header.
    MethodNotAllowed,
    /// `:authority` and `Host` name different hosts (RFC 9113, section 8.3.1).
    DifferingHost,
    /// An extended CONNECT for something else than a WebSocket (RFC 8441, section 4).
    UnknownProtocol,
    /// More resets, or frames that ask for nothing, than anybody needs (RFC 9113, section 10.5). It is not answered: the
    /// connection ends with a GOAWAY.
    Flood,
    /// What is no HTTP/2. It is not answered either.
    MalformedFrame,
}

impl Violation {
    /// The status of the answer.
    pub fn status(self) -> StatusCode {
        match self {
            Self::HeaderTimeout | Self::BodyTooSlow => StatusCode::REQUEST_TIMEOUT,
            Self::RequestLineTooLong => StatusCode::URI_TOO_LONG,
            Self::HeadTooLarge | Self::TooManyHeaderLines => StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE,
            Self::UnsupportedVersion => StatusCode::HTTP_VERSION_NOT_SUPPORTED,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::UnknownProtocol => StatusCode::NOT_IMPLEMENTED,
            Self::Flood => StatusCode::TOO_MANY_REQUESTS,
            Self::LengthWithTransferEncoding
            | Self::BadContentLength
            | Self::BadTransferEncoding
            | Self::MissingHost
            | Self::DoubledHost
            | Self::BadHost
            | Self::BadTarget
            | Self::AboveRoot
            | Self::FoldedHeader
            | Self::MalformedHead
            | Self::MalformedChunk
            | Self::DifferingHost
            | Self::MalformedFrame => StatusCode::BAD_REQUEST,
        }
    }

    /// A stable name for programs: answers, metrics.
    pub fn code(self) -> &'static str {
        match self {
            Self::HeaderTimeout => "header-timeout",
            Self::BodyTooSlow => "body-too-slow",
            Self::RequestLineTooLong => "request-line-too-long",
            Self::HeadTooLarge => "head-too-large",
            Self::TooManyHeaderLines => "too-many-header-lines",
            Self::LengthWithTransferEncoding => "length-with-transfer-encoding",
            Self::BadContentLength => "bad-content-length",
            Self::BadTransferEncoding => "bad-transfer-encoding",
            Self::MissingHost => "missing-host",
            Self::DoubledHost => "doubled-host",
            Self::BadHost => "bad-host",
            Self::BadTarget => "bad-target",
            Self::AboveRoot => "above-root",
            Self::FoldedHeader => "folded-header",
            Self::MalformedHead => "malformed-head",
            Self::MalformedChunk => "malformed-chunk",
            Self::UnsupportedVersion => "unsupported-version",
            Self::MethodNotAllowed => "method-not-allowed",
            Self::DifferingHost => "differing-host",
            Self::UnknownProtocol => "unknown-protocol",
            Self::Flood => "flood",
            Self::MalformedFrame => "malformed-frame",
        }
    }

    /// One sentence for people.
    pub fn detail(self) -> &'static str {
        match self {
            Self::HeaderTimeout => "The request's headers did not arrive in time.",
            Self::BodyTooSlow => "The request's body arrived too slowly.",
            Self::RequestLineTooLong => "The request's address is too long.",
            Self::HeadTooLarge => "The request's headers are too large.",
            Self::TooManyHeaderLines => "The request has too many header lines.",
            Self::LengthWithTransferEncoding => {
                "The request has both a Content-Length and a Transfer-Encoding."
            }
            Self::BadContentLength => "The request's Content-Length is not one number.",
            Self::BadTransferEncoding => "The request has a Transfer-Encoding other than chunked.",
            Self::MissingHost => "The request has no Host header.",
            Self::DoubledHost => "The request has more than one Host header.",
            Self::BadHost => "The request's Host header does not name a host.",
            Self::BadTarget => "The request's address has characters that must not be there.",
            Self::AboveRoot => "The request's path leads above the root.",
            Self::FoldedHeader => "A header of the request goes on over several lines.",
            Self::MalformedHead => "The request is not valid HTTP/1.1.",
            Self::MalformedChunk => "The request's body is not correctly chunked.",
            Self::UnsupportedVersion => "The request's HTTP version is not supported here.",
            Self::MethodNotAllowed => "The request's method is not allowed here.",
            Self::DifferingHost => "The request names two different hosts.",
            Self::UnknownProtocol => "The protocol that the request asks for is not supported here.",
            Self::Flood => "The connection was used for more than requests.",
            Self::MalformedFrame => "The connection is not valid HTTP/2.",
        }
    }
}

//! A request's body as it comes: what it carries is taken out of its framing at once.

use bytes::{Bytes, BytesMut};
use http_body::Frame;

use super::framing::{self, Framing, Part};
use super::violation::Violation;

/// See the module.
pub(super) struct Receiving {
    /// What of it is still to come.
    pub(super) framing: Framing,
    /// What it carries and nobody has taken.
    data: BytesMut,
    /// The trailer section, as far as it has come.
    trailers: Vec<u8>,
}

impl Receiving {
    pub(super) fn new(framing: Framing) -> Self {
        Self { framing, data: BytesMut::new(), trailers: Vec::new() }
    }

    /// Whether all of it has come.
    pub(super) fn has_come(&self) -> bool {
        self.framing == Framing::Done
    }

    /// Whether all of it was taken.
    pub(super) fn is_over(&self) -> bool {
        self.has_come() && self.data.is_empty() && self.trailers.is_empty()
    }

    /// Keeps what these bytes carry; returns how many belong to the body.
    pub(super) fn receive(&mut self, bytes: &[u8]) -> Result<usize, Violation> {
        let (data, trailers) = (&mut self.data, &mut self.trailers);
        self.framing.receive(bytes, |part| match part {
            Part::Data(bytes) => data.extend_from_slice(bytes),
            Part::Trailers(byte) => trailers.push(byte),
        })
    }

    /// Takes what is there: data, or the trailers at the end.
    pub(super) fn next(&mut self) -> Result<Option<Frame<Bytes>>, Violation> {
        if !self.data.is_empty() {
            return Ok(Some(Frame::data(std::mem::take(&mut self.data).freeze())));
        }
        if !self.has_come() {
            return Ok(None);
        }
        let section = std::mem::take(&mut self.trailers);
        if section.is_empty() {
            return Ok(None);
        }
        let trailers = framing::trailers(section).map_err(|_| Violation::MalformedChunk)?;
        Ok(trailers.map(Frame::trailers))
    }
}

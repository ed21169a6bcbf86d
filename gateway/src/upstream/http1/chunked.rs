//! A body in chunks (RFC 9112, section 7.1).

use bytes::Bytes;
use http::HeaderMap;

use super::coming::Broken;
use super::intake::Intake;
use crate::conn::framing::{self, Chunks, Place};

/// Trailer lines and bytes.
const MAX_LINES: usize = 100;
const MAX_TRAILERS: usize = 16 << 10;

/// Where in its chunks a body is.
#[derive(Debug, PartialEq, Eq)]
pub struct Chunked {
    chunks: Chunks,
    trailers: Vec<u8>,
}

/// What the bytes that came are.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Decoded {
    /// Framing; more must come.
    More,
    Data(Bytes),
    /// The end, and what was said there.
    End(Option<HeaderMap>),
}

impl Default for Chunked {
    fn default() -> Self {
        Self { chunks: Chunks::new(MAX_LINES, MAX_TRAILERS), trailers: Vec::new() }
    }
}

impl Chunked {
    /// Takes the next part off the bytes that came.
    pub(super) fn decode(&mut self, intake: &mut Intake) -> Result<Decoded, Broken> {
        let mut passed = 0;
        let found = loop {
            match self.chunks.place() {
                Place::End => break Place::End,
                _ if passed == intake.bytes().len() => break Place::Size,
                Place::Data(length) => break Place::Data(length),
                Place::Trailers => self.trailers.push(intake.bytes()[passed]),
                Place::Size => {}
            }
            self.chunks.pass(intake.bytes()[passed]).map_err(|_| Broken)?;
            passed += 1;
        };
        let _framing = intake.take(passed);
        match found {
            Place::Size | Place::Trailers => Ok(Decoded::More),
            Place::Data(length) => {
                let here = intake.bytes().len();
                let count = usize::try_from(length).map_or(here, |length| length.min(here));
                self.chunks.pass_data(count as u64);
                Ok(Decoded::Data(intake.take(count)))
            }
            Place::End => self.trailers().map(Decoded::End),
        }
    }

    fn trailers(&mut self) -> Result<Option<HeaderMap>, Broken> {
        framing::trailers(std::mem::take(&mut self.trailers)).map_err(|_| Broken)
    }
}

//! The frames that a client sends (RFC 9113, section 4.1), seen as they pass: what hyper does not tell, and what a client
//! may not do too often. Their contents are the business of the `h2` crate, which checks them.

use std::time::Duration;

use tokio::time::Instant;

use crate::conn::violation::Violation;

/// What the client says before its first frame; its bytes are checked elsewhere.
const PREFACE_LENGTH: usize = 24;
const HEAD_LENGTH: usize = 9;
/// The time over which frames are counted.
const PERIOD: Duration = Duration::from_secs(30);
/// How many frames that ask for nothing may come in a period beyond those that accompany requests and responses. A
/// client that pings once a second needs 30.
const MAX_CHATTER: u32 = 1_000;
/// How many of them may accompany a request's HEADERS, or a piece of a body: windows are updated, and gRPC measures the
/// connection with a PING for each message.
const ACCOMPANIED: u32 = 4;
/// A piece of a body may have one more for so many bytes.
const BYTES_ACCOMPANIED: usize = 2 << 10;

mod kind {
    pub(super) const DATA: u8 = 0;
    pub(super) const HEADERS: u8 = 1;
    pub(super) const RST_STREAM: u8 = 3;
    pub(super) const CONTINUATION: u8 = 9;
}

const END_STREAM: u8 = 0x1;
const END_HEADERS: u8 = 0x4;

/// Where in the client's bytes the next one stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum At {
    Preface { left: usize },
    Head { have: [u8; HEAD_LENGTH], count: usize },
    Payload { left: usize, ends: Ends },
}

/// What a frame's last byte ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Frame,
    HeaderBlock,
}

/// Whether a header block has begun and not ended (RFC 9113, section 4.3).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Block {
    None,
    Begun,
}

/// A count over one period after the other.
#[derive(Clone, Copy, Debug)]
struct Count {
    began: Instant,
    count: u32,
}

impl Count {
    fn add(&mut self, now: Instant, most: u32) -> Result<(), Violation> {
        if now.saturating_duration_since(self.began) > PERIOD {
            *self = Self { began: now, count: 0 };
        }
        self.count += 1;
        if self.count > most { Err(Violation::Flood) } else { Ok(()) }
    }
}

/// All frames of one connection.
#[derive(Debug)]
pub(super) struct Frames {
    at: At,
    block: Block,
    resets: Count,
    max_resets: u32,
    chatter: Count,
    last_stream: u32,
}

impl Frames {
    pub(super) fn new(max_resets: u32, now: Instant) -> Self {
        let count = Count { began: now, count: 0 };
        Self {
            at: At::Preface { left: PREFACE_LENGTH },
            block: Block::None,
            resets: count,
            max_resets,
            chatter: count,
            last_stream: 0,
        }
    }

    /// Whether a request's head, or a trailer section, has begun and not ended.
    pub(super) fn is_in_head(&self) -> bool {
        self.block == Block::Begun
    }

    /// The highest stream that the client has begun.
    pub(super) fn last_stream(&self) -> u32 {
        self.last_stream
    }

    /// So many bytes of a body go to the client, or came from it.
    pub(super) fn accompany(&mut self, bytes: usize) {
        let more = u32::try_from(bytes / BYTES_ACCOMPANIED).unwrap_or(u32::MAX);
        self.chatter.count = self.chatter.count.saturating_sub(ACCOMPANIED.saturating_add(more));
    }

    /// Follows the next bytes.
    pub(super) fn follow(&mut self, mut bytes: &[u8], now: Instant) -> Result<(), Violation> {
        while !bytes.is_empty() {
            let step = match &mut self.at {
                At::Preface { left } | At::Payload { left, .. } => {
                    let step = bytes.len().min(*left);
                    *left -= step;
                    step
                }
                At::Head { have, count } => {
                    let step = bytes.len().min(HEAD_LENGTH - *count);
                    have[*count..*count + step].copy_from_slice(&bytes[..step]);
                    *count += step;
                    step
                }
            };
            bytes = &bytes[step..];
            self.turn(now)?;
        }
        Ok(())
    }

    /// Goes on to the next part, if this one is at its end.
    fn turn(&mut self, now: Instant) -> Result<(), Violation> {
        if let At::Head { have, count: HEAD_LENGTH } = self.at {
            self.begun(have, now)?;
        }
        match self.at {
            At::Preface { left: 0 } | At::Payload { left: 0, ends: Ends::Frame } => {}
            At::Payload { left: 0, ends: Ends::HeaderBlock } => self.block = Block::None,
            At::Preface { .. } | At::Payload { .. } | At::Head { .. } => return Ok(()),
        }
        self.at = At::Head { have: [0; HEAD_LENGTH], count: 0 };
        Ok(())
    }

    /// A frame has begun.
    fn begun(&mut self, head: [u8; HEAD_LENGTH], now: Instant) -> Result<(), Violation> {
        let [l0, l1, l2, kind, flags, s0, s1, s2, s3] = head;
        let length = u32::from_be_bytes([0, l0, l1, l2]) as usize;
        let mut ends = Ends::Frame;
        match kind {
            kind::HEADERS | kind::CONTINUATION => {
                self.block = Block::Begun;
                if flags & END_HEADERS != 0 {
                    ends = Ends::HeaderBlock;
                }
                if kind == kind::HEADERS {
                    self.last_stream = self.last_stream.max(u32::from_be_bytes([s0 & 0x7f, s1, s2, s3]));
                    self.accompany(0);
                }
            }
            kind::DATA if length > 0 => self.accompany(length),
            kind::DATA if flags & END_STREAM != 0 => {}
            kind::RST_STREAM => self.resets.add(now, self.max_resets)?,
            // SETTINGS, PING, WINDOW_UPDATE, PRIORITY, empty DATA, and what nobody knows.
            _ => self.chatter.add(now, MAX_CHATTER)?,
        }
        self.at = At::Payload { left: length, ends };
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use proptest::prelude::*;

    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
        [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn begun(max_resets: u32) -> (Frames, Instant) {
        let now = Instant::now();
        let mut frames = Frames::new(max_resets, now);
        frames.follow(&[b'x'; PREFACE_LENGTH], now).unwrap();
        (frames, now)
    }

    #[test]
    fn resets_are_counted_by_the_period() {
        let (mut frames, now) = begun(200);
        let reset = frame(3, 0, 1, &[0; 4]);
        for _ in 0..200 {
            frames.follow(&reset, now).unwrap();
        }
        assert_eq!(frames.follow(&reset, now + PERIOD), Err(Violation::Flood));
        let (mut frames, now) = begun(200);
        for period in 0..3 {
            let at = now + PERIOD * 2 * period;
            (0..200).for_each(|_| frames.follow(&reset, at).unwrap());
        }
    }

    #[test]
    fn what_asks_for_nothing_is_bounded_and_what_accompanies_a_body_is_not() {
        for (kind, payload) in [(6, &[0; 8][..]), (4, &[]), (8, &[0; 4]), (2, &[0; 5]), (0, &[]), (0xfa, &[])]
        {
            let (mut frames, now) = begun(1);
            let chatter = frame(kind, 0, 0, payload);
            (0..MAX_CHATTER).for_each(|_| frames.follow(&chatter, now).unwrap());
            assert_eq!(frames.follow(&chatter, now), Err(Violation::Flood), "{kind}");
            let (mut frames, now) = begun(1);
            for _ in 0..2 * MAX_CHATTER {
                frames.follow(&chatter, now).unwrap();
                frames.accompany(0);
            }
        }
    }

    #[test]
    fn a_head_is_one_from_its_first_frame_to_the_end_of_its_last() {
        let (mut frames, now) = begun(1);
        for (bytes, inside) in [
            (frame(1, 0, 5, b"ab"), true),
            (frame(9, 0, 5, b""), true),
            (frame(9, END_HEADERS, 5, b"c")[..9].to_vec(), true),
            (b"c".to_vec(), false),
            (frame(1, END_HEADERS | END_STREAM, 3, b""), false),
            (frame(1, END_HEADERS, 7, b"abc")[..11].to_vec(), true),
        ] {
            frames.follow(&bytes, now).unwrap();
            assert_eq!(frames.is_in_head(), inside, "{bytes:?}");
        }
        assert_eq!(frames.last_stream(), 7);
    }

    proptest! {
        #[test]
        fn it_does_not_matter_how_the_bytes_are_split(
            sent in prop::collection::vec((0_u8..12, any::<u8>(), 0_u32..64, prop::collection::vec(any::<u8>(), 0..40)), 0..30),
            cuts in prop::collection::vec(1_usize..50, 1..20),
        ) {
            let bytes: Vec<u8> = sent.iter().flat_map(|(kind, flags, id, load)| frame(*kind, *flags, *id, load)).collect();
            let (mut whole, now) = begun(1_000);
            whole.follow(&bytes, now).unwrap();
            let (mut split, _) = begun(1_000);
            let (mut rest, mut cuts) = (&bytes[..], cuts.iter().cycle());
            while !rest.is_empty() {
                let (first, after) = rest.split_at(rest.len().min(*cuts.next().unwrap()));
                split.follow(first, now).unwrap();
                rest = after;
            }
            prop_assert_eq!((whole.at, whole.block, whole.last_stream), (split.at, split.block, split.last_stream));
            prop_assert_eq!((whole.chatter.count, whole.resets.count), (split.chatter.count, split.resets.count));
        }
    }
}

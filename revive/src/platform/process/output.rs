//! What a program says on its standard streams, line by line into the log.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use config::model::App;
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::time::{Instant, sleep_until};

/// Bytes of a line that are logged; the rest of it is counted and dropped.
const MAX_LINE: usize = 8 << 10;

/// Bytes read at once: as many empty lines keep the runtime's thread for about a millisecond.
const READ: usize = 2 << 10;

/// In each [`SPAN`], so much may be logged; more waits in the pipe, and then in the program. A line costs 1, and each
/// 128 bytes another 1: 10,000 short lines or 1.2 MiB a second.
const BUDGET: usize = 1_000;

/// See [`BUDGET`].
const SPAN: Duration = Duration::from_millis(100);

/// A line, as it is logged.
#[derive(Debug, PartialEq, Eq)]
struct Line<'a> {
    text: Cow<'a, str>,
    /// Bytes that were left out at its end.
    dropped: u64,
}

/// Cuts bytes into lines, however they come; holds [`MAX_LINE`] bytes at most.
#[derive(Debug, Default)]
struct Lines {
    begun: Vec<u8>,
    dropped: u64,
}

impl Lines {
    /// Takes in bytes; says how many lines they ended.
    fn push(&mut self, bytes: &[u8], mut take: impl FnMut(Line<'_>)) -> usize {
        let mut ended = 0;
        for piece in bytes.split_inclusive(|&b| b == b'\n') {
            let (text, whole) = match piece.strip_suffix(b"\n") {
                Some(text) => (text, true),
                None => (piece, false),
            };
            let kept = text.get(..MAX_LINE - self.begun.len()).unwrap_or(text);
            self.begun.extend_from_slice(kept);
            self.dropped += u64::try_from(text.len() - kept.len()).unwrap_or(u64::MAX);
            if whole {
                self.end_line(&mut take);
                ended += 1;
            }
        }
        ended
    }

    /// At the stream's end: its last line may lack the newline.
    fn finish(mut self, mut take: impl FnMut(Line<'_>)) {
        if !self.begun.is_empty() {
            self.end_line(&mut take);
        }
    }

    fn end_line(&mut self, take: &mut impl FnMut(Line<'_>)) {
        let text = self.begun.strip_suffix(b"\r").unwrap_or(&self.begun);
        take(Line { text: String::from_utf8_lossy(text), dropped: self.dropped });
        self.begun.clear();
        self.dropped = 0;
    }
}

/// Slows down what says too much.
#[derive(Debug)]
struct Pace {
    since: Instant,
    spent: usize,
}

impl Pace {
    async fn spend(&mut self, lines: usize, bytes: usize) {
        if self.since.elapsed() >= SPAN {
            *self = Self { since: Instant::now(), spent: 0 };
        }
        self.spent += lines + bytes / 128;
        if self.spent >= BUDGET {
            sleep_until(self.since + SPAN).await;
        }
    }
}

/// Logs a stream's lines under the target `app` until the stream ends.
pub(super) async fn follow(source: impl AsyncRead + Unpin, app: Arc<App>, stream: &'static str) {
    let log = |line: Line<'_>| log(&app, stream, &line);
    if let Err(error) = each_line(source, log).await {
        super::tell!(warn, &app, stream, %error, "cannot read what the program says");
    }
}

async fn each_line(
    mut source: impl AsyncRead + Unpin,
    mut take: impl FnMut(Line<'_>),
) -> std::io::Result<()> {
    let mut lines = Lines::default();
    let mut pace = Pace { since: Instant::now(), spent: 0 };
    let mut buffer = vec![0; READ];
    loop {
        let read = source.read(&mut buffer).await?;
        let bytes = buffer.get(..read).unwrap_or_default();
        if bytes.is_empty() {
            lines.finish(take);
            return Ok(());
        }
        let ended = lines.push(bytes, &mut take);
        pace.spend(ended, read).await;
    }
}

fn log(app: &App, stream: &'static str, line: &Line<'_>) {
    let Line { text, dropped } = line;
    match dropped {
        0 => super::tell!(info, target: "app", app, stream, "{text}"),
        _ => super::tell!(info, target: "app", app, stream, "{text} [and {dropped} bytes more]"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
    use super::*;

    fn lines(chunks: &[&[u8]]) -> Vec<(String, u64)> {
        let mut found = Vec::new();
        let mut lines = Lines::default();
        for chunk in chunks {
            lines.push(chunk, |line| found.push((line.text.into_owned(), line.dropped)));
        }
        lines.finish(|line| found.push((line.text.into_owned(), line.dropped)));
        found
    }

    fn whole(text: &str) -> (String, u64) {
        (text.to_owned(), 0)
    }

    #[test]
    fn lines_are_whole_however_they_come() {
        let expected = [whole("one"), whole(""), whole("two"), whole("three")];
        assert_eq!(lines(&[b"one\n\ntwo\r\nthree"]), expected);
        assert_eq!(lines(&[b"o", b"ne\n", b"\ntw", b"o\r", b"\nthree"]), expected);
        assert_eq!(lines(&[b"one\n"]), [whole("one")]);
        assert_eq!(lines(&[b"\xff\n"]), [whole("\u{fffd}")]);
    }

    #[test]
    fn a_long_line_is_cut_and_what_is_missing_counted() {
        let chunk = [b'x'; READ];
        let mut all: Vec<&[u8]> = vec![&chunk; 5];
        all.push(b"\nnext\n");
        assert_eq!(lines(&all), [("x".repeat(MAX_LINE), 2_048), whole("next")]);
    }

    #[test]
    fn a_flood_without_newline_costs_one_line_of_memory() {
        let mut lines = Lines::default();
        for _ in 0..10_000 {
            lines.push(&[b'x'; READ], |_| {});
        }
        assert!(lines.begun.capacity() <= 2 * MAX_LINE, "{}", lines.begun.capacity());
    }

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_lines_is_slowed_down() {
        let flood = b"x\n".repeat(50_000);
        let began = Instant::now();
        let mut count = 0;
        each_line(flood.as_slice(), |_| count += 1).await.unwrap();
        assert_eq!(count, 50_000);
        assert!(began.elapsed() > Duration::from_secs(2), "{:?}", began.elapsed());
    }
}

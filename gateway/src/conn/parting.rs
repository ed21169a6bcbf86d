//! The end of a connection. A socket that is closed with bytes unread resets, and the reset destroys the answer the
//! client has not read yet; so the last bytes are written, our side is shut, and the client's is read until it closes
//! (RFC 9112, section 9.6).

use std::future::poll_fn;
use std::io;
use std::net::Shutdown;
use std::time::Duration;

use socket2::SockRef;
use tokio::time::timeout;

use super::line::Line;

/// How long a client may take to read its answer and close.
const PATIENCE: Duration = Duration::from_secs(2);
/// How long an idle client may take to close: who has asked nothing must not hold up the end of the program.
const BRIEFLY: Duration = Duration::from_millis(100);
/// How much it may still send meanwhile.
const MAX_IGNORED: usize = 256 << 10;

/// Closes, after these bytes, so that the client can read what was written.
pub(super) async fn linger(line: &Line, last: &[u8]) {
    // Whatever goes wrong, and whether the time was enough, the socket is closed next.
    let _ended = timeout(PATIENCE, say_goodbye(line, last)).await;
}

/// The same for a client that is owed nothing: it is only spared a reset.
pub(super) async fn linger_briefly(line: &Line) {
    let _ended = timeout(BRIEFLY, say_goodbye(line, &[])).await;
}

async fn say_goodbye(line: &Line, last: &[u8]) -> io::Result<()> {
    poll_fn(|cx| line.poll_ahead(cx)).await?;
    let mut written = 0;
    while written < last.len() {
        let rest = &last[written..];
        written += poll_fn(|cx| line.poll_send(cx, rest.len(), |stream| stream.try_write(rest))).await?;
    }
    SockRef::from(&line.stream).shutdown(Shutdown::Write)?;
    let mut ignored = 0;
    while ignored < MAX_IGNORED {
        match poll_fn(|cx| line.poll_ignore(cx)).await? {
            0 => break,
            count => ignored += count,
        }
    }
    Ok(())
}

/// Closes with a reset, so that the client cannot take what it got for the whole.
pub(super) fn reset(line: &Line) {
    // Fails only on a socket that is no longer connected, which needs no reset.
    let _connected = line.stream.set_zero_linger();
}

//! A request's body on its way over HTTP/2: never more of it read from the client than the app has room for.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;

use bytes::Bytes;
use h2::{Reason, SendStream};
use http_body::{Body as _, Frame};

use crate::upstream::RequestBody;

/// What stopped a body before its end.
enum Stopped {
    /// The app wants no more of it; what it says of that comes with the response.
    ByApp,
    /// The client left, or sent too much.
    ByClient,
}

/// Carries the body. To be aborted when its request has ended: what the app has not taken until then, it does not want.
pub(super) async fn pump(mut body: RequestBody, mut stream: SendStream<Bytes>) {
    match carry(&mut body, &mut stream).await {
        Ok(()) | Err(Stopped::ByApp) => {}
        // For the app a call without its end is a call cancelled.
        Err(Stopped::ByClient) => stream.send_reset(Reason::CANCEL),
    }
}

async fn carry(body: &mut RequestBody, stream: &mut SendStream<Bytes>) -> Result<(), Stopped> {
    while let Some(frame) = next(body, stream).await? {
        match frame.into_data() {
            Ok(data) => {
                let is_last = body.is_end_stream();
                send(data, is_last, stream).await?;
                if is_last {
                    return Ok(());
                }
            }
            Err(frame) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return stream.send_trailers(trailers).map_err(|_| Stopped::ByApp);
                }
            }
        }
    }
    stream.send_data(Bytes::new(), true).map_err(|_| Stopped::ByApp)
}

/// The next of the body, unless the app resets the stream before it comes.
async fn next(
    body: &mut RequestBody,
    stream: &mut SendStream<Bytes>,
) -> Result<Option<Frame<Bytes>>, Stopped> {
    poll_fn(|cx| {
        if stream.poll_reset(cx).is_ready() {
            return Poll::Ready(Err(Stopped::ByApp));
        }
        Pin::new(&mut *body).poll_frame(cx).map(|frame| frame.transpose().map_err(|_| Stopped::ByClient))
    })
    .await
}

async fn send(mut data: Bytes, is_last: bool, stream: &mut SendStream<Bytes>) -> Result<(), Stopped> {
    if data.is_empty() {
        return stream.send_data(data, is_last).map_err(|_| Stopped::ByApp);
    }
    while !data.is_empty() {
        stream.reserve_capacity(data.len());
        let room = poll_fn(|cx| match stream.poll_reset(cx) {
            Poll::Ready(_) => Poll::Ready(None),
            Poll::Pending => stream.poll_capacity(cx),
        });
        let Some(Ok(room)) = room.await else { return Err(Stopped::ByApp) };
        let piece = data.split_to(room.min(data.len()));
        stream.send_data(piece, is_last && data.is_empty()).map_err(|_| Stopped::ByApp)?;
    }
    Ok(())
}

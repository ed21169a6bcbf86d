//! A client's body that can be sent a second time. Of a request that its app has not processed (RFC 9113, section 8.7)
//! some of the body may be gone from the client by then; as long as that is little, it is kept.

use std::cell::RefCell;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};

use super::body::{BodyError, ClientBody, RequestBody, Upload};

/// Bytes kept of one body: a usual gRPC message.
const MOST: usize = 64 << 10;

/// The end at which the body can be had once more.
#[derive(Debug)]
pub(super) enum Keeper {
    /// There is no body: it can be sent as often as one likes.
    Empty,
    /// One that is being sent.
    Shared(Rc<RefCell<Shared>>),
}

/// The end that is sent.
#[derive(Debug)]
pub struct KeptBody {
    shared: Rc<RefCell<Shared>>,
    /// Which try this is; an earlier one may still be there, and must not read what is the later one's.
    turn: u32,
    /// How many of the kept pieces it has sent.
    sent: usize,
}

#[derive(Debug)]
pub(super) struct Shared {
    rest: ClientBody,
    keeping: Keeping,
    turn: u32,
}

#[derive(Debug)]
enum Keeping {
    /// All that has been read so far.
    All { pieces: Vec<Piece>, bytes: usize },
    /// It was too much, or nobody needs it any more.
    Nothing,
}

#[derive(Clone, Debug)]
enum Piece {
    Data(Bytes),
    Trailers(HeaderMap),
}

/// Makes a body one that can be had once more from the `Keeper`.
pub(super) fn keep(body: RequestBody) -> (RequestBody, Keeper) {
    let shared = match body {
        RequestBody::Empty => return (RequestBody::Empty, Keeper::Empty),
        RequestBody::Client(rest) => {
            let keeping = Keeping::All { pieces: Vec::new(), bytes: 0 };
            Rc::new(RefCell::new(Shared { rest, keeping, turn: 0 }))
        }
        // It is being kept already: who kept it first has failed, and given it on.
        RequestBody::Kept(body) => body.shared,
    };
    (RequestBody::Kept(KeptBody::new(&shared)), Keeper::Shared(shared))
}

impl Keeper {
    /// The whole body once more, if all that has been read of it is kept. What was made of it before reads no further.
    pub(super) fn again(&self) -> Option<RequestBody> {
        let shared = match self {
            Self::Empty => return Some(RequestBody::Empty),
            Self::Shared(shared) => shared,
        };
        match &shared.borrow().keeping {
            Keeping::All { .. } => {}
            Keeping::Nothing => return None,
        }
        Some(RequestBody::Kept(KeptBody::new(shared)))
    }

    /// It will not be needed once more.
    pub(super) fn forget(self) {
        if let Self::Shared(shared) = self {
            shared.borrow_mut().keeping = Keeping::Nothing;
        }
    }
}

impl KeptBody {
    /// See `RequestBody::unread`.
    pub(super) fn unread(&self) -> u64 {
        self.shared.borrow().rest.unread()
    }

    fn new(shared: &Rc<RefCell<Shared>>) -> Self {
        let turn = {
            let mut shared = shared.borrow_mut();
            shared.turn += 1;
            shared.turn
        };
        Self { shared: shared.clone(), turn, sent: 0 }
    }

    pub(super) fn upload(&self) -> Upload {
        self.shared.borrow().rest.upload()
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut shared = self.shared.borrow_mut();
        if shared.turn != self.turn {
            return Poll::Ready(Some(Err(BodyError::Superseded)));
        }
        if let Some(piece) = shared.keeping.piece(self.sent) {
            self.sent += 1;
            return Poll::Ready(Some(Ok(piece.frame())));
        }
        let polled = ready!(shared.rest.poll(cx));
        if let Some(Ok(frame)) = &polled {
            shared.keeping.add(frame);
            self.sent += 1;
        }
        Poll::Ready(polled)
    }

    pub(super) fn is_end_stream(&self) -> bool {
        let shared = self.shared.borrow();
        shared.keeping.piece(self.sent).is_none() && shared.rest.is_end_stream()
    }

    pub(super) fn size_hint(&self) -> SizeHint {
        let shared = self.shared.borrow();
        let again = shared.keeping.bytes_from(self.sent);
        let rest = shared.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(rest.lower() + again);
        if let Some(upper) = rest.upper() {
            hint.set_upper(upper + again);
        }
        hint
    }
}

impl Keeping {
    fn piece(&self, number: usize) -> Option<&Piece> {
        match self {
            Self::All { pieces, .. } => pieces.get(number),
            Self::Nothing => None,
        }
    }

    fn add(&mut self, frame: &Frame<Bytes>) {
        let Self::All { pieces, bytes } = self else { return };
        if let Some(data) = frame.data_ref() {
            *bytes += data.len();
            pieces.push(Piece::Data(data.clone()));
        } else if let Some(trailers) = frame.trailers_ref() {
            pieces.push(Piece::Trailers(trailers.clone()));
        }
        // Also many small ones are much.
        if *bytes > MOST || pieces.len() > MOST / 1_024 {
            *self = Self::Nothing;
        }
    }

    fn bytes_from(&self, number: usize) -> u64 {
        let pieces = match self {
            Self::All { pieces, .. } => pieces.get(number..).unwrap_or_default(),
            Self::Nothing => &[],
        };
        pieces.iter().map(Piece::len).sum()
    }
}

impl Piece {
    fn frame(&self) -> Frame<Bytes> {
        match self.clone() {
            Self::Data(data) => Frame::data(data),
            Self::Trailers(trailers) => Frame::trailers(trailers),
        }
    }

    fn len(&self) -> u64 {
        match self {
            Self::Data(data) => data.len() as u64,
            Self::Trailers(_) => 0,
        }
    }
}

//! Sending a list of parts, memory and ranges of files: what TRANSMIT_FILE, VECTOR_SEND and SEND_CUSTOM_ERROR come to
//! once their arguments are safe values.
//!
//! A file goes out as a file where nobody has to look into its bytes; otherwise it is read on native threads. A synchronous sending blocks its thread while the client is slow; an
//! asynchronous one gives it back between pieces, and goes on when the pipe has taken the last. Memory stays the
//! module's: it is copied piece by piece, as the client takes it, and never after the operation has ended.
#![expect(unsafe_code, reason = "parts lie in memory that the module lends")]

use std::collections::VecDeque;
use std::sync::{Arc, mpsc};

use http::StatusCode;

use super::completion::{Callback, Operation, Ticket};
use super::file_range::FileRange;
use super::lent::LentBytes;
use super::session::Session;
use crate::executor::about_to_block;
use crate::win32::Win32Error;

/// How much goes out at once, at most.
const PIECE: usize = 256 * 1024;

/// Small parts in memory that follow one another go out together, up to so many bytes.
const TOGETHER: usize = 64 * 1024;

/// Something to send.
pub(crate) enum Part {
    Memory(LentBytes),
    File(FileRange),
}

/// A head to send, copied out of the module's memory: that may be gone before the head is read.
pub(crate) struct Head {
    status: Vec<u8>,
    block: Vec<u8>,
}

impl Head {
    pub(crate) fn copy(status: &[u8], block: &[u8]) -> Self {
        Head { status: status.to_vec(), block: block.to_vec() }
    }
}

/// Sends `head`, if there is one, and lets the connection end behind the response if it is to `disconnect`.
///
/// # Errors
/// As [`Response::send_head`](super::response::Response::send_head).
pub(crate) fn send_head(session: &Session, head: Option<Head>, disconnect: bool) -> Result<(), Win32Error> {
    match head {
        Some(Head { status, block }) => session.response().send_head(&status, &block, disconnect.then_some(false)),
        None if disconnect => {
            session.response().close_behind();
            Ok(())
        }
        None => Ok(()),
    }
}

/// What becomes of the response behind the last part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Afterwards {
    /// It goes on.
    #[default]
    Open,
    /// It has ended (FINAL_SEND).
    Finished,
    /// It has ended, and the connection with it (DISCONNECT_AFTER_SEND).
    Disconnected,
}

/// Parts to send, checked.
#[derive(Default)]
pub(crate) struct Sending {
    parts: VecDeque<Part>,
    /// Bytes in all, as the completion reports them.
    total: u64,
    afterwards: Afterwards,
}

/// What is sent at once.
enum Piece {
    /// The whole rest of a file, by the system.
    File(FileRange),
    /// Read from a file.
    Read(Vec<u8>),
    /// To be read from the module's memory.
    Lent(Vec<LentBytes>),
}

impl Sending {
    /// Nothing yet; `afterwards` happens behind it.
    pub(crate) fn new(afterwards: Afterwards) -> Self {
        Sending { afterwards, ..Sending::default() }
    }

    /// Puts a part behind the others.
    pub(crate) fn push(&mut self, part: Part) {
        self.total = self.total.saturating_add(match &part {
            Part::Memory(bytes) => bytes.len() as u64,
            Part::File(range) => range.len(),
        });
        self.parts.push_back(part);
    }

    /// Sends everything behind the head that `send_head` sends, and blocks while the client is slow.
    ///
    /// # Errors
    /// When the head is refused, the client has gone or is too slow, or a file cannot be read as far as it said.
    ///
    /// # Safety
    /// * The memory of all parts is valid and unchanged during the call.
    pub(crate) unsafe fn send(
        mut self,
        session: &Session,
        send_head: impl FnOnce() -> Result<(), Win32Error>,
    ) -> Result<(), Win32Error> {
        session.open_response()?;
        send_head()?;
        self.seal(session);
        // A file may hold less than the client has been promised.
        while let Some(piece) = self.next_piece(session).inspect_err(|_| session.response().abort())? {
            match piece {
                Piece::File(range) => send_file(range, session)?,
                Piece::Read(_) | Piece::Lent(_) => {
                    // SAFETY: the caller vouches for the memory.
                    unsafe { piece.with_bytes(|bytes| session.response().write(bytes)) }?;
                }
            }
        }
        self.finish(session);
        Ok(())
    }

    /// Sends everything behind the head that `send_head` sends, piece by piece, on threads of the executor, and then
    /// completes an operation that reports to `own`, or to the registered callback. Another thread may end the operation
    /// at any moment, so `send_head` uses no memory that the module lends to it.
    ///
    /// # Errors
    /// When the head is refused, nothing can be reported to, or another operation is outstanding.
    ///
    /// # Safety
    /// * The memory of all parts is valid and unchanged until the completion.
    pub(crate) unsafe fn start(
        self,
        session: &Arc<Session>,
        own: Option<Callback>,
        send_head: impl FnOnce() -> Result<(), Win32Error>,
    ) -> Result<(), Win32Error> {
        session.open_response()?;
        let ticket = session.begin(Operation { own, partial: true, ..Operation::default() })?;
        if let Err(error) = send_head() {
            return session.withdraw(ticket, error);
        }
        self.seal(session);
        Outgoing { sending: self, session: Arc::clone(session), ticket }.go_on();
        Ok(())
    }

    fn seal(&self, session: &Session) {
        if self.afterwards != Afterwards::Open {
            session.seal_response();
        }
    }

    /// Everything has been queued.
    fn finish(&self, session: &Session) {
        match self.afterwards {
            // Without any bytes the head may still be waiting for some.
            Afterwards::Open => session.response().flush_head(),
            Afterwards::Finished | Afterwards::Disconnected => session.response().finish(StatusCode::OK),
        }
    }

    /// What is to be sent next; `None` when nothing is left.
    fn next_piece(&mut self, session: &Session) -> Result<Option<Piece>, Win32Error> {
        loop {
            match self.parts.front_mut() {
                None => return Ok(None),
                Some(Part::Memory(_)) => return Ok(Some(self.memory())),
                Some(Part::File(range)) if range.len() == 0 => {
                    self.parts.pop_front();
                }
                Some(Part::File(range)) if session.response().takes_file(range.len()) => {
                    let Some(Part::File(range)) = self.parts.pop_front() else { continue };
                    return Ok(Some(Piece::File(range)));
                }
                Some(Part::File(range)) => return Ok(Some(Piece::Read(range.read(PIECE, session)?))),
            }
        }
    }

    /// The memory at the front: one part, or several small ones.
    fn memory(&mut self) -> Piece {
        let (mut lent, mut length) = (Vec::new(), 0);
        while let Some(Part::Memory(bytes)) = self.parts.front_mut() {
            if length > 0 && length + bytes.len() > TOGETHER {
                break;
            }
            let first = bytes.split_to(PIECE);
            if bytes.len() == 0 {
                self.parts.pop_front();
            }
            length += first.len();
            lent.push(first);
        }
        Piece::Lent(lent)
    }
}

/// Sends a file and waits until the system has all of it.
fn send_file(range: FileRange, session: &Session) -> Result<(), Win32Error> {
    let (tell, told) = mpsc::channel();
    // Nobody listens when the file was refused.
    let when_sent = Box::new(move |sent| {
        let _ = tell.send(sent);
    });
    session.response().send_file(range.into_file(when_sent))?;
    about_to_block();
    if told.recv() == Ok(true) { Ok(()) } else { Err(not_sent(session)) }
}

/// Why a file did not go out.
fn not_sent(session: &Session) -> Win32Error {
    if session.response().is_connected() { Win32Error::CUT } else { Win32Error::RESET }
}

impl Piece {
    /// Shows the bytes to `use_them`, in one piece.
    ///
    /// # Safety
    /// * Memory of the module is valid during the call.
    unsafe fn with_bytes<R>(&self, use_them: impl FnOnce(&[u8]) -> R) -> R {
        match self {
            Piece::File(_) => use_them(&[]),
            Piece::Read(bytes) => use_them(bytes),
            // SAFETY: the caller vouches for the memory.
            Piece::Lent(lent) if lent.len() == 1 => use_them(unsafe { lent[0].bytes() }),
            Piece::Lent(lent) => {
                // SAFETY: as above.
                let parts: Vec<&[u8]> = lent.iter().map(|part| unsafe { part.bytes() }).collect();
                use_them(&parts.concat())
            }
        }
    }
}

/// An asynchronous sending on its way.
struct Outgoing {
    sending: Sending,
    session: Arc<Session>,
    ticket: Ticket,
}

impl Outgoing {
    /// Sends the next piece, on a thread of the executor.
    fn go_on(self) {
        let session = Arc::clone(&self.session);
        session.host().executor.resume(move || self.step());
    }

    /// One piece, or the end.
    fn step(mut self) {
        match self.sending.next_piece(&self.session) {
            Ok(Some(Piece::File(range))) => self.queue_file(range),
            Ok(Some(piece)) => self.queue(&piece),
            Ok(None) => {
                // Settled first: a response whose sending has been cancelled must not end as if it were complete.
                if self.session.settle(self.ticket, || self.sending.finish(&self.session)).is_some() {
                    let total = u32::try_from(self.sending.total).unwrap_or(u32::MAX);
                    self.session.complete(self.ticket, Ok(total));
                }
            }
            Err(error) => {
                // Unless it is still ours, the connection may be another request's by now.
                self.session.settle(self.ticket, || self.session.response().abort());
                self.session.complete(self.ticket, Err(error));
            }
        }
    }

    /// Queues a file and comes back when it has been sent. Ends silently when the operation has ended.
    fn queue_file(self, range: FileRange) {
        let (session, ticket) = (Arc::clone(&self.session), self.ticket);
        let when_sent = Box::new(move |sent: bool| {
            if sent {
                self.go_on();
            } else {
                let error = not_sent(&self.session);
                self.session.complete(self.ticket, Err(error));
            }
        });
        let file = range.into_file(when_sent);
        if let Some(Err(error)) = session.while_outstanding(ticket, || session.response().send_file(file)) {
            session.complete(ticket, Err(error));
        }
    }

    /// Queues a piece and comes back when it has been taken. Ends silently when the operation has ended.
    fn queue(self, piece: &Piece) {
        let (session, ticket) = (Arc::clone(&self.session), self.ticket);
        let when_taken = Box::new(move |taken: Result<(), _>| match taken {
            Ok(()) => self.go_on(),
            Err(failure) => self.session.complete(self.ticket, Err(Win32Error::from(failure))),
        });
        let queued = session.while_outstanding(ticket, || {
            // SAFETY: the operation is outstanding, and cannot end before this closure does.
            unsafe { piece.with_bytes(|bytes| session.response().write_async(bytes, when_taken)) }
        });
        if let Some(Err(error)) = queued {
            session.complete(ticket, Err(error));
        }
    }
}

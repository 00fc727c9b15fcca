//! Sending a file: TRANSMIT_FILE once its arguments are safe values.
//!
//! The file is a duplicate of the module's handle, made during the call, and is read at explicit positions, so on Unix
//! the module's own position never moves. All reading is done on native threads. A synchronous transmission blocks its
//! thread while the client is slow; an asynchronous one gives it back between pieces, and goes on when the pipe has
//! taken the last.

use std::fs::File;
use std::io;
use std::mem;
use std::sync::Arc;

use super::pipe::WriteFailure;
use super::session::Session;
use super::win32::Win32Error;

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// One file to send, checked.
pub(crate) struct Transmission {
    file: File,
    /// The next byte of the file to send, and the first that is not sent.
    position: u64,
    end: u64,
    /// Bytes before the file.
    head: Vec<u8>,
    /// Bytes behind it.
    tail: Vec<u8>,
    /// Bytes in all, as the completion reports them.
    total: u64,
    /// Response and connection end behind it.
    pub(crate) disconnect: bool,
}

impl Transmission {
    /// `length` bytes of `file` from `offset` on; 0 means all that follow.
    ///
    /// # Errors
    /// 10022 when the range ends behind the end of the file.
    pub(crate) fn new(file: File, offset: u64, length: u64) -> Result<Self, Win32Error> {
        let size = file.metadata().map_err(|_| Win32Error::INVALID_PARAMETER)?.len();
        let rest = size.checked_sub(offset).ok_or(Win32Error::INVALID_OFFSET)?;
        if length > rest {
            return Err(Win32Error::INVALID_OFFSET);
        }
        let length = if length == 0 { rest } else { length };
        let (head, tail) = (Vec::new(), Vec::new());
        Ok(Transmission { file, position: offset, end: offset + length, head, tail, total: length, disconnect: false })
    }

    /// Puts `head` before the file and `tail` behind it.
    pub(crate) fn enclose(&mut self, head: Vec<u8>, tail: Vec<u8>) {
        self.total += head.len() as u64 + tail.len() as u64;
        (self.head, self.tail) = (head, tail);
    }

    /// Sends everything, and blocks while the client is slow.
    ///
    /// # Errors
    /// When the client has gone or is too slow, or the file cannot be read as far as it said.
    pub(crate) fn send(mut self, session: &Session) -> Result<(), WriteFailure> {
        let mut piece = Vec::new();
        while self.next(&mut piece, session)? {
            session.response().write(&piece).map_err(failure)?;
        }
        self.finish(session);
        Ok(())
    }

    /// Sends everything piece by piece, on threads of the executor, and then completes the session's operation.
    pub(crate) fn start(self, session: &Arc<Session>) {
        let job = Arc::clone(session);
        session.host().executor.resume(move || self.step(&job));
    }

    /// One piece, or the end.
    fn step(mut self, session: &Arc<Session>) {
        let mut piece = Vec::new();
        match self.next(&mut piece, session) {
            Ok(true) => self.queue(&piece, session),
            Ok(false) => {
                self.finish(session);
                session.complete(u32::try_from(self.total).unwrap_or(u32::MAX), Ok(()));
            }
            Err(failure) => session.complete(0, Err(failure)),
        }
    }

    /// Queues a piece and comes back when it has been taken.
    fn queue(self, piece: &[u8], session: &Arc<Session>) {
        let next = Arc::clone(session);
        let when_taken = move |taken| match taken {
            Ok(()) => self.start(&next),
            Err(failure) => next.complete(0, Err(failure)),
        };
        if let Err(error) = session.response().write_async(piece, Box::new(when_taken)) {
            session.complete(0, Err(failure(error)));
        }
    }

    fn finish(&self, session: &Session) {
        session.all_queued();
        if self.disconnect {
            session.response().finish(http::StatusCode::OK);
        }
    }

    /// Puts what is to be sent next into `piece`; `false` when nothing is left.
    fn next(&mut self, piece: &mut Vec<u8>, session: &Session) -> Result<bool, WriteFailure> {
        if !self.head.is_empty() {
            *piece = mem::take(&mut self.head);
        } else if self.position < self.end {
            // The client has been promised more than the file holds.
            self.read(piece).inspect_err(|_| session.response().abort())?;
        } else {
            *piece = mem::take(&mut self.tail);
        }
        Ok(!piece.is_empty())
    }

    /// Reads the next bytes of the file, at least one.
    fn read(&mut self, piece: &mut Vec<u8>) -> Result<(), WriteFailure> {
        piece.resize(usize::try_from(self.end - self.position).unwrap_or(PIECE).min(PIECE), 0);
        loop {
            match read_at(&self.file, piece, self.position) {
                Ok(0) => return Err(WriteFailure::Cut),
                Ok(count) => {
                    piece.truncate(count);
                    self.position += count as u64;
                    return Ok(());
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!("ISAPI0316 cannot read a file that an extension sends: {error}");
                    return Err(WriteFailure::Cut);
                }
            }
        }
    }
}

/// What went wrong, in the terms of a completion.
fn failure(error: Win32Error) -> WriteFailure {
    match error {
        Win32Error::TIMEOUT => WriteFailure::TimedOut,
        Win32Error::RESET => WriteFailure::ClientGone,
        _ => WriteFailure::Cut,
    }
}

#[cfg(unix)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, buffer, position)
}

#[cfg(windows)]
fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, buffer, position)
}

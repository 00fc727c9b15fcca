//! Sending a file: TRANSMIT_FILE once its arguments are safe values.
//!
//! The file is a duplicate of the module's handle, made during the call, and is read at explicit positions, so on Unix
//! the module's own position never moves. Runs on a native thread and blocks while the client is slow.

use std::fs::File;
use std::io;

use super::pipe::WriteFailure;
use super::session::Session;
use super::win32::Win32Error;

/// How much is read at once.
const PIECE: usize = 256 * 1024;

/// One file to send, checked.
pub(crate) struct Transmission {
    file: File,
    offset: u64,
    length: u64,
    /// Bytes before the file.
    pub(crate) head: Vec<u8>,
    /// Bytes behind it.
    pub(crate) tail: Vec<u8>,
    /// The response ends behind it.
    pub(crate) end_response: bool,
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
        Ok(Transmission { file, offset, length, head: Vec::new(), tail: Vec::new(), end_response: false })
    }

    /// How many bytes go out in all, as the completion reports them.
    pub(crate) fn total(&self) -> u32 {
        let total = self.head.len() as u64 + self.length + self.tail.len() as u64;
        u32::try_from(total).unwrap_or(u32::MAX)
    }

    /// Sends everything.
    ///
    /// # Errors
    /// When the client has gone or is too slow, or the file cannot be read as far as it said.
    pub(crate) fn send(self, session: &Session) -> Result<u32, WriteFailure> {
        let write = |bytes: &[u8]| session.response().write(bytes).map_err(failure);
        write(&self.head)?;
        self.send_file(&write).inspect_err(|failed| {
            if *failed == WriteFailure::Cut {
                // The client has been promised more than the file holds.
                session.response().abort();
            }
        })?;
        write(&self.tail)?;
        if self.end_response {
            session.response().finish(http::StatusCode::OK);
        }
        Ok(self.total())
    }

    fn send_file(&self, write: &impl Fn(&[u8]) -> Result<(), WriteFailure>) -> Result<(), WriteFailure> {
        let mut buffer = vec![0; PIECE.min(usize::try_from(self.length).unwrap_or(PIECE))];
        let (mut position, end) = (self.offset, self.offset + self.length);
        while position < end {
            let wanted = usize::try_from(end - position).unwrap_or(PIECE).min(PIECE);
            let count = match read_at(&self.file, &mut buffer[..wanted], position) {
                Ok(count) if count > 0 => count,
                Ok(_) => return Err(WriteFailure::Cut),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => {
                    tracing::warn!("ISAPI0316 cannot read a file that an extension sends: {error}");
                    return Err(WriteFailure::Cut);
                }
            };
            write(&buffer[..count])?;
            position += count as u64;
        }
        Ok(())
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

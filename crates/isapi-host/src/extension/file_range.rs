//! A range of an open file that a module wants sent.
//!
//! The file is a duplicate of the module's handle, made during the call, and is read at explicit positions, so on Unix
//! the module's own position never moves. Reading blocks, so it is done on native threads only.

use std::fs::File;
use std::io;
use std::sync::Arc;

use super::session::Session;
use crate::stream::{FileToSend, WhenSent, read_at};
use crate::win32::Win32Error;

/// A range of a file, from the next byte to read up to its end.
#[derive(Debug)]
pub(crate) struct FileRange {
    file: Arc<File>,
    position: u64,
    end: u64,
}

impl FileRange {
    /// `length` bytes of `file` from `offset` on; 0 means all that follow.
    ///
    /// # Errors
    /// 10022 when the range ends behind the end of the file, 87 for what is no file, such as a folder or a socket.
    pub(crate) fn new(file: Arc<File>, offset: u64, length: u64) -> Result<Self, Win32Error> {
        let found = file.metadata().ok().filter(|found| found.is_file()).ok_or(Win32Error::INVALID_PARAMETER)?;
        let rest = found.len().checked_sub(offset).ok_or(Win32Error::INVALID_OFFSET)?;
        if length > rest {
            return Err(Win32Error::INVALID_OFFSET);
        }
        let length = if length == 0 { rest } else { length };
        Ok(FileRange { file, position: offset, end: offset + length })
    }

    /// How many bytes are left.
    pub(crate) fn len(&self) -> u64 {
        self.end - self.position
    }

    /// All that is left, to be sent by the system; `when_sent` is told what becomes of it.
    pub(crate) fn into_file(self, when_sent: WhenSent) -> FileToSend {
        let left = self.len();
        FileToSend::new(self.file, self.position, left, Some(when_sent))
    }

    /// Reads the next bytes, at least one unless none is left, at most `most`, for `session`.
    ///
    /// # Errors
    /// 64 when the file cannot be read as far as it said.
    pub(crate) fn read(&mut self, most: usize, session: &Session) -> Result<Vec<u8>, Win32Error> {
        let mut piece = vec![0; usize::try_from(self.len()).unwrap_or(most).min(most)];
        loop {
            match read_at(&self.file, &mut piece, self.position) {
                Ok(0) if !piece.is_empty() => return Err(Win32Error::CUT),
                Ok(count) => {
                    piece.truncate(count);
                    self.position += count as u64;
                    return Ok(piece);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    tracing::warn!("ISAPI0316 cannot read a file that {} sends: {error}", session.describe());
                    return Err(Win32Error::CUT);
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_beyond_the_end_and_folders_are_refused() {
        let open = |path: &str| Arc::new(File::open(path).expect("it is there"));
        let this = open(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"));
        let length = this.metadata().expect("an open file").len();
        let range = |offset, length| FileRange::new(Arc::clone(&this), offset, length).map(|range| range.len());
        assert_eq!(range(0, 0), Ok(length));
        assert_eq!(range(length, 0), Ok(0));
        assert_eq!(range(1, length - 1), Ok(length - 1));
        for (offset, length) in [(length + 1, 0), (1, length), (u64::MAX, 1), (0, u64::MAX)] {
            assert_eq!(range(offset, length), Err(Win32Error::INVALID_OFFSET), "{offset} {length}");
        }
        #[cfg(unix)]
        assert_eq!(FileRange::new(open("/"), 0, 0).map(|_| ()), Err(Win32Error::INVALID_PARAMETER));
    }
}

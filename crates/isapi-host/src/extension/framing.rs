//! What of an extension's body bytes goes out, by the framing that its head announced.
//!
//! Pure bookkeeping, under the lock of the response: bytes beyond a `Content-Length` and those of a response without a
//! body are dropped, chunk framing of the extension's own is taken off, and what is left is cut into pieces.

use std::borrow::Cow;
use std::ops::Range;

use bytes::Bytes;

use super::chunked::ChunkDecoder;
use super::origin::Origin;
use super::pipe::HIGH_WATER;
use crate::win32::Win32Error;

/// How body bytes are treated.
pub(crate) enum Framing {
    Plain,
    /// So many bytes are still owed.
    Length(u64),
    Chunks(ChunkDecoder),
    /// None goes out.
    Discard,
}

/// Bytes admitted to the body: which parts of which buffer.
pub(crate) struct Admitted<'a> {
    pub(crate) data: Cow<'a, [u8]>,
    pub(crate) ranges: Ranges,
    /// The most bytes of one piece.
    pub(crate) piece: usize,
}

/// Parts of a buffer; most often one.
#[derive(Debug)]
pub(crate) enum Ranges {
    One(Range<usize>),
    Many(Vec<Range<usize>>),
}

impl Default for Ranges {
    fn default() -> Self {
        Ranges::One(0..0)
    }
}

impl Ranges {
    fn as_slice(&self) -> &[Range<usize>] {
        match self {
            Ranges::One(range) => std::slice::from_ref(range),
            Ranges::Many(ranges) => ranges,
        }
    }
}

impl Framing {
    /// The parts of `data` that go out; messages name the request by its `origin`.
    ///
    /// # Errors
    /// 87 when the extension's own chunks are malformed.
    pub(crate) fn admit(&mut self, data: &[u8], origin: &Origin) -> Result<Ranges, Win32Error> {
        match self {
            Framing::Plain => Ok(Ranges::One(0..data.len())),
            Framing::Discard => Ok(Ranges::default()),
            Framing::Chunks(decoder) => decoder.feed(data).map(Ranges::Many).map_err(|_| Win32Error::INVALID_PARAMETER),
            Framing::Length(left) => {
                let length = usize::try_from(*left).unwrap_or(usize::MAX).min(data.len());
                *left -= length as u64;
                if length < data.len() {
                    let excess = data.len() - length;
                    tracing::warn!(
                        "ISAPI0315 {origin} wrote {excess} bytes more than its Content-Length; they are dropped"
                    );
                }
                Ok(Ranges::One(0..length))
            }
        }
    }

    /// The most bytes that go out in one piece: chunks of the extension's own keep their size.
    pub(crate) fn piece(&self) -> usize {
        if matches!(self, Framing::Chunks(_)) { usize::MAX } else { HIGH_WATER }
    }

    /// Whether the body may end here.
    pub(crate) fn is_complete(&self) -> bool {
        match self {
            Framing::Plain | Framing::Discard | Framing::Length(0) => true,
            Framing::Length(_) => false,
            Framing::Chunks(decoder) => decoder.is_complete(),
        }
    }
}

impl Admitted<'_> {
    /// The parts, piece by piece.
    pub(crate) fn parts(&self) -> impl Iterator<Item = &[u8]> {
        self.ranges.as_slice().iter().flat_map(|range| self.data[range.clone()].chunks(self.piece))
    }

    /// Copies of the parts.
    pub(crate) fn copies(&self) -> Vec<Bytes> {
        self.parts().map(Bytes::copy_from_slice).collect()
    }
}

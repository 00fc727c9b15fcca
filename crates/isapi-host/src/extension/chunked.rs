//! Takes apart chunk framing that an extension made itself (RFC 9112, 7.1), piece by piece and strictly.
//!
//! Writes may cut the framing anywhere. What comes out are ranges of payload inside the piece that went in, so
//! nothing is copied here. Chunk extensions and trailers are read over within a bound and dropped.

use std::ops::Range;

/// The most bytes of one size line or of all trailers.
const MAX_LINE: usize = 4096;

/// The framing is not what RFC 9112 asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

/// Where in the framing the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum At {
    /// In the hexadecimal size; `digits` have been read.
    Size { value: u64, digits: u8 },
    /// In a chunk extension.
    Extension { value: u64, length: usize },
    /// Between the CR and the LF of a size line.
    SizeLineFeed { value: u64 },
    /// In the payload, so many bytes to go.
    Payload { left: u64 },
    /// At the CR behind a payload.
    PayloadReturn,
    /// At the LF behind a payload.
    PayloadLineFeed,
    /// In the trailers behind the last chunk: bytes of the line so far, and of all lines.
    Trailer { line: usize, total: usize },
    /// Between the CR and the LF of a trailer line, or of the empty line that ends all.
    TrailerLineFeed { line: usize, total: usize },
    /// Behind the empty line.
    End,
}

/// The decoder of one response.
#[derive(Debug)]
pub(crate) struct ChunkDecoder {
    at: At,
}

impl ChunkDecoder {
    pub(crate) fn new() -> Self {
        ChunkDecoder { at: At::Size { value: 0, digits: 0 } }
    }

    /// Whether the last chunk and the empty line behind it have been seen.
    pub(crate) fn is_complete(&self) -> bool {
        self.at == At::End
    }

    /// Reads `piece` and returns where in it payload lies, in order.
    ///
    /// # Errors
    /// When the framing is malformed, or bytes follow its end. The decoder is of no use afterwards.
    pub(crate) fn feed(&mut self, piece: &[u8]) -> Result<Vec<Range<usize>>, Malformed> {
        let mut ranges = Vec::new();
        let mut index = 0;
        while index < piece.len() {
            if let At::Payload { left } = self.at {
                let length = usize::try_from(left).unwrap_or(usize::MAX).min(piece.len() - index);
                ranges.push(index..index + length);
                index += length;
                let left = left - length as u64;
                self.at = if left == 0 { At::PayloadReturn } else { At::Payload { left } };
            } else {
                self.at = self.at.step(piece[index])?;
                index += 1;
            }
        }
        Ok(ranges)
    }
}

impl At {
    /// The place behind one byte of framing.
    fn step(self, byte: u8) -> Result<At, Malformed> {
        match (self, byte) {
            (At::Size { value, digits }, _) => size_step(value, digits, byte),
            (At::Extension { value, .. }, b'\r') => Ok(At::SizeLineFeed { value }),
            (At::Extension { value, length }, _) if length < MAX_LINE && byte != b'\n' => {
                Ok(At::Extension { value, length: length + 1 })
            }
            (At::SizeLineFeed { value: 0 }, b'\n') => Ok(At::Trailer { line: 0, total: 0 }),
            (At::SizeLineFeed { value }, b'\n') => Ok(At::Payload { left: value }),
            (At::PayloadReturn, b'\r') => Ok(At::PayloadLineFeed),
            (At::PayloadLineFeed, b'\n') => Ok(At::Size { value: 0, digits: 0 }),
            (At::Trailer { line, total }, b'\r') => Ok(At::TrailerLineFeed { line, total }),
            (At::Trailer { line, total }, _) if total < MAX_LINE && byte != b'\n' => {
                Ok(At::Trailer { line: line + 1, total: total + 1 })
            }
            (At::TrailerLineFeed { line: 0, .. }, b'\n') => Ok(At::End),
            (At::TrailerLineFeed { total, .. }, b'\n') => Ok(At::Trailer { line: 0, total }),
            _ => Err(Malformed),
        }
    }
}

fn size_step(value: u64, digits: u8, byte: u8) -> Result<At, Malformed> {
    match (byte, char::from(byte).to_digit(16)) {
        // Fifteen digits cannot overflow, and no honest chunk needs more.
        (_, Some(digit)) if digits < 15 => Ok(At::Size { value: value * 16 + u64::from(digit), digits: digits + 1 }),
        (b'\r', _) if digits > 0 => Ok(At::SizeLineFeed { value }),
        (b';' | b' ' | b'\t', _) if digits > 0 => Ok(At::Extension { value, length: 0 }),
        _ => Err(Malformed),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decode(pieces: &[&[u8]]) -> Result<(Vec<u8>, bool), Malformed> {
        let (mut decoder, mut payload) = (ChunkDecoder::new(), Vec::new());
        for piece in pieces {
            for range in decoder.feed(piece)? {
                payload.extend_from_slice(&piece[range]);
            }
        }
        Ok((payload, decoder.is_complete()))
    }

    const FRAMED: &[u8] = b"5;note=x\r\nhello\r\nA\r\n, the end.\r\n0\r\nTrailer: 1\r\n\r\n";

    #[test]
    fn whole_and_in_single_bytes_it_reads_the_same() {
        let expected = Ok((b"hello, the end.".to_vec(), true));
        assert_eq!(decode(&[FRAMED]), expected);
        let bytes: Vec<&[u8]> = FRAMED.chunks(1).collect();
        assert_eq!(decode(&bytes), expected);
    }

    #[test]
    fn one_chunk_in_one_piece_is_one_range() {
        assert_eq!(ChunkDecoder::new().feed(b"3\r\nabc\r\n2\r\nde\r\n"), Ok(vec![3..6, 11..13]));
    }

    #[test]
    fn an_unfinished_body_is_not_complete() {
        assert_eq!(decode(&[b"5\r\nhello\r\n"]), Ok((b"hello".to_vec(), false)));
        assert_eq!(decode(&[b"5\r\nhello\r\n0\r\n"]), Ok((b"hello".to_vec(), false)));
    }

    #[test]
    fn malformed_framing_is_refused() {
        let cases: [&[u8]; 8] = [
            b"hello",
            b"\r\n",
            b"5\nhello",
            b"5\r\nhelloX\r\n",
            b"0\r\n\r\nmore",
            b"1000000000000000\r\n",
            b"-1\r\n",
            b"5\r\nhello\n",
        ];
        for case in cases {
            assert_eq!(decode(&[case]), Err(Malformed), "{}", String::from_utf8_lossy(case));
        }
    }
}

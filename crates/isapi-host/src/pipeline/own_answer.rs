//! What filters send in place of a response: a head by SEND_RESPONSE_HEADER, and the bytes of WriteClient.
//!
//! The bytes are kept until the filter says that the request is finished, then become a response like any other, so that
//! its framing is right whatever the filter wrote.

use bytes::Bytes;
use http::{Response, header, response};

use crate::extension::chunked::ChunkDecoder;
use crate::extension::implicit_head::{Beginning, recognise};
use crate::extension::response_head::{BodyFraming, ResponseHead};
use crate::win32::Win32Error;

/// The most bytes that filters may send for one request before its handler is called.
const MAX_BYTES: usize = 64 * 1024 * 1024;

/// See the module.
#[derive(Default)]
pub(super) struct OwnAnswer {
    head: Option<ResponseHead>,
    bytes: Vec<u8>,
}

/// An answer as it goes out.
pub(super) struct Finished {
    pub(super) parts: response::Parts,
    pub(super) body: Bytes,
    /// The filter wrote the head itself, so SEND_RESPONSE is not raised for it.
    pub(super) is_raw: bool,
}

impl OwnAnswer {
    /// Whether nothing has been sent.
    pub(super) fn is_empty(&self) -> bool {
        self.head.is_none() && self.bytes.is_empty()
    }

    /// Sets the head; what follows its empty line is body.
    ///
    /// # Errors
    /// 87 when something has been sent before, or the head is malformed.
    pub(super) fn set_head(&mut self, status: &[u8], block: &[u8]) -> Result<(), Win32Error> {
        if !self.is_empty() {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        let (head, body) = ResponseHead::parse(status, block).map_err(|_| Win32Error::INVALID_PARAMETER)?;
        self.head = Some(head);
        self.bytes.extend_from_slice(&block[body..]);
        Ok(())
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// 8 when there are too many.
    pub(super) fn write(&mut self, bytes: &[u8]) -> Result<(), Win32Error> {
        if bytes.len() > MAX_BYTES - self.bytes.len() {
            return Err(Win32Error::NOT_ENOUGH_MEMORY);
        }
        self.bytes.extend_from_slice(bytes);
        Ok(())
    }

    /// The answer, to HEAD or to another method; `None` when nothing has been sent.
    ///
    /// # Errors
    /// The reason why what has been sent is no answer.
    pub(super) fn finish(self, is_to_head: bool) -> Result<Option<Finished>, String> {
        if self.is_empty() {
            return Ok(None);
        }
        let OwnAnswer { head, mut bytes } = self;
        let is_raw = head.is_none();
        let head = match head {
            Some(head) => head,
            None => match recognise(&bytes, true).map_err(|bad| bad.0)? {
                Beginning::Head(head, start) => {
                    bytes.drain(..start);
                    head
                }
                Beginning::Body | Beginning::Undecided => ResponseHead::ok(),
            },
        };
        let body = body(&head, bytes, is_to_head)?;
        Ok(Some(Finished { parts: parts(head), body, is_raw }))
    }
}

/// The body without framing of its own.
fn body(head: &ResponseHead, bytes: Vec<u8>, is_to_head: bool) -> Result<Bytes, String> {
    if head.is_bodiless(is_to_head) {
        return Ok(Bytes::new());
    }
    match head.framing {
        BodyFraming::UntilDone => Ok(bytes.into()),
        BodyFraming::Length(length) if length == bytes.len() as u64 => Ok(bytes.into()),
        BodyFraming::Length(length) => Err(format!("{} bytes behind Content-Length: {length}", bytes.len())),
        BodyFraming::OwnChunks => {
            let mut decoder = ChunkDecoder::new();
            let ranges = decoder.feed(&bytes).map_err(|_| "malformed chunks".to_owned())?;
            if !decoder.is_complete() {
                return Err("chunks without an end".to_owned());
            }
            Ok(ranges.into_iter().flat_map(|range| bytes[range].iter().copied()).collect::<Vec<_>>().into())
        }
    }
}

fn parts(head: ResponseHead) -> response::Parts {
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.headers) = (head.status, head.headers);
    if head.close {
        parts.headers.insert(header::CONNECTION, http::HeaderValue::from_static("close"));
    }
    if let Some(reason) = head.reason {
        parts.extensions.insert(reason);
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    fn raw(bytes: &[u8]) -> Result<Option<(u16, Vec<u8>)>, String> {
        let mut own = OwnAnswer::default();
        own.write(bytes).expect("there is room");
        own.finish(false)
            .map(|finished| finished.map(|finished| (finished.parts.status.as_u16(), finished.body.to_vec())))
    }

    #[test]
    fn what_was_written_becomes_a_response() {
        assert_eq!(raw(b""), Ok(None));
        assert_eq!(raw(b"HTTP/1.1 403 Forbidden\r\nX: y\r\n\r\nno"), Ok(Some((403, b"no".to_vec()))));
        assert_eq!(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno"), Ok(Some((200, b"no".to_vec()))));
        assert_eq!(raw(b"just text"), Ok(Some((200, b"just text".to_vec()))));
        let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n1\r\nc\r\n0\r\n\r\n";
        assert_eq!(raw(chunked), Ok(Some((200, b"abc".to_vec()))));
    }

    #[test]
    fn what_is_no_response_is_told() {
        assert!(raw(b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nno").is_err());
        assert!(raw(b"HTTP/1.1 200 OK\r\n").is_err());
        assert!(raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab").is_err());
    }

    #[test]
    fn there_is_one_head() {
        let mut own = OwnAnswer::default();
        own.set_head(b"401 Unauthorized", b"X: y\r\n\r\nbody").expect("a head");
        assert_eq!(own.set_head(b"200 OK", b""), Err(Win32Error::INVALID_PARAMETER));
        own.write(b" and more").expect("there is room");
        let finished = own.finish(false).expect("valid").expect("there is one");
        assert_eq!((finished.parts.status.as_u16(), &finished.body[..]), (401, &b"body and more"[..]));
        assert!(!finished.is_raw);
    }
}

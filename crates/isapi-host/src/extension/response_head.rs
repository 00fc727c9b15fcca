//! The head of a response, from the bytes that an extension gives to the values that hyper sends.
//!
//! Three sources: `SEND_RESPONSE_HEADER(_EX)` with status and header block apart, a raw head written by WriteClient
//! (`HTTP/1.1 200 OK…`), and header lines alone. Headers about the connection's framing are the host's business:
//! they become [`BodyFraming`] and `close`, and are not passed on. A head that names no server gets our name.

use std::cell::RefCell;

use http::StatusCode;
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::ext::ReasonPhrase;

use crate::server_variables::SERVER_SOFTWARE;

/// The header lines that are read without further ado.
const FEW_HEADERS: usize = 16;
/// The most header lines of a response.
const MAX_HEADERS: usize = 256;

/// What an extension said before the body.
#[derive(Debug, Clone)]
pub(crate) struct ResponseHead {
    pub(crate) status: StatusCode,
    pub(crate) reason: Option<ReasonPhrase>,
    pub(crate) headers: HeaderMap,
    /// The connection ends behind this response.
    pub(crate) close: bool,
    pub(crate) framing: BodyFraming,
}

/// How the extension delimits the body it writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyFraming {
    /// By its end; the host chooses the framing.
    UntilDone,
    /// By `Content-Length`.
    Length(u64),
    /// By chunk framing that it writes itself.
    OwnChunks,
}

/// Why a head was refused, for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct BadHead(pub(crate) String);

impl ResponseHead {
    /// `200 OK` without headers.
    pub(crate) fn ok() -> Self {
        ResponseHead::with_status(StatusCode::OK)
    }

    /// A status without headers, under its usual reason.
    pub(crate) fn with_status(status: StatusCode) -> Self {
        let framing = BodyFraming::UntilDone;
        ResponseHead { status, reason: None, headers: HeaderMap::new(), close: false, framing }
    }

    /// Reads a status such as `404 Not Found` (empty means `200 OK`) and a block of header lines; what follows the
    /// empty line behind the headers is body, and its position is returned.
    ///
    /// # Errors
    /// When either is malformed.
    pub(crate) fn parse(status: &[u8], block: &[u8]) -> Result<(Self, usize), BadHead> {
        let mut head = ResponseHead::ok();
        head.set_status(status)?;
        let body_start = head.read_headers(block)?;
        Ok((head, body_start))
    }

    /// As [`ResponseHead::parse`], quicker when this thread was given the same status and block the last time: many
    /// handlers answer every request with the same head.
    ///
    /// # Errors
    /// As there.
    pub(crate) fn parse_again(status: &[u8], block: &[u8]) -> Result<(Box<Self>, usize), BadHead> {
        LAST.with_borrow_mut(|last| {
            if !last.is_of(status, block) {
                last.expect(status, block);
                return ResponseHead::parse(status, block).map(|(head, start)| (Box::new(head), start));
            }
            if last.parsed.is_none() {
                last.parsed = Some(ResponseHead::parse(status, block)?);
            }
            let (head, start) = last.parsed.as_ref().expect("it has just been parsed");
            Ok((Box::new(head.clone()), *start))
        })
    }

    /// Reads a raw head `HTTP/1.1 200 OK`, headers, empty line.
    ///
    /// # Errors
    /// When it is malformed.
    pub(crate) fn parse_raw(bytes: &[u8]) -> Result<(Self, usize), BadHead> {
        let line_end = bytes.iter().position(|byte| *byte == b'\n').ok_or_else(|| bad("status line", bytes))?;
        let line = bytes[..line_end].strip_suffix(b"\r").unwrap_or(&bytes[..line_end]);
        let space = line.iter().position(|byte| *byte == b' ').ok_or_else(|| bad("status line", line))?;
        let (head, body_start) = ResponseHead::parse(line[space..].trim_ascii(), &bytes[line_end + 1..])?;
        Ok((head, line_end + 1 + body_start))
    }

    fn set_status(&mut self, status: &[u8]) -> Result<(), BadHead> {
        let status = status.trim_ascii();
        if status.is_empty() {
            return Ok(());
        }
        let (code, reason) = status.split_at(status.len().min(3));
        let code = StatusCode::from_bytes(code).map_err(|_| bad("status", status))?;
        // An interim status is not a response, and hyper sends 100 by itself.
        if code.is_informational() || !(reason.is_empty() || reason.starts_with(b" ")) {
            return Err(bad("status", status));
        }
        self.status = code;
        let reason = reason.trim_ascii();
        if !reason.is_empty() && code.canonical_reason().map(str::as_bytes) != Some(reason) {
            self.reason = Some(ReasonPhrase::try_from(reason).map_err(|_| bad("reason phrase", status))?);
        }
        Ok(())
    }

    fn read_headers(&mut self, block: &[u8]) -> Result<usize, BadHead> {
        if block.is_empty() {
            return Ok(0);
        }
        if let Some(end) = self.read_block::<FEW_HEADERS>(block, block)? {
            return Ok(end);
        }
        // The contract asks for an empty line at the end; a block that lacks it is complete nevertheless.
        for ending in [&b""[..], b"\r\n", b"\r\n\r\n"] {
            if let Some(end) = self.read_block::<MAX_HEADERS>(&[block, ending].concat(), block)? {
                return Ok(end.min(block.len()));
            }
        }
        Err(bad("header block", block))
    }

    /// Reads the headers of `text`, which is `block` with an ending; `None` when it has no end, or more than `N` headers.
    fn read_block<const N: usize>(&mut self, text: &[u8], block: &[u8]) -> Result<Option<usize>, BadHead> {
        let mut slots = [httparse::EMPTY_HEADER; N];
        match httparse::parse_headers(text, &mut slots) {
            Ok(httparse::Status::Complete((length, headers))) => {
                let mut framing = FramingHeaders::default();
                for header in headers.iter() {
                    self.add(header, &mut framing)?;
                }
                self.frame(&framing)?;
                self.headers.entry(header::SERVER).or_insert(const { HeaderValue::from_static(SERVER_SOFTWARE) });
                Ok(Some(length))
            }
            Ok(httparse::Status::Partial) => Ok(None),
            Err(httparse::Error::TooManyHeaders) if N < MAX_HEADERS => Ok(None),
            Err(error) => Err(BadHead(format!("{error} in {}", excerpt(block)))),
        }
    }

    /// Adds a header, or keeps aside what it says about connection and framing.
    fn add<'a>(&mut self, header: &httparse::Header<'a>, framing: &mut FramingHeaders<'a>) -> Result<(), BadHead> {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| bad("name", header.name.as_bytes()))?;
        match name {
            header::CONNECTION => {
                self.close |= str::from_utf8(header.value).is_ok_and(has_close);
                return Ok(());
            }
            header::UPGRADE | header::TRAILER => return Ok(()),
            header::TRANSFER_ENCODING => {
                if !header.value.trim_ascii().eq_ignore_ascii_case(b"chunked") {
                    return Err(bad("Transfer-Encoding", header.value));
                }
                framing.own_chunks = true;
                return Ok(());
            }
            header::CONTENT_LENGTH => framing.lengths.push_or_count(header.value),
            _ if name == "keep-alive" => return Ok(()),
            _ => {}
        }
        let value = HeaderValue::from_bytes(header.value).map_err(|_| bad("value", header.value))?;
        self.headers.append(name, value);
        Ok(())
    }

    /// Turns what the headers say about framing into `framing`.
    fn frame(&mut self, said: &FramingHeaders<'_>) -> Result<(), BadHead> {
        if said.own_chunks {
            self.framing = BodyFraming::OwnChunks;
        } else if let Some(digits) = said.lengths.first {
            let length = parse_length(digits).filter(|_| said.lengths.count == 1);
            self.framing = BodyFraming::Length(length.ok_or_else(|| bad("Content-Length", digits))?);
        }
        let bodiless = matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        if said.lengths.count > 0 && (said.own_chunks || bodiless) {
            // hyper takes a length as a promise of a body of that length.
            self.headers.remove(header::CONTENT_LENGTH);
        }
        Ok(())
    }

    /// Whether a response with this head, to a request that was `HEAD` or not, has no body by definition.
    pub(crate) fn is_bodiless(&self, to_head_request: bool) -> bool {
        to_head_request || matches!(self.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED)
    }
}

thread_local! {
    static LAST: RefCell<Last> = const { RefCell::new(Last { text: Vec::new(), status_length: 0, parsed: None }) };
}

/// The longest head that is remembered, in bytes.
const MEMORABLE: usize = 1024;

/// The head that a thread was given last.
struct Last {
    /// Status and block, one behind the other.
    text: Vec<u8>,
    status_length: usize,
    /// What it means, once it has come twice.
    parsed: Option<(ResponseHead, usize)>,
}

impl Last {
    fn is_of(&self, status: &[u8], block: &[u8]) -> bool {
        !self.text.is_empty() && self.text.split_at(self.status_length) == (status, block)
    }

    fn expect(&mut self, status: &[u8], block: &[u8]) {
        self.text.clear();
        self.parsed = None;
        if status.len() + block.len() <= MEMORABLE {
            self.text.extend_from_slice(status);
            self.text.extend_from_slice(block);
            self.status_length = status.len();
        }
    }
}

/// What a head says about framing.
#[derive(Default)]
struct FramingHeaders<'a> {
    own_chunks: bool,
    lengths: Lengths<'a>,
}

/// The values of `Content-Length`: there may be one.
#[derive(Default)]
struct Lengths<'a> {
    first: Option<&'a [u8]>,
    count: usize,
}

impl<'a> Lengths<'a> {
    fn push_or_count(&mut self, value: &'a [u8]) {
        self.first.get_or_insert(value);
        self.count += 1;
    }
}

fn parse_length(digits: &[u8]) -> Option<u64> {
    let all_digits = !digits.is_empty() && digits.iter().all(u8::is_ascii_digit);
    str::from_utf8(digits).ok().filter(|_| all_digits)?.parse().ok()
}

fn has_close(value: &str) -> bool {
    value.split(',').any(|option| option.trim().eq_ignore_ascii_case("close"))
}

fn bad(what: &str, bytes: &[u8]) -> BadHead {
    BadHead(format!("invalid {what}: {}", excerpt(bytes)))
}

/// The beginning of `bytes`, fit for a log line.
fn excerpt(bytes: &[u8]) -> String {
    format!("{:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(80)]))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(status: &str, block: &str) -> Result<(ResponseHead, usize), BadHead> {
        ResponseHead::parse(status.as_bytes(), block.as_bytes())
    }

    #[test]
    fn bytes_behind_the_empty_line_are_body() {
        let (head, start) = parse("404 Nothing here", "Content-Type: text/plain\r\nX: a\r\n\r\nbody").expect("valid");
        assert_eq!(head.status, 404);
        assert_eq!(head.reason.as_ref().map(ReasonPhrase::as_bytes), Some(&b"Nothing here"[..]));
        assert_eq!(head.headers["x"], "a");
        assert_eq!(start, 34);
    }

    #[test]
    fn a_block_without_its_empty_line_is_complete() {
        for block in ["A: 1\r\nB: 2", "A: 1\r\nB: 2\r\n", "A: 1\r\nB: 2\r\n\r\n", "A: 1\nB: 2\n\n"] {
            let (head, start) = parse("", block).expect(block);
            let own = head.headers.len() - usize::from(head.headers.contains_key(header::SERVER));
            assert_eq!((own, start), (2, block.len()), "{block:?}");
        }
        assert_eq!(parse("200 OK", "").expect("valid").1, 0);
        assert_eq!(parse("200 OK", "\r\n").expect("valid").1, 2);
    }

    #[test]
    fn framing_headers_become_framing() {
        let framing = |block| parse("200 OK", block).expect("valid").0.framing;
        assert_eq!(framing("Content-Length: 12\r\n\r\n"), BodyFraming::Length(12));
        assert_eq!(framing("Transfer-Encoding: Chunked\r\n\r\n"), BodyFraming::OwnChunks);
        assert_eq!(framing("X: 1\r\n\r\n"), BodyFraming::UntilDone);
        assert!(parse("200 OK", "Connection: Keep-Alive, CLOSE\r\n\r\n").expect("valid").0.close);
    }

    #[test]
    fn malformed_heads_are_refused() {
        for (status, block) in [
            ("OK", ""),
            ("20", ""),
            ("2000", ""),
            ("100 Continue", ""),
            ("200\u{7f}", ""),
            ("200 O\rK", ""),
            ("200 OK", "no colon\r\n\r\n"),
            ("200 OK", "Bad Name: x\r\n\r\n"),
            ("200 OK", "A: x\0y\r\n\r\n"),
            ("200 OK", "Content-Length: -1\r\n\r\n"),
            ("200 OK", "Content-Length: +1\r\n\r\n"),
            ("200 OK", "Content-Length: 1\r\nContent-Length: 2\r\n\r\n"),
            ("200 OK", "Transfer-Encoding: gzip, chunked\r\n\r\n"),
        ] {
            assert!(parse(status, block).is_err(), "{status:?} {block:?}");
        }
    }

    #[test]
    fn a_raw_head_carries_its_status() {
        let (head, start) = ResponseHead::parse_raw(b"HTTP/1.1 302 Found\r\nLocation: /x\r\n\r\nrest").expect("valid");
        assert_eq!((head.status.as_u16(), start), (302, 36));
        assert!(ResponseHead::parse_raw(b"HTTP/1.1\r\n\r\n").is_err());
    }
}

//! The parsers that take what modules and clients say, without a server: what they find must not depend on how the
//! bytes are cut, and what they accept must be what it claims to be.

use crate::extension::chunked::ChunkDecoder;
use crate::extension::implicit_head::{Beginning, recognise};
use crate::extension::response_head::{BodyFraming, ResponseHead};
use crate::request_path;

/// A byte that chooses a parser, and its text.
///
/// # Panics
/// When a parser contradicts itself.
pub fn parsers(input: &[u8]) {
    let Some((&choice, text)) = input.split_first() else { return };
    match choice % 5 {
        0 => chunks(text),
        1 => response_head(text),
        2 => implicit_head(text),
        3 => path(text),
        _ => normal_path(text),
    }
}

/// The payload of chunk framing that comes in these pieces, and whether it is whole; `None` when it is malformed.
fn decode<'a>(pieces: impl Iterator<Item = &'a [u8]>) -> Option<(Vec<u8>, bool)> {
    let (mut decoder, mut payload) = (ChunkDecoder::new(), Vec::new());
    for piece in pieces {
        for range in decoder.feed(piece).ok()? {
            assert!(!range.is_empty());
            payload.extend_from_slice(&piece[range]);
        }
    }
    Some((payload, decoder.is_complete()))
}

/// The first byte is the length of the pieces.
fn chunks(text: &[u8]) {
    let Some((&length, text)) = text.split_first() else { return };
    let whole = decode(std::iter::once(text));
    assert_eq!(whole, decode(text.chunks(1)), "single bytes read otherwise");
    assert_eq!(whole, decode(text.chunks(usize::from(length).max(1))), "pieces of {length} bytes read otherwise");
    if let Some((payload, true)) = whole {
        let framed = format!("{:x}\r\n", payload.len());
        let framed = [framed.as_bytes(), payload.as_slice(), b"\r\n0\r\n\r\n"].concat();
        let again = if payload.is_empty() { b"0\r\n\r\n".to_vec() } else { framed };
        assert_eq!(decode(std::iter::once(again.as_slice())), Some((payload, true)), "framed anew it reads otherwise");
    }
}

/// Status, a NUL, header block.
fn response_head(text: &[u8]) {
    let end = text.iter().position(|byte| *byte == 0).unwrap_or(text.len());
    let (status, block) = (&text[..end], text.get(end + 1..).unwrap_or_default());
    let Ok((head, body)) = ResponseHead::parse(status, block) else { return };
    assert!(body <= block.len());
    check(&head);
    // Bytes behind the head are none of its business.
    if body > 0 && block[..body].ends_with(b"\n\r\n") {
        let longer = [&block[..body], b"A: b\r\n\r\n"].concat();
        let (again, same) = ResponseHead::parse(status, &longer).expect("its head has not changed");
        assert_eq!((body, head.headers.len(), head.framing), (same, again.headers.len(), again.framing));
    }
}

/// What a head that was accepted may say.
fn check(head: &ResponseHead) {
    assert!(!head.status.is_informational());
    for name in ["connection", "keep-alive", "transfer-encoding", "upgrade", "trailer"] {
        assert!(!head.headers.contains_key(name), "{name} is passed on");
    }
    let lengths: Vec<_> = head.headers.get_all("content-length").iter().collect();
    match head.framing {
        BodyFraming::Length(length) if !lengths.is_empty() => {
            let said = lengths[0].to_str().ok().and_then(|digits| digits.parse::<u64>().ok());
            assert_eq!((said, lengths.len()), (Some(length), 1));
        }
        _ => assert!(lengths.is_empty(), "a length that means nothing is passed on"),
    }
    for value in head.headers.values() {
        assert!(!value.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)), "a value with a line's end");
    }
}

/// A beginning that has been recognised stays what it is, however much follows; and at the end nothing is undecided.
fn implicit_head(text: &[u8]) {
    if text.is_empty() {
        return;
    }
    let whole = kind(text, true);
    assert_ne!(whole, Some("undecided"));
    let first =
        (1..=text.len().min(300)).map(|length| kind(&text[..length], false)).find(|kind| *kind != Some("undecided"));
    if let Some(first @ Some("head")) = first {
        assert_eq!(kind(text, false), first, "more bytes make another beginning");
    }
    if let Some(None) = first {
        assert_eq!(kind(text, false), None, "more bytes make a malformed head good");
    }
}

/// What `text` begins with; `None` for a malformed head.
fn kind(text: &[u8], complete: bool) -> Option<&'static str> {
    match recognise(text, complete).ok()? {
        Beginning::Undecided => Some("undecided"),
        Beginning::Head(head, body) => {
            assert!(0 < body && body <= text.len());
            check(&head);
            Some("head")
        }
        Beginning::Body => Some("body"),
    }
}

/// A path that has been decoded leads nowhere but down.
fn path(text: &[u8]) {
    let Ok(text) = str::from_utf8(text) else { return };
    if let Some(path) = request_path::decode(text) {
        check_path(&path);
        assert!(path.len() <= text.len().max(1), "a path grew");
        assert!(!path.iter().any(u8::is_ascii_control));
    }
}

fn normal_path(text: &[u8]) {
    let path = [b"/", text].concat();
    let normal = request_path::normalise(path.clone());
    assert!(normal.len() <= path.len());
    check_path(&normal);
    assert_eq!(request_path::normalise(normal.clone()), normal, "a normal path has another normal form");
}

fn check_path(path: &[u8]) {
    assert!(path.starts_with(b"/"));
    assert!(!path.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b"..")));
}

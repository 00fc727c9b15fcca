//! What the first WriteClient means when no header call came before it (contract 2.5).
//!
//! Bytes that start with `HTTP/` are a raw response head; bytes that look like `Name: value` lines up to an empty
//! line are headers of a 200; anything else is body under an implicit 200. A head may come in several writes, so an
//! undecided beginning is collected, up to a bound.

use super::response_head::{BadHead, ResponseHead};

/// The most bytes held back while it is not yet clear whether they are a head.
const MAX_COLLECTED: usize = 64 * 1024;

/// What the bytes so far are.
#[derive(Debug)]
pub(crate) enum Beginning {
    /// Not decidable yet; collect more.
    Undecided,
    /// A head, and the position where the body starts.
    Head(ResponseHead, usize),
    /// Body from its first byte.
    Body,
}

/// Decides what `bytes`, all that was written so far, are; `complete` says that no more will come.
///
/// # Errors
/// When they claim to be a raw head and are not one.
pub(crate) fn recognise(bytes: &[u8], complete: bool) -> Result<Beginning, BadHead> {
    let undecided = !complete && bytes.len() < MAX_COLLECTED;
    let probe = bytes.len().min(5);
    if probe > 0 && bytes[..probe] == b"HTTP/"[..probe] {
        return match head_end(bytes) {
            Some(_) => ResponseHead::parse_raw(bytes).map(|(head, start)| Beginning::Head(head, start)),
            None if undecided => Ok(Beginning::Undecided),
            None if probe < 5 => Ok(Beginning::Body),
            None => Err(BadHead("a raw head without an empty line at its end".to_owned())),
        };
    }
    if !starts_like_headers(bytes) {
        return Ok(Beginning::Body);
    }
    let Some(end) = head_end(bytes) else {
        return Ok(if undecided && lines_look_like_headers(bytes) { Beginning::Undecided } else { Beginning::Body });
    };
    Ok(match ResponseHead::parse(b"", &bytes[..end]) {
        Ok((head, start)) => Beginning::Head(head, start),
        Err(_) => Beginning::Body,
    })
}

/// The position behind the first empty line.
fn head_end(bytes: &[u8]) -> Option<usize> {
    let mut line_start = 0;
    for (index, _) in bytes.iter().enumerate().filter(|(_, byte)| **byte == b'\n') {
        let line = &bytes[line_start..index];
        if line_start > 0 && (line.is_empty() || line == b"\r") {
            return Some(index + 1);
        }
        line_start = index + 1;
    }
    None
}

/// Whether the first write begins with a whole header name and its colon. A lone word could be the beginning of one,
/// but then every page that starts with a word would be held back.
fn starts_like_headers(bytes: &[u8]) -> bool {
    let name = bytes.iter().take_while(|byte| is_token(**byte)).count();
    name > 0 && bytes.get(name) == Some(&b':')
}

/// Whether every line so far, the last one perhaps cut short, can be a header line.
fn lines_look_like_headers(bytes: &[u8]) -> bool {
    bytes.split(|byte| *byte == b'\n').all(|line| {
        let name = line.iter().take_while(|byte| is_token(**byte)).count();
        line.get(name).is_none_or(|byte| (*byte == b':' && name > 0) || (name == 0 && line == b"\r"))
    })
}

fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// `head <status> <body>`, `body`, `undecided` or `error`.
    fn kind(bytes: &str, complete: bool) -> String {
        match recognise(bytes.as_bytes(), complete) {
            Ok(Beginning::Head(head, start)) => format!("head {} {}", head.status.as_u16(), &bytes[start..]),
            Ok(Beginning::Body) => "body".to_owned(),
            Ok(Beginning::Undecided) => "undecided".to_owned(),
            Err(_) => "error".to_owned(),
        }
    }

    #[test]
    fn each_kind_of_beginning_is_recognised() {
        assert_eq!(kind("HTTP/1.1 404 Gone\r\nA: b\r\n\r\nrest", false), "head 404 rest");
        assert_eq!(kind("HTTP/1.0 200 OK\r\n\r\n", false), "head 200 ");
        assert_eq!(kind("Content-Type: a/b\r\n\r\nrest", false), "head 200 rest");
        assert_eq!(kind("<html>", false), "body");
        assert_eq!(kind("hello", false), "body");
        assert_eq!(kind("HTTP/1.1 nonsense\r\n\r\n", false), "error");
    }

    #[test]
    fn pieces_of_a_head_are_waited_for() {
        for piece in ["H", "HTTP/1.1 200", "HTTP/1.1 200 OK\r\n", "Content-Type:", "A: b\r\nC", "A: b\r\n\r"] {
            assert_eq!(kind(piece, false), "undecided", "{piece:?}");
        }
        assert_eq!(kind("Note: some text\nand more of it", false), "body");
    }

    #[test]
    fn at_the_end_nothing_is_waited_for() {
        assert_eq!(kind("H", true), "body");
        assert_eq!(kind("Note: text", true), "body");
        assert_eq!(kind("HTTP/1.1 200 OK\r\n", true), "error");
    }
}

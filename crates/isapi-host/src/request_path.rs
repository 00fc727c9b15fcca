//! The path of a request: decoded once, checked, and freed of `.` and `..`.
//!
//! What comes out is what handlers are chosen by and what extensions see as PATH_INFO. It is bytes: a path need not
//! be UTF-8, and a gateway wants it as the client sent it.

use percent_encoding::percent_decode_str;

/// The decoded path, or `None` when it is not one: it must start with `/` and have no control characters, and each
/// `%` two digits behind it, since a half escape is what two readers understand in two ways. As in IIS.
pub(crate) fn decode(raw: &str) -> Option<Vec<u8>> {
    if !raw.starts_with('/') || !escapes_are_whole(raw) {
        return None;
    }
    let decoded: Vec<u8> = percent_decode_str(raw).collect();
    if decoded.iter().any(u8::is_ascii_control) {
        return None;
    }
    Some(normalise(decoded))
}

fn escapes_are_whole(raw: &str) -> bool {
    let is_escape = |digits: &str| digits.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    raw.split('%').skip(1).all(is_escape)
}

/// Resolves `.` and `..` segments; nothing leads above the root. Empty segments stay as they are.
pub(crate) fn normalise(path: Vec<u8>) -> Vec<u8> {
    let path = if cfg!(windows) { forward(path) } else { path };
    if !path.split(|byte| *byte == b'/').any(|segment| matches!(segment, b"." | b"..")) {
        return path;
    }
    let mut kept: Vec<&[u8]> = Vec::new();
    let mut segments = path.split(|byte| *byte == b'/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        let is_last = segments.peek().is_none();
        match segment {
            b"." | b".." => {
                if segment == b".." {
                    kept.pop();
                }
                if is_last {
                    // What remains names a folder.
                    kept.push(b"");
                }
            }
            _ => kept.push(segment),
        }
    }
    let mut normal = Vec::with_capacity(path.len());
    for segment in kept {
        normal.push(b'/');
        normal.extend_from_slice(segment);
    }
    normal
}

/// The file system of Windows takes both slashes, so a path must not hide one kind from us.
fn forward(mut path: Vec<u8>) -> Vec<u8> {
    for byte in &mut path {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    path
}

/// The position in `raw` that corresponds to `index` in `text`, a lossy decoding of it, when both end a segment.
pub(crate) fn same_segment_end(raw: &[u8], text: &str, index: usize) -> usize {
    let slashes = text.as_bytes()[..index].iter().filter(|byte| **byte == b'/').count();
    let mut ends = raw.iter().enumerate().filter(|(_, byte)| **byte == b'/').map(|(position, _)| position);
    ends.nth(slashes).unwrap_or(raw.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(raw: &str) -> Option<String> {
        decode(raw).map(|path| String::from_utf8_lossy(&path).into_owned())
    }

    #[test]
    fn dot_segments_are_resolved_after_decoding() {
        for (raw, expected) in [
            ("/", "/"),
            ("/a/b", "/a/b"),
            ("/a/./b", "/a/b"),
            ("/a/../b", "/b"),
            ("/../../x", "/x"),
            ("/..", "/"),
            ("/a/..", "/"),
            ("/a/b/.", "/a/b/"),
            ("/%2e%2e/x", "/x"),
            ("/a%2f..%2fx", "/x"),
            ("/a//b", "/a//b"),
            ("/a/", "/a/"),
            ("/...", "/..."),
            ("/a%20b", "/a b"),
            ("/%2525", "/%25"),
        ] {
            assert_eq!(text(raw).as_deref(), Some(expected), "{raw}");
        }
    }

    #[test]
    fn what_is_no_path_is_refused() {
        for raw in ["", "*", "x", "/%00", "/a%0d%0ab", "/%7f", "/%zz", "/%", "/a%4", "/%%41", "/%4%31", "/%u0041"] {
            assert_eq!(text(raw), None, "{raw}");
        }
    }

    #[test]
    fn segment_ends_correspond_across_a_lossy_decoding() {
        let raw = b"/\xff\xfe/s.wsgi/x";
        let lossy = String::from_utf8_lossy(raw);
        let end = lossy.find("/x").expect("it is there");
        assert_eq!(&raw[..same_segment_end(raw, &lossy, end)], b"/\xff\xfe/s.wsgi");
    }
}

//! Reading and changing heads by the names that filters use: `url`, `method`, `version` and `status`, and the names of
//! headers with their colon.
//!
//! What could split a response or confuse its framing is refused.

use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, Uri, Version, header};
use hyper::ext::ReasonPhrase;
use percent_encoding::{AsciiSet, CONTROLS, percent_encode};

use super::request::{Message, version_text};
use crate::server_variables::joined;
use crate::win32::Win32Error;

/// What a filter may leave unescaped in an address although it must not be there.
const NOT_IN_URL: AsciiSet =
    CONTROLS.add(b' ').add(b'"').add(b'<').add(b'>').add(b'\\').add(b'^').add(b'`').add(b'{').add(b'|').add(b'}');

/// Gives the value of `name` to `take`.
///
/// # Errors
/// 1413 when there is none, 87 for a name that is neither special nor ends with a colon; what `take` says.
pub(super) fn get<R>(
    message: &Message<'_>,
    name: &[u8],
    take: impl FnOnce(&[u8]) -> Result<R, Win32Error>,
) -> Result<R, Win32Error> {
    match (message, name) {
        (Message::Request { head, .. }, b"url") => {
            take(head.uri.path_and_query().map_or("", |url| url.as_str()).as_bytes())
        }
        (Message::Request { head, .. }, b"method") => take(head.method.as_str().as_bytes()),
        (Message::Request { head, .. }, b"version") => take(version_text(head.version)),
        (Message::Response(parts), b"status") => take(&status_text(parts)),
        _ => take(&joined(message.headers(), &header_name(name)?).ok_or(Win32Error::INVALID_INDEX)?),
    }
}

/// Sets or replaces `name`; an empty value deletes a header.
///
/// # Errors
/// 87 when name or value are not what they must be.
pub(super) fn set(message: &mut Message<'_>, name: &[u8], value: &[u8]) -> Result<(), Win32Error> {
    match (&mut *message, name) {
        (Message::Request { head, url_changed }, b"url") => {
            let uri = uri(value)?;
            **url_changed |= head.uri != uri;
            head.uri = uri;
            return Ok(());
        }
        (Message::Request { head, .. }, b"method") => {
            head.method = Method::from_bytes(value).map_err(|_| Win32Error::INVALID_PARAMETER)?;
            return Ok(());
        }
        (Message::Request { head, .. }, b"version") => {
            head.version = match value {
                b"HTTP/1.0" => Version::HTTP_10,
                b"HTTP/1.1" => Version::HTTP_11,
                _ => return Err(Win32Error::INVALID_PARAMETER),
            };
            return Ok(());
        }
        (Message::Response(parts), b"status") => return set_status(parts, value),
        _ => {}
    }
    let name = header_name(name)?;
    if value.is_empty() {
        message.headers_mut().remove(&name);
        return Ok(());
    }
    check_framing(message, &name, value)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    message.headers_mut().insert(name, value);
    Ok(())
}

/// Adds another line.
///
/// # Errors
/// As [`set`], also for the special names and an empty value.
pub(super) fn add(message: &mut Message<'_>, name: &[u8], value: &[u8]) -> Result<(), Win32Error> {
    let name = header_name(name)?;
    check_framing(message, &name, value)?;
    let value = HeaderValue::from_bytes(value).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    message.headers_mut().append(name, value);
    Ok(())
}

/// Adds lines, each with its end, to `headers`.
///
/// # Errors
/// 87 when they are not header lines, or say something about the framing of the response.
pub(super) fn add_lines(headers: &mut HeaderMap, lines: &[u8]) -> Result<(), Win32Error> {
    let mut slots = [httparse::EMPTY_HEADER; 64];
    let text = [lines.trim_ascii_end(), b"\r\n\r\n"].concat();
    let parsed = match httparse::parse_headers(&text, &mut slots) {
        Ok(httparse::Status::Complete((length, parsed))) if length == text.len() => parsed,
        _ => return Err(Win32Error::INVALID_PARAMETER),
    };
    let mut fresh = HeaderMap::new();
    for line in parsed {
        let name = HeaderName::from_bytes(line.name.as_bytes()).map_err(|_| Win32Error::INVALID_PARAMETER)?;
        if is_framing(&name) {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        let value = HeaderValue::from_bytes(line.value).map_err(|_| Win32Error::INVALID_PARAMETER)?;
        fresh.append(name, value);
    }
    merge(headers, &fresh);
    Ok(())
}

/// Adds all of `more`.
pub(super) fn merge(headers: &mut HeaderMap, more: &HeaderMap) {
    for (name, value) in more {
        headers.append(name, value.clone());
    }
}

/// `404 Not Found`.
fn status_text(parts: &http::response::Parts) -> Vec<u8> {
    let own = parts.extensions.get::<ReasonPhrase>().map(ReasonPhrase::as_bytes);
    let usual = parts.status.canonical_reason().unwrap_or_default().as_bytes();
    let text = [parts.status.as_str().as_bytes(), b" ", own.unwrap_or(usual)].concat();
    text.trim_ascii_end().to_vec()
}

fn set_status(parts: &mut http::response::Parts, value: &[u8]) -> Result<(), Win32Error> {
    let (code, reason) = value.split_at(value.len().min(3));
    let code = StatusCode::from_bytes(code).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    if code.is_informational() || !(reason.is_empty() || reason.starts_with(b" ")) {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let reason = reason.trim_ascii();
    parts.extensions.remove::<ReasonPhrase>();
    if !reason.is_empty() && code.canonical_reason().map(str::as_bytes) != Some(reason) {
        parts.extensions.insert(ReasonPhrase::try_from(reason).map_err(|_| Win32Error::INVALID_PARAMETER)?);
    }
    parts.status = code;
    Ok(())
}

/// The header that `name`, which ends with a colon, means.
fn header_name(name: &[u8]) -> Result<HeaderName, Win32Error> {
    let name = name.strip_suffix(b":").ok_or(Win32Error::INVALID_PARAMETER)?;
    HeaderName::from_bytes(name).map_err(|_| Win32Error::INVALID_PARAMETER)
}

fn is_framing(name: &HeaderName) -> bool {
    [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::UPGRADE].contains(name)
}

/// How a response is delimited follows from its body; a filter may take the length away, or have the connection closed.
fn check_framing(message: &Message<'_>, name: &HeaderName, value: &[u8]) -> Result<(), Win32Error> {
    let is_request = matches!(message, Message::Request { .. });
    let closes = name == header::CONNECTION && value.eq_ignore_ascii_case(b"close");
    if is_request || closes || !is_framing(name) { Ok(()) } else { Err(Win32Error::INVALID_PARAMETER) }
}

/// An address of this server, escaped where it must be.
fn uri(value: &[u8]) -> Result<Uri, Win32Error> {
    // Only a line end or NUL could mean something else to whoever reads the address next.
    if !value.starts_with(b"/") || value.iter().any(|byte| matches!(byte, b'\r' | b'\n' | 0)) {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let escaped = percent_encode(value, &NOT_IN_URL).to_string();
    let path = http::uri::PathAndQuery::try_from(escaped).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    Ok(Uri::from(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(message: &Message<'_>, name: &[u8]) -> Result<Vec<u8>, Win32Error> {
        get(message, name, |value| Ok(value.to_vec()))
    }

    fn response() -> http::response::Parts {
        http::Response::new(()).into_parts().0
    }

    #[test]
    fn what_could_split_a_response_is_refused() {
        let mut parts = response();
        let mut message = Message::Response(&mut parts);
        for value in [&b"a\r\nSet-Cookie: b"[..], b"a\nb", b"a\0b", b"a\rb"] {
            assert_eq!(set(&mut message, b"X-A:", value), Err(Win32Error::INVALID_PARAMETER));
            assert_eq!(add(&mut message, b"X-A:", value), Err(Win32Error::INVALID_PARAMETER));
        }
        for name in [&b"X-A"[..], b"X A:", b":", b"X-A\r\n:", b""] {
            assert_eq!(set(&mut message, name, b"x"), Err(Win32Error::INVALID_PARAMETER));
        }
        assert_eq!(set(&mut message, b"status", b"200 OK\r\nX: y"), Err(Win32Error::INVALID_PARAMETER));
        assert_eq!(add_lines(message.headers_mut(), b"X: y\r\n\r\nbody"), Err(Win32Error::INVALID_PARAMETER));
        assert!(message.headers().is_empty());
    }

    #[test]
    fn framing_belongs_to_the_host() {
        let mut parts = response();
        parts.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(5));
        let mut message = Message::Response(&mut parts);
        assert!(set(&mut message, b"Content-Length:", b"6").is_err());
        assert!(set(&mut message, b"Transfer-Encoding:", b"chunked").is_err());
        assert!(add_lines(message.headers_mut(), b"Content-Length: 6\r\n").is_err());
        assert!(set(&mut message, b"Content-Length:", b"").is_ok());
        assert!(set(&mut message, b"Connection:", b"close").is_ok());
        assert!(!message.headers().contains_key(header::CONTENT_LENGTH));
    }

    #[test]
    fn a_status_has_its_reason() {
        let mut parts = response();
        let mut message = Message::Response(&mut parts);
        assert_eq!(text(&message, b"status"), Ok(b"200 OK".to_vec()));
        set(&mut message, b"status", b"404 Gone Fishing").expect("a status");
        assert_eq!(text(&message, b"status"), Ok(b"404 Gone Fishing".to_vec()));
        set(&mut message, b"status", b"404").expect("a status");
        assert_eq!(text(&message, b"status"), Ok(b"404 Not Found".to_vec()));
        assert!(set(&mut message, b"status", b"100 Continue").is_err());
    }

    #[test]
    fn an_address_is_escaped_where_it_must_be() {
        assert_eq!(uri(b"/a b?c=\"d\"").map(|uri| uri.to_string()), Ok("/a%20b?c=%22d%22".to_owned()));
        assert_eq!(uri(b"/a%20b").map(|uri| uri.to_string()), Ok("/a%20b".to_owned()));
        assert_eq!(uri("/caf\u{e9}".as_bytes()).map(|uri| uri.to_string()), Ok("/caf%C3%A9".to_owned()));
        for bad in [&b""[..], b"a", b"http://other/", b"/a\r\nb", b"/a\0"] {
            assert!(uri(bad).is_err());
        }
    }

    #[test]
    fn several_lines_are_added_at_once() {
        let mut headers = HeaderMap::new();
        add_lines(&mut headers, b"Set-Cookie: a\r\nSet-Cookie: b\r\n").expect("lines");
        add_lines(&mut headers, b"X-C: c").expect("a line");
        assert_eq!((headers.get_all("set-cookie").iter().count(), headers.len()), (2, 3));
    }
}

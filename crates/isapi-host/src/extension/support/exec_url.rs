//! EXEC_URL (1026), EXEC_UNICODE_URL (1025) and GET_EXEC_URL_STATUS (1027): a request inside of a request.
//!
//! Everything that the structs point to is copied or checked during the call. A URL is a path on this site, with or
//! without a query, in the form that it has in a request; characters beyond ASCII are escaped as UTF-8.

use std::ffi::c_char;
use std::fmt::Write;
use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use isapi_abi::{HANDLE, httpext as hse};

use super::Arguments;
use crate::extension::session::{Order, Session};
use crate::raw;
use crate::request_path;
use crate::win32::Win32Error;

/// The most header lines of a child request.
const MAX_HEADERS: usize = 256;

/// All flags that the contract gives these requests. There are no server-side includes, no cache and no custom errors
/// but those that an extension asks for, so SSI_CMD, HTTP_CACHE_ELIGIBLE and DISABLE_CUSTOM_ERROR change nothing.
const KNOWN_FLAGS: u32 = hse::HSE_EXEC_URL_NO_HEADERS
    | hse::HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR
    | hse::HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE
    | hse::HSE_EXEC_URL_DISABLE_CUSTOM_ERROR
    | hse::HSE_EXEC_URL_SSI_CMD
    | hse::HSE_EXEC_URL_HTTP_CACHE_ELIGIBLE;

/// Runs the URL of the struct in the buffer.
///
/// # Safety
/// * As the contract says for request 1026.
pub(super) unsafe fn run(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and for all that it points to.
    let order = unsafe {
        let info = raw::read(arguments.buffer.cast::<hse::HSE_EXEC_URL_INFO>())?;
        if !info.pUserInfo.is_null() {
            let user = raw::read(info.pUserInfo)?;
            let name = raw::text(user.pszCustomUserName, raw::MAX_TEXT)?;
            check_user(user.hImpersonationToken, name.is_some_and(|name| !name.is_empty()), user.pszCustomAuthType)?;
        }
        let url = raw::text(info.pszUrl, raw::MAX_TEXT)?.map(url).transpose()?;
        order(url, info.pszMethod, info.pszChildHeaders, info.pEntity, info.dwExecUrlFlags)?
    };
    session.run_child(order)
}

/// As [`run`], with URL and user name in UTF-16.
///
/// # Safety
/// * As the contract says for request 1025.
pub(super) unsafe fn run_unicode(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: as in `run`.
    let order = unsafe {
        let info = raw::read(arguments.buffer.cast::<hse::HSE_EXEC_UNICODE_URL_INFO>())?;
        if !info.pUserInfo.is_null() {
            let user = raw::read(info.pUserInfo)?;
            let name = raw::wide_text(user.pszCustomUserName, raw::MAX_TEXT)?;
            check_user(user.hImpersonationToken, name.is_some_and(|name| !name.is_empty()), user.pszCustomAuthType)?;
        }
        let wide = raw::wide_text(info.pszUrl, raw::MAX_TEXT)?.map(|units| String::from_utf16(&units)).transpose();
        let text = wide.map_err(|_| Win32Error::INVALID_PARAMETER)?;
        let url = text.map(|text| url(text.as_bytes())).transpose()?;
        order(url, info.pszMethod, info.pszChildHeaders, info.pEntity, info.dwExecUrlFlags)?
    };
    session.run_child(order)
}

/// How the last child ended, into the struct in the buffer.
///
/// # Safety
/// * As the contract says for request 1027.
pub(super) unsafe fn status(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    let place = arguments.buffer.cast::<hse::HSE_EXEC_URL_STATUS>();
    if place.is_null() {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let ended = session.child_status()?;
    let status = hse::HSE_EXEC_URL_STATUS {
        uHttpStatusCode: ended.status,
        uHttpSubStatus: ended.sub_status,
        dwWin32Error: ended.error,
    };
    // SAFETY: the caller vouches for the struct.
    unsafe { raw::write(place, status) }
}

/// Nobody is authenticated here, so a child cannot be run as somebody.
///
/// # Errors
/// 50 when it is to be.
///
/// # Safety
/// * The type is null or ends with a NUL.
unsafe fn check_user(token: HANDLE, is_named: bool, auth_type: *mut c_char) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for it.
    let auth_type = unsafe { raw::text(auth_type, raw::MAX_TEXT) }?;
    let is_typed = auth_type.is_some_and(|auth_type| !auth_type.is_empty());
    if !token.is_null() || is_named || is_typed { Err(Win32Error::NOT_SUPPORTED) } else { Ok(()) }
}

/// The members that both structs have in the same form.
///
/// # Safety
/// * As for the members of the struct.
unsafe fn order(
    url: Option<PathAndQuery>,
    method: *mut c_char,
    block: *mut c_char,
    entity: *mut hse::HSE_EXEC_URL_ENTITY_INFO,
    flags: u32,
) -> Result<Order, Win32Error> {
    if flags & !KNOWN_FLAGS != 0 {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: the caller vouches for the strings, and for the entity and its bytes.
    let (method, block, entity) = unsafe {
        let entity = if entity.is_null() {
            None
        } else {
            let entity = raw::read(entity)?;
            Some(Bytes::copy_from_slice(raw::bytes(entity.lpbData, entity.cbAvailable)?))
        };
        (raw::text(method, raw::MAX_TEXT)?, raw::text(block, raw::MAX_TEXT)?, entity)
    };
    let method = method.map(Method::from_bytes).transpose().map_err(|_| Win32Error::INVALID_PARAMETER)?;
    Ok(Order { url, method, headers: block.map(headers).transpose()?, entity, flags })
}

/// A path of this site, with its query.
fn url(text: &[u8]) -> Result<PathAndQuery, Win32Error> {
    // A fragment never leaves a client.
    if text.first() != Some(&b'/') || text.contains(&b'#') {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let mut escaped = String::with_capacity(text.len());
    for byte in text {
        if byte.is_ascii() {
            escaped.push(char::from(*byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(escaped, "%{byte:02X}");
        }
    }
    let url = PathAndQuery::try_from(escaped).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    request_path::decode(url.path()).ok_or(Win32Error::INVALID_PARAMETER)?;
    Ok(url)
}

/// Header lines; an empty line behind them may be missing, and nothing may follow it.
fn headers(block: &[u8]) -> Result<HeaderMap, Win32Error> {
    let malformed = Win32Error::INVALID_PARAMETER;
    let lines = block.trim_ascii_end();
    if lines.is_empty() {
        return Ok(HeaderMap::new());
    }
    let text = [lines, b"\r\n\r\n"].concat();
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let parsed = match httparse::parse_headers(&text, &mut slots) {
        Ok(httparse::Status::Complete((length, parsed))) if length == text.len() => parsed,
        _ => return Err(malformed),
    };
    let mut headers = HeaderMap::new();
    for header in parsed.iter() {
        let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| malformed)?;
        headers.append(name, HeaderValue::from_bytes(header.value).map_err(|_| malformed)?);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_path_of_this_site() {
        for (text, expected) in [
            ("/", "/"),
            ("/a/b?c=d&e", "/a/b?c=d&e"),
            ("/a%20b", "/a%20b"),
            ("/größe?ß", "/gr%C3%B6%C3%9Fe?%C3%9F"),
            ("//host/x", "//host/x"),
        ] {
            assert_eq!(url(text.as_bytes()).expect(text).as_str(), expected);
        }
        for text in ["", "a", "a/b", "?a", "http://host/x", "*", "/a b", "/a#b", "/a\r\nb", "/%00", "/a%0ab", "\\a"] {
            assert_eq!(url(text.as_bytes()).err(), Some(Win32Error::INVALID_PARAMETER), "{text:?}");
        }
    }

    #[test]
    fn header_blocks_are_complete_with_or_without_their_empty_line() {
        for (block, count) in
            [("", 0), ("\r\n", 0), ("A: 1", 1), ("A: 1\r\n", 1), ("A: 1\r\nB: 2\r\n\r\n", 2), ("A: 1\nB:\n\n", 2)]
        {
            assert_eq!(headers(block.as_bytes()).map(|headers| headers.len()), Ok(count), "{block:?}");
        }
        for block in ["A", "A: 1\r\nnonsense", "A B: 1", ": 1", "A: 1\r\n\r\nbody", "A: \u{1}", "A: 1\r\n B: 2"] {
            assert_eq!(headers(block.as_bytes()), Err(Win32Error::INVALID_PARAMETER), "{block:?}");
        }
    }
}

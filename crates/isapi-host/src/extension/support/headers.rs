//! The response head: SEND_RESPONSE_HEADER (3), SEND_RESPONSE_HEADER_EX (1016), and redirects (1, 2).

use std::ffi::c_char;

use http::{HeaderValue, StatusCode, header};
use isapi_abi::httpext::HSE_SEND_HEADER_EX_INFO;

use super::Arguments;
use crate::error_page;
use crate::extension::response_head::{BodyFraming, ResponseHead};
use crate::extension::session::Session;
use crate::raw;
use crate::win32::Win32Error;

/// Status in the buffer, header text in the data type, both NUL-terminated or null.
///
/// # Safety
/// * As the contract says for request 3.
pub(super) unsafe fn send(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for both strings.
    let (status, block) = unsafe {
        let status = raw::text(arguments.buffer.cast::<c_char>(), raw::MAX_TEXT)?;
        (status, raw::text(arguments.data_type.cast::<c_char>(), raw::MAX_TEXT)?)
    };
    session.open_response()?.send_head(status.unwrap_or_default(), block.unwrap_or_default(), None)
}

/// Status and header text with lengths, and whether to keep the connection.
///
/// # Safety
/// * As the contract says for request 1016.
pub(super) unsafe fn send_ex(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and for the lengths in it.
    let (status, block, keep) = unsafe {
        let info = raw::read(arguments.buffer.cast::<HSE_SEND_HEADER_EX_INFO>())?;
        let status = raw::bytes(info.pszStatus.cast(), info.cchStatus)?;
        (status, raw::bytes(info.pszHeader.cast(), info.cchHeader)?, info.fKeepConn != 0)
    };
    session.open_response()?.send_head(cut_at_nul(status), block, Some(keep))
}

/// Callers that count the terminator in mean the text before it.
fn cut_at_nul(text: &[u8]) -> &[u8] {
    text.split(|byte| *byte == 0).next().unwrap_or_default()
}

/// A complete 302 to the URL in the buffer.
///
/// # Safety
/// * As the contract says for requests 1 and 2.
pub(super) unsafe fn redirect(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the string.
    let url = unsafe { raw::text(arguments.buffer.cast::<c_char>(), raw::MAX_TEXT) }?;
    let url = url.filter(|url| !url.is_empty()).ok_or(Win32Error::INVALID_PARAMETER)?;
    let location = HeaderValue::from_bytes(url).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    let page = error_page::moved(&String::from_utf8_lossy(url));
    let mut head = ResponseHead::with_status(StatusCode::FOUND);
    head.headers.insert(header::LOCATION, location);
    head.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(error_page::CONTENT_TYPE));
    head.headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
    head.framing = BodyFraming::Length(page.len() as u64);
    let response = session.open_response()?;
    response.set_head(Box::new(head))?;
    response.write(page.as_bytes())
}

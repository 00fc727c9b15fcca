//! SEND_CUSTOM_ERROR (1028): sends the page that the site's `httpErrors` have for a status.

use std::ffi::OsStr;
use std::fs::File;
use std::path::Path;
use std::sync::Arc;

use isapi_abi::httpext::HSE_CUSTOM_ERROR_INFO;
use isapi_config::ErrorAnswer;

use super::Arguments;
use crate::extension::file_range::FileRange;
use crate::extension::response_head::ResponseHead;
use crate::extension::sending::{Afterwards, Part, Sending};
use crate::extension::session::Session;
use crate::raw;
use crate::repeated;
use crate::win32::Win32Error;

/// What is to be sent.
struct Page {
    status: Vec<u8>,
    headers: String,
    body: Sending,
}

/// Sends the page for status and sub-status of the struct in the buffer: the whole response. Without such a page
/// nothing is sent, and the module has to send its own.
///
/// # Safety
/// * As the contract says for request 1028.
pub(super) unsafe fn send(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and for the text in it.
    let (info, status) = unsafe {
        let info = raw::read(arguments.buffer.cast::<HSE_CUSTOM_ERROR_INFO>())?;
        (info, raw::text(info.pszStatus, raw::MAX_TEXT)?)
    };
    let status = status.filter(|status| !status.is_empty()).ok_or(Win32Error::INVALID_PARAMETER)?;
    let Page { status, headers, body } = find(session, status, info.uHttpSubError)?;
    let send_head = || {
        session.response().send_head(&status, headers.as_bytes(), None)?;
        session.log_sub_status(info.uHttpSubError);
        Ok(())
    };
    // SAFETY: no part of the page is memory of the module.
    unsafe { if info.fAsync == 0 { body.send(session, send_head) } else { body.start(session, None, send_head) } }
}

/// The page for `status`.
///
/// # Errors
/// 87 for a malformed status, 2 when there is no page for it, or its file is missing.
fn find(session: &Session, status: &[u8], sub_status: u16) -> Result<Page, Win32Error> {
    let (head, _) = ResponseHead::parse(status, b"").map_err(|_| Win32Error::INVALID_PARAMETER)?;
    let page = session.host().site.error_page(head.status.as_u16(), sub_status).ok_or(Win32Error::FILE_NOT_FOUND)?;
    match page.answer() {
        ErrorAnswer::File(path) => file(path, status),
        ErrorAnswer::Redirect(url) => Ok(Page {
            status: b"302 Found".to_vec(),
            headers: format!("Location: {url}\r\nContent-Length: 0\r\n\r\n"),
            body: Sending::new(Afterwards::Finished),
        }),
    }
}

fn file(path: &Path, status: &[u8]) -> Result<Page, Win32Error> {
    let opened = File::open(path).inspect_err(|error| {
        repeated::warn(("ISAPI0326", path), || {
            format!("ISAPI0326 cannot open the error page {}: {error}", path.display())
        });
    });
    let file = opened.map_err(|_| Win32Error::FILE_NOT_FOUND)?;
    let range = FileRange::new(Arc::new(file), 0, 0).map_err(|_| Win32Error::FILE_NOT_FOUND)?;
    let headers = format!("Content-Type: {}\r\nContent-Length: {}\r\n\r\n", content_type(path), range.len());
    let mut body = Sending::new(Afterwards::Finished);
    body.push(Part::File(range));
    Ok(Page { status: status.to_vec(), headers, body })
}

/// The type of an error page, by the ending of its name; a page without a known one is a web page.
fn content_type(path: &Path) -> &'static str {
    let ending = path.extension().and_then(OsStr::to_str).unwrap_or_default();
    match ending.to_ascii_lowercase().as_str() {
        "txt" => "text/plain",
        "json" => "application/json",
        "xml" => "application/xml",
        _ => "text/html",
    }
}

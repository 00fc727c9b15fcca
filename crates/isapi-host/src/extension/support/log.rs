//! What goes to logs: APPEND_LOG_PARAMETER (1003) and REPORT_UNHEALTHY (1032).

use std::ffi::c_char;

use super::Arguments;
use crate::extension::session::Session;
use crate::raw;
use crate::win32::Win32Error;

/// Appends the text in the buffer to the request's log entry.
///
/// # Safety
/// * As the contract says for request 1003.
pub(super) unsafe fn append(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the string.
    let text = unsafe { raw::text(arguments.buffer.cast::<c_char>(), raw::MAX_TEXT) }?;
    session.append_log(text.ok_or(Win32Error::INVALID_PARAMETER)?);
    Ok(())
}

/// The module thinks that the process should be replaced; the reason is in the buffer, or null.
///
/// # Safety
/// * As the contract says for request 1032.
pub(super) unsafe fn report_unhealthy(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the string.
    let reason = unsafe { raw::text(arguments.buffer.cast::<c_char>(), raw::MAX_TEXT) }?;
    let reason = String::from_utf8_lossy(reason.unwrap_or(b"no reason given"));
    tracing::warn!("ISAPI0310 {} reports that it is unhealthy: {}", session.describe(), reason.escape_debug());
    Ok(())
}

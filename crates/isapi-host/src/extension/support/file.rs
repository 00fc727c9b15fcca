//! TRANSMIT_FILE (1006): sends a part of an open file, with bytes before and behind it.

use std::ffi::c_void;
use std::sync::Arc;

use isapi_abi::httpext::{HSE_IO_ASYNC, HSE_IO_DISCONNECT_AFTER_SEND, HSE_IO_SEND_HEADERS, HSE_TF_INFO};

use super::{Arguments, handle};
use crate::extension::completion::Callback;
use crate::extension::file_range::FileRange;
use crate::extension::lent::LentBytes;
use crate::extension::sending::{Afterwards, Head, Part, Sending, send_head};
use crate::extension::session::Session;
use crate::raw;
use crate::win32::Win32Error;

/// Sends as the struct in the buffer says: at once with HSE_IO_ASYNC, otherwise before it returns.
///
/// # Safety
/// * As the contract says for request 1006.
pub(super) unsafe fn transmit(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and all in it.
    unsafe {
        let info = raw::read(arguments.buffer.cast::<HSE_TF_INFO>())?;
        let sending = prepare(&info)?;
        let head = head(&info)?;
        let disconnect = info.dwFlags & HSE_IO_DISCONNECT_AFTER_SEND != 0;
        let send_head = || send_head(session, head, disconnect);
        if info.dwFlags & HSE_IO_ASYNC == 0 {
            return sending.send(session, send_head);
        }
        sending.start(session, Callback::new(info.pfnHseIO, info.pContext), send_head)
    }
}

/// The file's range, and the data before and behind it.
///
/// # Safety
/// * The handle is open.
unsafe fn prepare(info: &HSE_TF_INFO) -> Result<Sending, Win32Error> {
    let is_last = info.dwFlags & HSE_IO_DISCONNECT_AFTER_SEND != 0;
    let mut sending = Sending::new(if is_last { Afterwards::Disconnected } else { Afterwards::Open });
    // SAFETY: the caller vouches for the handle.
    let file = Arc::new(unsafe { handle::duplicate(info.hFile) }?);
    let range = FileRange::new(file, u64::from(info.Offset), u64::from(info.BytesToWrite))?;
    if info.dwFlags & HSE_IO_SEND_HEADERS == 0 {
        push(&mut sending, info.pHead, info.HeadLength)?;
    }
    sending.push(Part::File(range));
    push(&mut sending, info.pTail, info.TailLength)?;
    Ok(sending)
}

/// Adds data that may be missing. Its length counts only when there is some.
fn push(sending: &mut Sending, start: *const c_void, length: u32) -> Result<(), Win32Error> {
    if !start.is_null() && length > 0 {
        sending.push(Part::Memory(LentBytes::new(start, 0, u64::from(length))?));
    }
    Ok(())
}

/// Copies of status and headers, if the struct is to send a head.
///
/// # Safety
/// * With SEND_HEADERS, status and head are null or end with a NUL.
unsafe fn head(info: &HSE_TF_INFO) -> Result<Option<Head>, Win32Error> {
    if info.dwFlags & HSE_IO_SEND_HEADERS == 0 {
        return Ok(None);
    }
    // SAFETY: the caller vouches for both.
    let (status, block) = unsafe {
        let status = raw::text(info.pszStatusCode, raw::MAX_TEXT)?;
        (status, raw::text(info.pHead.cast(), raw::MAX_TEXT)?)
    };
    Ok(Some(Head::copy(status.unwrap_or_default(), block.unwrap_or_default())))
}

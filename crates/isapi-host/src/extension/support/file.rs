//! TRANSMIT_FILE (1006): sends a part of an open file.

use std::fs::File;
use std::sync::Arc;

use isapi_abi::HANDLE;
use isapi_abi::httpext::{HSE_IO_ASYNC, HSE_IO_DISCONNECT_AFTER_SEND, HSE_IO_SEND_HEADERS, HSE_TF_INFO};

use super::Arguments;
use crate::extension::completion::{Callback, Operation};
use crate::extension::raw;
use crate::extension::session::Session;
use crate::extension::transmit::Transmission;
use crate::extension::win32::Win32Error;

/// Sends as the struct in the buffer says: at once with HSE_IO_ASYNC, otherwise before it returns.
///
/// # Safety
/// * As the contract says for request 1006.
pub(super) unsafe fn transmit(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and all in it.
    let (info, mut transmission) = unsafe {
        let info = raw::read(arguments.buffer.cast::<HSE_TF_INFO>())?;
        (info, prepare(&info)?)
    };
    transmission.disconnect = info.dwFlags & HSE_IO_DISCONNECT_AFTER_SEND != 0;
    let disconnect = transmission.disconnect;
    let send_head = || {
        if info.dwFlags & HSE_IO_SEND_HEADERS == 0 {
            if disconnect {
                session.response().close_behind();
            }
            return Ok(());
        }
        // SAFETY: the flag makes both of them NUL-terminated strings or null, says the contract.
        let (status, block) = unsafe {
            let status = raw::text(info.pszStatusCode, raw::MAX_TEXT)?;
            (status, raw::text(info.pHead.cast(), raw::MAX_TEXT)?)
        };
        let keep = disconnect.then_some(false);
        session.response().send_head(status.unwrap_or_default(), block.unwrap_or_default(), keep)
    };
    if info.dwFlags & HSE_IO_ASYNC == 0 {
        send_head()?;
        return Ok(transmission.send(session)?);
    }
    let own = Callback::new(info.pfnHseIO, info.pContext);
    session.begin(Operation { own, partial: true })?;
    send_head().inspect_err(|_| session.withdraw())?;
    transmission.start(session);
    Ok(())
}

/// The file, its range, and the data before and behind it.
///
/// # Safety
/// * The handle is open, and head and tail are valid.
unsafe fn prepare(info: &HSE_TF_INFO) -> Result<Transmission, Win32Error> {
    // SAFETY: the caller vouches for the handle.
    let file = unsafe { duplicate(info.hFile) }?;
    let mut transmission = Transmission::new(file, u64::from(info.Offset), u64::from(info.BytesToWrite))?;
    // SAFETY: the caller vouches for both.
    let (head, tail) = unsafe {
        let head_length = if info.dwFlags & HSE_IO_SEND_HEADERS == 0 { info.HeadLength } else { 0 };
        let head = raw::bytes(info.pHead, optional(info.pHead, head_length))?;
        (head, raw::bytes(info.pTail, optional(info.pTail, info.TailLength))?)
    };
    transmission.enclose(head.to_vec(), tail.to_vec());
    Ok(transmission)
}

/// A length that counts only when there is something.
fn optional(start: *mut std::ffi::c_void, length: u32) -> u32 {
    if start.is_null() { 0 } else { length }
}

/// A file of our own over the module's descriptor.
///
/// # Safety
/// * A handle that is a valid descriptor stays open during the call.
#[cfg(unix)]
unsafe fn duplicate(handle: HANDLE) -> Result<File, Win32Error> {
    use std::os::fd::{BorrowedFd, RawFd};
    let descriptor = RawFd::try_from(handle.addr().cast_signed()).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    if descriptor < 0 {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: not negative, and kept open by the caller; a number that is not open makes the duplication fail.
    let borrowed = unsafe { BorrowedFd::borrow_raw(descriptor) };
    borrowed.try_clone_to_owned().map(File::from).map_err(|_| Win32Error::INVALID_PARAMETER)
}

/// A file of our own over the module's handle.
///
/// # Safety
/// * The handle stays open during the call.
#[cfg(windows)]
unsafe fn duplicate(handle: HANDLE) -> Result<File, Win32Error> {
    use std::os::windows::io::BorrowedHandle;
    if handle.is_null() {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: not null, and kept open by the caller; one that is not open makes the duplication fail.
    let borrowed = unsafe { BorrowedHandle::borrow_raw(handle) };
    borrowed.try_clone_to_owned().map(File::from).map_err(|_| Win32Error::INVALID_PARAMETER)
}

//! Open files that a module names by handle.

use std::fs::File;

use isapi_abi::HANDLE;

use crate::win32::Win32Error;

/// A file of our own over the module's descriptor.
///
/// # Errors
/// 87 when the handle is none.
///
/// # Safety
/// * A handle that is a valid descriptor stays open during the call.
#[cfg(unix)]
pub(super) unsafe fn duplicate(handle: HANDLE) -> Result<File, Win32Error> {
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
/// # Errors
/// 87 when the handle is none.
///
/// # Safety
/// * The handle stays open during the call.
#[cfg(windows)]
pub(super) unsafe fn duplicate(handle: HANDLE) -> Result<File, Win32Error> {
    use std::os::windows::io::BorrowedHandle;
    if handle.is_null() {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: not null, and kept open by the caller; one that is not open makes the duplication fail.
    let borrowed = unsafe { BorrowedHandle::borrow_raw(handle) };
    borrowed.try_clone_to_owned().map(File::from).map_err(|_| Win32Error::INVALID_PARAMETER)
}

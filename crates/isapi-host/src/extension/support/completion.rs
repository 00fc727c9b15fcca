//! IO_COMPLETION (1005): registers the callback to which asynchronous operations report.

use std::mem;

use isapi_abi::httpext::PFN_HSE_IO_COMPLETION;

use super::Arguments;
use crate::extension::completion::Callback;
use crate::extension::session::Session;
use crate::win32::Win32Error;

/// The function in the buffer, its context in the data type; a null function unregisters.
///
/// # Safety
/// * As the contract says for request 1005.
pub(super) unsafe fn register(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches that this is a completion callback or null, which are the values of the type.
    let function = unsafe { mem::transmute::<*mut std::ffi::c_void, PFN_HSE_IO_COMPLETION>(arguments.buffer) };
    session.register(Callback::new(function, arguments.data_type.cast()));
    Ok(())
}

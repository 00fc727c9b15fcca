//! ASYNC_READ_CLIENT (1010): starts to read the request's body.

use std::sync::Arc;

use isapi_abi::httpext::HSE_IO_ASYNC;

use super::Arguments;
use crate::extension::lent::LentRoom;
use crate::extension::session::Session;
use crate::raw;
use crate::win32::Win32Error;

/// Reads into the buffer as many bytes as its size allows; the completion tells how many came.
///
/// # Safety
/// * As the contract says for request 1010.
pub(super) unsafe fn start(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for both numbers, and for the buffer until the completion.
    unsafe {
        if raw::read(arguments.data_type)? != HSE_IO_ASYNC {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        session.read_async(LentRoom::new(arguments.buffer, raw::read(arguments.size)?)?)
    }
}

//! An extension that denies access to everybody, of which filters are told by ACCESS_DENIED.
#![expect(unsafe_code, reason = "is called with a control block")]

use std::ptr::null_mut;

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_REQ_SEND_RESPONSE_HEADER, HSE_STATUS_ERROR, HSE_STATUS_SUCCESS};

use super::super::calls::Calls;
use super::super::memory::Memory;

/// `HttpExtensionProc`.
pub(in crate::fuzzing) unsafe extern "system" fn proc(block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    // SAFETY: the host gives a valid block.
    let calls = unsafe { Calls::of(block) };
    let (status, headers) = (Memory::text(b"401 Not you"), Memory::text(b"Content-Length: 0\r\n\r\n"));
    // SAFETY: both texts have their NUL.
    let sent = unsafe { calls.support(HSE_REQ_SEND_RESPONSE_HEADER, status.start(), null_mut(), headers.start()) };
    if sent.is_ok() { HSE_STATUS_SUCCESS } else { HSE_STATUS_ERROR }
}

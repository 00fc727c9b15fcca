//! A module that always gives the same small answer. Behind what other modules did to a connection, it shows whether
//! that is still in order.
#![expect(unsafe_code, reason = "is called with a control block")]

use std::ptr::null_mut;

use http::Method;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_REQ_SEND_RESPONSE_HEADER, HSE_STATUS_ERROR, HSE_STATUS_SUCCESS};

use super::calls::Calls;
use super::memory::Memory;
use super::wire::Played;

const BODY: &[u8] = b"plain";

/// The method of requests to this module.
pub(super) const METHOD: &str = "PLAIN";

/// `HttpExtensionProc`.
pub(super) unsafe extern "system" fn proc(block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    // SAFETY: the host gives a valid block.
    let calls = unsafe { Calls::of(block) };
    let headers = Memory::text(b"Content-Length: 5\r\n\r\n");
    let body = Memory::of(BODY);
    // SAFETY: the headers have their NUL, and the size is that of the body.
    let written = unsafe {
        let head = calls.support(HSE_REQ_SEND_RESPONSE_HEADER, null_mut(), null_mut(), headers.start());
        head.and_then(|()| calls.write(body.start(), Some(&mut body.size()), 0))
    };
    if written.is_ok() { HSE_STATUS_SUCCESS } else { HSE_STATUS_ERROR }
}

/// Checks that this module's answers came out as they went in.
pub(super) fn check(played: &Played) {
    let replies = played.replies();
    let is_ours = |method: &Method| method.as_str() == METHOD;
    for (reply, _) in replies.iter().zip(&played.methods).filter(|(_, method)| is_ours(method)) {
        assert_eq!(reply.status, 200);
        reply.check_body(BODY);
    }
}

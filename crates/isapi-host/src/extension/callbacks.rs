//! The four functions of the control block. Each has three parts: the fence, raw arguments to safe values, and a
//! call of one safe function. They run on whatever thread the module calls from.
//!
//! On failure they return FALSE and leave the Win32 code as the thread's last error.
#![expect(unsafe_code, reason = "foreign code calls these functions with raw pointers")]

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use isapi_abi::fence::fence;
use isapi_abi::httpext::HSE_IO_ASYNC;
use isapi_abi::never_waits::{HSE_IO_DO_NOT_WAIT, HSE_REQ_FINISHING_MORE};
use isapi_abi::{BOOL, FALSE, HCONN, TRUE};

use super::session::Session;
use super::sessions::{SESSIONS, SessionId};
use super::support::{self, Arguments};
use crate::executor;
use crate::raw;
use crate::repeated;
use crate::win32::{Win32Error, set_last_error};

/// Runs a callback's body behind the fence and turns its result into BOOL and last error.
fn answer(body: impl FnOnce() -> Result<(), Win32Error>) -> BOOL {
    match fence(Err(Win32Error::INTERNAL), body) {
        Ok(()) => TRUE,
        Err(error) => {
            set_last_error(error);
            FALSE
        }
    }
}

/// The session that a module means by `conn`.
fn session(conn: HCONN) -> Result<Arc<Session>, Win32Error> {
    let id = SessionId::from_address(conn.addr());
    SESSIONS.find(id).ok_or_else(|| {
        repeated::warn("ISAPI0306", || {
            let handle = conn.addr();
            format!("ISAPI0306 an extension used the connection handle {handle:#x}, which names no request in progress")
        });
        Win32Error::INVALID_PARAMETER
    })
}

/// `GetServerVariable`: copies a variable, or says how much room it needs.
pub(super) unsafe extern "system" fn get_server_variable(
    conn: HCONN,
    name: *mut c_char,
    buffer: *mut c_void,
    size: *mut u32,
) -> BOOL {
    answer(|| {
        let session = session(conn)?;
        // SAFETY: the contract makes `name` a NUL-terminated string.
        let name = unsafe { raw::text(name, raw::MAX_TEXT) }?.ok_or(Win32Error::INVALID_PARAMETER)?;
        // SAFETY: the contract makes `size` the size of `buffer`.
        session.variable(name, |value| unsafe { raw::answer(value, buffer, size) })
    })
}

/// `WriteClient`: sends body bytes, blocking, or asynchronously with HSE_IO_ASYNC.
pub(super) unsafe extern "system" fn write_client(
    conn: HCONN,
    buffer: *mut c_void,
    size: *mut u32,
    flags: u32,
) -> BOOL {
    answer(|| {
        let session = session(conn)?;
        // SAFETY: the contract makes `size` a number, and the size of `buffer`, which stays unchanged meanwhile.
        let data = unsafe { raw::bytes(buffer, raw::read(size)?) }?;
        match flags {
            _ if flags & HSE_IO_ASYNC != 0 => session.write_async(data),
            _ if flags & HSE_IO_DO_NOT_WAIT != 0 => session.write_at_once(data),
            _ => session.write(data),
        }
    })
}

/// `ReadClient`: the next bytes of the body, blocking; none is the end.
pub(super) unsafe extern "system" fn read_client(conn: HCONN, buffer: *mut c_void, size: *mut u32) -> BOOL {
    answer(|| {
        let session = session(conn)?;
        // SAFETY: the contract makes `size` a number, and the size of `buffer`, which is the host's until we return.
        // It need not be initialised.
        let buffer = unsafe { raw::room(buffer, raw::read(size)?) }?;
        let count = session.read(buffer)?;
        // SAFETY: as above; the count is at most what `size` held.
        unsafe { raw::write(size, u32::try_from(count).unwrap_or(u32::MAX)) }
    })
}

/// `ServerSupportFunction`: everything else, by number.
pub(super) unsafe extern "system" fn server_support_function(
    conn: HCONN,
    request: u32,
    buffer: *mut c_void,
    size: *mut u32,
    data_type: *mut u32,
) -> BOOL {
    answer(|| {
        if request == HSE_REQ_FINISHING_MORE {
            executor::finishing_more(!buffer.is_null());
            return Ok(());
        }
        let session = session(conn)?;
        // SAFETY: the module vouches for the arguments that the contract gives this request.
        unsafe { support::serve(&session, request, Arguments { buffer, size, data_type }) }
    })
}

//! The state of request and connection: DONE_WITH_SESSION (4), IS_KEEP_CONN (1008), ABORTIVE_CLOSE (1014),
//! CLOSE_CONNECTION (1017), IS_CONNECTED (1018), IS_IN_PROCESS (1030), GET_TRACE_INFO (1042), SET_FLUSH_FLAG (1043),
//! CANCEL_IO (1049).

use std::hash::{BuildHasher, RandomState};
use std::sync::{Arc, LazyLock};

use isapi_abi::httpext::{HSE_APP_FLAG_IN_PROCESS, HSE_TRACE_INFO};
use isapi_abi::{BOOL, FALSE, TRUE};

use super::Arguments;
use crate::extension::session::Session;
use crate::extension::sessions::SessionId;
use crate::raw;
use crate::win32::Win32Error;

/// The extension is done; a status may be in the buffer.
///
/// # Safety
/// * As the contract says for request 4.
pub(super) unsafe fn done(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    let place = arguments.buffer.cast::<u32>();
    // SAFETY: the caller vouches for the number; null means that there is none.
    let status = if place.is_null() { None } else { Some(unsafe { raw::read(place) }?) };
    session.done(status)
}

/// Whether the connection will be kept, into the buffer.
///
/// # Safety
/// * As the contract says for request 1008.
pub(super) unsafe fn is_keep_conn(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the buffer.
    unsafe { raw::write(arguments.buffer.cast::<BOOL>(), bool_of(session.keeps_connection())) }
}

/// Whether the client is still there, into the buffer.
///
/// # Safety
/// * As the contract says for request 1018.
pub(super) unsafe fn is_connected(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the buffer.
    unsafe { raw::write(arguments.buffer.cast::<BOOL>(), bool_of(session.response().is_connected())) }
}

/// Where the extension runs, into the buffer: in the server's process.
///
/// # Safety
/// * As the contract says for request 1030.
pub(super) unsafe fn is_in_process(arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the buffer.
    unsafe { raw::write(arguments.buffer.cast::<u32>(), HSE_APP_FLAG_IN_PROCESS) }
}

/// The buffer is a flag by value: send at once. Body bytes are never held back here; a head may be.
pub(super) fn set_flush_flag(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    if !arguments.buffer.is_null() {
        session.response().flush_head();
    }
    Ok(())
}

/// Gives the outstanding operation up; it completes with 995.
pub(super) fn cancel_io(session: &Arc<Session>) -> Result<(), Win32Error> {
    session.stop_outstanding(Win32Error::ABORTED)
}

/// From now on the connection ends with a reset, whenever it ends.
pub(super) fn abortive_close(session: &Session) -> Result<(), Win32Error> {
    session.reset_on_close()
}

/// The request's identity, into the buffer. It is never traced, since there is no tracing; but the identity is good for
/// telling requests apart in logs of the module's own.
///
/// # Safety
/// * As the contract says for request 1042.
pub(super) unsafe fn get_trace_info(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    let info =
        HSE_TRACE_INFO { fTraceRequest: FALSE, TraceContextId: trace_id(session.id()), dwReserved1: 0, dwReserved2: 0 };
    // SAFETY: the caller vouches for the buffer.
    unsafe { raw::write(arguments.buffer.cast::<HSE_TRACE_INFO>(), info) }
}

/// Random for the process, then the name of the session, which no other session of the process has.
fn trace_id(id: SessionId) -> [u8; 16] {
    static PROCESS: LazyLock<u64> = LazyLock::new(|| RandomState::new().hash_one(std::process::id()));
    let mut bytes = [0; 16];
    bytes[..8].copy_from_slice(&PROCESS.to_le_bytes());
    bytes[8..].copy_from_slice(&(id.to_address() as u64).to_le_bytes());
    bytes
}

/// Breaks the connection now.
pub(super) fn close_connection(session: &Arc<Session>) -> Result<(), Win32Error> {
    session.close_connection()
}

/// The promise that [`HSE_REQ_NEVER_WAITS`](isapi_abi::never_waits::HSE_REQ_NEVER_WAITS) asks for, into the buffer.
///
/// # Safety
/// * The buffer is a DWORD or null.
pub(super) unsafe fn never_waits(arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the buffer.
    unsafe { raw::write(arguments.buffer.cast::<u32>(), 1) }
}

fn bool_of(value: bool) -> BOOL {
    if value { TRUE } else { FALSE }
}

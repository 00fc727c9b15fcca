//! ServerSupportFunction: one function for each request number, and what we say to those we do not know.
//!
//! Each function turns its raw arguments into safe values and calls the session. Which argument means what is said
//! in the contract, chapter 3, by number.
#![expect(unsafe_code, reason = "each request gives its own meaning to raw arguments")]

mod completion;
mod custom_error;
mod exec_url;
mod file;
mod handle;
mod headers;
mod log;
mod mapping;
mod reading;
mod state;
mod vector;

use std::ffi::c_void;
use std::sync::Arc;

use isapi_abi::httpext as hse;
use isapi_abi::never_waits::HSE_REQ_NEVER_WAITS;

use super::session::Session;
use crate::repeated;
use crate::win32::Win32Error;

/// The three arguments whose meaning depends on the request.
#[derive(Clone, Copy)]
pub(super) struct Arguments {
    pub(super) buffer: *mut c_void,
    pub(super) size: *mut u32,
    pub(super) data_type: *mut u32,
}

/// Does what `request` asks.
///
/// # Errors
/// As the contract says for each; 50 for what this host does not do, 87 for what nobody knows.
///
/// # Safety
/// * Each argument is null, or valid for what the contract says of it under this request.
pub(super) unsafe fn serve(session: &Arc<Session>, request: u32, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: each function asks for what the caller vouches for.
    unsafe {
        match request {
            hse::HSE_REQ_SEND_URL_REDIRECT_RESP | hse::HSE_REQ_SEND_URL => headers::redirect(session, arguments),
            hse::HSE_REQ_SEND_RESPONSE_HEADER => headers::send(session, arguments),
            hse::HSE_REQ_SEND_RESPONSE_HEADER_EX => headers::send_ex(session, arguments),
            hse::HSE_REQ_DONE_WITH_SESSION => state::done(session, arguments),
            hse::HSE_REQ_IO_COMPLETION => completion::register(session, arguments),
            hse::HSE_REQ_ASYNC_READ_CLIENT => reading::start(session, arguments),
            hse::HSE_REQ_CANCEL_IO => state::cancel_io(session),
            hse::HSE_REQ_VECTOR_SEND => vector::send(session, arguments),
            hse::HSE_REQ_TRANSMIT_FILE => file::transmit(session, arguments),
            hse::HSE_REQ_MAP_URL_TO_PATH => mapping::map(session, arguments),
            hse::HSE_REQ_MAP_URL_TO_PATH_EX => mapping::map_ex(session, arguments),
            hse::HSE_REQ_MAP_UNICODE_URL_TO_PATH => mapping::map_unicode(session, arguments),
            hse::HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX => mapping::map_unicode_ex(session, arguments),
            hse::HSE_REQ_NORMALIZE_URL => mapping::normalise(arguments),
            hse::HSE_REQ_SEND_CUSTOM_ERROR => custom_error::send(session, arguments),
            hse::HSE_REQ_EXEC_URL => exec_url::run(session, arguments),
            hse::HSE_REQ_EXEC_UNICODE_URL => exec_url::run_unicode(session, arguments),
            hse::HSE_REQ_GET_EXEC_URL_STATUS => exec_url::status(session, arguments),
            hse::HSE_REQ_ABORTIVE_CLOSE => state::abortive_close(session),
            hse::HSE_REQ_GET_TRACE_INFO => state::get_trace_info(session, arguments),
            hse::HSE_APPEND_LOG_PARAMETER => log::append(session, arguments),
            hse::HSE_REQ_REPORT_UNHEALTHY => log::report_unhealthy(session, arguments),
            hse::HSE_REQ_IS_KEEP_CONN => state::is_keep_conn(session, arguments),
            hse::HSE_REQ_IS_CONNECTED => state::is_connected(session, arguments),
            hse::HSE_REQ_IS_IN_PROCESS => state::is_in_process(arguments),
            HSE_REQ_NEVER_WAITS => state::never_waits(arguments),
            hse::HSE_REQ_SET_FLUSH_FLAG => state::set_flush_flag(session, arguments),
            hse::HSE_REQ_CLOSE_CONNECTION => state::close_connection(session),
            _ => refuse(session, request),
        }
    }
}

/// Answers a request that this host does not serve, and says so in the log.
fn refuse(session: &Session, request: u32) -> Result<(), Win32Error> {
    let error = if is_in_contract(request) { Win32Error::NOT_SUPPORTED } else { Win32Error::INVALID_PARAMETER };
    // A module that asks once asks with every request.
    repeated::warn(("ISAPI0307", session.extension().path(), request), || {
        let asked = session.describe();
        let answer = error.0;
        format!(
            "ISAPI0307 {asked} asked for the support function {request}, which is not available; answered with {answer}"
        )
    });
    Err(error)
}

/// Whether `request` is one that the contract lists.
fn is_in_contract(request: u32) -> bool {
    matches!(
        request,
        hse::HSE_REQ_GET_SSPI_INFO
            | hse::HSE_REQ_REFRESH_ISAPI_ACL
            | hse::HSE_REQ_GET_IMPERSONATION_TOKEN
            | hse::HSE_REQ_GET_CERT_INFO_EX
            | hse::HSE_REQ_GET_ANONYMOUS_TOKEN
            | hse::HSE_REQ_GET_CACHE_INVALIDATION_CALLBACK..=hse::HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN
            | hse::HSE_REQ_GET_TRACE_INFO_EX
                ..=hse::HSE_REQ_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK
            | hse::HSE_REQ_GET_CHANNEL_BINDING_TOKEN
    )
}

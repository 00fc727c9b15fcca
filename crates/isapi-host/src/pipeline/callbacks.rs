//! The functions of a filter's context and of its header structs. Each has three parts: the fence, raw arguments to safe
//! values, and a call of one safe function.
//!
//! On failure they return FALSE, or null, and leave the Win32 code as the thread's last error.
#![expect(unsafe_code, reason = "foreign code calls these functions with raw pointers")]

use std::ffi::{c_char, c_void};
use std::ptr;
use std::sync::Arc;

use isapi_abi::fence::fence;
use isapi_abi::httpfilt::HTTP_FILTER_CONTEXT;
use isapi_abi::{BOOL, FALSE, HANDLE, TRUE, ULONG_PTR};

use super::context::{Visit, find};
use super::headers;
use super::net_session::NetSession;
use super::request::{FilteredRequest, Message};
use super::sending;
use super::support;
use crate::lock::LockAnyway;
use crate::raw;
use crate::repeated;
use crate::server_variables;
use crate::win32::{Win32Error, set_last_error};

/// Runs a callback's body behind the fence, for the notification that `context` is in.
fn answer(
    context: *mut HTTP_FILTER_CONTEXT,
    body: impl FnOnce(&Arc<NetSession>, &Visit) -> Result<(), Win32Error>,
) -> BOOL {
    let result = fence(Err(Win32Error::INTERNAL), || {
        let (session, visit) = find(context)?;
        body(&session, &visit)
    });
    match result {
        Ok(()) => TRUE,
        Err(error) => {
            set_last_error(error);
            FALSE
        }
    }
}

/// The text at `text`, which must be there.
///
/// # Safety
/// * Unless null, `text` ends with a NUL and stays unchanged for `'a`.
unsafe fn text<'a>(text: *const c_char) -> Result<&'a [u8], Win32Error> {
    // SAFETY: the caller vouches for it.
    unsafe { raw::text(text, raw::MAX_TEXT) }?.ok_or(Win32Error::INVALID_PARAMETER)
}

/// The request that a notification is about.
fn request(visit: &Visit) -> Result<&Arc<FilteredRequest>, Win32Error> {
    visit.request.as_ref().ok_or(Win32Error::INVALID_PARAMETER)
}

/// `GetServerVariable`: copies a variable, or says how much room it needs.
pub(super) unsafe extern "system" fn get_server_variable(
    context: *mut HTTP_FILTER_CONTEXT,
    name: *mut c_char,
    buffer: *mut c_void,
    size: *mut u32,
) -> BOOL {
    answer(context, |session, visit| {
        // SAFETY: the contract makes `name` a NUL-terminated string.
        let name = unsafe { text(name) }?;
        let Some(request) = &visit.request else {
            let value = support::connection_variable(session, name).ok_or(Win32Error::INVALID_INDEX)?;
            // SAFETY: the contract makes `size` the size of `buffer`.
            return unsafe { raw::answer(&[value.as_bytes(), b"\0"], buffer, size) };
        };
        let facts = request.facts();
        let value = server_variables::value(&facts, name).ok_or(Win32Error::INVALID_INDEX)?;
        // SAFETY: as above.
        unsafe { raw::answer(&[value.as_bytes(), value.terminator()], buffer, size) }
    })
}

/// `AddResponseHeaders`: header lines for the response.
pub(super) unsafe extern "system" fn add_response_headers(
    context: *mut HTTP_FILTER_CONTEXT,
    lines: *mut c_char,
    _reserved: u32,
) -> BOOL {
    answer(context, |session, visit| {
        // SAFETY: the contract makes `lines` a NUL-terminated string.
        let lines = unsafe { text(lines) }?;
        let mut state = request(visit)?.state.lock_anyway();
        let state = &mut *state;
        let headers = match &mut state.response {
            Some(response) => &mut response.headers,
            None if state.answered => return Err(Win32Error::INVALID_PARAMETER),
            None => &mut state.response_headers,
        };
        headers::add_lines(headers, lines).map_err(|error| refused(session, visit, lines, error))
    })
}

/// `WriteClient`: bytes to the client as they are.
pub(super) unsafe extern "system" fn write_client(
    context: *mut HTTP_FILTER_CONTEXT,
    buffer: *mut c_void,
    size: *mut u32,
    _reserved: u32,
) -> BOOL {
    answer(context, |session, visit| {
        // SAFETY: the contract makes `size` a number, and the size of `buffer`, which stays unchanged meanwhile.
        let data = unsafe { raw::bytes(buffer, raw::read(size)?) }?;
        sending::write(session, visit, data)
    })
}

/// `AllocMem`: memory that the host frees; null when there is none.
pub(super) unsafe extern "system" fn alloc_mem(
    context: *mut HTTP_FILTER_CONTEXT,
    size: u32,
    _reserved: u32,
) -> *mut c_void {
    let allocated = fence(Err(Win32Error::INTERNAL), || {
        let (session, visit) = find(context)?;
        let request = visit.request.as_ref().map_or(0, |request| request.number());
        session.memory.lock_anyway().allocate(size as usize, request)
    });
    allocated.unwrap_or_else(|error| {
        set_last_error(error);
        ptr::null_mut()
    })
}

/// `ServerSupportFunction`: everything else, by number.
pub(super) unsafe extern "system" fn server_support_function(
    context: *mut HTTP_FILTER_CONTEXT,
    request: u32,
    data: *mut c_void,
    ul1: ULONG_PTR,
    _ul2: ULONG_PTR,
) -> BOOL {
    // SAFETY: the module vouches for the arguments that the contract gives this request.
    answer(context, |session, visit| unsafe { support::serve(session, visit, request, data, ul1) })
}

/// `GetHeader`: copies a header, or says how much room it needs.
pub(super) unsafe extern "system" fn get_header(
    context: *mut HTTP_FILTER_CONTEXT,
    name: *mut c_char,
    buffer: *mut c_void,
    size: *mut u32,
) -> BOOL {
    answer(context, |_, visit| {
        // SAFETY: the contract makes `name` a NUL-terminated string.
        let name = unsafe { text(name) }?;
        // SAFETY: the contract makes `size` the size of `buffer`.
        let give = |value: &[u8]| unsafe { raw::answer(&[value, b"\0"], buffer, size) };
        request(visit)?.look(visit.notification, |message| headers::get(message, name, give))
    })
}

/// `SetHeader`: replaces a header, or deletes it by an empty value.
pub(super) unsafe extern "system" fn set_header(
    context: *mut HTTP_FILTER_CONTEXT,
    name: *mut c_char,
    value: *mut c_char,
) -> BOOL {
    // SAFETY: the contract makes both NUL-terminated strings.
    unsafe { change(context, name, value, headers::set) }
}

/// `AddHeader`: adds a header.
pub(super) unsafe extern "system" fn add_header(
    context: *mut HTTP_FILTER_CONTEXT,
    name: *mut c_char,
    value: *mut c_char,
) -> BOOL {
    // SAFETY: the contract makes both NUL-terminated strings.
    unsafe { change(context, name, value, headers::add) }
}

/// Changes a header by `how`.
///
/// # Safety
/// * Unless null, `name` and `value` are NUL-terminated strings.
unsafe fn change(
    context: *mut HTTP_FILTER_CONTEXT,
    name: *mut c_char,
    value: *mut c_char,
    how: impl FnOnce(&mut Message<'_>, &[u8], &[u8]) -> Result<(), Win32Error>,
) -> BOOL {
    answer(context, |session, visit| {
        // SAFETY: the caller vouches for both.
        let (name, value) = unsafe { (text(name)?, raw::text(value, raw::MAX_TEXT)?.unwrap_or_default()) };
        let changed = request(visit)?.change(visit.notification, |message| how(message, name, value));
        changed.map_err(|error| refused(session, visit, &[name, b" ", value].concat(), error))
    })
}

/// `GetUserToken`: there are no tokens here.
pub(super) unsafe extern "system" fn get_user_token(context: *mut HTTP_FILTER_CONTEXT, _token: *mut HANDLE) -> BOOL {
    answer(context, |_, _| Err(Win32Error::NOT_SUPPORTED))
}

/// Reports a header that is refused.
fn refused(session: &NetSession, visit: &Visit, text: &[u8], error: Win32Error) -> Win32Error {
    let filter = session.chain().filters()[visit.position].name();
    repeated::warn(("ISAPI0335", filter), || {
        let (text, notification) = (text[..text.len().min(200)].escape_ascii(), visit.notification.name());
        format!(
            "ISAPI0335 the filter {filter} set the header \"{text}\" in {notification}, which is refused: a name ends with a \
             colon (or is url, method, version, status), a value has no line break, a url begins with a slash, and how a \
             response is framed is the server's business"
        )
    });
    error
}

//! The functions of a filter's context and of its header structs as a filter calls them, with the answer and the last
//! error as one result.
#![expect(unsafe_code, reason = "calls the host as foreign code does")]

use std::ffi::{c_char, c_void};
use std::ptr::{null_mut, without_provenance_mut};

use isapi_abi::httpfilt::{
    HTTP_FILTER_CONTEXT, HTTP_FILTER_PREPROC_HEADERS, PFN_SF_ADDHEADER, PFN_SF_ADDRESPONSEHEADERS, PFN_SF_ALLOCMEM,
    PFN_SF_GETHEADER, PFN_SF_GETSERVERVARIABLE, PFN_SF_GETUSERTOKEN, PFN_SF_SERVERSUPPORTFUNCTION, PFN_SF_SETHEADER,
    PFN_SF_WRITECLIENT,
};

use super::super::calls::{Called, answered, pointer, start};
use super::super::memory::Memory;

/// The functions, and the context that they are called with. It outlives the notification, as in filters that keep it.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    pub(super) context: *mut HTTP_FILTER_CONTEXT,
    get_server_variable: PFN_SF_GETSERVERVARIABLE,
    add_response_headers: PFN_SF_ADDRESPONSEHEADERS,
    write_client: PFN_SF_WRITECLIENT,
    alloc_mem: PFN_SF_ALLOCMEM,
    server_support_function: PFN_SF_SERVERSUPPORTFUNCTION,
}

// SAFETY: the context is an address to us, and the functions may be called on any thread.
unsafe impl Send for Calls {}

/// Those of the structs that bring headers. They are the same in all of them.
#[derive(Clone, Copy)]
pub(super) struct HeaderCalls {
    get: PFN_SF_GETHEADER,
    set: PFN_SF_SETHEADER,
    add: PFN_SF_ADDHEADER,
}

const WHY: &str = "the host fills all of them";

impl Calls {
    /// The functions of `context`.
    ///
    /// # Safety
    /// * The context is valid.
    pub(super) unsafe fn of(context: *mut HTTP_FILTER_CONTEXT) -> Self {
        // SAFETY: the caller vouches for it.
        let functions = unsafe { &*context };
        Calls {
            context,
            get_server_variable: functions.GetServerVariable,
            add_response_headers: functions.AddResponseHeaders,
            write_client: functions.WriteClient,
            alloc_mem: functions.AllocMem,
            server_support_function: functions.ServerSupportFunction,
        }
    }

    /// The same functions with something else for the context.
    pub(super) fn with(self, context: *mut HTTP_FILTER_CONTEXT) -> Self {
        Calls { context, ..self }
    }

    /// `GetServerVariable`. The size becomes that of the value.
    pub(super) fn variable(&self, name: Option<&Memory>, room: Option<&Memory>, size: Option<&mut u32>) -> Called {
        let call = self.get_server_variable.expect(WHY);
        // SAFETY: the name has its NUL, and the size is that of the room.
        answered(|| unsafe { call(self.context, start(name).cast(), start(room), pointer(size)) })
    }

    /// `AddResponseHeaders`.
    pub(super) fn add_lines(&self, lines: Option<&Memory>) -> Called {
        let call = self.add_response_headers.expect(WHY);
        // SAFETY: the lines have their NUL.
        answered(|| unsafe { call(self.context, start(lines).cast(), 0) })
    }

    /// `WriteClient`.
    pub(super) fn write(&self, data: Option<&Memory>, with_size: bool) -> Called {
        let call = self.write_client.expect(WHY);
        let mut size = data.map_or(0, Memory::size);
        // SAFETY: the size is that of the data.
        answered(|| unsafe { call(self.context, start(data), pointer(with_size.then_some(&mut size)), 0) })
    }

    /// `AllocMem`; the address, or null.
    pub(super) fn allocate(&self, size: u32) -> *mut c_void {
        let call = self.alloc_mem.expect(WHY);
        // SAFETY: the host looks the context up.
        unsafe { call(self.context, size, 0) }
    }

    /// `ServerSupportFunction`.
    ///
    /// # Safety
    /// * Both arguments are what the contract says of them under this request.
    pub(super) unsafe fn support(&self, request: u32, data: *mut c_void, number: usize) -> Called {
        let call = self.server_support_function.expect(WHY);
        // SAFETY: the caller vouches for it.
        answered(|| unsafe { call(self.context, request, data, number, 0) })
    }

    /// `GetUserToken`.
    pub(super) fn user_token(&self, function: PFN_SF_GETUSERTOKEN) -> Called {
        let (call, mut token) = (function.expect(WHY), null_mut());
        // SAFETY: the token is ours and writable.
        answered(|| unsafe { call(self.context, &raw mut token) })
    }

    /// Calls one function after the other, each with harmless arguments; none may be served.
    pub(super) fn expect_refusal(&self) {
        let (name, lines) = (Memory::text(b"URL"), Memory::text(b"X: y\r\n"));
        assert!(self.variable(Some(&name), None, Some(&mut 0)).is_err(), "a variable outside of a notification");
        assert!(self.add_lines(Some(&lines)).is_err(), "headers outside of a notification");
        assert!(self.write(Some(&name), true).is_err(), "bytes to the client outside of a notification");
        assert!(self.allocate(10).is_null(), "memory outside of a notification");
        // SAFETY: this request has no arguments but its number.
        let disabled = unsafe { self.support(isapi_abi::httpfilt::SF_REQ_DISABLE_NOTIFICATIONS, null_mut(), 0) };
        assert!(disabled.is_err(), "a request of ServerSupportFunction outside of a notification");
    }
}

impl HeaderCalls {
    /// The functions of `headers`.
    pub(super) fn of(headers: &HTTP_FILTER_PREPROC_HEADERS) -> Self {
        HeaderCalls { get: headers.GetHeader, set: headers.SetHeader, add: headers.AddHeader }
    }

    /// `GetHeader`. The size becomes that of the value.
    pub(super) fn get(
        self,
        calls: &Calls,
        name: Option<&Memory>,
        room: Option<&Memory>,
        size: Option<&mut u32>,
    ) -> Called {
        let call = self.get.expect(WHY);
        // SAFETY: the name has its NUL, and the size is that of the room.
        answered(|| unsafe { call(calls.context, start(name).cast(), start(room), pointer(size)) })
    }

    /// `SetHeader`.
    pub(super) fn set(self, calls: &Calls, name: Option<&Memory>, value: Option<&Memory>) -> Called {
        let call = self.set.expect(WHY);
        // SAFETY: both have their NUL.
        answered(|| unsafe { call(calls.context, start(name).cast::<c_char>(), start(value).cast::<c_char>()) })
    }

    /// `AddHeader`.
    pub(super) fn add(self, calls: &Calls, name: Option<&Memory>, value: Option<&Memory>) -> Called {
        let call = self.add.expect(WHY);
        // SAFETY: both have their NUL.
        answered(|| unsafe { call(calls.context, start(name).cast::<c_char>(), start(value).cast::<c_char>()) })
    }
}

/// An address that is no context's.
pub(super) fn no_context(which: u8) -> *mut HTTP_FILTER_CONTEXT {
    without_provenance_mut(usize::from(which) << 7)
}

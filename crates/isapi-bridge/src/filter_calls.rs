//! The calls of a filter to the server, while a notification lasts.
//!
//! Every call reads the server's error at once. None needs the interpreter; `write` and the response header may block.

use std::borrow::Cow;
use std::ffi::{c_char, c_void};
use std::ptr;

use isapi_abi::ULONG_PTR;
use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_PREPROC_HEADERS, SF_REQ_TYPE};
use isapi_abi::win32::{ERROR_INVALID_PARAMETER, ERROR_NO_DATA, ERROR_NOT_ENOUGH_MEMORY};

use crate::gate::Inside;
use crate::lease::CallError;
use crate::server_calls::{outcome, value_in};

/// What the server lends for a notification: the context, and the data that comes with it.
#[derive(Clone, Copy)]
pub struct Pointers {
    pub context: *mut HTTP_FILTER_CONTEXT,
    pub data: *mut c_void,
}

// SAFETY: the pointers are used only inside the gate of the notification, while the contract keeps them valid.
unsafe impl Send for Pointers {}
// SAFETY: as above; members are read and written under a lock.
unsafe impl Sync for Pointers {}

/// Proof that the notification lasts, with the way to the server.
pub struct Notified<'a> {
    pub pointers: Pointers,
    pub _inside: Inside<'a>,
}

const MISSING: CallError = CallError::Win32(ERROR_INVALID_PARAMETER);

impl Notified<'_> {
    /// `GetServerVariable`: the value with its terminator, in `room` if it fits there.
    pub fn variable<'a>(&self, name: *const c_char, room: &'a mut [u8]) -> Result<Cow<'a, [u8]>, CallError> {
        let context = self.pointers.context;
        // SAFETY: the context is alive while `self` is.
        let function = unsafe { (*context).GetServerVariable }.ok_or(MISSING)?;
        value_in(room, |value, size| {
            // SAFETY: `name` is NUL-terminated and `value` has `size` writable bytes.
            outcome(unsafe { function(context, name.cast_mut(), value.as_mut_ptr().cast(), size) })
        })
    }

    /// `AddResponseHeaders`, with NUL-terminated text.
    pub fn add_response_headers(&self, headers: *mut c_char, reserved: u32) -> Result<(), CallError> {
        // SAFETY: the context is alive while `self` is.
        let function = unsafe { (*self.pointers.context).AddResponseHeaders }.ok_or(MISSING)?;
        // SAFETY: as above; the server only reads the text.
        outcome(unsafe { function(self.pointers.context, headers, reserved) })
    }

    /// `WriteClient`: one call.
    pub fn write(&self, data: &[u8], reserved: u32) -> Result<(), CallError> {
        // SAFETY: the context is alive while `self` is.
        let function = unsafe { (*self.pointers.context).WriteClient }.ok_or(MISSING)?;
        let mut size = u32::try_from(data.len()).map_err(|_| MISSING)?;
        // SAFETY: `data` has `size` bytes, which the server only reads.
        outcome(unsafe { function(self.pointers.context, data.as_ptr().cast_mut().cast(), &mut size, reserved) })
    }

    /// A NUL-terminated copy of `data` in memory from `AllocMem`, which the server frees.
    pub fn copy(&self, data: &[u8]) -> Result<*mut u8, CallError> {
        // SAFETY: the context is alive while `self` is.
        let function = unsafe { (*self.pointers.context).AllocMem }.ok_or(MISSING)?;
        let size = u32::try_from(data.len() + 1).map_err(|_| MISSING)?;
        // SAFETY: as above.
        let memory = unsafe { function(self.pointers.context, size, 0) }.cast::<u8>();
        if memory.is_null() {
            return Err(CallError::Win32(ERROR_NOT_ENOUGH_MEMORY));
        }
        // SAFETY: the server gave one byte more than `data` has; nobody else knows the memory yet.
        unsafe {
            ptr::copy_nonoverlapping(data.as_ptr(), memory, data.len());
            memory.add(data.len()).write(0);
        }
        Ok(memory)
    }

    /// `ServerSupportFunction`.
    ///
    /// # Safety
    /// - The arguments are what `request` wants.
    pub unsafe fn support(
        &self,
        request: SF_REQ_TYPE,
        data: *mut c_void,
        ul1: ULONG_PTR,
        ul2: ULONG_PTR,
    ) -> Result<(), CallError> {
        // SAFETY: the context is alive while `self` is.
        let function = unsafe { (*self.pointers.context).ServerSupportFunction }.ok_or(MISSING)?;
        // SAFETY: the caller vouches for the arguments.
        outcome(unsafe { function(self.pointers.context, request, data, ul1, ul2) })
    }

    /// `GetHeader`: the value with its terminator, in `room` if it fits there.
    ///
    /// # Safety
    /// - The notification's data begins with the functions of `HTTP_FILTER_PREPROC_HEADERS`. So also below.
    pub unsafe fn header<'a>(&self, name: *const c_char, room: &'a mut [u8]) -> Result<Cow<'a, [u8]>, CallError> {
        let context = self.pointers.context;
        // SAFETY: the data is alive while `self` is, and the caller says what it is.
        let function = unsafe { (*self.headers()).GetHeader }.ok_or(MISSING)?;
        let value = value_in(room, |value, size| {
            // SAFETY: `name` is NUL-terminated and `value` has `size` writable bytes.
            outcome(unsafe { function(context, name.cast_mut(), value.as_mut_ptr().cast(), size) })
        })?;
        // Not even a terminator: there is no such header.
        if value.is_empty() { Err(CallError::Win32(ERROR_NO_DATA)) } else { Ok(value) }
    }

    /// `SetHeader`.
    ///
    /// # Safety
    /// - As for [`Notified::header`]; both texts are NUL-terminated.
    pub unsafe fn set_header(&self, name: *mut c_char, value: *mut c_char) -> Result<(), CallError> {
        // SAFETY: the data is alive while `self` is, and the caller says what it is.
        let function = unsafe { (*self.headers()).SetHeader }.ok_or(MISSING)?;
        // SAFETY: the caller vouches for the texts, which the server only reads.
        outcome(unsafe { function(self.pointers.context, name, value) })
    }

    /// `AddHeader`.
    ///
    /// # Safety
    /// - As for [`Notified::set_header`].
    pub unsafe fn add_header(&self, name: *mut c_char, value: *mut c_char) -> Result<(), CallError> {
        // SAFETY: the data is alive while `self` is, and the caller says what it is.
        let function = unsafe { (*self.headers()).AddHeader }.ok_or(MISSING)?;
        // SAFETY: the caller vouches for the texts, which the server only reads.
        outcome(unsafe { function(self.pointers.context, name, value) })
    }

    fn headers(&self) -> *mut HTTP_FILTER_PREPROC_HEADERS {
        self.pointers.data.cast()
    }
}

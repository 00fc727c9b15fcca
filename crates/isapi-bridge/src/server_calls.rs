//! The calls to the server: what a thread can do once it has entered a lease.
//!
//! Every call reads the server's error at once, before anything else can overwrite it, and copies what the
//! server lends. None needs the interpreter; those that move the body may block.

use std::borrow::Cow;
use std::ffi::{CStr, c_char, c_void};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_LOG_BUFFER_LEN};
use isapi_abi::win32::{ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_PARAMETER, ERROR_MORE_DATA};

use crate::lease::{CallError, Entered};

/// A variable longer than this is taken for a server that has lost count.
const MAX_VARIABLE_BYTES: u32 = 256 << 20;

/// A string member of the control block.
#[derive(Clone, Copy)]
pub enum StringMember {
    Method,
    QueryString,
    PathInfo,
    PathTranslated,
    ContentType,
}

impl Entered<'_> {
    /// The control block. Its plain numbers may be read; its strings only through the methods.
    pub fn block(&self) -> *mut EXTENSION_CONTROL_BLOCK {
        self.0.block
    }

    /// Remembers that the response has begun.
    pub fn mark_answered(&self) {
        self.0.answered.store(true, Ordering::Relaxed);
    }

    /// Sets the status for the log.
    pub fn set_status(&self, status: u32) {
        let _alone = self.0.members.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the block is alive while `self` is; the lock keeps other writers away.
        unsafe { (&raw mut (*self.0.block).dwHttpStatusCode).write(status) };
    }

    /// Sets the data for the log.
    pub fn set_log_data(&self, data: [c_char; HSE_LOG_BUFFER_LEN as usize]) {
        let _alone = self.0.members.lock().unwrap_or_else(PoisonError::into_inner);
        // SAFETY: the block is alive while `self` is; the lock keeps other writers away.
        unsafe { (&raw mut (*self.0.block).lpszLogData).write(data) };
    }

    /// A string member, empty when the server gave NULL.
    pub fn string(&self, member: StringMember) -> &[u8] {
        let block = self.0.block;
        // SAFETY: the block is alive while `self` is, and nobody changes these members.
        let text = unsafe {
            match member {
                StringMember::Method => (*block).lpszMethod,
                StringMember::QueryString => (*block).lpszQueryString,
                StringMember::PathInfo => (*block).lpszPathInfo,
                StringMember::PathTranslated => (*block).lpszPathTranslated,
                StringMember::ContentType => (*block).lpszContentType,
            }
        };
        if text.is_null() {
            return &[];
        }
        // SAFETY: the contract makes the string members NUL-terminated and keeps them as long as the block.
        unsafe { CStr::from_ptr(text) }.to_bytes()
    }

    /// The part of the body that came with the block.
    pub fn available_data(&self) -> &[u8] {
        // SAFETY: the block is alive while `self` is.
        let (data, len) = unsafe { ((*self.0.block).lpbData, (*self.0.block).cbAvailable) };
        if data.is_null() || len == 0 {
            return &[];
        }
        // SAFETY: `lpbData` has `cbAvailable` bytes for as long as the block lives.
        unsafe { std::slice::from_raw_parts(data, len as usize) }
    }

    /// `WriteClient`: one call; returns the bytes that the server reports as written.
    pub fn write(&self, data: &[u8], flags: u32) -> Result<u32, CallError> {
        // SAFETY: the block is alive while `self` is.
        let (function, connection) = unsafe { ((*self.0.block).WriteClient, (*self.0.block).ConnID) };
        let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        let mut size = u32::try_from(data.len()).map_err(|_| CallError::Win32(ERROR_INVALID_PARAMETER))?;
        // SAFETY: `data` has `size` bytes, which the server only reads.
        outcome(unsafe { function(connection, data.as_ptr().cast_mut().cast(), &mut size, flags) })?;
        self.mark_answered();
        Ok(size)
    }

    /// `ReadClient`: one call that appends at most `wanted` bytes to `body`; 0 at the body's end.
    pub fn read(&self, body: &mut Vec<u8>, wanted: u32) -> Result<u32, CallError> {
        // SAFETY: the block is alive while `self` is.
        let (function, connection) = unsafe { ((*self.0.block).ReadClient, (*self.0.block).ConnID) };
        let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        body.reserve(wanted as usize);
        let mut size = wanted;
        // SAFETY: behind `body`'s end are at least `wanted` writable bytes.
        outcome(unsafe { function(connection, body.as_mut_ptr().add(body.len()).cast(), &mut size) })?;
        let read = size.min(wanted);
        // SAFETY: the server says that it wrote this many bytes there.
        unsafe { body.set_len(body.len() + read as usize) };
        self.0.body_read.fetch_add(read.into(), Ordering::Relaxed);
        Ok(read)
    }

    /// `GetServerVariable`: the value with its terminator, as the server delivers it, in `room` if it fits there.
    pub fn variable<'a>(&self, name: *const c_char, room: &'a mut [u8]) -> Result<Cow<'a, [u8]>, CallError> {
        // SAFETY: the block is alive while `self` is.
        let (function, connection) = unsafe { ((*self.0.block).GetServerVariable, (*self.0.block).ConnID) };
        let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        let fetch = |value: &mut [u8], size: &mut u32| {
            // SAFETY: `name` is NUL-terminated and `value` has `size` writable bytes.
            outcome(unsafe { function(connection, name.cast_mut(), value.as_mut_ptr().cast(), size) })
        };
        value_in(room, fetch)
    }

    /// `ServerSupportFunction`.
    ///
    /// # Safety
    /// The three pointers are what `request` wants, for as long as it wants them.
    pub unsafe fn support(
        &self,
        request: u32,
        buffer: *mut c_void,
        size: *mut u32,
        kind: *mut u32,
    ) -> Result<(), CallError> {
        // SAFETY: `self` keeps the block alive; the caller vouches for the pointers.
        unsafe { support(self.0.block, request, buffer, size, kind) }
    }
}

/// Calls `ServerSupportFunction`.
///
/// # Safety
/// - The block is alive.
/// - The three pointers are what `request` wants, for as long as it wants them.
pub(crate) unsafe fn support(
    block: *mut EXTENSION_CONTROL_BLOCK,
    request: u32,
    buffer: *mut c_void,
    size: *mut u32,
    kind: *mut u32,
) -> Result<(), CallError> {
    // SAFETY: the caller says that the block is alive.
    let (function, connection) = unsafe { ((*block).ServerSupportFunction, (*block).ConnID) };
    let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
    // SAFETY: the caller vouches for the pointers.
    outcome(unsafe { function(connection, request, buffer, size, kind) })
}

/// The value that `fetch` delivers: in `room` if it fits there, else in a buffer that grows.
pub fn value_in(
    room: &mut [u8],
    fetch: impl Fn(&mut [u8], &mut u32) -> Result<(), CallError>,
) -> Result<Cow<'_, [u8]>, CallError> {
    let mut size = u32::try_from(room.len()).unwrap_or(u32::MAX);
    match fetch(room, &mut size) {
        Ok(()) => Ok(Cow::Borrowed(&room[..room.len().min(size as usize)])),
        Err(CallError::Win32(ERROR_INSUFFICIENT_BUFFER | ERROR_MORE_DATA)) => {
            // A server that does not say how much it needs gets twice the room.
            let first = (size as usize).max(room.len() * 2).min(MAX_VARIABLE_BYTES as usize);
            grow(first, |value, size| fetch(value, size)).map(Cow::Owned)
        }
        Err(error) => Err(error),
    }
}

/// Calls `fetch` with growing buffers until the value fits; the result has the length that `fetch` set.
pub fn grow(
    first: usize,
    mut fetch: impl FnMut(&mut Vec<u8>, &mut u32) -> Result<(), CallError>,
) -> Result<Vec<u8>, CallError> {
    let mut value = vec![0_u8; first];
    loop {
        let room = value.len() as u32;
        let mut size = room;
        match fetch(&mut value, &mut size) {
            Ok(()) => {
                value.truncate(size as usize);
                return Ok(value);
            }
            Err(CallError::Win32(ERROR_INSUFFICIENT_BUFFER | ERROR_MORE_DATA)) if room < MAX_VARIABLE_BYTES => {
                // A server that does not say how much it needs gets twice the room.
                value.resize(size.max(room.saturating_mul(2)).min(MAX_VARIABLE_BYTES) as usize, 0);
            }
            Err(error) => return Err(error),
        }
    }
}

/// What a callback's result says; its error is read at once.
pub fn outcome(result: isapi_abi::BOOL) -> Result<(), CallError> {
    if result != isapi_abi::FALSE {
        return Ok(());
    }
    Err(CallError::Win32(errno::errno().0 as u32))
}

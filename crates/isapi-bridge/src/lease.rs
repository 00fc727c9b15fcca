//! The server's request as the bridge holds it: a lease on an `EXTENSION_CONTROL_BLOCK`.
//!
//! The server owns the block and may recycle it as soon as the request ends. A [`Lease`] is made when
//! `HttpExtensionProc` is called and ends once: by `DONE_WITH_SESSION`, or when the entry point returns
//! anything but pending. All Python objects of a request share it. Whoever uses the block enters the lease
//! first, so a thread that is inside a server call when another ends the request finishes its call before
//! the server hears of the end; whoever comes later gets [`CallError::Expired`].
//!
//! Any thread may call; none of the methods needs the interpreter, and those that call the server may block.

use std::ffi::{CStr, c_char, c_void};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_LOG_BUFFER_LEN, HSE_REQ_DONE_WITH_SESSION};
use isapi_abi::win32::{ERROR_INSUFFICIENT_BUFFER, ERROR_INVALID_PARAMETER, ERROR_MORE_DATA};

use pyo3::Python;

use crate::arguments::Data;
use crate::completion::{self, CompletionKey};

/// A variable longer than this is taken for a server that has lost count.
const MAX_VARIABLE_BYTES: u32 = 256 << 20;

/// Why a call to the server gave nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallError {
    /// The request has ended; the server was not asked.
    Expired,
    /// The server refused, with this Win32 error.
    Win32(u32),
}

/// The life of a request. `inside` counts the threads within a server call.
enum Life {
    Open {
        inside: usize,
    },
    /// Ended while threads were inside; the last to leave forwards `done` to the server.
    Closing {
        inside: usize,
        done: Option<u32>,
    },
    Closed,
}

/// See the module.
pub struct Lease {
    block: *mut EXTENSION_CONTROL_BLOCK,
    life: Mutex<Life>,
    all_left: Condvar,
    /// A response head or body went out: no error page can follow.
    answered: AtomicBool,
    /// Body bytes that `ReadClient` has delivered so far.
    pub body_read: AtomicU64,
    /// Body bytes that came before a failure of `ReadClient`: the next call delivers them.
    pub kept: Mutex<Vec<u8>>,
    /// What the outstanding asynchronous write sends; the server reads it until the completion.
    sending: Mutex<Option<Data>>,
    /// Held while one of the block's two writable members is set.
    members: Mutex<()>,
    /// The callback that `IOCompletion` registered.
    pub completion: Mutex<Option<CompletionKey>>,
}

// SAFETY: `block` is used only inside the lease (`enter`), where the contract keeps it valid on any thread.
unsafe impl Send for Lease {}
// SAFETY: as above; the server's callbacks may be called from any thread.
unsafe impl Sync for Lease {}

/// What leaving comes to.
enum Step {
    /// Nothing more to do.
    Left,
    /// The lease is to be closed now, with this status for the server if it has not been told.
    Last(Option<u32>),
}

/// Proof that the request is alive, for as long as it exists. Not to be dropped with the interpreter held: the
/// last one out tells the server.
pub struct Entered<'a>(&'a Lease);

/// As [`Entered`], for a moment's look with the interpreter held.
pub struct Attached<'a, 'py> {
    entered: ManuallyDrop<Entered<'a>>,
    py: Python<'py>,
}

impl<'a> Deref for Attached<'a, '_> {
    type Target = Entered<'a>;

    fn deref(&self) -> &Entered<'a> {
        &self.entered
    }
}

impl Drop for Attached<'_, '_> {
    fn drop(&mut self) {
        let lease = self.entered.0;
        if let Step::Last(done) = lease.step_out() {
            // Whoever asked for the end has long returned; the server's refusal has nobody to go to.
            self.py.detach(|| lease.close(done)).ok();
        }
    }
}

/// A string member of the control block.
#[derive(Clone, Copy)]
pub enum StringMember {
    Method,
    QueryString,
    PathInfo,
    PathTranslated,
    ContentType,
}

impl Lease {
    /// Takes a lease on the request behind `block`.
    ///
    /// # Safety
    /// - `block` points to a control block whose callbacks are all set.
    /// - It stays valid until the server has been told `DONE_WITH_SESSION`, or until [`Lease::retire`] returns.
    pub unsafe fn new(block: *mut EXTENSION_CONTROL_BLOCK) -> Self {
        Self {
            block,
            life: Mutex::new(Life::Open { inside: 0 }),
            all_left: Condvar::new(),
            answered: AtomicBool::new(false),
            body_read: AtomicU64::new(0),
            kept: Mutex::default(),
            sending: Mutex::new(None),
            members: Mutex::new(()),
            completion: Mutex::new(None),
        }
    }

    /// Keeps the request alive while the result exists.
    pub fn enter(&self) -> Result<Entered<'_>, CallError> {
        match &mut *self.life() {
            Life::Open { inside } => {
                *inside += 1;
                Ok(Entered(self))
            }
            Life::Closing { .. } | Life::Closed => Err(CallError::Expired),
        }
    }

    /// As [`Lease::enter`], for a moment's look with the interpreter held.
    pub fn enter_attached<'py>(&self, py: Python<'py>) -> Result<Attached<'_, 'py>, CallError> {
        Ok(Attached { entered: ManuallyDrop::new(self.enter()?), py })
    }

    /// Whether the request has ended.
    pub fn is_done(&self) -> bool {
        !matches!(*self.life(), Life::Open { .. })
    }

    /// Whether a response head or body went out.
    pub fn is_answered(&self) -> bool {
        self.answered.load(Ordering::Relaxed)
    }

    /// Ends the request by `DONE_WITH_SESSION`. With threads inside, the last of them tells the server.
    ///
    /// # Errors
    /// When the request has ended before, or the server refuses; not when another thread tells it later.
    pub fn finish(&self, status: u32) -> Result<(), CallError> {
        {
            let mut life = self.life();
            let Life::Open { inside } = *life else { return Err(CallError::Expired) };
            // This thread counts as inside until the server has answered, so that `retire` waits for it.
            *life = Life::Closing { inside: inside + 1, done: Some(status) };
        }
        match self.step_out() {
            Step::Last(done) => self.close(done),
            Step::Left => Ok(()),
        }
    }

    /// Ends the lease because the entry point returns; waits for threads that are inside.
    pub fn retire(&self) {
        let mut life = self.life();
        if let Life::Open { inside } = *life {
            *life = if inside == 0 { Life::Closed } else { Life::Closing { inside, done: None } };
        }
        while matches!(*life, Life::Closing { .. }) {
            life = self.all_left.wait(life).unwrap_or_else(PoisonError::into_inner);
        }
        drop(life);
        self.forget_completion();
    }

    /// One thread leaves. The last one out of a closing lease stays counted until it has called `close`.
    fn step_out(&self) -> Step {
        match &mut *self.life() {
            Life::Open { inside } => *inside -= 1,
            Life::Closing { inside, .. } if *inside > 1 => *inside -= 1,
            Life::Closing { done, .. } => return Step::Last(done.take()),
            Life::Closed => {}
        }
        Step::Left
    }

    /// Tells the server of the end if that is due, and closes the lease. May block.
    fn close(&self, done: Option<u32>) -> Result<(), CallError> {
        let outcome = done.map_or(Ok(()), |status| self.forward_done(status));
        *self.life() = Life::Closed;
        self.all_left.notify_all();
        outcome
    }

    fn forward_done(&self, mut status: u32) -> Result<(), CallError> {
        self.forget_completion();
        let status = ptr::from_mut(&mut status).cast();
        // SAFETY: this thread still counts as inside, so the block is the request's until the server is told here.
        unsafe { self.support(HSE_REQ_DONE_WITH_SESSION, status, ptr::null_mut(), ptr::null_mut()) }
    }

    /// With a write outstanding the entry stays for its completion, which frees the buffer.
    fn forget_completion(&self) {
        if self.sending().is_some() {
            return;
        }
        let key = self.completion.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(key) = key {
            completion::forget(key);
        }
    }

    /// The buffer of the outstanding asynchronous write.
    pub fn sending(&self) -> MutexGuard<'_, Option<Data>> {
        self.sending.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn life(&self) -> MutexGuard<'_, Life> {
        self.life.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Calls `ServerSupportFunction` and reads the error at once, before anything can overwrite it.
    ///
    /// # Safety
    /// - The block is alive.
    /// - The three pointers are what `request` wants.
    unsafe fn support(
        &self,
        request: u32,
        buffer: *mut c_void,
        size: *mut u32,
        kind: *mut u32,
    ) -> Result<(), CallError> {
        // SAFETY: the caller says that the block is alive.
        let (function, connection) = unsafe { ((*self.block).ServerSupportFunction, (*self.block).ConnID) };
        let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        // SAFETY: the caller vouches for the pointers.
        outcome(unsafe { function(connection, request, buffer, size, kind) })
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // Ended without waiting for the completion: the server may still read the buffer, so it is never freed.
        std::mem::forget(self.sending.get_mut().unwrap_or_else(PoisonError::into_inner).take());
    }
}

impl Drop for Entered<'_> {
    fn drop(&mut self) {
        if let Step::Last(done) = self.0.step_out() {
            // Whoever asked for the end has long returned; the server's refusal has nobody to go to.
            self.0.close(done).ok();
        }
    }
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

    /// `GetServerVariable`: the value with its terminator, as the server delivers it.
    pub fn variable(&self, name: *const c_char) -> Result<Vec<u8>, CallError> {
        // SAFETY: the block is alive while `self` is.
        let (function, connection) = unsafe { ((*self.0.block).GetServerVariable, (*self.0.block).ConnID) };
        let function = function.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        grow(512, |value, size| {
            // SAFETY: `name` is NUL-terminated and `value` has `size` writable bytes.
            outcome(unsafe { function(connection, name.cast_mut(), value.as_mut_ptr().cast(), size) })
        })
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
        unsafe { self.0.support(request, buffer, size, kind) }
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

fn outcome(result: isapi_abi::BOOL) -> Result<(), CallError> {
    if result != isapi_abi::FALSE {
        return Ok(());
    }
    Err(CallError::Win32(errno::errno().0 as u32))
}

//! Asynchronous reading of the body (`HSE_REQ_ASYNC_READ_CLIENT`).
//!
//! The buffer is ours: the server writes into it on its own threads, Python sees a copy of what has come. It is
//! neither read nor freed before the completion.

use std::cell::UnsafeCell;
use std::ffi::c_void;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

use isapi_abi::httpext::{HSE_IO_ASYNC, HSE_REQ_ASYNC_READ_CLIENT};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::asynchronous::Callback;
use crate::control_block::ControlBlock;
use crate::lease::{CallError, Entered, Lease};
use crate::operation::{Kept, Operation};

/// The most that one read asks for, in bytes.
const MAX_READ: u64 = 1024 * 1024;

/// One read: what the server is given.
pub struct Reading {
    buffer: Box<[UnsafeCell<u8>]>,
    size: UnsafeCell<u32>,
    kind: UnsafeCell<u32>,
}

// SAFETY: between start and completion only the server touches the contents, afterwards only the completion.
unsafe impl Sync for Reading {}

impl Reading {
    fn new(size: u32) -> Self {
        Self {
            buffer: (0..size).map(|_| UnsafeCell::new(0)).collect(),
            size: UnsafeCell::new(size),
            kind: UnsafeCell::new(HSE_IO_ASYNC),
        }
    }

    fn start(&self, entered: &Entered<'_>) -> Result<(), CallError> {
        let buffer = UnsafeCell::raw_get(self.buffer.as_ptr()).cast::<c_void>();
        // SAFETY: the request writes at most `size` bytes to the buffer; all three live until the completion.
        unsafe { entered.support(HSE_REQ_ASYNC_READ_CLIENT, buffer, self.size.get(), self.kind.get()) }
    }

    /// What has come; nothing after an error. Called once, by the completion.
    pub fn finish(&self, lease: &Lease, bytes: u32, error: u32) -> Vec<u8> {
        if error != 0 {
            return Vec::new();
        }
        let count = self.buffer.len().min(bytes as usize);
        lease.body_read.fetch_add(count as u64, Ordering::Relaxed);
        // What a `ReadClient` had read before it failed comes first.
        let mut body = std::mem::take(&mut *lease.kept.lock().unwrap_or_else(PoisonError::into_inner));
        let start = UnsafeCell::raw_get(self.buffer.as_ptr());
        // SAFETY: the server has completed and writes no more; the buffer has `count` bytes.
        body.extend_from_slice(unsafe { std::slice::from_raw_parts(start, count) });
        body
    }
}

impl ControlBlock {
    pub(crate) fn async_read_client(&self, py: Python<'_>, size: i64, callback: Callback<'_, '_>) -> PyResult<()> {
        let size = u64::try_from(size).ok().filter(|&size| size > 0);
        let size = size.ok_or_else(|| PyValueError::new_err("the size must be positive"))?;
        let target = self.recipient(py, "AsyncReadClient", callback)?;
        // At the end of the body the server is asked all the same, for it to say so in a completion.
        let left = self.body_left().filter(|&left| left > 0).unwrap_or(MAX_READ);
        let reading = Arc::new(Reading::new(size.min(left).min(MAX_READ) as u32));
        let operation = Operation::new(target, Kept::Reading(reading.clone()));
        let function = "ServerSupportFunction(HSE_REQ_ASYNC_READ_CLIENT)";
        self.start(py, function, operation, |entered| reading.start(entered))
    }
}

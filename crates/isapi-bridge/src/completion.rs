//! Asynchronous operations: from the server's completion to the script's callback.
//!
//! The server is given a slot number with a generation as its context, never a pointer: a completion that
//! comes after the request ended, or twice, finds nothing and is ignored. An [`Operation`] keeps what Python
//! handed over (callback, argument, buffers, file) alive until the server is done with it.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError};

use isapi_abi::fence::fence;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_REQ_IO_COMPLETION, HSE_STATUS_ERROR, HSE_TF_INFO};
use pyo3::prelude::*;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};

use crate::arguments::{Data, Text};
use crate::attach::attach;
use crate::control_block::ControlBlock;
use crate::failure::{CALLBACK_FAILED, Failure};
use crate::lease::{CallError, Lease};

/// Names an [`Operation`] to the server.
pub type CompletionKey = DefaultKey;

/// What is kept until the completion.
pub struct Operation {
    pub lease: Arc<Lease>,
    pub callback: Py<PyAny>,
    pub argument: Py<PyAny>,
    /// The method that started it, for the log.
    pub method: &'static str,
    /// What `TransmitFile` sends; `None` for a callback registered by `IOCompletion`.
    pub transmission: Option<Transmission>,
}

/// The memory and the file of one `TransmitFile`.
#[expect(dead_code, reason = "the members are kept alive for `info`, which points into them")]
pub struct Transmission {
    pub status: Text,
    pub head: Option<Data>,
    pub tail: Option<Data>,
    /// The object given as file, so that it is not closed under the server.
    pub file: Py<PyAny>,
    /// Points into the members above.
    pub info: Box<HSE_TF_INFO>,
}

// SAFETY: the pointers of `info` lead into the other members, which stay as they are until the completion.
unsafe impl Send for Transmission {}
// SAFETY: as above; nothing changes a transmission once it is made.
unsafe impl Sync for Transmission {}

static OPERATIONS: LazyLock<Mutex<SlotMap<CompletionKey, Arc<Operation>>>> = LazyLock::new(Mutex::default);

fn operations() -> MutexGuard<'static, SlotMap<CompletionKey, Arc<Operation>>> {
    OPERATIONS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Keeps `operation` until [`forget`] or, for a transmission, its completion.
pub fn remember(mut operation: Operation) -> (CompletionKey, Arc<Operation>) {
    let mut operations = operations();
    let key = operations.insert_with_key(|key| {
        if let Some(transmission) = &mut operation.transmission {
            transmission.info.pContext = context(key);
        }
        Arc::new(operation)
    });
    (key, Arc::clone(&operations[key]))
}

/// Drops an operation; a completion that still arrives for it is ignored.
pub fn forget(key: CompletionKey) {
    // Removed first, dropped after the lock is open: dropping Python objects can run Python code.
    let operation = operations().remove(key);
    drop(operation);
}

/// The key as the context pointer that the server carries.
pub fn context(key: CompletionKey) -> *mut c_void {
    ptr::without_provenance_mut(key.data().as_ffi() as usize)
}

/// Registers `operation`'s callback for the request (`HSE_REQ_IO_COMPLETION`), in place of an earlier one.
pub fn register(operation: Operation) -> Result<(), CallError> {
    let (key, operation) = remember(operation);
    let lease = &operation.lease;
    let registered = lease.enter().and_then(|entered| {
        let callback = completed as *const ();
        // SAFETY: the request takes the callback as buffer and its context as data type; it performs no I/O.
        unsafe {
            entered.support(HSE_REQ_IO_COMPLETION, callback.cast_mut().cast(), ptr::null_mut(), context(key).cast())
        }
    });
    if registered.is_err() {
        forget(key);
        return registered;
    }
    let earlier = lease.completion.lock().unwrap_or_else(PoisonError::into_inner).replace(key);
    if let Some(earlier) = earlier {
        forget(earlier);
    }
    if lease.is_done() {
        // The end may have come before the key was in its place.
        forget(key);
    }
    Ok(())
}

/// `PFN_HSE_IO_COMPLETION`: called by the server, on any of its threads.
///
/// # Safety
/// The block is the server's business: it is not touched here but through the operation's own lease.
pub unsafe extern "system" fn completed(
    _block: *mut EXTENSION_CONTROL_BLOCK,
    context: *mut c_void,
    bytes: u32,
    error: u32,
) {
    fence((), || deliver(DefaultKey::from(KeyData::from_ffi(context.addr() as u64)), bytes, error));
}

fn deliver(key: CompletionKey, bytes: u32, error: u32) {
    let found = operations().get(key).cloned();
    let Some(operation) = found else { return };
    if operation.transmission.is_some() {
        forget(key);
    } else {
        // The server has read the buffer; the callback may start the next write.
        operation.lease.sending.lock().unwrap_or_else(PoisonError::into_inner).take();
    }
    attach(|py| {
        if let Err(error) = call(py, &operation, bytes, error) {
            fail(py, key, &operation, error);
        }
        drop(operation);
    });
}

fn call(py: Python<'_>, operation: &Operation, bytes: u32, error: u32) -> PyResult<()> {
    let block = ControlBlock::again(py, &operation.lease)?;
    operation.callback.bind(py).call1((block, &operation.argument, bytes, error))?;
    Ok(())
}

/// A callback that raised gets no second chance: the request ends with an error.
fn fail(py: Python<'_>, key: CompletionKey, operation: &Operation, error: PyErr) {
    Failure::new(CALLBACK_FAILED, format!("the callback of {} failed", operation.method), Some(error)).report(py);
    py.detach(|| {
        forget(key);
        // The request may have ended in the callback, before it raised; then there is nothing to end.
        operation.lease.finish(HSE_STATUS_ERROR).ok();
    });
}

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

const _: () = assert!(size_of::<usize>() == 8, "a context pointer must hold a whole key");

/// Names an [`Operation`] to the server.
pub type CompletionKey = DefaultKey;

/// What is kept until the completion.
pub struct Operation {
    pub lease: Arc<Lease>,
    target: Mutex<Target>,
    /// What `TransmitFile` sends; `None` for the callback that `IOCompletion` registered.
    pub transmission: Option<Transmission>,
}

/// Whom the script wants to be called, and with what.
pub struct Target {
    pub callback: Py<PyAny>,
    pub argument: Py<PyAny>,
}

impl Operation {
    pub fn new(lease: Arc<Lease>, target: Target, transmission: Option<Transmission>) -> Self {
        Self { lease, target: Mutex::new(target), transmission }
    }

    /// The method that started it, for the log.
    fn method(&self) -> &'static str {
        if self.transmission.is_some() { "TransmitFile" } else { "IOCompletion" }
    }

    fn swap(&self, target: Target) -> Target {
        std::mem::replace(&mut *self.target.lock().unwrap_or_else(PoisonError::into_inner), target)
    }
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

/// Registers the callback of a request (`HSE_REQ_IO_COMPLETION`), in place of an earlier one.
///
/// A request has one entry for life: an operation that is under way when another callback is registered
/// reports to the later one.
pub fn register(lease: &Arc<Lease>, target: Target) -> Result<(), CallError> {
    let (key, earlier) = claim(lease, target);
    // Called with no lock held: leaving the server may end the request, which takes the locks itself.
    let told = tell_server(lease, key);
    match (&told, earlier) {
        (Err(_), Some((operation, earlier))) => drop(operation.swap(earlier)),
        (Err(_), None) => lease.forget_completion(),
        (Ok(()), _) => {}
    }
    told
}

/// Puts the target into the request's entry, which it makes if there is none; returns what it replaced.
fn claim(lease: &Arc<Lease>, target: Target) -> (CompletionKey, Option<(Arc<Operation>, Target)>) {
    let mut slot = lease.completion.lock().unwrap_or_else(PoisonError::into_inner);
    let present = slot.and_then(|key| Some((key, operations().get(key).cloned()?)));
    if let Some((key, operation)) = present {
        let earlier = operation.swap(target);
        return (key, Some((operation, earlier)));
    }
    let (key, _) = remember(Operation::new(Arc::clone(lease), target, None));
    *slot = Some(key);
    (key, None)
}

fn tell_server(lease: &Lease, key: CompletionKey) -> Result<(), CallError> {
    let callback = (completed as *const ()).cast_mut().cast();
    // SAFETY: the request takes the callback as buffer and its context as data type; it performs no I/O.
    unsafe { lease.enter()?.support(HSE_REQ_IO_COMPLETION, callback, ptr::null_mut(), context(key).cast()) }
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
    let key = DefaultKey::from(KeyData::from_ffi(context.addr() as u64));
    if !fence(false, || deliver(key, bytes, error)) {
        fence((), || end(key));
    }
}

/// Calls the script; the result is always true, so that a panic on the way can be told from it.
fn deliver(key: CompletionKey, bytes: u32, error: u32) -> bool {
    let found = operations().get(key).cloned();
    let Some(operation) = found else { return true };
    if operation.transmission.is_some() {
        forget(key);
    } else {
        // The server has read the buffer; the callback may start the next write.
        let sent = operation.lease.sending().take();
        drop(sent);
    }
    if operation.lease.is_done() {
        // The script ended the request without waiting, and wants to hear no more of it.
        forget(key);
        return true;
    }
    attach(|py| {
        if let Err(error) = call(py, &operation, bytes, error) {
            Failure::new(CALLBACK_FAILED, format!("the callback of {} failed", operation.method()), Some(error))
                .report(py);
            py.detach(|| finish(key, &operation));
        }
        drop(operation);
    });
    true
}

fn call(py: Python<'_>, operation: &Operation, bytes: u32, error: u32) -> PyResult<()> {
    let block = ControlBlock::again(py, &operation.lease)?;
    let (callback, argument) = {
        let target = operation.target.lock().unwrap_or_else(PoisonError::into_inner);
        (target.callback.clone_ref(py), target.argument.clone_ref(py))
    };
    callback.bind(py).call1((block, argument, bytes, error))?;
    Ok(())
}

/// A callback that failed gets no second chance: the request ends with an error.
fn finish(key: CompletionKey, operation: &Operation) {
    forget(key);
    // The request may have ended in the callback, before it failed; then there is nothing to end.
    operation.lease.finish(HSE_STATUS_ERROR).ok();
}

/// Ends the request of a callback that panicked.
fn end(key: CompletionKey) {
    let found = operations().get(key).cloned();
    if let Some(operation) = found {
        finish(key, &operation);
    }
}

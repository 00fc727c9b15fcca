//! Completions: from the server's callback to the script's.
//!
//! The server is given a number with a generation as its context, never a pointer: a completion for a request that
//! is gone finds nothing and is ignored, and so is one for which no operation is outstanding. Callbacks run on the
//! server's threads, with a new control block for the same request.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError, Weak};

use isapi_abi::fence::fence;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_REQ_IO_COMPLETION, HSE_STATUS_ERROR};
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use slotmap::{DefaultKey, Key, KeyData, SlotMap};

use crate::attach::attach;
use crate::control_block::ControlBlock;
use crate::failure::{CALLBACK_FAILED, Failure};
use crate::lease::{CallError, Entered, Lease};
use crate::operation::{Kept, Operation, Target};

const _: () = assert!(size_of::<usize>() == 8, "a context pointer must hold a whole key");

/// Names a request to the server.
pub type RequestKey = DefaultKey;

static REQUESTS: LazyLock<Mutex<SlotMap<RequestKey, Weak<Lease>>>> = LazyLock::new(Mutex::default);

fn requests() -> MutexGuard<'static, SlotMap<RequestKey, Weak<Lease>>> {
    REQUESTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Gives a request its key, until [`forget`].
pub fn remember(lease: &Arc<Lease>) -> RequestKey {
    requests().insert(Arc::downgrade(lease))
}

/// A completion that still arrives for the key is ignored from now on.
pub fn forget(key: RequestKey) {
    requests().remove(key);
}

/// The key as the context pointer that the server carries.
pub fn context(key: RequestKey) -> *mut c_void {
    ptr::without_provenance_mut(key.data().as_ffi() as usize)
}

/// Registers the callback of a request (`HSE_REQ_IO_COMPLETION`), in place of an earlier one.
///
/// An operation that is under way when another callback is registered reports to the later one.
pub fn register(lease: &Arc<Lease>, target: Target) -> Result<(), CallError> {
    let entered = lease.enter()?;
    let earlier = lease.operations.replace(Some(target));
    // Called with no lock held: leaving the server may end the request, which takes the locks itself.
    let told = tell_server(&entered, lease);
    drop(if told.is_err() { lease.operations.replace(earlier) } else { earlier });
    told
}

/// Makes sure that the server reports completions of this request at all.
pub fn listen(entered: &Entered<'_>, lease: &Arc<Lease>) -> Result<(), CallError> {
    if lease.operations.is_told() { Ok(()) } else { tell_server(entered, lease) }
}

fn tell_server(entered: &Entered<'_>, lease: &Arc<Lease>) -> Result<(), CallError> {
    let callback = (completed as *const ()).cast_mut().cast();
    let context = context(lease.operations.key(lease));
    // SAFETY: the request takes the callback as buffer and its context as data type; it performs no I/O.
    unsafe { entered.support(HSE_REQ_IO_COMPLETION, callback, ptr::null_mut(), context.cast()) }?;
    lease.operations.set_told(lease);
    Ok(())
}

/// `PFN_HSE_IO_COMPLETION`: called by the server, on any of its threads.
///
/// # Safety
/// The block is the server's business: it is not touched here but through the request's own lease.
pub unsafe extern "system" fn completed(
    _block: *mut EXTENSION_CONTROL_BLOCK,
    context: *mut c_void,
    bytes: u32,
    error: u32,
) {
    let key = RequestKey::from(KeyData::from_ffi(context.addr() as u64));
    if !fence(false, || deliver(key, bytes, error)) {
        fence((), || end(key));
    }
}

/// What the callback gets as its third argument.
enum Outcome {
    Count(u32),
    Body(Vec<u8>),
}

/// Calls the script; the result is always true, so that a panic on the way can be told from it.
fn deliver(key: RequestKey, bytes: u32, error: u32) -> bool {
    let Some(lease) = request(key) else { return true };
    let Some(Operation { target, kept, .. }) = lease.operations.complete() else { return true };
    let outcome = match &kept {
        Kept::Lent(_) => Outcome::Count(bytes),
        Kept::Reading(reading) => Outcome::Body(reading.finish(&lease, bytes, error)),
    };
    if lease.is_done() {
        // The script ended the request without waiting, and wants to hear no more of it.
        return true;
    }
    attach(|py| {
        drop(kept);
        let Some(target) = target.or_else(|| lease.operations.registered(py)) else { return };
        if let Err(raised) = call(py, &lease, &target, outcome, error) {
            let headline = format!("the callback of {} failed", target.method);
            Failure::new(CALLBACK_FAILED, headline, Some(raised)).report(py);
            py.detach(|| finish(&lease));
        }
    });
    true
}

fn call(py: Python<'_>, lease: &Arc<Lease>, target: &Target, outcome: Outcome, error: u32) -> PyResult<()> {
    // Another thread may end the request at any time; that is no failure of the callback.
    let Ok(block) = ControlBlock::new(lease) else { return Ok(()) };
    let outcome = match outcome {
        Outcome::Count(bytes) => bytes.into_pyobject(py)?.into_any(),
        Outcome::Body(bytes) => PyBytes::new(py, &bytes).into_any(),
    };
    target.callback.bind(py).call1((Py::new(py, block)?, &target.argument, outcome, error))?;
    Ok(())
}

/// A callback that failed gets no second chance: the request ends with an error.
fn finish(lease: &Lease) {
    // The request may have ended in the callback, before it failed; then there is nothing to end.
    lease.finish(HSE_STATUS_ERROR).ok();
}

/// Ends the request of a callback that panicked.
fn end(key: RequestKey) {
    if let Some(lease) = request(key) {
        finish(&lease);
    }
}

fn request(key: RequestKey) -> Option<Arc<Lease>> {
    requests().get(key).and_then(Weak::upgrade)
}

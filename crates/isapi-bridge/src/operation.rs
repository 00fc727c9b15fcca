//! The operation slot of a request: what its one outstanding asynchronous operation needs, until its completion.
//!
//! ISAPI allows one asynchronous operation at a time for each request. What the server may still read or write
//! lies in the slot from before the server is called until its completion, also when the script ends the request
//! earlier or forgets it. Beside it lies whom the script wants to be called.
//!
//! Any thread may use a slot, with or without the interpreter; nothing here calls the server or Python.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use isapi_abi::win32::ERROR_INVALID_PARAMETER;
use pyo3::prelude::*;

use crate::completion::{self, RequestKey};
use crate::lease::{CallError, Lease};
use crate::reading::Reading;

/// Whom the script wants to be called, and with what.
pub struct Target {
    /// The method that was given the callback, for the log.
    pub method: &'static str,
    pub callback: Py<PyAny>,
    pub argument: Py<PyAny>,
}

impl Target {
    fn clone_ref(&self, py: Python<'_>) -> Self {
        let (callback, argument) = (self.callback.clone_ref(py), self.argument.clone_ref(py));
        Self { method: self.method, callback, argument }
    }
}

/// What the server uses until the completion. Whoever calls the server has a share of its own, so that a
/// completion that comes first frees nothing under the call.
pub enum Kept {
    /// Read by the server.
    Lent(Arc<dyn Send + Sync>),
    /// Written by the server; the callback gets what has come.
    Reading(Arc<Reading>),
}

/// One operation that the server has, or is about to be given.
pub struct Operation {
    /// Whom to call; `None` for the callback of `IOCompletion`.
    pub target: Option<Target>,
    pub kept: Kept,
    /// Keeps the request while a completion is due. `None` when the server was never told whom to call.
    lease: Option<Arc<Lease>>,
}

impl Operation {
    pub fn new(target: Option<Target>, kept: Kept) -> Self {
        Self { target, kept, lease: None }
    }
}

/// Tells an operation from later ones of the same request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Ticket(u64);

#[derive(Default)]
struct Contents {
    key: Option<RequestKey>,
    /// The server knows our completion function for this request.
    told: bool,
    /// What `IOCompletion` registered.
    registered: Option<Target>,
    outstanding: Option<Operation>,
    begun: u64,
}

/// See the module. Most requests never use theirs, so it is made when it is first needed.
#[derive(Default)]
pub struct Slot(Mutex<Option<Box<Contents>>>);

impl Slot {
    /// The key that stands for the request of `lease`, whose slot this is.
    pub fn key(&self, lease: &Arc<Lease>) -> RequestKey {
        *self.contents().get_or_insert_default().key.get_or_insert_with(|| completion::remember(lease))
    }

    /// Puts `target` in the place of what `IOCompletion` registered before, which is returned.
    pub fn replace(&self, target: Option<Target>) -> Option<Target> {
        std::mem::replace(&mut self.contents().get_or_insert_default().registered, target)
    }

    pub fn has_registered(&self) -> bool {
        self.contents().as_ref().is_some_and(|contents| contents.registered.is_some())
    }

    pub fn registered(&self, py: Python<'_>) -> Option<Target> {
        self.contents().as_ref()?.registered.as_ref().map(|target| target.clone_ref(py))
    }

    pub fn is_told(&self) -> bool {
        self.contents().as_ref().is_some_and(|contents| contents.told)
    }

    /// The server has accepted our completion function: completions are due from now on.
    pub fn set_told(&self, lease: &Arc<Lease>) {
        let mut slot = self.contents();
        let contents = slot.get_or_insert_default();
        contents.told = true;
        if let Some(outstanding) = &mut contents.outstanding {
            outstanding.lease.get_or_insert_with(|| Arc::clone(lease));
        }
    }

    /// Keeps `operation`, which the server is given next.
    ///
    /// # Errors
    /// Error 87 while another is outstanding: the server is still using what that one needs.
    pub fn begin(&self, lease: &Arc<Lease>, mut operation: Operation) -> Result<Ticket, CallError> {
        // A refused operation is dropped after the guard, as parameters are: dropping it can run Python code.
        let mut slot = self.contents();
        let contents = slot.get_or_insert_default();
        if contents.outstanding.is_some() {
            return Err(CallError::Win32(ERROR_INVALID_PARAMETER));
        }
        if contents.told || operation.target.is_some() {
            operation.lease = Some(Arc::clone(lease));
        }
        contents.outstanding = Some(operation);
        contents.begun += 1;
        Ok(Ticket(contents.begun))
    }

    /// Takes out an operation that the server has refused, unless it has been completed all the same.
    pub fn take_back(&self, ticket: Ticket) -> Option<Operation> {
        let mut slot = self.contents();
        let contents = slot.as_mut().filter(|contents| Ticket(contents.begun) == ticket)?;
        contents.outstanding.take()
    }

    /// Takes out the operation that the server has completed.
    pub fn complete(&self) -> Option<Operation> {
        self.contents().as_mut()?.outstanding.take()
    }

    /// The request has ended: nobody is called any more. What the server may still use stays for its completion.
    pub fn end(&self) {
        let registered = self.contents().as_mut().and_then(|contents| contents.registered.take());
        // Dropped with the lock open, and here, since a callback that knows its control block would keep itself alive.
        drop(registered);
    }

    fn contents(&self) -> MutexGuard<'_, Option<Box<Contents>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Contents {
    fn drop(&mut self) {
        if let Some(key) = self.key {
            completion::forget(key);
        }
        // An operation for which no completion is due: the server may read it for ever, so it is never freed.
        std::mem::forget(self.outstanding.take());
    }
}

//! Asynchronous operations of one session: the registered callback, and at most one operation outstanding.
//!
//! Each accepted operation gets a ticket and is completed exactly once; what comes later under its ticket, such as a
//! write that is taken after it has been cancelled, is found out by it. One that is outstanding when the session ends
//! is completed as aborted. It reports to its own callback if it brought one, or else to the one that is registered at
//! its end. This module only keeps the books; the call of the callback is made by the session, on an executor thread.
#![expect(unsafe_code, reason = "a context pointer of the module crosses threads, and its callback is called")]

use std::ffi::c_void;

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, PFN_HSE_IO_COMPLETION};
use tokio::sync::oneshot;

use crate::win32::Win32Error;

/// A callback of the module and the context that it wants back.
#[derive(Clone, Copy)]
pub(crate) struct Callback {
    function: unsafe extern "system" fn(*mut EXTENSION_CONTROL_BLOCK, *mut c_void, u32, u32),
    context: *mut c_void,
}

// SAFETY: the context is opaque to us and is only handed back to the module that gave it, which by the contract
// may be called on any thread; the function pointer is plain data.
unsafe impl Send for Callback {}

impl Callback {
    /// A callback, when the function is not null.
    pub(crate) fn new(function: PFN_HSE_IO_COMPLETION, context: *mut c_void) -> Option<Self> {
        function.map(|function| Callback { function, context })
    }

    /// Calls it.
    ///
    /// # Safety
    /// * `block` is the control block of the session in which the callback was registered, still alive.
    /// * The module's library is loaded.
    pub(crate) unsafe fn call(self, block: *mut EXTENSION_CONTROL_BLOCK, bytes: u32, error: u32) {
        // SAFETY: the function came from the module as a completion callback, and the caller vouches for the rest.
        unsafe { (self.function)(block, self.context, bytes, error) }
    }
}

/// One operation.
#[derive(Default)]
pub(crate) struct Operation {
    /// The callback it brought, instead of the registered one.
    pub(crate) own: Option<Callback>,
    /// Bytes of it are still to be queued, so that a response that ends now lacks them.
    pub(crate) partial: bool,
    /// Asks the task that works on it to complete it with this error. Dropping it asks the task to give up silently.
    pub(crate) stop: Option<oneshot::Sender<Win32Error>>,
    /// Nothing else may be sent until its end.
    pub(crate) owns_response: bool,
}

/// The name of one accepted operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The operation that the end of a session, or a cancellation, found outstanding.
pub(crate) struct Aborted {
    /// Whom to tell.
    pub(crate) callback: Option<Callback>,
    /// See [`Operation::partial`].
    pub(crate) partial: bool,
}

/// What asking an outstanding operation to stop came to.
pub(crate) enum Stopped {
    /// It is out of the books; the caller reports to its callback.
    Now(Aborted),
    /// Its task will complete it.
    Asked,
}

struct Outstanding {
    ticket: Ticket,
    operation: Operation,
    /// It has been decided how it ends; the report is on its way.
    settled: bool,
    /// Its task has been asked to stop.
    stopping: bool,
}

/// The books of one session.
#[derive(Default)]
pub(crate) struct Completions {
    registered: Option<Callback>,
    outstanding: Option<Outstanding>,
    last_ticket: u64,
    /// The last send of the response has been accepted.
    sealed: bool,
    /// The session is done: nothing starts and nothing is reported any more.
    closed: bool,
}

impl Completions {
    /// Registers a callback in place of an earlier one; `None` unregisters.
    pub(crate) fn register(&mut self, callback: Option<Callback>) {
        self.registered = callback;
    }

    /// Notes the start of an operation.
    ///
    /// # Errors
    /// 87 when there is nothing to report to, another operation is outstanding, or the session is done.
    pub(crate) fn start(&mut self, operation: Operation) -> Result<Ticket, Win32Error> {
        let has_callback = operation.own.or(self.registered).is_some();
        if !has_callback || self.closed || self.outstanding.is_some() {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        self.last_ticket += 1;
        let ticket = Ticket(self.last_ticket);
        self.outstanding = Some(Outstanding { ticket, operation, settled: false, stopping: false });
        Ok(ticket)
    }

    /// Takes back the start of an operation that was not accepted after all.
    /// `false` when it has ended before.
    pub(crate) fn withdraw(&mut self, ticket: Ticket) -> bool {
        self.outstanding.take_if(|outstanding| outstanding.ticket == ticket).is_some()
    }

    /// Whether the operation goes on, so that memory which the module lent to it may be used.
    pub(crate) fn goes_on(&self, ticket: Ticket) -> bool {
        self.outstanding.as_ref().is_some_and(|outstanding| outstanding.ticket == ticket && !outstanding.settled)
    }

    /// Decides that the operation ends as it is now, complete; `false` when it has ended before.
    pub(crate) fn settle(&mut self, ticket: Ticket) -> bool {
        let goes_on = self.goes_on(ticket);
        if let Some(outstanding) = self.outstanding.as_mut().filter(|_| goes_on) {
            outstanding.settled = true;
            outstanding.operation.partial = false;
        }
        goes_on
    }

    /// Ends the operation; the caller reports to the callback returned.
    pub(crate) fn complete(&mut self, ticket: Ticket) -> Option<Callback> {
        let ended = self.outstanding.take_if(|outstanding| outstanding.ticket == ticket)?;
        ended.operation.own.or(self.registered)
    }

    /// Stops the outstanding operation with `error`, before its end.
    ///
    /// # Errors
    /// 1168 when none is outstanding, or its end has been decided.
    pub(crate) fn stop(&mut self, error: Win32Error) -> Result<Stopped, Win32Error> {
        let found = self.outstanding.as_mut().filter(|outstanding| !outstanding.settled);
        let found = found.ok_or(Win32Error::NOT_FOUND)?;
        if let Some(stop) = found.operation.stop.take() {
            found.stopping = true;
            // A task that has just come to its end need not be asked.
            let _ = stop.send(error);
        }
        if found.stopping {
            return Ok(Stopped::Asked);
        }
        let Operation { own, partial, .. } = found.operation;
        self.outstanding = None;
        Ok(Stopped::Now(Aborted { callback: own.or(self.registered), partial }))
    }

    /// Refuses all further sends: the one that starts now is the last.
    pub(crate) fn seal(&mut self) {
        self.sealed = true;
    }

    /// Whether nothing more can be sent now: the last send has been accepted, an operation has the response for
    /// itself, or the session is done.
    pub(crate) fn is_sealed(&self) -> bool {
        let owned = self.outstanding.as_ref().is_some_and(|outstanding| outstanding.operation.owns_response);
        self.sealed || self.closed || owned
    }

    /// Ends everything; the caller reports the operation that is aborted by it.
    pub(crate) fn close(&mut self) -> Option<Aborted> {
        let Completions { registered, outstanding, .. } =
            std::mem::replace(self, Completions { closed: true, ..Completions::default() });
        let Operation { own, partial, .. } = outstanding?.operation;
        Some(Aborted { callback: own.or(registered), partial })
    }
}

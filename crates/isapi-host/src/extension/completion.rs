//! Asynchronous operations of one session: the registered callback, and at most one operation outstanding.
//!
//! Each accepted operation is completed exactly once; one that is outstanding when the session ends is completed as
//! aborted. It reports to its own callback if it brought one, or else to the one that is registered at its end. This
//! module only keeps the books; the call of the callback is made by the session, on an executor thread.
#![expect(unsafe_code, reason = "a context pointer of the module crosses threads, and its callback is called")]

use std::ffi::c_void;

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, PFN_HSE_IO_COMPLETION};

use super::win32::Win32Error;

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
pub(crate) struct Operation {
    /// The callback it brought, instead of the registered one.
    pub(crate) own: Option<Callback>,
    /// Bytes of it are still to be queued, so that a response that ends now lacks them.
    pub(crate) partial: bool,
}

/// The operation that the end of a session found outstanding.
pub(crate) struct Aborted {
    /// Whom to tell.
    pub(crate) callback: Option<Callback>,
    /// See [`Operation::partial`].
    pub(crate) partial: bool,
}

/// The books of one session.
#[derive(Default)]
pub(crate) struct Completions {
    registered: Option<Callback>,
    outstanding: Option<Operation>,
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
    pub(crate) fn start(&mut self, operation: Operation) -> Result<(), Win32Error> {
        let has_callback = operation.own.or(self.registered).is_some();
        if !has_callback || self.closed || self.outstanding.is_some() {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        self.outstanding = Some(operation);
        Ok(())
    }

    /// Takes back the start of an operation that was not accepted after all.
    pub(crate) fn withdraw(&mut self) {
        self.outstanding = None;
    }

    /// The outstanding operation has queued its last byte.
    pub(crate) fn all_queued(&mut self) {
        if let Some(operation) = &mut self.outstanding {
            operation.partial = false;
        }
    }

    /// Ends the outstanding operation; the caller reports to the callback returned.
    pub(crate) fn complete(&mut self) -> Option<Callback> {
        self.outstanding.take()?.own.or(self.registered)
    }

    /// Ends everything; the caller reports the operation that is aborted by it.
    pub(crate) fn close(&mut self) -> Option<Aborted> {
        let Completions { registered, outstanding, .. } =
            std::mem::replace(self, Completions { closed: true, ..Completions::default() });
        outstanding.map(|Operation { own, partial }| Aborted { callback: own.or(registered), partial })
    }
}

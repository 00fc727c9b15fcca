//! The asynchronous operations of a session: started by the extension on any thread, completed on a thread of the
//! executor, never on the starter's stack. The books are kept by [`Completions`](super::Completions).
//!
//! Memory that the module lends to an operation is used under the lock of the books only, and only while the
//! operation is in them: it is the module's again as soon as the completion is on its way.

use std::sync::Arc;

use isapi_abi::win32 as code;

use super::Session;
use crate::extension::completion::{Aborted, Callback, Operation, Stopped, Ticket};
use crate::lock::LockAnyway;
use crate::win32::Win32Error;

impl Session {
    /// Registers a completion callback; `None` unregisters.
    pub(crate) fn register(&self, callback: Option<Callback>) {
        self.completions.lock_anyway().register(callback);
    }

    /// Notes the start of an operation; [`Session::complete`] or [`Session::withdraw`] must follow.
    ///
    /// # Errors
    /// 87 when nothing can be reported to, or another operation is outstanding.
    pub(crate) fn begin(&self, operation: Operation) -> Result<Ticket, Win32Error> {
        self.completions.lock_anyway().start(operation)
    }

    /// Takes back the start of an operation that was not accepted after all, because of `error`.
    ///
    /// # Errors
    /// `error`, unless the operation has been completed meanwhile, for example by CANCEL_IO: then it counts as started.
    pub(crate) fn withdraw(&self, ticket: Ticket, error: Win32Error) -> Result<(), Win32Error> {
        if self.completions.lock_anyway().withdraw(ticket) { Err(error) } else { Ok(()) }
    }

    /// Does `work` unless the operation has ended; it cannot end meanwhile. `work` must not block.
    pub(crate) fn while_outstanding<R>(&self, ticket: Ticket, work: impl FnOnce() -> R) -> Option<R> {
        let completions = self.completions.lock_anyway();
        completions.goes_on(ticket).then(work)
    }

    /// As [`Session::while_outstanding`], and from then on the operation can only be completed.
    pub(crate) fn settle<R>(&self, ticket: Ticket, work: impl FnOnce() -> R) -> Option<R> {
        let mut completions = self.completions.lock_anyway();
        completions.settle(ticket).then(work)
    }

    /// Queues a copy of body bytes; the completion reports when there is room for more.
    ///
    /// # Errors
    /// As [`Session::begin`], and as [`Response::write`](crate::extension::response::Response::write).
    pub(crate) fn write_async(self: &Arc<Self>, data: &[u8]) -> Result<(), Win32Error> {
        let response = self.open_response()?;
        let ticket = self.begin(Operation::default())?;
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let session = Arc::clone(self);
        let when_taken =
            move |taken: Result<(), _>| session.complete(ticket, taken.map(|()| count).map_err(Win32Error::from));
        // Another thread may end the operation before this call returns, and then the data is gone.
        let queued = self.while_outstanding(ticket, || response.write_async(data, Box::new(when_taken)));
        queued.unwrap_or(Ok(())).or_else(|error| self.withdraw(ticket, error))
    }

    /// Reports the end of an operation, with its bytes or its error, on a thread of the executor. Once it has ended
    /// otherwise, nothing happens.
    pub(crate) fn complete(self: &Arc<Self>, ticket: Ticket, result: Result<u32, Win32Error>) {
        let (bytes, error) = match result {
            Ok(bytes) => (bytes, code::ERROR_SUCCESS),
            Err(error) => (0, error.of_completion()),
        };
        let session = Arc::clone(self);
        self.host.executor.resume(move || session.report(ticket, bytes, error));
    }

    fn report(&self, ticket: Ticket, bytes: u32, error: u32) {
        let mut stage = self.stage.lock_anyway();
        // Ended before the call, so that the callback can start the next operation.
        let Some(callback) = self.completions.lock_anyway().complete(ticket) else { return };
        stage.callbacks += 1;
        drop(stage);
        self.call(callback, bytes, error);
    }

    /// Ends the outstanding operation before its time; its completion gets `error`. A response that lacks bytes of it
    /// is cut.
    ///
    /// # Errors
    /// 1168 when none is outstanding, or its completion is on its way.
    pub(crate) fn stop_outstanding(self: &Arc<Self>, error: Win32Error) -> Result<(), Win32Error> {
        let mut stage = self.stage.lock_anyway();
        let stopped = self.completions.lock_anyway().stop(error)?;
        let Stopped::Now(Aborted { callback, partial }) = stopped else { return Ok(()) };
        stage.callbacks += usize::from(callback.is_some());
        drop(stage);
        if partial {
            self.response.cut();
        }
        if let Some(callback) = callback {
            self.report_aborted(callback, error);
        }
        Ok(())
    }

    /// Completes an operation that was aborted; it has been counted in [`super::ending::Stage`].
    pub(super) fn report_aborted(self: &Arc<Self>, callback: Callback, error: Win32Error) {
        let session = Arc::clone(self);
        self.host.executor.resume(move || session.call(callback, 0, error.0));
    }

    fn call(&self, callback: Callback, bytes: u32, error: u32) {
        self.origin.extension.complete(&self.block, callback, bytes, error);
        self.stage.lock_anyway().callbacks -= 1;
        self.leave_if_over();
    }
}

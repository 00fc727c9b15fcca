//! The asynchronous operations of a session: started by the extension on any thread, completed on a thread of the
//! executor, never on the starter's stack. The books are kept by [`Completions`](super::Completions).

use std::sync::Arc;

use isapi_abi::win32 as code;

use super::Session;
use crate::extension::completion::{Callback, Operation};
use crate::extension::pipe::WriteFailure;
use crate::extension::win32::Win32Error;
use crate::lock::LockAnyway;

impl Session {
    /// Registers a completion callback; `None` unregisters.
    pub(crate) fn register(&self, callback: Option<Callback>) {
        self.completions.lock_anyway().register(callback);
    }

    /// Notes the start of an operation; [`Session::complete`] or [`Session::withdraw`] must follow.
    ///
    /// # Errors
    /// 87 when nothing can be reported to, or another operation is outstanding.
    pub(crate) fn begin(&self, operation: Operation) -> Result<(), Win32Error> {
        self.completions.lock_anyway().start(operation)
    }

    /// Takes back the start of an operation that was not accepted after all.
    pub(crate) fn withdraw(&self) {
        self.completions.lock_anyway().withdraw();
    }

    /// All bytes of the outstanding operation are on their way.
    pub(crate) fn all_queued(&self) {
        self.completions.lock_anyway().all_queued();
    }

    /// Queues a copy of body bytes; the completion reports when there is room for more.
    pub(crate) fn write_async(self: &Arc<Self>, data: &[u8]) -> Result<(), Win32Error> {
        self.begin(Operation { own: None, partial: false })?;
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let session = Arc::clone(self);
        let when_taken = move |result| session.complete(count, result);
        let started = self.response.write_async(data, Box::new(when_taken));
        if started.is_err() {
            self.withdraw();
        }
        started
    }

    /// Reports the end of the outstanding operation, on a thread of the executor.
    pub(crate) fn complete(self: &Arc<Self>, bytes: u32, result: Result<(), WriteFailure>) {
        let (bytes, error) = match result {
            Ok(()) => (bytes, code::ERROR_SUCCESS),
            Err(WriteFailure::ClientGone) => (0, code::ERROR_OPERATION_ABORTED),
            Err(WriteFailure::Ended | WriteFailure::Cut) => (0, code::ERROR_NETNAME_DELETED),
            Err(WriteFailure::TimedOut) => (0, code::ERROR_TIMEOUT),
        };
        let session = Arc::clone(self);
        self.host.executor.resume(move || session.report(bytes, error));
    }

    fn report(&self, bytes: u32, error: u32) {
        let mut stage = self.stage.lock_anyway();
        // Ended before the call, so that the callback can start the next operation.
        let Some(callback) = self.completions.lock_anyway().complete() else { return };
        stage.callbacks += 1;
        drop(stage);
        self.call(callback, bytes, error);
    }

    /// Completes the operation that the end of the session found outstanding; `close_completions` has counted it.
    pub(super) fn report_aborted(self: &Arc<Self>, callback: Callback) {
        let session = Arc::clone(self);
        self.host.executor.resume(move || session.call(callback, 0, code::ERROR_OPERATION_ABORTED));
    }

    fn call(&self, callback: Callback, bytes: u32, error: u32) {
        self.extension.complete(&self.block, callback, bytes, error);
        self.stage.lock_anyway().callbacks -= 1;
        self.leave_if_over();
    }
}

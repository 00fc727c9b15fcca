//! The filter half of a script: the server's entry points for the object that `__FilterFactory__` makes.
//!
//! Notifications are handled on the server's threads. What the filter stores for a connection is a reference in the
//! server's `pFilterContext`; it is given up at the end of the connection, whatever the handler does.

use isapi_abi::httpfilt::{
    HTTP_FILTER_CONTEXT, HTTP_FILTER_REVISION, HTTP_FILTER_VERSION, SF_NOTIFY_END_OF_NET_SESSION, SF_STATUS_REQ_ERROR,
    SF_STATUS_REQ_NEXT_NOTIFICATION,
};
use isapi_abi::win32::ERROR_INTERNAL_ERROR;
use isapi_abi::{BOOL, FALSE};
use pyo3::prelude::*;

use crate::attach::attach;
use crate::errors::set_last_error;
use crate::failure::{
    Code, FILTER_FAILED, FILTER_TERMINATE_FAILED, FILTER_VERSION_FAILED, FILTER_WRONG_RESULT, Failure,
};
use crate::filter_calls::Pointers;
use crate::filter_context::{FilterContext, release_stored};
use crate::filter_version::FilterVersion;
use crate::half::Half;
use crate::handler::{Role, number};
use crate::script::Script;

/// The filter's part in [`Half`].
pub struct Filter;

impl Role for Filter {
    const NAME: &'static str = "filter";
    const FACTORY: &'static str = "__FilterFactory__";
    const OTHER_FACTORY: &'static str = "__ExtensionFactory__";
    const VERSION: &'static str = "GetFilterVersion";
    const PROC: &'static str = "HttpFilterProc";
    const TERMINATE: &'static str = "TerminateFilter";
    const VERSION_FAILED: Code = FILTER_VERSION_FAILED;
    const PROC_FAILED: Code = FILTER_FAILED;
    const WRONG_RESULT: Code = FILTER_WRONG_RESULT;
    const TERMINATE_FAILED: Code = FILTER_TERMINATE_FAILED;

    type Version = FilterVersion;
    type Extra = ();

    fn status(result: &Bound<'_, PyAny>) -> Option<u32> {
        if result.is_none() { Some(SF_STATUS_REQ_NEXT_NOTIFICATION) } else { number(result) }
    }
}

/// The end of a call of `HttpFilterProc`, also by a panic.
struct EndOfCall<'py>(Bound<'py, FilterContext>);

impl Drop for EndOfCall<'_> {
    fn drop(&mut self) {
        self.0.get().end(self.0.py());
    }
}

/// The end of a connection, when this notification is it.
struct EndOfConnection<'py>(Python<'py>, *mut HTTP_FILTER_CONTEXT);

impl Drop for EndOfConnection<'_> {
    fn drop(&mut self) {
        // SAFETY: made inside the server's call, and dropped after the objects of that call have ended.
        unsafe { release_stored(self.0, self.1) };
    }
}

impl Half<Filter> {
    /// `GetFilterVersion`.
    ///
    /// # Safety
    /// `version` is valid for the call.
    pub unsafe fn get_filter_version(&self, script: &Script, version: *mut HTTP_FILTER_VERSION) -> BOOL {
        // SAFETY: the caller says that `version` is valid.
        unsafe { (*version).dwFilterVersion = HTTP_FILTER_REVISION };
        // SAFETY: as above; the half ends the object before it returns.
        let lent = unsafe { FilterVersion::new(version) };
        let result = self.get_version(script, |py| Bound::new(py, lent));
        if result != FALSE {
            // What the filter stores for a connection is released then.
            // SAFETY: as above.
            unsafe { (*version).dwFlags |= SF_NOTIFY_END_OF_NET_SESSION };
        }
        result
    }

    /// `HttpFilterProc`.
    ///
    /// # Safety
    /// The pointers are those of `notification`, valid for the call.
    pub unsafe fn notify(&self, script: &Script, pointers: Pointers, notification: u32) -> u32 {
        let status = attach(|py| {
            let is_last = notification == SF_NOTIFY_END_OF_NET_SESSION;
            // Dropped after the call's end below.
            let _end_of_connection = is_last.then(|| EndOfConnection(py, pointers.context));
            // SAFETY: the caller passes on the contract; `EndOfCall` ends the object before this call returns.
            let context = unsafe { FilterContext::new(pointers, notification) };
            let wrapped = Bound::new(py, context)
                .map(EndOfCall)
                .map_err(|error| Failure::new(FILTER_FAILED, "the notification could not be wrapped", Some(error)));
            let status = wrapped.and_then(|context| self.call(py, script, &context.0));
            status.map_err(|failure| failure.report(py)).ok()
        });
        // Elsewhere than on Windows the last error is errno, in which Python's own calls leave what means nothing here: 5
        // would be taken for a denial.
        if status.is_none() || (cfg!(not(windows)) && status == Some(SF_STATUS_REQ_ERROR)) {
            set_last_error(ERROR_INTERNAL_ERROR);
        }
        status.unwrap_or(SF_STATUS_REQ_ERROR)
    }
}

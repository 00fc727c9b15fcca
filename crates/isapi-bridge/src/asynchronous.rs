//! Starting asynchronous operations: what all methods that end in a callback have in common.
//!
//! A method makes what the server is to use, puts it into the request's slot and only then calls the server: the
//! completion may come before that call returns. A refusal takes it out again, and nobody is called.

use std::sync::Arc;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;

use crate::arguments::Data;
use crate::completion;
use crate::control_block::ControlBlock;
use crate::errors::{expired, extension_error};
use crate::lease::{CallError, Entered};
use crate::operation::{Kept, Operation, Target};

const IO_COMPLETION: &str = "ServerSupportFunction(HSE_REQ_IO_COMPLETION)";

/// A callback and its argument as a method was given them.
pub struct Callback<'a, 'py> {
    pub function: Option<&'a Bound<'py, PyAny>>,
    pub argument: Option<Py<PyAny>>,
}

impl ControlBlock {
    pub(crate) fn io_completion(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        argument: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let target = self.target(py, "IOCompletion", callback, argument)?;
        py.detach(|| completion::register(&self.lease, target))
            .map_err(|error| extension_error(py, error, IO_COMPLETION))
    }

    /// `WriteClient` with `HSE_IO_ASYNC`.
    pub(crate) fn write_async(&self, py: Python<'_>, data: Data, flags: u32) -> PyResult<u32> {
        let data = Arc::new(data);
        let operation = Operation::new(None, Kept::Lent(data.clone()));
        self.start(py, "WriteClient", operation, |entered| entered.write(data.as_slice(), flags))
    }

    /// Gives `operation` to the server by `call`, which starts it without waiting.
    pub(crate) fn start<R: Send>(
        &self,
        py: Python<'_>,
        function: &'static str,
        operation: Operation,
        call: impl FnOnce(&Entered<'_>) -> Result<R, CallError> + Send,
    ) -> PyResult<R> {
        self.call(py, function, |entered| {
            let ticket = self.lease.operations.begin(&self.lease, operation)?;
            call(entered).inspect_err(|_| drop(self.lease.operations.take_back(ticket)))
        })
    }

    /// Whom to call, once the server can do so: the method's own callback, else `None` for that of `IOCompletion`.
    ///
    /// # Errors
    /// `ValueError` when there is neither.
    pub(crate) fn recipient(
        &self,
        py: Python<'_>,
        method: &'static str,
        callback: Callback<'_, '_>,
    ) -> PyResult<Option<Target>> {
        if let Some(function) = callback.function {
            let target = self.target(py, method, function, callback.argument)?;
            self.call(py, IO_COMPLETION, |entered| completion::listen(entered, &self.lease))?;
            return Ok(Some(target));
        }
        if self.lease.is_done() {
            return Err(expired());
        }
        if !self.lease.operations.has_registered() {
            return Err(PyValueError::new_err("no callback: give one here, or to IOCompletion before"));
        }
        callback.without_function()?;
        Ok(None)
    }

    pub(crate) fn target(
        &self,
        py: Python<'_>,
        method: &'static str,
        callback: &Bound<'_, PyAny>,
        argument: Option<Py<PyAny>>,
    ) -> PyResult<Target> {
        if !callback.is_callable() {
            return Err(PyTypeError::new_err("the callback must be callable"));
        }
        if self.lease.is_done() {
            return Err(expired());
        }
        let argument = argument.unwrap_or_else(|| py.None());
        Ok(Target { method, callback: callback.clone().unbind(), argument })
    }
}

impl Callback<'_, '_> {
    /// For a call that calls nothing of its own back.
    ///
    /// # Errors
    /// `ValueError` when a function or its argument was given all the same.
    pub(crate) fn without_function(&self) -> PyResult<()> {
        if self.function.is_some() || self.argument.is_some() {
            return Err(PyValueError::new_err("callback and arg are for an asynchronous call, arg with a callback"));
        }
        Ok(())
    }
}

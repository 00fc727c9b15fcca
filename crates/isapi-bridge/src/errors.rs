//! Failures of server calls as the exceptions that scripts catch.

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

use crate::lease::CallError;

static EXTENSION_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static FILTER_ERROR: PyOnceLock<Py<PyType>> = PyOnceLock::new();
static INTERNAL_RELOAD: PyOnceLock<Py<PyType>> = PyOnceLock::new();

/// `isapi.ExtensionError(errno, None, funcname)` for a refusal by the server, `RuntimeError` for a request that ended.
pub fn extension_error(py: Python<'_>, error: CallError, function: &'static str) -> PyErr {
    refusal(py, error, function, &EXTENSION_ERROR, "ExtensionError")
}

/// `isapi.FilterError(errno, None, funcname)` for a refusal by the server, `RuntimeError` after the notification.
pub fn filter_error(py: Python<'_>, error: CallError, function: &'static str) -> PyErr {
    refusal(py, error, function, &FILTER_ERROR, "FilterError")
}

fn refusal(
    py: Python<'_>,
    error: CallError,
    function: &'static str,
    class: &PyOnceLock<Py<PyType>>,
    name: &str,
) -> PyErr {
    match error {
        CallError::Expired => expired(),
        CallError::Win32(code) => match class.import(py, "pyisapi", name) {
            Ok(class) => PyErr::from_type(class.clone(), (code, py.None(), function)),
            Err(import_failure) => import_failure,
        },
    }
}

/// The exception for an object whose request or call is over.
pub fn expired() -> PyErr {
    PyRuntimeError::new_err("the request or the call has ended: this object can no longer be used")
}

/// Whether `error` asks for the module to be reloaded.
pub fn is_reload_request(py: Python<'_>, error: &PyErr) -> bool {
    INTERNAL_RELOAD.import(py, "pyisapi", "InternalReloadException").is_ok_and(|class| error.is_instance(py, class))
}

/// Leaves a Win32 code for the server that called.
pub fn set_last_error(code: u32) {
    errno::set_errno(errno::Errno(code as i32));
}

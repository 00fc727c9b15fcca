//! Where failures of scripts go: to `pyisapi._failure`, which logs the traceback and answers the client.
//!
//! The codes of this crate are listed here; `docs/error-reference.md` explains each.

use pyo3::exceptions::{PyBaseException, PyTypeError};
use pyo3::prelude::*;

use crate::control_block::ControlBlock;

/// A stable error code of the bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code(pub &'static str);

/// The module does not import.
pub const IMPORT_FAILED: Code = Code("ISAPI0201");
/// The module defines no factory.
pub const FACTORY_MISSING: Code = Code("ISAPI0202");
/// The factory raised.
pub const FACTORY_FAILED: Code = Code("ISAPI0203");
/// The handler has no such method.
pub const METHOD_MISSING: Code = Code("ISAPI0204");
/// `GetExtensionVersion` raised or returned a wrong type.
pub const VERSION_FAILED: Code = Code("ISAPI0205");
/// `HttpExtensionProc` raised.
pub const REQUEST_FAILED: Code = Code("ISAPI0206");
/// `HttpExtensionProc` returned something else than a 32-bit int.
pub const WRONG_RESULT: Code = Code("ISAPI0207");
/// `TerminateExtension` raised or returned a wrong type.
pub const TERMINATE_FAILED: Code = Code("ISAPI0208");
/// The module could not be reloaded.
pub const RELOAD_FAILED: Code = Code("ISAPI0209");
/// A completion callback raised.
pub const CALLBACK_FAILED: Code = Code("ISAPI0210");
/// The script could not be prepared (`sys.path` and the like).
pub const PREPARE_FAILED: Code = Code("ISAPI0217");

/// A pending request can no longer be finished by anything.
pub const FORGOTTEN: Code = Code("ISAPI0219");

/// `GetFilterVersion` raised or returned a wrong type.
pub const FILTER_VERSION_FAILED: Code = Code("ISAPI0220");
/// `HttpFilterProc` raised.
pub const FILTER_FAILED: Code = Code("ISAPI0221");
/// `HttpFilterProc` returned something else than `None` or a 32-bit int.
pub const FILTER_WRONG_RESULT: Code = Code("ISAPI0222");
/// `TerminateFilter` raised or returned a wrong type.
pub const FILTER_TERMINATE_FAILED: Code = Code("ISAPI0223");
/// The script has the other half only. Said in debug mode.
pub const NO_SUCH_HALF: Code = Code("ISAPI0224");

/// One failure, ready to be reported.
#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    /// What failed, without the exception's own text.
    pub headline: String,
    /// What the script raised, if that is what failed.
    pub error: Option<PyErr>,
}

impl Failure {
    pub fn new(code: Code, headline: impl Into<String>, error: Option<PyErr>) -> Self {
        Self { code, headline: headline.into(), error }
    }

    /// `HttpExtensionProc` and its like gave `result` where an int was expected.
    pub fn wrong_result(code: Code, method: &str, result: &Bound<'_, PyAny>) -> Self {
        let shown = result.repr().map_or_else(|_| "an object without repr".to_owned(), |repr| repr.to_string());
        let expected = if code == WRONG_RESULT { "a 32-bit int" } else { "None or a 32-bit int" };
        let error = PyTypeError::new_err(format!("{shown:.200} was returned; expected {expected}"));
        Self::new(code, format!("{method} gave no valid result"), Some(error))
    }

    /// Logs the failure with its traceback; returns the reference under which it stands in the log.
    pub fn report(&self, py: Python<'_>) -> String {
        self.try_report(py).unwrap_or_else(|unreported| {
            // The package itself is broken: the process's standard error is all that is left.
            eprintln!("{} {}: {:?} (not logged: {unreported})", self.code.0, self.headline, self.error);
            String::new()
        })
    }

    fn try_report(&self, py: Python<'_>) -> PyResult<String> {
        let error = self.error.as_ref().map(|error| exception(py, error));
        failure_module(py)?.call_method1("report", (self.code.0, &self.headline, error))?.extract()
    }

    /// Logs the failure and, if the response has not begun, answers the client with an error page.
    pub fn answer(&self, py: Python<'_>, block: &Bound<'_, ControlBlock>) {
        let reference = self.report(py);
        let error = self.error.as_ref().map(|error| exception(py, error));
        let answered = failure_module(py).and_then(|module| module.call_method1("answer", (block, reference, error)));
        if let Err(unanswered) = answered {
            eprintln!("{} no error page could be sent: {unanswered}", self.code.0);
        }
    }
}

/// Hands a message that no `dispatch_map` entry took, or whose entry raised, to the package.
pub fn work_failed(py: Python<'_>, key: i64, overlapped: &Bound<'_, PyAny>, error: Option<&PyErr>) {
    let error = error.map(|error| exception(py, error));
    if let Err(unreported) =
        failure_module(py).and_then(|module| module.call_method1("work_failed", (key, overlapped, error)))
    {
        eprintln!("ISAPI0213 work with key {key} failed and could not be reported: {unreported}");
    }
}

/// The exception with its traceback, which CPython 3.11 hands over apart from it.
fn exception(py: Python<'_>, error: &PyErr) -> Py<PyBaseException> {
    error.clone_ref(py).into_value(py)
}

fn failure_module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("pyisapi._failure")
}

//! The named tuples that some methods return; `pyisapi._results` defines them.

use pyo3::call::PyCallArgs;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;

/// One of the classes, imported when it is first needed.
pub struct ResultClass {
    name: &'static str,
    class: PyOnceLock<Py<PyType>>,
}

impl ResultClass {
    pub const fn new(name: &'static str) -> Self {
        Self { name, class: PyOnceLock::new() }
    }

    pub fn make<'py>(&self, py: Python<'py>, values: impl PyCallArgs<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.class.import(py, "pyisapi._results", self.name)?.call1(values)
    }
}

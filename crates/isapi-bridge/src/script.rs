//! One script: the Python module behind one loader library, and its handler objects.
//!
//! A script is opened once per library and never closed. Its module is imported at the first
//! `GetExtensionVersion`; the module is shared by both halves, the handler objects are not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::extension::ExtensionHalf;
use crate::failure::{Failure, IMPORT_FAILED};

/// See the module.
pub struct Script {
    /// The Python module's name, which may contain dots.
    pub name: String,
    /// The folder of the loader library and of the script.
    pub folder: String,
    /// A freezing tool's program chose the name; the module comes from its importer.
    pub is_frozen: bool,
    /// The handler that `__ExtensionFactory__` makes.
    pub extension: ExtensionHalf,
    module: Mutex<Option<Py<PyModule>>>,
    /// The handler could not be made from the module as it is: the next attempt executes it anew.
    stale: AtomicBool,
}

impl Script {
    pub fn new(name: String, folder: String, is_frozen: bool) -> Self {
        Self {
            name,
            folder,
            is_frozen,
            extension: ExtensionHalf::default(),
            module: Mutex::new(None),
            stale: AtomicBool::new(false),
        }
    }

    /// The imported module; imports it if that has not succeeded yet.
    pub fn module<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyModule>, Failure> {
        if let Some(module) = self.imported(py) {
            if self.stale.swap(false, Ordering::Relaxed) {
                self.execute(&module)?;
            }
            return Ok(module);
        }
        let module = self.import(py).map_err(|error| self.import_failed(error))?;
        *self.module.lock().unwrap_or_else(PoisonError::into_inner) = Some(module.clone().unbind());
        Ok(module)
    }

    /// Executes the module anew in its namespace, as `importlib.reload` does.
    pub fn reload(&self, py: Python<'_>) -> Result<(), Failure> {
        self.stale.store(false, Ordering::Relaxed);
        match self.imported(py) {
            Some(module) => self.execute(&module),
            None => self.module(py).map(drop),
        }
    }

    fn imported<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyModule>> {
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        module.as_ref().map(|module| module.bind(py).clone())
    }

    /// Says that no handler came of the module, so that a corrected source gets its chance.
    pub fn mark_stale(&self) {
        self.stale.store(true, Ordering::Relaxed);
    }

    fn execute(&self, module: &Bound<'_, PyModule>) -> Result<(), Failure> {
        let executed = server_module(module.py()).and_then(|server| server.call_method1("reload_module", (module,)));
        executed.map(drop).map_err(|error| {
            self.mark_stale();
            self.import_failed(error)
        })
    }

    fn import<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyModule>> {
        let arguments = (&self.name, (!self.is_frozen).then_some(&self.folder));
        Ok(server_module(py)?.call_method1("import_module", arguments)?.cast_into::<PyModule>()?)
    }

    fn import_failed(&self, error: PyErr) -> Failure {
        Failure::new(IMPORT_FAILED, format!("the module {} in {} does not import", self.name, self.folder), Some(error))
    }
}

/// `pyisapi._server`, which prepares Python for life inside a server.
pub fn server_module(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    py.import("pyisapi._server")
}

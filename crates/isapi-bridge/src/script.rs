//! One script: the Python module behind one loader library, and its handler objects.
//!
//! A script is opened once per library and never closed. Its module is imported at the first
//! `GetExtensionVersion`; the module is shared by both halves, the handler objects are not.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::extension::Extension;
use crate::failure::{Failure, IMPORT_FAILED};
use crate::filter::Filter;
use crate::half::Half;

/// See the module.
pub struct Script {
    /// The Python module's name, which may contain dots.
    pub name: String,
    /// The folder of the loader library and of the script.
    pub folder: String,
    /// A freezing tool's program chose the name; the module comes from its importer.
    pub is_frozen: bool,
    /// The handler that `__ExtensionFactory__` makes.
    pub extension: Half<Extension>,
    /// The handler that `__FilterFactory__` makes.
    pub filter: Half<Filter>,
    module: Mutex<Option<Py<PyModule>>>,
    /// The module's last execution failed half-way.
    incomplete: AtomicBool,
    /// When the module failed for both halves, and which of them has said so.
    failed: Mutex<Option<(Instant, &'static str)>>,
}

/// For so long the half that asks second does not try again what has just failed for the first.
const SAME_LOAD: Duration = Duration::from_secs(5);

impl Script {
    pub fn new(name: String, folder: String, is_frozen: bool) -> Self {
        Self {
            name,
            folder,
            is_frozen,
            extension: Half::new(),
            filter: Half::new(),
            module: Mutex::new(None),
            incomplete: AtomicBool::new(false),
            failed: Mutex::new(None),
        }
    }

    /// The imported module; imports it if that has not succeeded yet.
    pub fn module<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyModule>, Failure> {
        if let Some(module) = self.imported(py) {
            return if self.incomplete.load(Ordering::Relaxed) { self.execute(module) } else { Ok(module) };
        }
        let module = self.import(py).map_err(|error| self.import_failed(error))?;
        *self.module.lock().unwrap_or_else(PoisonError::into_inner) = Some(module.clone().unbind());
        Ok(module)
    }

    /// Executes the module anew in its namespace, as `importlib.reload` does.
    pub fn reload<'py>(&self, py: Python<'py>) -> Result<Bound<'py, PyModule>, Failure> {
        match self.imported(py) {
            Some(module) => self.execute(module),
            None => self.module(py),
        }
    }

    /// Remembers that `half` has reported a failure that concerns both.
    pub fn remember_failure(&self, half: &'static str) {
        *self.failed.lock().unwrap_or_else(PoisonError::into_inner) = Some((Instant::now(), half));
    }

    /// Whether the other half has just reported a failure that concerns both. Told once: the next load tries again.
    pub fn take_failure(&self, half: &str) -> bool {
        let failed = self.failed.lock().unwrap_or_else(PoisonError::into_inner).take();
        failed.is_some_and(|(when, reported_by)| reported_by != half && when.elapsed() < SAME_LOAD)
    }

    fn imported<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyModule>> {
        let module = self.module.lock().unwrap_or_else(PoisonError::into_inner);
        module.as_ref().map(|module| module.bind(py).clone())
    }

    fn execute<'py>(&self, module: Bound<'py, PyModule>) -> Result<Bound<'py, PyModule>, Failure> {
        let executed = server_module(module.py()).and_then(|server| server.call_method1("reload_module", (&module,)));
        self.incomplete.store(executed.is_err(), Ordering::Relaxed);
        executed.map(|_| module).map_err(|error| self.import_failed(error))
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

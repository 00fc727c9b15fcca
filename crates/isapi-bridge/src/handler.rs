//! One handler object of a script: what its factory made, with its methods, for either half.
//!
//! Called on the server's threads, many at once. What differs between the halves is their [`Role`].

use std::sync::Arc;

use isapi_abi::{BOOL, FALSE, TRUE};
use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyModule};

use crate::errors::is_reload_request;
use crate::failure::{Code, FACTORY_FAILED, FACTORY_MISSING, Failure, METHOD_MISSING};
use crate::script::Script;

/// What a half calls and how it reports failures.
pub trait Role: Sized + 'static {
    /// The half's name in messages.
    const NAME: &'static str;
    const FACTORY: &'static str;
    /// The factory of the other half.
    const OTHER_FACTORY: &'static str;
    const VERSION: &'static str;
    const PROC: &'static str;
    const TERMINATE: &'static str;
    const VERSION_FAILED: Code;
    const PROC_FAILED: Code;
    const WRONG_RESULT: Code;
    const TERMINATE_FAILED: Code;

    /// What the version method fills in.
    type Version: VersionObject;
    /// What calls need besides the bound method.
    type Extra: Default + Send + Sync;

    /// What the handler's result means to the server; `None` when it means nothing.
    fn status(result: &Bound<'_, PyAny>) -> Option<u32>;

    /// Looks at a handler whose version method has run.
    fn settle(_object: &Bound<'_, PyAny>) -> Self::Extra {
        Self::Extra::default()
    }

    /// Ends what a handler has started that never came to be used.
    fn abandon(_object: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(())
    }
}

/// The Python object over the server's version struct.
pub trait VersionObject: PyClass<Frozen = pyo3::pyclass::boolean_struct::True> + Sync {
    /// Ends the object: from now on it raises.
    fn end(&self);
}

/// The object of the script, with its bound method.
pub struct Handler<R: Role> {
    object: Py<PyAny>,
    proc: Option<Py<PyAny>>,
    pub extra: R::Extra,
}

impl<R: Role> Handler<R> {
    /// Calls the factory.
    pub fn make(module: &Bound<'_, PyModule>, script: &Script) -> Result<Self, Failure> {
        let name = &script.name;
        let failed = |error| Failure::new(FACTORY_FAILED, format!("{} of {name} failed", R::FACTORY), Some(error));
        let factory = module.getattr(R::FACTORY).map_err(|error| factory_missing::<R>(name, error))?;
        let object = factory.call0().map_err(failed)?;
        Ok(Self { object: object.unbind(), proc: None, extra: R::Extra::default() })
    }

    /// Calls the version method with the server's struct, or with `None` after a reload.
    pub fn version(&self, py: Python<'_>, info: Option<&Bound<'_, R::Version>>) -> Result<BOOL, Failure> {
        let result = method(self.object.bind(py), R::VERSION)?.call1((info,)).map_err(version_failed::<R>)?;
        truth(&result).ok_or_else(|| Failure::wrong_result(R::VERSION_FAILED, R::VERSION, &result))
    }

    /// Binds what calls need, once the version method has run.
    pub fn settle(mut self, py: Python<'_>) -> Arc<Self> {
        let object = self.object.bind(py);
        self.proc = object.getattr(R::PROC).ok().map(Bound::unbind);
        self.extra = R::settle(object);
        Arc::new(self)
    }

    /// Calls the handler's main method.
    pub fn call<T: PyClass>(&self, py: Python<'_>, argument: &Bound<'_, T>) -> Result<u32, Failure> {
        let result = match &self.proc {
            Some(bound) => bound.bind(py).call1((argument,)),
            None => method(self.object.bind(py), R::PROC)?.call1((argument,)),
        };
        let result =
            result.map_err(|error| Failure::new(R::PROC_FAILED, format!("{} failed", R::PROC), Some(error)))?;
        R::status(&result).ok_or_else(|| Failure::wrong_result(R::WRONG_RESULT, R::PROC, &result))
    }

    /// See [`Role::abandon`].
    pub fn abandon(&self, py: Python<'_>) {
        if let Err(error) = R::abandon(self.object.bind(py)) {
            Failure::new(R::TERMINATE_FAILED, "the thread pool could not be ended", Some(error)).report(py);
        }
    }

    pub fn terminate(&self, py: Python<'_>, flags: u32) -> Result<BOOL, Failure> {
        let failed = |error| Failure::new(R::TERMINATE_FAILED, format!("{} failed", R::TERMINATE), Some(error));
        let result = method(self.object.bind(py), R::TERMINATE)?.call1((flags,)).map_err(failed)?;
        truth(&result).ok_or_else(|| Failure::wrong_result(R::TERMINATE_FAILED, R::TERMINATE, &result))
    }
}

impl Failure {
    pub fn asks_for_reload(&self, py: Python<'_>) -> bool {
        self.error.as_ref().is_some_and(|error| is_reload_request(py, error))
    }
}

/// The failure of a version method that raised.
pub fn version_failed<R: Role>(error: PyErr) -> Failure {
    Failure::new(R::VERSION_FAILED, format!("{} failed", R::VERSION), Some(error))
}

fn factory_missing<R: Role>(name: &str, error: PyErr) -> Failure {
    Failure::new(FACTORY_MISSING, format!("{name} defines no {}", R::FACTORY), Some(error))
}

fn method<'py>(object: &Bound<'py, PyAny>, name: &str) -> Result<Bound<'py, PyAny>, Failure> {
    object.getattr(name).map_err(|error| {
        let class = object.get_type().name().map_or_else(|_| "the handler".to_owned(), |name| name.to_string());
        Failure::new(METHOD_MISSING, format!("{class} has no {name}"), Some(error))
    })
}

/// `None` is TRUE and an int is its truth; anything else is no result.
fn truth(result: &Bound<'_, PyAny>) -> Option<BOOL> {
    if result.is_none() {
        return Some(TRUE);
    }
    number(result).map(|number| if number == 0 { FALSE } else { TRUE })
}

/// A signed 32-bit int, handed to the server as it is.
pub fn number(result: &Bound<'_, PyAny>) -> Option<u32> {
    let number: i64 = result.cast::<PyInt>().ok()?.extract().ok()?;
    i32::try_from(number).ok().map(|number| number as u32)
}

//! `HSE_VERSION_INFO`: what `GetExtensionVersion` fills in.

use std::sync::{Mutex, PoisonError};

use isapi_abi::httpext::HSE_VERSION_INFO;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::copy_description;
use crate::errors::expired;

/// The server's struct during the call, `None` afterwards.
#[pyclass(name = "HSE_VERSION_INFO", frozen)]
pub struct VersionInfo {
    info: Mutex<Option<Borrowed>>,
}

struct Borrowed(*mut HSE_VERSION_INFO);

// SAFETY: the pointer is used only under the mutex, and only while the server's call lasts.
unsafe impl Send for Borrowed {}

impl VersionInfo {
    /// Wraps the server's struct.
    ///
    /// # Safety
    /// `info` is valid until [`VersionInfo::end`] has returned.
    pub unsafe fn new(info: *mut HSE_VERSION_INFO) -> Self {
        Self { info: Mutex::new(Some(Borrowed(info))) }
    }

    /// Ends the object: from now on it raises.
    pub fn end(&self) {
        self.info.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn with<R>(&self, use_it: impl FnOnce(&mut HSE_VERSION_INFO) -> PyResult<R>) -> PyResult<R> {
        let guard = self.info.lock().unwrap_or_else(PoisonError::into_inner);
        let info = guard.as_ref().ok_or_else(expired)?;
        // SAFETY: not yet ended, so the server's call still lasts; the mutex makes the access exclusive.
        use_it(unsafe { &mut *info.0 })
    }
}

#[pymethods]
impl VersionInfo {
    #[getter(ExtensionDesc)]
    fn extension_desc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.with(|info| {
            let text: Vec<u8> = info.lpszExtensionDesc.iter().map(|&c| c as u8).take_while(|&c| c != 0).collect();
            Ok(PyBytes::new(py, &text))
        })
    }

    #[setter(ExtensionDesc)]
    fn set_extension_desc(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.with(|info| copy_description(value, &mut info.lpszExtensionDesc))
    }
}

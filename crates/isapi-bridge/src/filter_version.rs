//! `HTTP_FILTER_VERSION`: what `GetFilterVersion` fills in.

use isapi_abi::httpfilt::HTTP_FILTER_VERSION;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt};

use crate::arguments::{Int32, copy_description, description_bytes};
use crate::handler::VersionObject;
use crate::lent::Lent;

/// The server's struct during the call.
#[pyclass(name = "HTTP_FILTER_VERSION", frozen)]
pub struct FilterVersion(Lent<HTTP_FILTER_VERSION>);

impl FilterVersion {
    /// Wraps the server's struct.
    ///
    /// # Safety
    /// `version` is valid until [`VersionObject::end`] has returned.
    pub unsafe fn new(version: *mut HTTP_FILTER_VERSION) -> Self {
        // SAFETY: the caller passes on the contract.
        Self(unsafe { Lent::new(version) })
    }
}

impl VersionObject for FilterVersion {
    fn end(&self) {
        self.0.end();
    }
}

/// An int; anything else is pywin32's `ValueError`.
fn int(value: &Bound<'_, PyAny>) -> PyResult<u32> {
    if !value.is_instance_of::<PyInt>() {
        return Err(PyValueError::new_err(format!("expected an int, not {}", value.get_type().name()?)));
    }
    Ok(value.extract::<Int32>()?.0)
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl FilterVersion {
    #[getter]
    fn ServerFilterVersion(&self) -> PyResult<u32> {
        self.0.with(|version| Ok(version.dwServerFilterVersion))
    }

    #[getter]
    fn FilterVersion(&self) -> PyResult<i32> {
        self.0.with(|version| Ok(version.dwFilterVersion as i32))
    }

    #[setter(FilterVersion)]
    fn set_FilterVersion(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let number = int(value)?;
        self.0.with(|version| {
            version.dwFilterVersion = number;
            Ok(())
        })
    }

    #[getter]
    fn Flags(&self) -> PyResult<i32> {
        self.0.with(|version| Ok(version.dwFlags as i32))
    }

    #[setter(Flags)]
    fn set_Flags(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let number = int(value)?;
        self.0.with(|version| {
            version.dwFlags = number;
            Ok(())
        })
    }

    #[getter]
    fn FilterDesc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.with(|version| Ok(description_bytes(py, &version.lpszFilterDesc)))
    }

    #[setter(FilterDesc)]
    fn set_FilterDesc(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.with(|version| copy_description(value, &mut version.lpszFilterDesc))
    }
}

//! `HSE_VERSION_INFO`: what `GetExtensionVersion` fills in.

use isapi_abi::httpext::HSE_VERSION_INFO;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{copy_description, description_bytes};
use crate::handler::VersionObject;
use crate::lent::Lent;

/// The server's struct during the call.
#[pyclass(name = "HSE_VERSION_INFO", frozen)]
pub struct VersionInfo(Lent<HSE_VERSION_INFO>);

impl VersionInfo {
    /// Wraps the server's struct.
    ///
    /// # Safety
    /// `info` is valid until [`VersionObject::end`] has returned.
    pub unsafe fn new(info: *mut HSE_VERSION_INFO) -> Self {
        // SAFETY: the caller passes on the contract.
        Self(unsafe { Lent::new(info) })
    }
}

impl VersionObject for VersionInfo {
    fn end(&self) {
        self.0.end();
    }
}

#[pymethods]
impl VersionInfo {
    #[getter(ExtensionDesc)]
    fn extension_desc<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.with(|info| Ok(description_bytes(py, &info.lpszExtensionDesc)))
    }

    #[setter(ExtensionDesc)]
    fn set_extension_desc(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.0.with(|info| copy_description(value, &mut info.lpszExtensionDesc))
    }
}

//! The data of the notifications without headers, but for the log: where a URL leads, raw bytes, a login, a denial.
//!
//! What is set is copied: into the server's buffer where the struct has one, else into memory of `AllocMem`.

use std::ffi::c_char;

use isapi_abi::httpfilt::{
    HTTP_FILTER_ACCESS_DENIED, HTTP_FILTER_AUTHENT, HTTP_FILTER_RAW_DATA, HTTP_FILTER_URL_MAP, HTTP_FILTER_URL_MAP_EX,
};
use pyo3::exceptions::{PyAttributeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::Data;
use crate::filter_data::View;

/// The first server version that passes `HTTP_FILTER_URL_MAP_EX` (IIS 7); before, nothing may follow the first members.
const HAS_URL_MAP_EX: u32 = 7 << 16;

#[pyclass(name = "HTTP_FILTER_URL_MAP", frozen)]
pub struct UrlMap(pub View<HTTP_FILTER_URL_MAP>);

#[pyclass(name = "HTTP_FILTER_RAW_DATA", frozen)]
pub struct RawData(pub View<HTTP_FILTER_RAW_DATA>);

#[pyclass(name = "HTTP_FILTER_AUTHENT", frozen)]
pub struct Authent(pub View<HTTP_FILTER_AUTHENT>);

#[pyclass(name = "HTTP_FILTER_ACCESS_DENIED", frozen)]
pub struct AccessDenied(pub View<HTTP_FILTER_ACCESS_DENIED>);

impl UrlMap {
    /// A member behind the first three.
    fn further<R>(&self, member: impl FnOnce(&HTTP_FILTER_URL_MAP_EX) -> R) -> PyResult<R> {
        if self.0.context().revision < HAS_URL_MAP_EX {
            return Err(PyAttributeError::new_err("servers before IIS 7 do not say this"));
        }
        // SAFETY: such a server passes the longer struct, which begins with the shorter one.
        self.0.with(|map| member(unsafe { &*std::ptr::from_mut(map).cast::<HTTP_FILTER_URL_MAP_EX>() }))
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl UrlMap {
    #[getter]
    fn URL<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |map| map.pszURL)
    }

    #[getter]
    fn PhysicalPath<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |map| map.pszPhysicalPath)
    }

    #[setter(PhysicalPath)]
    fn set_PhysicalPath(&self, path: Data) -> PyResult<()> {
        self.0.fill("PhysicalPath", path.as_slice(), |map| (map.pszPhysicalPath, map.cbPathBuff))
    }

    #[getter]
    fn Flags(&self) -> PyResult<u32> {
        self.further(|map| map.dwFlags)
    }

    #[getter]
    fn MatchingPath(&self) -> PyResult<u32> {
        self.further(|map| map.cchMatchingPath)
    }

    #[getter]
    fn MatchingURL(&self) -> PyResult<u32> {
        self.further(|map| map.cchMatchingURL)
    }

    #[getter]
    fn ScriptMapEntry<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let entry = self.further(|map| map.pszScriptMapEntry.expose_provenance())?;
        self.0.text_or_empty(py, |_| std::ptr::with_exposed_provenance::<c_char>(entry))
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl RawData {
    #[getter]
    fn InData<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.with(|raw| {
            let (start, len) = (raw.pvInData.cast::<u8>(), raw.cbInData as usize);
            // SAFETY: `pvInData` is NULL or has `cbInData` bytes.
            (!start.is_null()).then(|| PyBytes::new(py, unsafe { std::slice::from_raw_parts(start, len) }))
        })
    }

    #[setter(InData)]
    fn set_InData(&self, py: Python<'_>, data: Data) -> PyResult<()> {
        let bytes = data.as_slice();
        let len = u32::try_from(bytes.len()).ok().filter(|&len| len < u32::MAX);
        let len = len.ok_or_else(|| PyValueError::new_err("at most 4 GiB"))?;
        let memory = self.0.copy(py, bytes)?;
        self.0.with(|raw| {
            raw.pvInData = memory.cast();
            raw.cbInData = len;
            raw.cbInBuffer = len + 1;
        })
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl Authent {
    #[getter]
    fn User<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.text(py, |login| login.pszUser)
    }

    #[setter(User)]
    fn set_User(&self, user: Data) -> PyResult<()> {
        self.0.fill("User", user.as_slice(), |login| (login.pszUser, login.cbUserBuff))
    }

    #[getter]
    fn Password<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.0.text(py, |login| login.pszPassword)
    }

    #[setter(Password)]
    fn set_Password(&self, password: Data) -> PyResult<()> {
        self.0.fill("Password", password.as_slice(), |login| (login.pszPassword, login.cbPasswordBuff))
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "named as the other classes")]
impl AccessDenied {
    #[getter]
    fn URL<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |denial| denial.pszURL)
    }

    #[getter]
    fn PhysicalPath<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |denial| denial.pszPhysicalPath)
    }

    #[getter]
    fn Reason(&self) -> PyResult<u32> {
        self.0.with(|denial| denial.dwReason)
    }
}

//! `HTTP_FILTER_LOG`: the log entry, which a filter may change before it is written.
//!
//! Texts that are set go into memory of `AllocMem`, which outlasts the notification as the contract wants it.

use std::ffi::c_char;

use isapi_abi::httpfilt::HTTP_FILTER_LOG;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{Data, Int32};
use crate::filter_data::View;

#[pyclass(name = "HTTP_FILTER_LOG", frozen)]
pub struct Log(pub View<HTTP_FILTER_LOG>);

impl Log {
    fn replace(
        &self,
        py: Python<'_>,
        text: &Data,
        member: impl FnOnce(&mut HTTP_FILTER_LOG) -> &mut *const c_char,
    ) -> PyResult<()> {
        let text = text.as_slice().split(|&byte| byte == 0).next().unwrap_or_default();
        let memory = self.0.copy(py, text)?;
        self.0.with(|log| *member(log) = memory.cast())
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl Log {
    #[getter]
    fn ClientHostName<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszClientHostName)
    }

    #[setter(ClientHostName)]
    fn set_ClientHostName(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszClientHostName)
    }

    #[getter]
    fn ClientUserName<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszClientUserName)
    }

    #[setter(ClientUserName)]
    fn set_ClientUserName(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszClientUserName)
    }

    #[getter]
    fn ServerName<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszServerName)
    }

    #[setter(ServerName)]
    fn set_ServerName(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszServerName)
    }

    #[getter]
    fn Operation<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszOperation)
    }

    #[setter(Operation)]
    fn set_Operation(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszOperation)
    }

    #[getter]
    fn Target<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszTarget)
    }

    #[setter(Target)]
    fn set_Target(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszTarget)
    }

    #[getter]
    fn Parameters<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.0.text_or_empty(py, |log| log.pszParameters)
    }

    #[setter(Parameters)]
    fn set_Parameters(&self, py: Python<'_>, text: Data) -> PyResult<()> {
        self.replace(py, &text, |log| &mut log.pszParameters)
    }

    #[getter]
    fn HttpStatus(&self) -> PyResult<i32> {
        self.0.with(|log| log.dwHttpStatus as i32)
    }

    #[setter(HttpStatus)]
    fn set_HttpStatus(&self, status: Int32) -> PyResult<()> {
        self.0.with(|log| log.dwHttpStatus = status.0)
    }

    #[getter]
    fn Win32Status(&self) -> PyResult<i32> {
        self.0.with(|log| log.dwWin32Status as i32)
    }

    #[setter(Win32Status)]
    fn set_Win32Status(&self, status: Int32) -> PyResult<()> {
        self.0.with(|log| log.dwWin32Status = status.0)
    }

    #[getter]
    fn BytesSent(&self) -> PyResult<u32> {
        self.0.with(|log| log.dwBytesSent)
    }

    #[getter]
    fn BytesRecvd(&self) -> PyResult<u32> {
        self.0.with(|log| log.dwBytesRecvd)
    }

    #[getter]
    fn TimeForProcessing(&self) -> PyResult<u32> {
        self.0.with(|log| log.msTimeForProcessing)
    }
}

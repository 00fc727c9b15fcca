//! The headers of a request or response, for a filter: `HTTP_FILTER_PREPROC_HEADERS` and the two structs like it.
//!
//! Names go as they are: `"url"`, `"method"`, `"version"`, of a response `"status"`; headers with their colon.
//! A name or value with a line break is refused here, so that no server is led to send a header more.

use isapi_abi::HANDLE;
use isapi_abi::httpfilt::{HTTP_FILTER_AUTH_COMPLETE_INFO, HTTP_FILTER_PREPROC_HEADERS, HTTP_FILTER_SEND_RESPONSE};
use isapi_abi::win32::ERROR_INVALID_PARAMETER;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::Given;
use crate::errors::filter_error;
use crate::filter_context::FilterContext;
use crate::filter_data::View;
use crate::lease::CallError;
use crate::server_calls::outcome;
use crate::terminated::Line;

#[pyclass(name = "HTTP_FILTER_PREPROC_HEADERS", frozen)]
pub struct PreprocHeaders(pub View<HTTP_FILTER_PREPROC_HEADERS>);

#[pyclass(name = "HTTP_FILTER_SEND_RESPONSE", frozen)]
pub struct SendResponse(pub View<HTTP_FILTER_SEND_RESPONSE>);

#[pyclass(name = "HTTP_FILTER_AUTH_COMPLETE_INFO", frozen)]
pub struct AuthComplete(pub View<HTTP_FILTER_AUTH_COMPLETE_INFO>);

/// A struct that begins with the three functions.
pub trait HasHeaders {}
impl HasHeaders for HTTP_FILTER_PREPROC_HEADERS {}
impl HasHeaders for HTTP_FILTER_AUTH_COMPLETE_INFO {}

impl<T: HasHeaders> View<T> {
    fn get_header<'py>(&self, py: Python<'py>, name: &Line, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut room = [0; 1024];
        // SAFETY: the data is a `T`, which begins with the functions.
        let value = self.context().try_short_call(py, |server| unsafe { server.header(name.as_ptr(), &mut room) });
        match (value, default.0) {
            (Ok(value), _) => Ok(PyBytes::new(py, value.strip_suffix(b"\0").unwrap_or(&value)).into_any()),
            (Err(CallError::Win32(_)), Some(default)) => Ok(default),
            (Err(error), _) => Err(filter_error(py, error, "GetHeader")),
        }
    }

    fn set_header(&self, py: Python<'_>, name: &Line, value: &Line) -> PyResult<()> {
        // SAFETY: the data is a `T`, which begins with the functions; both texts are NUL-terminated.
        self.context().short_call(py, "SetHeader", |server| unsafe { server.set_header(name.as_ptr(), value.as_ptr()) })
    }

    fn add_header(&self, py: Python<'_>, name: &Line, value: &Line) -> PyResult<()> {
        // SAFETY: the data is a `T`, which begins with the functions; both texts are NUL-terminated.
        self.context().short_call(py, "AddHeader", |server| unsafe { server.add_header(name.as_ptr(), value.as_ptr()) })
    }
}

/// The token of the authenticated user.
fn user_token(context: &FilterContext, py: Python<'_>) -> PyResult<usize> {
    context.call(py, "GetUserToken", |server| {
        let info = server.pointers.data.cast::<HTTP_FILTER_AUTH_COMPLETE_INFO>();
        // SAFETY: the data is alive while `server` is, and of this type: only `AuthComplete` calls.
        let function = unsafe { (*info).GetUserToken }.ok_or(CallError::Win32(ERROR_INVALID_PARAMETER))?;
        let mut token: HANDLE = std::ptr::null_mut();
        // SAFETY: the function writes one handle.
        outcome(unsafe { function(server.pointers.context, &mut token) })?;
        Ok(token.addr())
    })
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl PreprocHeaders {
    #[getter]
    fn HttpStatus(&self) -> PyResult<u32> {
        self.0.with(|headers| headers.HttpStatus)
    }

    #[pyo3(signature = (name, default=Given(None), /))]
    fn GetHeader<'py>(&self, py: Python<'py>, name: Line, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.get_header(py, &name, default)
    }

    #[pyo3(signature = (name, value, /))]
    fn SetHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.set_header(py, &name, &value)
    }

    #[pyo3(signature = (name, value, /))]
    fn AddHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.add_header(py, &name, &value)
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "named as the first class")]
impl SendResponse {
    #[getter]
    fn HttpStatus(&self) -> PyResult<u32> {
        self.0.with(|headers| headers.HttpStatus)
    }

    #[pyo3(signature = (name, default=Given(None), /))]
    fn GetHeader<'py>(&self, py: Python<'py>, name: Line, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.get_header(py, &name, default)
    }

    #[pyo3(signature = (name, value, /))]
    fn SetHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.set_header(py, &name, &value)
    }

    #[pyo3(signature = (name, value, /))]
    fn AddHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.add_header(py, &name, &value)
    }
}

#[pymethods]
#[expect(non_snake_case, reason = "named as the first class")]
impl AuthComplete {
    #[getter]
    fn HttpStatus(&self) -> PyResult<u32> {
        self.0.with(|info| info.HttpStatus)
    }

    #[getter]
    fn ResetAuth(&self) -> PyResult<bool> {
        self.0.with(|info| info.fResetAuth != 0)
    }

    #[setter(ResetAuth)]
    fn set_ResetAuth(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let reset = value.is_truthy()?;
        self.0.with(|info| info.fResetAuth = reset.into())
    }

    #[pyo3(signature = (name, default=Given(None), /))]
    fn GetHeader<'py>(&self, py: Python<'py>, name: Line, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.0.get_header(py, &name, default)
    }

    #[pyo3(signature = (name, value, /))]
    fn SetHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.set_header(py, &name, &value)
    }

    #[pyo3(signature = (name, value, /))]
    fn AddHeader(&self, py: Python<'_>, name: Line, value: Line) -> PyResult<()> {
        self.0.add_header(py, &name, &value)
    }

    fn GetUserToken(&self, py: Python<'_>) -> PyResult<usize> {
        user_token(self.0.context(), py)
    }
}

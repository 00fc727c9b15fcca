//! The smaller `ServerSupportFunction` requests behind the methods of `EXTENSION_CONTROL_BLOCK`.
//!
//! Each function builds the struct that its request takes on the stack, calls the server without the interpreter
//! and turns the answer into Python's type. Requests with a subject of their own have files of their own.

use std::ffi::c_void;
use std::ptr;

use isapi_abi::httpext::{
    HSE_APP_FLAG_IN_PROCESS, HSE_APPEND_LOG_PARAMETER, HSE_REQ_GET_ANONYMOUS_TOKEN, HSE_REQ_GET_IMPERSONATION_TOKEN,
    HSE_REQ_GET_TRACE_INFO, HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN, HSE_REQ_IS_IN_PROCESS, HSE_REQ_REPORT_UNHEALTHY,
    HSE_REQ_SEND_RESPONSE_HEADER_EX, HSE_REQ_SEND_URL, HSE_REQ_SEND_URL_REDIRECT_RESP, HSE_REQ_SET_FLUSH_FLAG,
    HSE_SEND_HEADER_EX_INFO, HSE_TRACE_INFO,
};
use isapi_abi::{FALSE, HANDLE, TRUE};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::{Data, Text};
use crate::control_block::{ControlBlock, SHORT_WRITE};
use crate::lease::{CallError, Entered};
use crate::results::ResultClass;
use crate::terminated::Terminated;

static TRACE_INFO: ResultClass = ResultClass::new("TraceInfo");

impl ControlBlock {
    pub(crate) fn send_response_headers(
        &self,
        py: Python<'_>,
        status: &Data,
        headers: &Data,
        keep: bool,
    ) -> PyResult<()> {
        const FUNCTION: &str = "ServerSupportFunction(HSE_REQ_SEND_RESPONSE_HEADER_EX)";
        let send = |entered: &Entered<'_>| {
            let mut info = HSE_SEND_HEADER_EX_INFO {
                pszStatus: status.as_ptr().cast(),
                pszHeader: headers.as_ptr().cast(),
                cchStatus: status.as_slice().len() as u32,
                cchHeader: headers.as_slice().len() as u32,
                fKeepConn: if keep { TRUE } else { FALSE },
            };
            // SAFETY: the request takes this struct and copies what it points to.
            unsafe {
                entered.support(HSE_REQ_SEND_RESPONSE_HEADER_EX, address(&mut info), ptr::null_mut(), ptr::null_mut())
            }?;
            entered.mark_answered();
            Ok(())
        };
        // What stands behind the headers is body, which may have to wait for the client.
        if status.as_slice().len() + headers.as_slice().len() <= SHORT_WRITE {
            self.short_call(py, FUNCTION, send)
        } else {
            self.call(py, FUNCTION, send)
        }
    }

    pub(crate) fn redirect(&self, py: Python<'_>, url: &Text) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_SEND_URL_REDIRECT_RESP)", |entered| {
            answer_with_url(entered, HSE_REQ_SEND_URL_REDIRECT_RESP, url)
        })
    }

    pub(crate) fn send_url(&self, py: Python<'_>, url: &Text) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_SEND_URL)", |entered| {
            answer_with_url(entered, HSE_REQ_SEND_URL, url)
        })
    }

    pub(crate) fn impersonation_token(&self, py: Python<'_>) -> PyResult<usize> {
        self.call(py, "ServerSupportFunction(HSE_REQ_GET_IMPERSONATION_TOKEN)", |entered| {
            let mut token: HANDLE = ptr::null_mut();
            // SAFETY: the request writes one HANDLE, which stays the server's.
            unsafe {
                entered.support(HSE_REQ_GET_IMPERSONATION_TOKEN, address(&mut token), ptr::null_mut(), ptr::null_mut())
            }?;
            Ok(token.addr())
        })
    }

    pub(crate) fn anonymous_token(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<usize> {
        if let Ok(path) = path.cast::<PyBytes>() {
            let mut narrow = path.as_bytes().to_vec();
            narrow.push(0);
            let function = "ServerSupportFunction(HSE_REQ_GET_ANONYMOUS_TOKEN)";
            return self
                .call(py, function, |entered| anonymous_token(entered, HSE_REQ_GET_ANONYMOUS_TOKEN, &mut narrow));
        }
        let path = path.cast::<PyString>().map_err(|_| PyTypeError::new_err("the path must be bytes or str"))?;
        let mut wide: Vec<u16> = path.to_str()?.encode_utf16().chain([0]).collect();
        let function = "ServerSupportFunction(HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN)";
        self.call(py, function, |entered| anonymous_token(entered, HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN, &mut wide))
    }

    pub(crate) fn set_flush_flag(&self, py: Python<'_>, on: bool) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_SET_FLUSH_FLAG)", |entered| {
            let value = ptr::without_provenance_mut::<c_void>(usize::from(on));
            // SAFETY: the request takes the flag itself in place of a pointer.
            unsafe { entered.support(HSE_REQ_SET_FLUSH_FLAG, value, ptr::null_mut(), ptr::null_mut()) }
        })
    }

    pub(crate) fn report_unhealthy(&self, py: Python<'_>, reason: Option<&Text>) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_REPORT_UNHEALTHY)", |entered| {
            let reason = reason.map_or(ptr::null_mut(), |reason| reason.as_ptr().cast_mut().cast());
            // SAFETY: the request reads a NUL-terminated text or NULL.
            unsafe { entered.support(HSE_REQ_REPORT_UNHEALTHY, reason, ptr::null_mut(), ptr::null_mut()) }
        })
    }

    pub(crate) fn append_log(&self, py: Python<'_>, text: &Terminated) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_APPEND_LOG_PARAMETER)", |entered| {
            // SAFETY: the request reads a NUL-terminated text.
            unsafe { entered.support(HSE_APPEND_LOG_PARAMETER, text.as_ptr().cast(), ptr::null_mut(), ptr::null_mut()) }
        })
    }

    pub(crate) fn is_in_process(&self, py: Python<'_>) -> PyResult<bool> {
        self.call(py, "ServerSupportFunction(HSE_REQ_IS_IN_PROCESS)", |entered| {
            let mut kind = HSE_APP_FLAG_IN_PROCESS;
            // SAFETY: the request writes one DWORD.
            unsafe { entered.support(HSE_REQ_IS_IN_PROCESS, address(&mut kind), ptr::null_mut(), ptr::null_mut()) }?;
            Ok(kind == HSE_APP_FLAG_IN_PROCESS)
        })
    }

    pub(crate) fn trace_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let info = self.call(py, "ServerSupportFunction(HSE_REQ_GET_TRACE_INFO)", |entered| {
            let mut info =
                HSE_TRACE_INFO { fTraceRequest: FALSE, TraceContextId: [0; 16], dwReserved1: 0, dwReserved2: 0 };
            // SAFETY: the request fills this struct.
            unsafe { entered.support(HSE_REQ_GET_TRACE_INFO, address(&mut info), ptr::null_mut(), ptr::null_mut()) }?;
            Ok(info)
        })?;
        TRACE_INFO.make(py, (info.fTraceRequest != FALSE, PyBytes::new(py, &info.TraceContextId)))
    }
}

/// A whole answer that consists of a URL.
fn answer_with_url(entered: &Entered<'_>, request: u32, url: &Text) -> Result<(), CallError> {
    let mut size = url.len() as u32;
    // SAFETY: the request reads a NUL-terminated URL of this length.
    unsafe { entered.support(request, url.as_ptr().cast_mut().cast(), &mut size, ptr::null_mut()) }?;
    entered.mark_answered();
    Ok(())
}

fn anonymous_token<T>(entered: &Entered<'_>, request: u32, path: &mut [T]) -> Result<usize, CallError> {
    let mut token: HANDLE = ptr::null_mut();
    // SAFETY: the request reads the terminated path and writes the handle where the size would stand.
    unsafe { entered.support(request, path.as_mut_ptr().cast(), ptr::from_mut(&mut token).cast(), ptr::null_mut()) }?;
    Ok(token.addr())
}

fn address<T>(value: &mut T) -> *mut c_void {
    ptr::from_mut(value).cast()
}

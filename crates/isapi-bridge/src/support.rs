//! The `ServerSupportFunction` requests behind the methods of `EXTENSION_CONTROL_BLOCK`.
//!
//! Each function builds the struct that its request takes, calls the server without the interpreter and
//! turns the answer into Python's type. Structs live on the stack for synchronous requests and in the
//! operation for asynchronous ones.

use std::ffi::c_void;
use std::ptr;
use std::sync::Arc;

use isapi_abi::httpext::{
    HSE_EXEC_URL_INFO, HSE_EXEC_URL_STATUS, HSE_IO_ASYNC, HSE_IO_SEND_HEADERS, HSE_REQ_EXEC_URL,
    HSE_REQ_GET_ANONYMOUS_TOKEN, HSE_REQ_GET_EXEC_URL_STATUS, HSE_REQ_GET_IMPERSONATION_TOKEN,
    HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN, HSE_REQ_IS_KEEP_CONN, HSE_REQ_MAP_URL_TO_PATH, HSE_REQ_REPORT_UNHEALTHY,
    HSE_REQ_SEND_RESPONSE_HEADER_EX, HSE_REQ_SEND_URL_REDIRECT_RESP, HSE_REQ_SET_FLUSH_FLAG, HSE_REQ_TRANSMIT_FILE,
    HSE_SEND_HEADER_EX_INFO, HSE_TF_INFO,
};
use isapi_abi::{BOOL, FALSE, HANDLE, TRUE};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyFloat, PyString};

use crate::arguments::{Data, Text};
use crate::completion::{self, Operation, Target, Transmission};
use crate::control_block::ControlBlock;
use crate::errors::{expired, extension_error};
use crate::lease::{CallError, Entered};
use crate::server_calls::grow;

/// What `TransmitFile` sends around and from the file.
pub struct Parts {
    pub status: Text,
    pub head: Option<Data>,
    pub tail: Option<Data>,
    /// Offset and length in bytes; length 0 means to the end.
    pub range: (u32, u32),
    pub flags: u32,
}

impl ControlBlock {
    pub(crate) fn send_response_headers(
        &self,
        py: Python<'_>,
        status: &Data,
        headers: &Data,
        keep: bool,
    ) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_SEND_RESPONSE_HEADER_EX)", |entered| {
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
        })
    }

    pub(crate) fn redirect(&self, py: Python<'_>, url: &Text) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_SEND_URL_REDIRECT_RESP)", |entered| {
            let mut size = url.len() as u32;
            // SAFETY: the request reads a NUL-terminated URL of this length.
            unsafe {
                entered.support(
                    HSE_REQ_SEND_URL_REDIRECT_RESP,
                    url.as_ptr().cast_mut().cast(),
                    &mut size,
                    ptr::null_mut(),
                )
            }?;
            entered.mark_answered();
            Ok(())
        })
    }

    pub(crate) fn map_url_to_path(&self, py: Python<'_>, url: &Text) -> PyResult<Vec<u8>> {
        self.call(py, "ServerSupportFunction(HSE_REQ_MAP_URL_TO_PATH)", |entered| {
            let path = grow(url.len() + 1024, |buffer, size| {
                // A failed attempt may have left anything there: the URL goes in anew.
                buffer.fill(0);
                buffer[..url.len()].copy_from_slice(url.as_bytes());
                // SAFETY: the request reads the URL from the buffer and writes at most `size` bytes there.
                unsafe { entered.support(HSE_REQ_MAP_URL_TO_PATH, buffer.as_mut_ptr().cast(), size, ptr::null_mut()) }
            })?;
            Ok(path.split(|&byte| byte == 0).next().unwrap_or_default().to_vec())
        })
    }

    pub(crate) fn is_keep_conn(&self, py: Python<'_>) -> PyResult<bool> {
        self.call(py, "ServerSupportFunction(HSE_REQ_IS_KEEP_CONN)", |entered| {
            let mut keep: BOOL = FALSE;
            // SAFETY: the request writes one BOOL.
            unsafe { entered.support(HSE_REQ_IS_KEEP_CONN, address(&mut keep), ptr::null_mut(), ptr::null_mut()) }?;
            Ok(keep != FALSE)
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

    pub(crate) fn exec_url(
        &self,
        py: Python<'_>,
        url: Option<&Text>,
        method: Option<&Text>,
        headers: Option<&Text>,
        flags: u32,
    ) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_EXEC_URL)", |entered| {
            let text = |text: Option<&Text>| text.map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut());
            let mut info = HSE_EXEC_URL_INFO {
                pszUrl: text(url),
                pszMethod: text(method),
                pszChildHeaders: text(headers),
                pUserInfo: ptr::null_mut(),
                pEntity: ptr::null_mut(),
                dwExecUrlFlags: flags,
            };
            // SAFETY: the request takes this struct and copies what it points to before it returns.
            unsafe { entered.support(HSE_REQ_EXEC_URL, address(&mut info), ptr::null_mut(), ptr::null_mut()) }
        })
    }

    pub(crate) fn exec_url_status(&self, py: Python<'_>) -> PyResult<(u16, u16, u32)> {
        self.call(py, "ServerSupportFunction(HSE_REQ_GET_EXEC_URL_STATUS)", |entered| {
            let mut status = HSE_EXEC_URL_STATUS { uHttpStatusCode: 0, uHttpSubStatus: 0, dwWin32Error: 0 };
            // SAFETY: the request writes this struct.
            unsafe {
                entered.support(HSE_REQ_GET_EXEC_URL_STATUS, address(&mut status), ptr::null_mut(), ptr::null_mut())
            }?;
            Ok((status.uHttpStatusCode, status.uHttpSubStatus, status.dwWin32Error))
        })
    }

    pub(crate) fn report_unhealthy(&self, py: Python<'_>, reason: Option<&Text>) -> PyResult<()> {
        self.call(py, "ServerSupportFunction(HSE_REQ_REPORT_UNHEALTHY)", |entered| {
            let reason = reason.map_or(ptr::null_mut(), |reason| reason.as_ptr().cast_mut().cast());
            // SAFETY: the request reads a NUL-terminated text or NULL.
            unsafe { entered.support(HSE_REQ_REPORT_UNHEALTHY, reason, ptr::null_mut(), ptr::null_mut()) }
        })
    }

    pub(crate) fn io_completion(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        argument: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let target = self.target(py, callback, argument)?;
        py.detach(|| completion::register(&self.lease, target))
            .map_err(|error| extension_error(py, error, "ServerSupportFunction(HSE_REQ_IO_COMPLETION)"))
    }

    pub(crate) fn transmit_file(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        argument: Py<PyAny>,
        file: &Bound<'_, PyAny>,
        parts: Parts,
    ) -> PyResult<()> {
        let flags = parts.flags;
        let transmission = transmission(parts, file)?;
        let target = self.target(py, callback, Some(argument))?;
        let operation = Operation::new(Arc::clone(&self.lease), target, Some(transmission));
        self.call(py, "ServerSupportFunction(HSE_REQ_TRANSMIT_FILE)", |entered| {
            let (key, operation) = completion::remember(operation);
            let started = start_transmission(entered, &operation);
            // Without the flag the call was synchronous and no completion follows.
            if started.is_err() || flags & HSE_IO_ASYNC == 0 {
                completion::forget(key);
            }
            started
        })
    }

    fn target(&self, py: Python<'_>, callback: &Bound<'_, PyAny>, argument: Option<Py<PyAny>>) -> PyResult<Target> {
        if !callback.is_callable() {
            return Err(PyTypeError::new_err("the callback must be callable"));
        }
        if self.lease.is_done() {
            return Err(expired());
        }
        Ok(Target { callback: callback.clone().unbind(), argument: argument.unwrap_or_else(|| py.None()) })
    }
}

fn start_transmission(entered: &Entered<'_>, operation: &Operation) -> Result<(), CallError> {
    let Some(transmission) = &operation.transmission else { return Ok(()) };
    let info = ptr::from_ref(&*transmission.info).cast_mut().cast();
    // SAFETY: the request reads this struct; it and what it points to live in the operation until the completion.
    unsafe { entered.support(HSE_REQ_TRANSMIT_FILE, info, ptr::null_mut(), ptr::null_mut()) }?;
    entered.mark_answered();
    Ok(())
}

fn transmission(parts: Parts, file: &Bound<'_, PyAny>) -> PyResult<Transmission> {
    let pointer = |data: &Option<Data>| data.as_ref().map_or(ptr::null_mut(), |data| data.as_ptr().cast_mut().cast());
    let len = |data: &Option<Data>| data.as_ref().map_or(0, |data| data.as_slice().len() as u32);
    let info = HSE_TF_INFO {
        pfnHseIO: Some(completion::completed),
        pContext: ptr::null_mut(),
        hFile: file_handle(file)?,
        pszStatusCode: if parts.flags & HSE_IO_SEND_HEADERS == 0 && parts.status.len() == 0 {
            ptr::null_mut()
        } else {
            parts.status.as_ptr().cast_mut()
        },
        BytesToWrite: parts.range.1,
        Offset: parts.range.0,
        pHead: pointer(&parts.head),
        HeadLength: len(&parts.head),
        pTail: pointer(&parts.tail),
        TailLength: len(&parts.tail),
        dwFlags: parts.flags,
    };
    Ok(Transmission {
        status: parts.status,
        head: parts.head,
        tail: parts.tail,
        file: file.clone().unbind(),
        info: Box::new(info),
    })
}

/// A handle or descriptor as a number, or an object that has one (`fileno()`, pywin32's handles).
fn file_handle(file: &Bound<'_, PyAny>) -> PyResult<HANDLE> {
    let number = match file.getattr("fileno") {
        Ok(fileno) if cfg!(unix) => fileno.call0()?,
        _ if file.is_instance_of::<PyFloat>() => return Err(PyTypeError::new_err("hFile must be a file handle")),
        _ => file.call_method0("__int__").map_err(|_| PyTypeError::new_err("hFile must be a file handle"))?,
    };
    let bits = number.call_method1("__and__", (u64::MAX,))?.extract::<u64>()?;
    Ok(ptr::without_provenance_mut(bits as usize))
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

//! `EXTENSION_CONTROL_BLOCK`: the request and its response, as scripts see them.
//!
//! Names, argument order, defaults and results are pywin32's. What the server gives is `bytes`, except
//! `UNICODE_*` variables; a refusal by the server is `isapi.ExtensionError(errno, None, function)`; use after
//! the end of the request is `RuntimeError`. The interpreter is released around every call to the server.

use std::borrow::Cow;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, PoisonError};

use isapi_abi::httpext::{HSE_IO_ASYNC, HSE_LOG_BUFFER_LEN};
use isapi_abi::never_waits::HSE_IO_DO_NOT_WAIT;
use isapi_abi::win32::WSAEWOULDBLOCK;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::arguments::{Data, Given, Int32, Text, copy_description_cut};
use crate::asynchronous::Callback;
use crate::errors::{expired, extension_error};
use crate::exec_url::Order;
use crate::lease::{Attached, CallError, Entered, Lease};
use crate::server_calls::StringMember;
use crate::terminated::Terminated;
use crate::transmit::Parts;
use crate::vector::Head;

/// `cbTotalBytes` when the length is not known.
const UNKNOWN_LENGTH: u32 = u32::MAX;
/// What sends at most so many bytes is tried without releasing the interpreter.
pub const SHORT_WRITE: usize = 64 * 1024;
/// How much `ReadClient` asks for at once.
const READ_BLOCK: u64 = 256 * 1024;

/// One Python object over a request. A request may have several (a callback gets a new one).
#[pyclass(name = "EXTENSION_CONTROL_BLOCK", frozen)]
pub struct ControlBlock {
    pub lease: Arc<Lease>,
    version: u32,
    total_bytes: u32,
    available_bytes: u32,
    conn_id: usize,
    status_code: AtomicI64,
}

impl ControlBlock {
    /// Makes the object that a handler gets.
    pub fn new(lease: &Arc<Lease>) -> Result<Self, CallError> {
        let entered = lease.enter()?;
        let block = entered.block();
        // SAFETY: `entered` keeps the block alive; these members do not change while the request lasts.
        let (version, total_bytes, available_bytes, conn_id, status_code) = unsafe {
            (
                (*block).dwVersion,
                (*block).cbTotalBytes,
                (*block).cbAvailable,
                (*block).ConnID,
                (*block).dwHttpStatusCode,
            )
        };
        Ok(Self {
            lease: Arc::clone(lease),
            version,
            total_bytes,
            available_bytes,
            conn_id: conn_id.addr(),
            status_code: AtomicI64::new(status_code.into()),
        })
    }

    /// Makes another object over a request, for a callback.
    pub fn again(py: Python<'_>, lease: &Arc<Lease>) -> PyResult<Py<Self>> {
        Py::new(py, Self::new(lease).map_err(|_| expired())?)
    }

    /// A moment's look at the block.
    fn look<'py>(&self, py: Python<'py>) -> PyResult<Attached<'_, 'py>> {
        self.lease.enter_attached(py).map_err(|_| expired())
    }

    /// Calls the server without the interpreter; `function` names the call in the error.
    pub fn call<R: Send>(
        &self,
        py: Python<'_>,
        function: &'static str,
        call: impl FnOnce(&Entered<'_>) -> Result<R, CallError> + Send,
    ) -> PyResult<R> {
        py.detach(|| call(&self.lease.enter()?)).map_err(|error| extension_error(py, error, function))
    }

    /// As [`ControlBlock::call`], for a call that does not wait if the server has promised so: then the interpreter is
    /// kept, since releasing it costs more than the call.
    pub fn short_call<R: Send>(
        &self,
        py: Python<'_>,
        function: &'static str,
        call: impl FnOnce(&Entered<'_>) -> Result<R, CallError> + Send,
    ) -> PyResult<R> {
        if !self.lease.never_waits {
            return self.call(py, function, call);
        }
        let entered = self.look(py)?;
        call(&entered).map_err(|error| extension_error(py, error, function))
    }

    fn string<'py>(&self, py: Python<'py>, member: StringMember) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.look(py)?.string(member)))
    }

    fn write(&self, py: Python<'_>, data: Data, flags: u32) -> PyResult<u32> {
        if flags & HSE_IO_ASYNC != 0 {
            return self.write_async(py, data, flags);
        }
        if self.lease.never_waits && data.as_slice().len() <= SHORT_WRITE {
            match self.look(py)?.write(data.as_slice(), flags | HSE_IO_DO_NOT_WAIT) {
                Err(CallError::Win32(WSAEWOULDBLOCK)) => {}
                written => return written.map_err(|error| extension_error(py, error, "WriteClient")),
            }
        }
        self.call(py, "WriteClient", |entered| entered.write(data.as_slice(), flags))
    }

    /// The value of a variable with its terminator, in `room` if it fits there.
    fn variable<'a>(&self, py: Python<'_>, name: &Text, room: &'a mut [u8]) -> Result<Cow<'a, [u8]>, CallError> {
        if self.lease.never_waits {
            return self.lease.enter_attached(py)?.variable(name.as_ptr(), room);
        }
        py.detach(|| self.lease.enter()?.variable(name.as_ptr(), room))
    }

    fn finish(&self, py: Python<'_>, status: u32) -> PyResult<()> {
        let finish = || self.lease.finish(status);
        let finished = if self.lease.never_waits { finish() } else { py.detach(finish) };
        finished.map_err(|error| extension_error(py, error, "ServerSupportFunction(HSE_REQ_DONE_WITH_SESSION)"))
    }

    /// Body bytes that neither came with the block nor were read; `None` when the length is unknown.
    pub(crate) fn body_left(&self) -> Option<u64> {
        let read = self.lease.body_read.load(Ordering::Relaxed);
        (self.total_bytes != UNKNOWN_LENGTH)
            .then(|| u64::from(self.total_bytes).saturating_sub(u64::from(self.available_bytes) + read))
    }

    fn read(&self, py: Python<'_>, wanted: Option<i64>) -> PyResult<Vec<u8>> {
        let asked = wanted.and_then(|wanted| u64::try_from(wanted).ok());
        self.call(py, "ReadClient", |entered| {
            // Held during the call: reads of several threads would mix up the body.
            let mut kept = self.lease.kept.lock().unwrap_or_else(PoisonError::into_inner);
            let left = self.body_left().map_or(u64::MAX, |left| left + kept.len() as u64);
            let target = asked.unwrap_or(left).min(left);
            read_body(entered, &mut kept, target, asked == Some(0))?;
            let end = (target as usize).min(kept.len());
            let rest = kept.split_off(end);
            Ok(std::mem::replace(&mut *kept, rest))
        })
    }
}

/// Reads until `body` has `target` bytes or the body ends. After a failure `body` keeps what has come, for a
/// later call to deliver.
fn read_body(entered: &Entered<'_>, body: &mut Vec<u8>, target: u64, even_nothing: bool) -> Result<(), CallError> {
    if even_nothing {
        entered.read(body, 0)?;
    }
    while (body.len() as u64) < target {
        let block = (target - body.len() as u64).min(READ_BLOCK) as u32;
        if entered.read(body, block)? == 0 {
            break;
        }
    }
    Ok(())
}

/// A variable's value as Python gets it: without the terminator, `str` for `UNICODE_*`.
pub fn variable_value<'py>(py: Python<'py>, name: &[u8], value: &[u8]) -> PyResult<Bound<'py, PyAny>> {
    if name.starts_with(b"UNICODE_") {
        let value = value.strip_suffix(b"\0\0").unwrap_or(value);
        let value = &value[..value.len() & !1];
        // As CPython reads file names and the like: a lone surrogate stays what it is.
        return PyBytes::new(py, value).call_method1(intern!(py, "decode"), ("utf-16-le", "surrogatepass"));
    }
    Ok(PyBytes::new(py, value.strip_suffix(b"\0").unwrap_or(value)).into_any())
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl ControlBlock {
    #[getter]
    fn Version(&self) -> u32 {
        self.version
    }

    /// -1 when the length of the body is not known.
    #[getter]
    fn TotalBytes(&self) -> i64 {
        if self.total_bytes == UNKNOWN_LENGTH { -1 } else { self.total_bytes.into() }
    }

    #[getter]
    fn AvailableBytes(&self) -> u32 {
        self.available_bytes
    }

    #[getter]
    fn ConnID(&self) -> usize {
        self.conn_id
    }

    /// A leftover of Python 2's `print`.
    #[getter]
    fn softspace(&self) -> u32 {
        1
    }

    /// Whether a response head or body went out: nothing but more body can follow.
    #[getter]
    fn HeadersSent(&self) -> bool {
        self.lease.is_answered()
    }

    /// Whether the request has ended: everything else raises.
    #[getter]
    fn Done(&self) -> bool {
        self.lease.is_done()
    }

    #[getter]
    fn Method<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.string(py, StringMember::Method)
    }

    #[getter]
    fn QueryString<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.string(py, StringMember::QueryString)
    }

    #[getter]
    fn PathInfo<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.string(py, StringMember::PathInfo)
    }

    #[getter]
    fn PathTranslated<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.string(py, StringMember::PathTranslated)
    }

    #[getter]
    fn ContentType<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        self.string(py, StringMember::ContentType)
    }

    /// The part of the body that came with the request; `ReadClient` delivers the rest.
    #[getter]
    fn AvailableData<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, self.look(py)?.available_data()))
    }

    #[getter]
    fn HttpStatusCode(&self, py: Python<'_>) -> PyResult<i64> {
        self.look(py)?;
        Ok(self.status_code.load(Ordering::Relaxed))
    }

    #[setter(HttpStatusCode)]
    fn set_HttpStatusCode(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let status: Int32 = value.extract()?;
        let given: i64 = value.extract()?;
        self.look(value.py())?.set_status(status.0);
        self.status_code.store(given, Ordering::Relaxed);
        Ok(())
    }

    /// Write-only: at most 79 bytes for the access log.
    #[setter(LogData)]
    fn set_LogData(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let mut data = [0; HSE_LOG_BUFFER_LEN as usize];
        copy_description_cut(value, &mut data)?;
        self.look(value.py())?.set_log_data(data);
        Ok(())
    }

    #[pyo3(signature = (data, flags=Int32(0), /))]
    fn WriteClient(&self, py: Python<'_>, data: Data, flags: Int32) -> PyResult<u32> {
        self.write(py, data, flags.0)
    }

    #[pyo3(name = "write", signature = (data, flags=Int32(0), /))]
    fn write_method(&self, py: Python<'_>, data: Data, flags: Int32) -> PyResult<u32> {
        self.write(py, data, flags.0)
    }

    #[pyo3(signature = (n=Given(None), /))]
    fn ReadClient<'py>(&self, py: Python<'py>, n: Given<'py>) -> PyResult<Bound<'py, PyBytes>> {
        let wanted = n.0.map(|n| n.extract::<Int32>().and_then(|_| n.extract::<i64>())).transpose()?;
        Ok(PyBytes::new(py, &self.read(py, wanted)?))
    }

    #[pyo3(signature = (name, default=Given(None), /))]
    fn GetServerVariable<'py>(&self, py: Python<'py>, name: Text, default: Given<'py>) -> PyResult<Bound<'py, PyAny>> {
        let mut room = [0; 512];
        let value = self.variable(py, &name, &mut room);
        match (value, default.0) {
            (Ok(value), _) => variable_value(py, name.as_bytes(), &value),
            (Err(CallError::Win32(_)), Some(default)) => Ok(default),
            (Err(error), _) => Err(extension_error(py, error, "GetServerVariable")),
        }
    }

    #[pyo3(signature = (status, headers, keep_alive=Int32(0), /))]
    fn SendResponseHeaders(&self, py: Python<'_>, status: Data, headers: Data, keep_alive: Int32) -> PyResult<()> {
        self.send_response_headers(py, &status, &headers, keep_alive.0 != 0)
    }

    #[pyo3(signature = (url, /))]
    fn Redirect(&self, py: Python<'_>, url: Text) -> PyResult<()> {
        self.redirect(py, &url)
    }

    #[pyo3(signature = (url, /))]
    fn MapURLToPath<'py>(&self, py: Python<'py>, url: Text) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.map_url_to_path(py, &url)?))
    }

    #[pyo3(signature = (status=Int32(1), /))]
    fn DoneWithSession(&self, py: Python<'_>, status: Int32) -> PyResult<()> {
        self.finish(py, status.0)
    }

    #[pyo3(signature = (status=Int32(1), /))]
    fn close(&self, py: Python<'_>, status: Int32) -> PyResult<()> {
        self.finish(py, status.0)
    }

    fn IsKeepConn(&self, py: Python<'_>) -> PyResult<bool> {
        self.is_keep_conn(py)
    }

    fn IsKeepAlive(&self, py: Python<'_>) -> PyResult<u32> {
        let mut room = [0; 64];
        let value = py.detach(|| self.lease.enter()?.variable(c"HTTP_CONNECTION".as_ptr(), &mut room));
        match value {
            Ok(value) => Ok(value.strip_suffix(b"\0").unwrap_or(&value).eq_ignore_ascii_case(b"keep-alive").into()),
            Err(CallError::Win32(_)) => Ok(0),
            Err(CallError::Expired) => Err(expired()),
        }
    }

    fn GetImpersonationToken(&self, py: Python<'_>) -> PyResult<usize> {
        self.impersonation_token(py)
    }

    #[pyo3(signature = (path, /))]
    fn GetAnonymousToken(&self, py: Python<'_>, path: &Bound<'_, PyAny>) -> PyResult<usize> {
        self.anonymous_token(py, path)
    }

    #[pyo3(signature = (on, /))]
    fn SetFlushFlag(&self, py: Python<'_>, on: Int32) -> PyResult<()> {
        self.set_flush_flag(py, on.0 != 0)
    }

    #[pyo3(signature = (url, method, headers, info, entity, flags, /))]
    #[expect(clippy::too_many_arguments, reason = "pywin32's signature")]
    fn ExecURL(
        &self,
        py: Python<'_>,
        url: Option<Text>,
        method: Option<Text>,
        headers: Option<Text>,
        info: &Bound<'_, PyAny>,
        entity: Option<Data>,
        flags: Int32,
    ) -> PyResult<()> {
        let user = if info.is_none() { None } else { Some(info.extract()?) };
        self.exec_url(py, Order { url, method, headers, user, entity, flags: flags.0 })
    }

    fn GetExecURLStatus(&self, py: Python<'_>) -> PyResult<(u16, u16, u32)> {
        self.exec_url_status(py)
    }

    #[pyo3(signature = (callback, arg=None, /))]
    fn IOCompletion(&self, py: Python<'_>, callback: &Bound<'_, PyAny>, arg: Option<Py<PyAny>>) -> PyResult<()> {
        self.io_completion(py, callback, arg)
    }

    #[pyo3(signature = (reason=None, /))]
    fn ReportUnhealthy(&self, py: Python<'_>, reason: Option<Text>) -> PyResult<()> {
        self.report_unhealthy(py, reason.as_ref())
    }

    #[pyo3(signature = (callback, arg, hFile, status, BytesToWrite, Offset, head, tail, flags, /))]
    #[expect(clippy::too_many_arguments, reason = "pywin32's signature")]
    fn TransmitFile(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        arg: Py<PyAny>,
        hFile: &Bound<'_, PyAny>,
        status: Text,
        BytesToWrite: Int32,
        Offset: Int32,
        head: Option<Data>,
        tail: Option<Data>,
        flags: Int32,
    ) -> PyResult<()> {
        let range = (Offset.0, BytesToWrite.0);
        self.transmit_file(py, callback, arg, hFile, Parts { status, head, tail, range, flags: flags.0 })
    }

    #[pyo3(signature = (elements, flags, /, status=None, headers=None, callback=None, arg=None))]
    #[expect(clippy::too_many_arguments, reason = "as many as the request has")]
    fn VectorSend(
        &self,
        py: Python<'_>,
        elements: &Bound<'_, PyAny>,
        flags: Int32,
        status: Option<Terminated>,
        headers: Option<Terminated>,
        callback: Option<&Bound<'_, PyAny>>,
        arg: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let callback = Callback { function: callback, argument: arg };
        self.vector_send(py, elements, flags.0, Head { status, headers }, callback)
    }

    #[pyo3(signature = (size, callback=None, arg=None, /))]
    fn AsyncReadClient(
        &self,
        py: Python<'_>,
        size: i64,
        callback: Option<&Bound<'_, PyAny>>,
        arg: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        self.async_read_client(py, size, Callback { function: callback, argument: arg })
    }

    #[pyo3(signature = (status, sub_error=0, asynchronous=false, /, callback=None, arg=None))]
    fn SendCustomError(
        &self,
        py: Python<'_>,
        status: Terminated,
        sub_error: u16,
        asynchronous: bool,
        callback: Option<&Bound<'_, PyAny>>,
        arg: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let callback = Callback { function: callback, argument: arg };
        self.send_custom_error(py, status, sub_error, asynchronous, callback)
    }

    #[pyo3(signature = (url, /))]
    fn SendURL(&self, py: Python<'_>, url: Text) -> PyResult<()> {
        self.send_url(py, &url)
    }

    #[pyo3(signature = (url, /))]
    fn MapUnicodeURLToPath<'py>(&self, py: Python<'py>, url: Text) -> PyResult<Bound<'py, PyAny>> {
        self.map_unicode_url_to_path(py, &url)
    }

    #[pyo3(signature = (url, /))]
    fn MapURLToPathEx<'py>(&self, url: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        self.map_url_to_path_ex(url)
    }

    #[pyo3(signature = (url, /))]
    fn NormalizeURL<'py>(&self, py: Python<'py>, url: Text) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.normalize_url(py, &url)?))
    }

    fn IsConnected(&self, py: Python<'_>) -> PyResult<bool> {
        self.is_connected(py)
    }

    fn CloseConnection(&self, py: Python<'_>) -> PyResult<()> {
        self.close_connection(py)
    }

    fn AbortiveClose(&self, py: Python<'_>) -> PyResult<()> {
        self.abortive_close(py)
    }

    fn CancelIO(&self, py: Python<'_>) -> PyResult<()> {
        self.cancel_io(py)
    }

    #[pyo3(signature = (text, /))]
    fn AppendLog(&self, py: Python<'_>, text: Terminated) -> PyResult<()> {
        self.append_log(py, &text)
    }

    fn IsInProcess(&self, py: Python<'_>) -> PyResult<bool> {
        self.is_in_process(py)
    }

    fn GetTraceInfo<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.trace_info(py)
    }

    fn GetCertInfo<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.cert_info(py)
    }

    fn GetChannelBindingToken<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        Ok(PyBytes::new(py, &self.channel_binding_token(py)?))
    }
}

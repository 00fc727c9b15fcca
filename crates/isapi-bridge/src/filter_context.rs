//! `HTTP_FILTER_CONTEXT`: one notification, as filters see it.
//!
//! Names, argument order, defaults and results are pywin32's, with some calls that it lacks. What the server gives is
//! `bytes`, except `UNICODE_*` variables; a refusal is `isapi.FilterError(errno, None, function)`; use after
//! `HttpFilterProc` has returned is `RuntimeError`. The interpreter is released around calls that may wait.

use std::ffi::c_void;
use std::ptr;
use std::sync::{Mutex, MutexGuard, PoisonError};

use isapi_abi::httpfilt::{
    HTTP_FILTER_CONTEXT, SF_PROPERTY_INSTANCE_NUM_ID, SF_REQ_ADD_HEADERS_ON_DENIAL, SF_REQ_DISABLE_NOTIFICATIONS,
    SF_REQ_GET_PROPERTY, SF_REQ_NORMALIZE_URL, SF_REQ_SEND_RESPONSE_HEADER, SF_REQ_SET_NEXT_READ_SIZE,
};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyTuple};

use crate::arguments::{Data, Given, Int32};
use crate::control_block::variable_value;
use crate::errors::{expired, filter_error};
use crate::filter_calls::{Notified, Pointers};
use crate::filter_data;
use crate::gate::Gate;
use crate::lease::CallError;
use crate::never_waits::filter_never_waits;
use crate::terminated::{Line, Terminated};

/// One notification, until `HttpFilterProc` returns.
#[pyclass(name = "HTTP_FILTER_CONTEXT", frozen)]
pub struct FilterContext {
    pointers: Pointers,
    pub notification: u32,
    pub revision: u32,
    is_secure: bool,
    /// The server has promised that short calls never wait.
    pub never_waits: bool,
    gate: Gate,
    members: Mutex<()>,
}

impl FilterContext {
    /// Wraps what the server lends.
    ///
    /// # Safety
    /// - The pointers are those of a notification, valid until [`FilterContext::end`] has returned.
    pub unsafe fn new(pointers: Pointers, notification: u32) -> Self {
        // SAFETY: the caller says that the context is alive.
        let (revision, is_secure, never_waits) = unsafe {
            let context = pointers.context;
            ((*context).Revision, (*context).fIsSecurePort != 0, filter_never_waits(context))
        };
        let (gate, members) = Default::default();
        Self { pointers, notification, revision, is_secure, never_waits, gate, members }
    }

    /// Ends the object and its data objects; waits for threads that are inside the server.
    pub fn end(&self, py: Python<'_>) {
        self.gate.close(py);
    }

    /// The way to the server, while the notification lasts.
    pub fn enter(&self) -> Result<Notified<'_>, CallError> {
        let inside = self.gate.enter().ok_or(CallError::Expired)?;
        Ok(Notified { pointers: self.pointers, _inside: inside })
    }

    /// Held while members of the server's structs are read or written.
    pub fn members(&self) -> MutexGuard<'_, ()> {
        self.members.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Whether the notification came with data.
    pub fn has_data(&self) -> bool {
        !self.pointers.data.is_null()
    }

    /// Calls the server without the interpreter; `function` names the call in the error.
    pub fn call<R: Send>(
        &self,
        py: Python<'_>,
        function: &'static str,
        call: impl FnOnce(&Notified<'_>) -> Result<R, CallError> + Send,
    ) -> PyResult<R> {
        py.detach(|| call(&self.enter()?)).map_err(|error| filter_error(py, error, function))
    }

    /// As [`FilterContext::call`], for a call that does not wait if the server has promised so: then the interpreter
    /// is kept, since releasing it costs more than the call.
    pub fn short_call<R: Send>(
        &self,
        py: Python<'_>,
        function: &'static str,
        call: impl FnOnce(&Notified<'_>) -> Result<R, CallError> + Send,
    ) -> PyResult<R> {
        self.try_short_call(py, call).map_err(|error| filter_error(py, error, function))
    }

    /// As [`FilterContext::short_call`], for callers that do something about a refusal.
    pub fn try_short_call<R: Send>(
        &self,
        py: Python<'_>,
        call: impl FnOnce(&Notified<'_>) -> Result<R, CallError> + Send,
    ) -> Result<R, CallError> {
        if self.never_waits { call(&self.enter()?) } else { py.detach(|| call(&self.enter()?)) }
    }

    /// One of the requests that take numbers only.
    fn tell(&self, py: Python<'_>, function: &'static str, request: u32, number: u32) -> PyResult<()> {
        self.short_call(py, function, |server| {
            // SAFETY: these requests look at no pointer.
            unsafe { server.support(request, ptr::null_mut(), number as usize, 0) }
        })
    }

    /// Puts another object into the server's slot for this connection and returns the old one.
    fn exchange(&self, py: Python<'_>, new: Option<Py<PyAny>>) -> PyResult<Option<Py<PyAny>>> {
        let server = self.enter().map_err(|_| expired())?;
        let new = new.map_or(ptr::null_mut(), Py::into_ptr);
        let _alone = self.members();
        // SAFETY: the context is alive while `server` is; the slot holds a reference of ours, or nothing.
        unsafe {
            let old = ptr::replace(&raw mut (*server.pointers.context).pFilterContext, new.cast());
            Ok(Bound::from_owned_ptr_or_opt(py, old.cast()).map(Bound::unbind))
        }
    }

    fn write(&self, py: Python<'_>, data: &Data, reserved: Int32) -> PyResult<()> {
        self.call(py, "WriteClient", |server| server.write(data.as_slice(), reserved.0))
    }
}

/// Gives up the object that a filter has stored for a connection.
///
/// # Safety
/// - The context is alive, its connection's session ends, and no [`FilterContext`] on it is open.
pub unsafe fn release_stored(py: Python<'_>, context: *mut HTTP_FILTER_CONTEXT) {
    // SAFETY: the caller says that the context is alive; the slot holds a reference of ours, or nothing.
    let stored = unsafe {
        let stored = ptr::replace(&raw mut (*context).pFilterContext, ptr::null_mut::<c_void>());
        Bound::from_owned_ptr_or_opt(py, stored.cast())
    };
    drop(stored);
}

#[pymethods]
#[expect(non_snake_case, reason = "pywin32's names, which scripts use")]
impl FilterContext {
    #[getter]
    fn Revision(&self) -> u32 {
        self.revision
    }

    #[getter]
    fn fIsSecurePort(&self) -> u32 {
        self.is_secure.into()
    }

    #[getter]
    fn NotificationType(&self) -> u32 {
        self.notification
    }

    #[getter]
    fn FilterContext<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let server = self.enter().map_err(|_| expired())?;
        let _alone = self.members();
        // SAFETY: the context is alive while `server` is; the slot holds a reference of ours, or nothing.
        unsafe {
            let stored = (*server.pointers.context).pFilterContext;
            Ok(Bound::from_borrowed_ptr_or_opt(py, stored.cast()))
        }
    }

    #[setter(FilterContext)]
    fn set_FilterContext(&self, value: &Bound<'_, PyAny>) -> PyResult<()> {
        let new = (!value.is_none()).then(|| value.clone().unbind());
        // The old object goes when the lock is open: that can run Python code.
        self.exchange(value.py(), new).map(drop)
    }

    #[getter]
    fn InstanceID(&self, py: Python<'_>) -> PyResult<u32> {
        self.short_call(py, "ServerSupportFunction(SF_REQ_GET_PROPERTY)", |server| {
            let mut number: u32 = 0;
            let place = ptr::from_mut(&mut number).cast();
            // SAFETY: this property is a DWORD.
            unsafe { server.support(SF_REQ_GET_PROPERTY, place, SF_PROPERTY_INSTANCE_NUM_ID as usize, 0) }?;
            Ok(number)
        })
    }

    #[pyo3(signature = (*_ignored))]
    fn GetData<'py>(slf: &Bound<'py, Self>, _ignored: &Bound<'py, PyTuple>) -> PyResult<Bound<'py, PyAny>> {
        slf.get().enter().map_err(|_| expired())?;
        filter_data::of(slf)
    }

    #[pyo3(signature = (name, default=Given(None), /))]
    fn GetServerVariable<'py>(
        &self,
        py: Python<'py>,
        name: Terminated,
        default: Given<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let mut room = [0; 512];
        let value = self.try_short_call(py, |server| server.variable(name.as_ptr(), &mut room));
        match (value, default.0) {
            (Ok(value), _) => variable_value(py, name.as_bytes(), &value),
            (Err(CallError::Win32(_)), Some(default)) => Ok(default),
            (Err(error), _) => Err(filter_error(py, error, "GetServerVariable")),
        }
    }

    #[pyo3(signature = (data, reserved=Int32(0), /))]
    fn WriteClient(&self, py: Python<'_>, data: Data, reserved: Int32) -> PyResult<()> {
        self.write(py, &data, reserved)
    }

    #[pyo3(name = "write", signature = (data, reserved=Int32(0), /))]
    fn write_method(&self, py: Python<'_>, data: Data, reserved: Int32) -> PyResult<()> {
        self.write(py, &data, reserved)
    }

    #[pyo3(signature = (headers, reserved=Int32(0), /))]
    fn AddResponseHeaders(&self, py: Python<'_>, headers: Terminated, reserved: Int32) -> PyResult<()> {
        self.short_call(py, "AddResponseHeaders", |server| server.add_response_headers(headers.as_ptr(), reserved.0))
    }

    #[pyo3(signature = (status, headers, /))]
    fn SendResponseHeader(&self, py: Python<'_>, status: Option<Line>, headers: Option<Terminated>) -> PyResult<()> {
        self.call(py, "SendResponseHeader", |server| {
            let status = status.as_ref().map_or(ptr::null_mut(), Line::as_ptr);
            let headers = headers.as_ref().map_or(ptr::null_mut(), Terminated::as_ptr);
            // SAFETY: both texts are NUL-terminated and live during the call.
            unsafe { server.support(SF_REQ_SEND_RESPONSE_HEADER, status.cast(), headers.expose_provenance(), 0) }
        })
    }

    #[pyo3(signature = (flags, /))]
    fn DisableNotifications(&self, py: Python<'_>, flags: Int32) -> PyResult<()> {
        self.tell(py, "DisableNotifications", SF_REQ_DISABLE_NOTIFICATIONS, flags.0)
    }

    #[pyo3(signature = (size, /))]
    fn SetNextReadSize(&self, py: Python<'_>, size: u32) -> PyResult<()> {
        self.tell(py, "SetNextReadSize", SF_REQ_SET_NEXT_READ_SIZE, size)
    }

    #[pyo3(signature = (headers, /))]
    fn AddHeadersOnDenial(&self, py: Python<'_>, headers: Terminated) -> PyResult<()> {
        self.short_call(py, "AddHeadersOnDenial", |server| {
            // SAFETY: the text is NUL-terminated and only read.
            unsafe { server.support(SF_REQ_ADD_HEADERS_ON_DENIAL, headers.as_ptr().cast(), 0, 0) }
        })
    }

    #[pyo3(signature = (url, /))]
    fn NormalizeURL<'py>(&self, py: Python<'py>, url: Terminated) -> PyResult<Bound<'py, PyBytes>> {
        let mut buffer = [url.as_bytes(), b"\0"].concat();
        self.short_call(py, "NormalizeURL", |server| {
            // SAFETY: the request changes the NUL-terminated URL where it stands, which never makes it longer.
            unsafe { server.support(SF_REQ_NORMALIZE_URL, buffer.as_mut_ptr().cast(), 0, 0) }
        })?;
        Ok(PyBytes::new(py, buffer.split(|&byte| byte == 0).next().unwrap_or_default()))
    }
}

//! What comes with a notification: its struct, through an object that a script may keep beyond the call.

use std::ffi::{CStr, c_char};
use std::marker::PhantomData;

use isapi_abi::httpfilt::{
    SF_NOTIFY_ACCESS_DENIED, SF_NOTIFY_AUTH_COMPLETE, SF_NOTIFY_AUTHENTICATION, SF_NOTIFY_LOG,
    SF_NOTIFY_PREPROC_HEADERS, SF_NOTIFY_READ_RAW_DATA, SF_NOTIFY_SEND_RAW_DATA, SF_NOTIFY_SEND_RESPONSE,
    SF_NOTIFY_URL_MAP,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::{expired, filter_error};
use crate::filter_context::FilterContext;
use crate::filter_events::{AccessDenied, Authent, RawData, UrlMap};
use crate::filter_headers::{AuthComplete, PreprocHeaders, SendResponse};
use crate::filter_log::Log;

/// A struct of the server, of the type that the notification comes with.
pub struct View<T> {
    context: Py<FilterContext>,
    kind: PhantomData<fn() -> T>,
}

impl<T> View<T> {
    /// # Safety
    /// - The context's notification comes with a `T`, and its data is not NULL.
    unsafe fn new(context: &Bound<'_, FilterContext>) -> Self {
        Self { context: context.clone().unbind(), kind: PhantomData }
    }

    /// The notification.
    pub fn context(&self) -> &FilterContext {
        self.context.get()
    }

    /// Uses the struct, alone. `use_it` must not run Python code.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> R) -> PyResult<R> {
        let server = self.context().enter().map_err(|_| expired())?;
        let _alone = self.context().members();
        // SAFETY: the struct is alive while `server` is, `new` was told its type, and the lock keeps others away.
        Ok(use_it(unsafe { &mut *server.pointers.data.cast::<T>() }))
    }

    /// A string member as `bytes`; `None` for NULL.
    pub fn text<'py>(
        &self,
        py: Python<'py>,
        member: impl FnOnce(&T) -> *const c_char,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        self.with(|data| {
            let text = member(data);
            // SAFETY: string members are NULL or NUL-terminated, and last as long as the struct.
            (!text.is_null()).then(|| PyBytes::new(py, unsafe { CStr::from_ptr(text) }.to_bytes()))
        })
    }

    /// A string member as `bytes`, empty for NULL.
    pub fn text_or_empty<'py>(
        &self,
        py: Python<'py>,
        member: impl FnOnce(&T) -> *const c_char,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(self.text(py, member)?.unwrap_or_else(|| PyBytes::new(py, b"")))
    }

    /// Copies text, up to its first NUL, into a buffer of the server.
    ///
    /// # Errors
    /// `ValueError` when there is no buffer, or the text and its NUL do not fit.
    pub fn fill(&self, name: &str, text: &[u8], buffer: impl FnOnce(&mut T) -> (*mut c_char, u32)) -> PyResult<()> {
        let text = text.split(|&byte| byte == 0).next().unwrap_or_default();
        self.with(|data| {
            let (place, size) = buffer(data);
            if place.is_null() {
                return Err(PyValueError::new_err(format!("the server has no buffer for {name}")));
            }
            if text.len() >= size as usize {
                let (len, limit) = (text.len(), size.saturating_sub(1));
                return Err(PyValueError::new_err(format!("{name}: {len} bytes are more than the buffer's {limit}")));
            }
            // SAFETY: the buffer has `size` bytes, more than the text; it is the server's and overlaps no Python object.
            unsafe {
                place.copy_from_nonoverlapping(text.as_ptr().cast(), text.len());
                place.add(text.len()).write(0);
            }
            Ok(())
        })?
    }

    /// A copy of `data`, with a NUL behind it, in the server's memory.
    pub fn copy(&self, py: Python<'_>, data: &[u8]) -> PyResult<*mut u8> {
        let copied = self.context().enter().and_then(|server| server.copy(data));
        copied.map_err(|error| filter_error(py, error, "AllocMem"))
    }
}

/// The object for the data of a notification.
///
/// # Errors
/// `ValueError` for a notification that comes without data.
pub fn of<'py>(context: &Bound<'py, FilterContext>) -> PyResult<Bound<'py, PyAny>> {
    let (py, notification) = (context.py(), context.get().notification);
    if !context.get().has_data() {
        return Err(PyValueError::new_err(format!("the notification 0x{notification:08x} comes without data")));
    }
    // SAFETY: the type of the struct follows from the notification's number, and it is not NULL.
    unsafe {
        match notification {
            SF_NOTIFY_PREPROC_HEADERS => object(py, PreprocHeaders(View::new(context))),
            SF_NOTIFY_URL_MAP => object(py, UrlMap(View::new(context))),
            SF_NOTIFY_READ_RAW_DATA | SF_NOTIFY_SEND_RAW_DATA => object(py, RawData(View::new(context))),
            SF_NOTIFY_AUTHENTICATION => object(py, Authent(View::new(context))),
            SF_NOTIFY_AUTH_COMPLETE => object(py, AuthComplete(View::new(context))),
            SF_NOTIFY_ACCESS_DENIED => object(py, AccessDenied(View::new(context))),
            SF_NOTIFY_SEND_RESPONSE => object(py, SendResponse(View::new(context))),
            SF_NOTIFY_LOG => object(py, Log(View::new(context))),
            _ => Err(PyValueError::new_err(format!("the notification 0x{notification:08x} has no data"))),
        }
    }
}

fn object<'py, T>(py: Python<'py>, value: T) -> PyResult<Bound<'py, PyAny>>
where
    T: pyo3::PyClass + Into<pyo3::PyClassInitializer<T>>,
{
    Ok(Bound::new(py, value)?.into_any())
}

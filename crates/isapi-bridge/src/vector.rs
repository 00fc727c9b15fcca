//! `VectorSend` (`HSE_REQ_VECTOR_SEND`): status, headers, memory and files in one call.

use std::ptr;
use std::sync::Arc;

use isapi_abi::httpext::{
    HSE_IO_ASYNC, HSE_IO_SEND_HEADERS, HSE_IO_SYNC, HSE_REQ_VECTOR_SEND, HSE_RESPONSE_VECTOR, HSE_VECTOR_ELEMENT,
    HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE, HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER,
};
use pyo3::buffer::PyUntypedBuffer;
use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString, PyTuple};

use crate::arguments::Data;
use crate::asynchronous::Callback;
use crate::control_block::ControlBlock;
use crate::file_handle::file_handle;
use crate::lease::{CallError, Entered};
use crate::operation::{Kept, Operation};
use crate::terminated::Terminated;

/// Status and header block; both or none.
pub struct Head {
    pub status: Option<Terminated>,
    pub headers: Option<Terminated>,
}

/// What an element points to.
#[expect(dead_code, reason = "kept for the elements")]
enum Lent {
    Memory(Data),
    File(Py<PyAny>),
}

/// All that one `VectorSend` gives to the server.
struct Vector {
    /// Points to `elements` and into `head`.
    response: HSE_RESPONSE_VECTOR,
    #[expect(dead_code, reason = "kept for `response`")]
    elements: Vec<HSE_VECTOR_ELEMENT>,
    #[expect(dead_code, reason = "kept for `response`")]
    head: Head,
    #[expect(dead_code, reason = "kept for `elements`")]
    lent: Vec<Lent>,
}

// SAFETY: the pointers lead into the other members, which stay as they are until the completion.
unsafe impl Send for Vector {}
// SAFETY: as above; nothing changes a vector once it is made.
unsafe impl Sync for Vector {}

impl ControlBlock {
    pub(crate) fn vector_send(
        &self,
        py: Python<'_>,
        elements: &Bound<'_, PyAny>,
        flags: u32,
        head: Head,
        callback: Callback<'_, '_>,
    ) -> PyResult<()> {
        const FUNCTION: &str = "ServerSupportFunction(HSE_REQ_VECTOR_SEND)";
        check(flags, &head)?;
        let vector = Vector::new(elements, flags, head)?;
        if flags & HSE_IO_ASYNC == 0 {
            callback.without_function()?;
            return self.call(py, FUNCTION, |entered| vector.send(entered));
        }
        let target = self.recipient(py, "VectorSend", callback)?;
        let vector = Arc::new(vector);
        let operation = Operation::new(target, Kept::Lent(vector.clone()));
        self.start(py, FUNCTION, operation, |entered| vector.send(entered))
    }
}

impl Vector {
    fn new(elements: &Bound<'_, PyAny>, flags: u32, head: Head) -> PyResult<Self> {
        let (mut elements, lent) = parts(elements)?;
        let text = |text: &Option<Terminated>| text.as_ref().map_or(ptr::null_mut(), Terminated::as_ptr);
        let response = HSE_RESPONSE_VECTOR {
            dwFlags: flags,
            pszStatus: text(&head.status),
            pszHeaders: text(&head.headers),
            nElementCount: u32::try_from(elements.len()).map_err(|_| PyValueError::new_err("too many elements"))?,
            lpElementArray: if elements.is_empty() { ptr::null_mut() } else { elements.as_mut_ptr() },
        };
        Ok(Self { response, elements, head, lent })
    }

    fn send(&self, entered: &Entered<'_>) -> Result<(), CallError> {
        let response = ptr::from_ref(&self.response).cast_mut().cast();
        // SAFETY: the request reads this struct; it and what it points to are kept until the completion.
        unsafe { entered.support(HSE_REQ_VECTOR_SEND, response, ptr::null_mut(), ptr::null_mut()) }?;
        entered.mark_answered();
        Ok(())
    }
}

fn check(flags: u32, head: &Head) -> PyResult<()> {
    if (flags & HSE_IO_SYNC == 0) == (flags & HSE_IO_ASYNC == 0) {
        return Err(PyValueError::new_err("the flags must have one of HSE_IO_SYNC and HSE_IO_ASYNC"));
    }
    let wanted = flags & HSE_IO_SEND_HEADERS != 0;
    if head.status.is_some() != wanted || head.headers.is_some() != wanted {
        return Err(PyValueError::new_err("status and headers go with HSE_IO_SEND_HEADERS, and only with it"));
    }
    Ok(())
}

/// The elements with what they point to.
fn parts(elements: &Bound<'_, PyAny>) -> PyResult<(Vec<HSE_VECTOR_ELEMENT>, Vec<Lent>)> {
    if is_memory(elements) {
        return Err(PyTypeError::new_err("elements must be a sequence of parts, not one part"));
    }
    let mut parts = Vec::new();
    for element in elements.try_iter()? {
        parts.extend(part(&element?)?);
    }
    Ok(parts.into_iter().unzip())
}

/// One element; `None` for empty memory, which ISAPI does not allow.
fn part(element: &Bound<'_, PyAny>) -> PyResult<Option<(HSE_VECTOR_ELEMENT, Lent)>> {
    if is_memory(element) {
        return Ok(memory(element.extract()?));
    }
    if element.is_instance_of::<PyTuple>() {
        let (file, offset, size) = element.extract()?;
        return part_of_file(&file, offset, size).map(Some);
    }
    if element.is_instance_of::<PyInt>() {
        // More likely a byte of something than a handle.
        return Err(PyTypeError::new_err("a number is no element; write (handle, 0, 0) for a file's handle"));
    }
    part_of_file(element, 0, 0).map(Some)
}

fn is_memory(object: &Bound<'_, PyAny>) -> bool {
    object.is_instance_of::<PyString>() || PyUntypedBuffer::get(object).is_ok()
}

fn memory(data: Data) -> Option<(HSE_VECTOR_ELEMENT, Lent)> {
    let bytes = data.as_slice();
    let element = HSE_VECTOR_ELEMENT {
        ElementType: HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER,
        pvContext: bytes.as_ptr().cast_mut().cast(),
        cbOffset: 0,
        cbSize: bytes.len() as u64,
    };
    (!bytes.is_empty()).then_some((element, Lent::Memory(data)))
}

fn part_of_file(file: &Bound<'_, PyAny>, offset: u64, size: u64) -> PyResult<(HSE_VECTOR_ELEMENT, Lent)> {
    if size == 0 && offset != 0 {
        return Err(PyValueError::new_err("size 0 means the whole file; an offset needs a size"));
    }
    let element = HSE_VECTOR_ELEMENT {
        ElementType: HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE,
        pvContext: file_handle(file)?,
        cbOffset: offset,
        cbSize: size,
    };
    Ok((element, Lent::File(file.clone().unbind())))
}

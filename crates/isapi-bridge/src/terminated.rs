//! Text that the server reads up to its NUL, given as `bytes`, `str` or any bytes-like object.

use std::ffi::c_char;

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments::Data;

/// [`Data`] without a NUL inside; all data has one behind it.
pub struct Terminated(Data);

impl Terminated {
    /// Pointer to the NUL-terminated bytes, valid as long as `self`.
    pub fn as_ptr(&self) -> *mut c_char {
        self.0.as_ptr().cast_mut().cast()
    }

    /// The bytes without the NUL.
    pub fn as_bytes(&self) -> &[u8] {
        self.0.as_slice()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Terminated {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let data: Data = obj.extract()?;
        if data.as_slice().contains(&0) {
            return Err(PyValueError::new_err("embedded null character"));
        }
        Ok(Self(data))
    }
}

/// [`Terminated`] without a line break inside: a header's name or value, a status.
pub struct Line(Terminated);

impl Line {
    /// As [`Terminated::as_ptr`].
    pub fn as_ptr(&self) -> *mut c_char {
        self.0.as_ptr()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Line {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let text: Terminated = obj.extract()?;
        if text.as_bytes().iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
            return Err(PyValueError::new_err("a line break where one line is expected"));
        }
        Ok(Self(text))
    }
}

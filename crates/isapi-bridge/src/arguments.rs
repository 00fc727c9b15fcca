//! What Python passes to the methods, as the bytes and numbers that ISAPI takes.
//!
//! The kinds are those of pywin32: [`Text`] (a `str` without NUL, sent as UTF-8), [`Data`] (`bytes`, `str`
//! or any bytes-like object) and [`Int32`] (32 bits, signed or unsigned). `bytes` and `str` are borrowed in
//! place; a writable buffer is copied, since another thread may change it while the server reads it.

use std::ffi::c_char;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

/// A `str` as NUL-terminated UTF-8.
pub struct Text(Vec<u8>);

impl Text {
    /// Pointer to the NUL-terminated bytes, valid as long as `self`.
    pub fn as_ptr(&self) -> *const c_char {
        self.0.as_ptr().cast()
    }

    /// Length in bytes without the NUL.
    pub fn len(&self) -> usize {
        self.0.len() - 1
    }

    /// The bytes without the NUL.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0[..self.len()]
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Text {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let text = obj.cast::<PyString>().map_err(|_| wrong_type("str", &obj))?;
        let bytes = text.to_str()?.as_bytes();
        if bytes.contains(&0) {
            return Err(PyValueError::new_err("embedded null character"));
        }
        let mut owned = Vec::with_capacity(bytes.len() + 1);
        owned.extend_from_slice(bytes);
        owned.push(0);
        Ok(Self(owned))
    }
}

/// Body bytes. The memory stays where it is until the value is dropped, also without the interpreter.
#[derive(Debug)]
#[expect(dead_code, reason = "the objects are kept for the pointers beside them")]
pub enum Data {
    Bytes(Py<PyBytes>, *const u8, usize),
    Str(Py<PyString>, *const u8, usize),
    /// A copy of another bytes-like object, with a NUL behind it as `bytes` and `str` have.
    Copied(Vec<u8>),
}

// The pointers lead into immutable objects that the value itself keeps alive.
// SAFETY: `bytes` contents and a `str`'s UTF-8 cache never move or change while a reference exists.
unsafe impl Send for Data {}
// SAFETY: as above; shared access only reads.
unsafe impl Sync for Data {}

impl Data {
    /// The bytes.
    pub fn as_slice(&self) -> &[u8] {
        match self {
            // SAFETY: the object beside the pointer keeps this many bytes alive and unchanged.
            Self::Bytes(_, start, len) | Self::Str(_, start, len) => unsafe {
                std::slice::from_raw_parts(*start, *len)
            },
            Self::Copied(bytes) => &bytes[..bytes.len() - 1],
        }
    }

    /// Pointer to the bytes, which have a NUL behind them in every variant.
    pub fn as_ptr(&self) -> *const u8 {
        self.as_slice().as_ptr()
    }
}

impl<'a, 'py> FromPyObject<'a, 'py> for Data {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        if let Ok(bytes) = obj.cast::<PyBytes>() {
            let slice = bytes.as_bytes();
            return Ok(Self::Bytes(bytes.to_owned().unbind(), slice.as_ptr(), slice.len()));
        }
        if let Ok(text) = obj.cast::<PyString>() {
            let utf8 = text.to_str()?;
            return Ok(Self::Str(text.to_owned().unbind(), utf8.as_ptr(), utf8.len()));
        }
        let buffer = PyBuffer::<u8>::get(&obj).map_err(|_| wrong_type("bytes or str", &obj))?;
        let mut bytes = buffer.to_vec(obj.py())?;
        bytes.push(0);
        Ok(Self::Copied(bytes))
    }
}

/// A 32-bit number: anything from -2^31 to 2^32-1, taken as its 32 bits.
#[derive(Clone, Copy)]
pub struct Int32(pub u32);

impl<'a, 'py> FromPyObject<'a, 'py> for Int32 {
    type Error = PyErr;

    fn extract(obj: Borrowed<'a, 'py, PyAny>) -> PyResult<Self> {
        let number: i64 = obj.extract()?;
        if (i64::from(i32::MIN)..=i64::from(u32::MAX)).contains(&number) {
            // Both ranges share the same 32 bits.
            return Ok(Self(number as u32));
        }
        Err(PyOverflowError::new_err(format!("{number} does not fit 32 bits")))
    }
}

/// An argument that may be left out; `None` counts as given.
pub struct Given<'py>(pub Option<Bound<'py, PyAny>>);

impl<'py> FromPyObject<'_, 'py> for Given<'py> {
    type Error = PyErr;

    fn extract(obj: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        Ok(Self(Some(obj.to_owned())))
    }
}

/// Copies a description (`bytes` or `str`, up to its first NUL) into a fixed field and terminates it.
///
/// # Errors
/// `ValueError` for another type, or when the text and its NUL do not fit `field`.
pub fn copy_description(value: &Bound<'_, PyAny>, field: &mut [c_char]) -> PyResult<()> {
    let data = description(value)?;
    let text = until_nul(data.as_slice());
    if text.len() >= field.len() {
        let limit = field.len() - 1;
        return Err(PyValueError::new_err(format!("at most {limit} bytes, not {}", text.len())));
    }
    fill(field, text);
    Ok(())
}

/// Copies a description into a fixed field, cut at a character's end when it is too long.
///
/// # Errors
/// `ValueError` for a value that is neither `bytes` nor `str`.
pub fn copy_description_cut(value: &Bound<'_, PyAny>, field: &mut [c_char]) -> PyResult<()> {
    let data = description(value)?;
    let text = until_nul(data.as_slice());
    fill(field, cut_at_character(text, field.len() - 1));
    Ok(())
}

/// What a fixed field holds, up to its first NUL.
pub fn description_bytes<'py>(py: Python<'py>, field: &[c_char]) -> Bound<'py, PyBytes> {
    let text: Vec<u8> = field.iter().map(|&unit| unit as u8).take_while(|&unit| unit != 0).collect();
    PyBytes::new(py, &text)
}

fn description(value: &Bound<'_, PyAny>) -> PyResult<Data> {
    if value.is_instance_of::<PyBytes>() || value.is_instance_of::<PyString>() {
        return value.extract();
    }
    Err(PyValueError::new_err(format!("expected bytes or str, not {}", value.get_type().name()?)))
}

fn until_nul(bytes: &[u8]) -> &[u8] {
    bytes.split(|&byte| byte == 0).next().unwrap_or_default()
}

/// The longest start of `text` within `limit` bytes that does not cut a UTF-8 character.
fn cut_at_character(text: &[u8], limit: usize) -> &[u8] {
    let mut end = text.len().min(limit);
    while end > 0 && end < text.len() && text[end] & 0xC0 == 0x80 {
        end -= 1;
    }
    &text[..end]
}

fn fill(field: &mut [c_char], text: &[u8]) {
    for (place, &byte) in field.iter_mut().zip(text) {
        *place = byte as c_char;
    }
    field[text.len()..].fill(0);
}

fn wrong_type(expected: &str, found: &Bound<'_, PyAny>) -> PyErr {
    let found = found.get_type().name().map_or_else(|_| "another type".to_owned(), |name| name.to_string());
    PyTypeError::new_err(format!("expected {expected}, not {found}"))
}

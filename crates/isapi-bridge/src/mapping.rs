//! Where URLs lead: the requests that map and normalise them.
//!
//! A URL given as `bytes` or through an old method goes as bytes and its path comes back as `bytes`; the `UNICODE`
//! requests take and give UTF-16, which is `str` in Python.

use std::ffi::c_char;
use std::ptr;

use isapi_abi::httpext::{
    HSE_REQ_MAP_UNICODE_URL_TO_PATH, HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, HSE_REQ_MAP_URL_TO_PATH,
    HSE_REQ_MAP_URL_TO_PATH_EX, HSE_REQ_NORMALIZE_URL, HSE_UNICODE_URL_MAPEX_INFO, HSE_URL_MAPEX_INFO,
};
use isapi_abi::{MAX_PATH, WCHAR};

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::arguments::Text;
use crate::control_block::ControlBlock;
use crate::lease::{CallError, Entered};
use crate::results::ResultClass;
use crate::server_calls::grow;
use crate::terminated::Terminated;

/// Room for a path beyond the URL's own length, in characters, before the server asks for more.
const PATH_ROOM: usize = 1024;

static MAPPED_URL: ResultClass = ResultClass::new("MappedURL");

impl ControlBlock {
    pub(crate) fn map_url_to_path(&self, py: Python<'_>, url: &Text) -> PyResult<Vec<u8>> {
        self.call(py, "ServerSupportFunction(HSE_REQ_MAP_URL_TO_PATH)", |entered| {
            let path = map(entered, HSE_REQ_MAP_URL_TO_PATH, url.as_bytes(), PATH_ROOM)?;
            Ok(until_nul(&path).to_vec())
        })
    }

    pub(crate) fn map_unicode_url_to_path<'py>(&self, py: Python<'py>, url: &Text) -> PyResult<Bound<'py, PyAny>> {
        let url: Vec<u8> = wide(url).into_iter().flat_map(u16::to_ne_bytes).collect();
        let path = self.call(py, "ServerSupportFunction(HSE_REQ_MAP_UNICODE_URL_TO_PATH)", |entered| {
            map(entered, HSE_REQ_MAP_UNICODE_URL_TO_PATH, &url, 2 * PATH_ROOM)
        })?;
        let units: Vec<u16> = path.chunks_exact(2).map(|unit| u16::from_ne_bytes([unit[0], unit[1]])).collect();
        decode(py, until_nul(&units))
    }

    pub(crate) fn map_url_to_path_ex<'py>(&self, url: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        if url.is_instance_of::<PyString>() {
            return self.map_ex_wide(url.py(), &url.extract()?);
        }
        if url.is_instance_of::<PyBytes>() {
            return self.map_ex_narrow(url.py(), &url.extract()?);
        }
        Err(PyTypeError::new_err("the URL must be bytes or str"))
    }

    fn map_ex_narrow<'py>(&self, py: Python<'py>, url: &Terminated) -> PyResult<Bound<'py, PyAny>> {
        let info = self.call(py, "ServerSupportFunction(HSE_REQ_MAP_URL_TO_PATH_EX)", |entered| {
            let mut info = HSE_URL_MAPEX_INFO {
                lpszPath: [0; MAX_PATH as usize],
                dwFlags: 0,
                cchMatchingPath: 0,
                cchMatchingURL: 0,
                dwReserved1: 0,
                dwReserved2: 0,
            };
            let mut size = url.as_bytes().len() as u32 + 1;
            // SAFETY: the request reads a NUL-terminated URL and fills the struct.
            unsafe {
                let out = ptr::from_mut(&mut info).cast();
                entered.support(HSE_REQ_MAP_URL_TO_PATH_EX, url.as_ptr().cast(), &mut size, out)
            }?;
            Ok(info)
        })?;
        let path: Vec<u8> = until_nul(&info.lpszPath).iter().map(|&unit: &c_char| unit as u8).collect();
        let numbers = (info.dwFlags, info.cchMatchingPath, info.cchMatchingURL);
        MAPPED_URL.make(py, (PyBytes::new(py, &path), numbers.0, numbers.1, numbers.2))
    }

    fn map_ex_wide<'py>(&self, py: Python<'py>, url: &Text) -> PyResult<Bound<'py, PyAny>> {
        let mut url: Vec<WCHAR> = wide(url);
        url.push(0);
        let info = self.call(py, "ServerSupportFunction(HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX)", |entered| {
            let mut info = HSE_UNICODE_URL_MAPEX_INFO {
                lpszPath: [0; MAX_PATH as usize],
                dwFlags: 0,
                cchMatchingPath: 0,
                cchMatchingURL: 0,
            };
            let mut size = size_of_val(&url[..]) as u32;
            // SAFETY: the request reads a NUL-terminated URL and fills the struct.
            unsafe {
                let out = ptr::from_mut(&mut info).cast();
                entered.support(HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX, url.as_mut_ptr().cast(), &mut size, out)
            }?;
            Ok(info)
        })?;
        let path = decode(py, until_nul(&info.lpszPath))?;
        MAPPED_URL.make(py, (path, info.dwFlags, info.cchMatchingPath, info.cchMatchingURL))
    }

    pub(crate) fn normalize_url(&self, py: Python<'_>, url: &Text) -> PyResult<Vec<u8>> {
        self.call(py, "ServerSupportFunction(HSE_REQ_NORMALIZE_URL)", |entered| {
            let mut buffer = url.as_bytes().to_vec();
            buffer.push(0);
            // SAFETY: the request changes the NUL-terminated URL where it stands, which never makes it longer.
            unsafe {
                let url = buffer.as_mut_ptr().cast();
                entered.support(HSE_REQ_NORMALIZE_URL, url, ptr::null_mut(), ptr::null_mut())
            }?;
            Ok(until_nul(&buffer).to_vec())
        })
    }
}

/// Replaces a URL by its path in a buffer that grows with the path; `room` is in bytes.
fn map(entered: &Entered<'_>, request: u32, url: &[u8], room: usize) -> Result<Vec<u8>, CallError> {
    grow(url.len() + room, |buffer, size| {
        // A failed attempt may have left anything there: the URL goes in anew.
        buffer.fill(0);
        buffer[..url.len()].copy_from_slice(url);
        // SAFETY: the request reads the URL from the buffer and writes at most `size` bytes there.
        unsafe { entered.support(request, buffer.as_mut_ptr().cast(), size, ptr::null_mut()) }
    })
}

fn wide(text: &Text) -> Vec<WCHAR> {
    String::from_utf8_lossy(text.as_bytes()).encode_utf16().collect()
}

fn until_nul<T: Default + PartialEq>(text: &[T]) -> &[T] {
    text.split(|unit| *unit == T::default()).next().unwrap_or_default()
}

fn decode<'py>(py: Python<'py>, units: &[WCHAR]) -> PyResult<Bound<'py, PyAny>> {
    let bytes: Vec<u8> = units.iter().flat_map(|unit| unit.to_le_bytes()).collect();
    // As CPython reads file names: a lone surrogate stays what it is.
    PyBytes::new(py, &bytes)
        .call_method1(intern!(py, "decode"), (intern!(py, "utf-16-le"), intern!(py, "surrogatepass")))
}

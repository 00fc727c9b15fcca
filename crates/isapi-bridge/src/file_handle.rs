//! Files as the server knows them: a `HANDLE` on Windows, a descriptor elsewhere.

use std::ptr;

use isapi_abi::HANDLE;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyFloat;

/// A handle or descriptor as a number, or of an object that has one (`fileno()`, pywin32's handles).
pub fn file_handle(file: &Bound<'_, PyAny>) -> PyResult<HANDLE> {
    let number = number(file)?;
    let bits = number.call_method1("__and__", (u64::MAX,))?.extract::<u64>()?;
    Ok(ptr::without_provenance_mut(bits as usize))
}

fn number<'py>(file: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    if let Ok(fileno) = file.getattr("fileno") {
        let descriptor = fileno.call0()?;
        // On Windows a descriptor is the C library's number, which only that library can turn into a handle.
        return if cfg!(windows) {
            file.py().import("msvcrt")?.call_method1("get_osfhandle", (descriptor,))
        } else {
            Ok(descriptor)
        };
    }
    let refuse = |_| PyTypeError::new_err("expected a file handle, or an object that has one");
    if file.is_instance_of::<PyFloat>() {
        Err(refuse(()))
    } else {
        file.call_method0("__int__").map_err(|_| refuse(()))
    }
}

//! The functions that the loader calls: raw pointers in, one safe call, a plain number out.
//!
//! Each runs inside the panic fence with its own failure value. Scripts are leaked on purpose: the loader
//! keeps their pointers for as long as the process lives.

use std::ffi::{CStr, c_char, c_void};
use std::ptr::NonNull;

use isapi_abi::bridge_table::{BRIDGE_TABLE_VERSION, BridgeTable, CAPSULE_NAME, Script as OpaqueScript, ScriptInfo};
use isapi_abi::fence::fence;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_STATUS_ERROR, HSE_VERSION_INFO};
use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_VERSION, SF_STATUS_REQ_ERROR};
use isapi_abi::{BOOL, FALSE};
use pyo3::prelude::*;
use pyo3::types::PyCapsule;

use crate::attach::attach;
use crate::failure::{Failure, PREPARE_FAILED};
use crate::filter_calls::Pointers;
use crate::script::{Script, server_module};

static TABLE: BridgeTable = BridgeTable {
    size: size_of::<BridgeTable>() as u32,
    version: BRIDGE_TABLE_VERSION,
    open,
    get_extension_version,
    http_extension_proc,
    terminate_extension,
    get_filter_version,
    http_filter_proc,
    terminate_filter,
};

/// The capsule that the loader takes the table from.
pub fn capsule(py: Python<'_>) -> PyResult<Bound<'_, PyCapsule>> {
    // SAFETY: the table is static.
    unsafe { PyCapsule::new_with_pointer(py, NonNull::from_ref(&TABLE).cast(), CAPSULE_NAME) }
}

unsafe extern "system" fn open(info: *const ScriptInfo) -> *const OpaqueScript {
    fence(std::ptr::null(), || {
        // SAFETY: the loader passes a struct whose strings are NUL-terminated and valid for the call.
        let (script, handle, paths) = unsafe {
            let info = &*info;
            let script = Script::new(text(info.module_name), text(info.folder), info.is_frozen != FALSE);
            (script, info.library_handle.addr(), text(info.paths))
        };
        attach(|py| prepare(py, &script, handle, &paths));
        std::ptr::from_ref(Box::leak(Box::new(script))).cast()
    })
}

unsafe extern "system" fn get_extension_version(script: *const OpaqueScript, info: *mut HSE_VERSION_INFO) -> BOOL {
    // SAFETY: the loader passes what `open` returned and the server's own pointer.
    fence(FALSE, || unsafe { with(script).extension.get_extension_version(with(script), info) })
}

unsafe extern "system" fn http_extension_proc(script: *const OpaqueScript, block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    // SAFETY: the loader passes what `open` returned and the server's own pointer.
    fence(HSE_STATUS_ERROR, || unsafe { with(script).extension.request(with(script), block) })
}

unsafe extern "system" fn terminate_extension(script: *const OpaqueScript, flags: u32) -> BOOL {
    // SAFETY: the loader passes what `open` returned.
    fence(FALSE, || unsafe { with(script).extension.terminate(with(script), flags) })
}

unsafe extern "system" fn get_filter_version(script: *const OpaqueScript, version: *mut HTTP_FILTER_VERSION) -> BOOL {
    // SAFETY: the loader passes what `open` returned and the server's own pointer.
    fence(FALSE, || unsafe { with(script).filter.get_filter_version(with(script), version) })
}

unsafe extern "system" fn http_filter_proc(
    script: *const OpaqueScript,
    context: *mut HTTP_FILTER_CONTEXT,
    notification: u32,
    data: *mut c_void,
) -> u32 {
    // SAFETY: the loader passes what `open` returned and the server's own pointers.
    fence(SF_STATUS_REQ_ERROR, || unsafe {
        with(script).filter.notify(with(script), Pointers { context, data }, notification)
    })
}

unsafe extern "system" fn terminate_filter(script: *const OpaqueScript, flags: u32) -> BOOL {
    // SAFETY: the loader passes what `open` returned.
    fence(FALSE, || unsafe { with(script).filter.terminate(with(script), flags) })
}

/// The script behind the loader's pointer.
///
/// # Safety
/// `script` came from [`open`].
unsafe fn with<'a>(script: *const OpaqueScript) -> &'a Script {
    // SAFETY: `open` leaks the script, so it lives as long as the process.
    unsafe { &*script.cast::<Script>() }
}

/// # Safety
/// `text` is NUL-terminated.
unsafe fn text(text: *const c_char) -> String {
    // SAFETY: the caller says so.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}

fn prepare(py: Python<'_>, script: &Script, handle: usize, paths: &str) {
    let paths: Vec<&str> = paths.lines().collect();
    let arguments = (&script.folder, handle, script.is_frozen, &script.name, paths);
    let prepared = server_module(py).and_then(|server| server.call_method1("prepare", arguments));
    if let Err(error) = prepared {
        Failure::new(PREPARE_FAILED, format!("{} could not be prepared", script.name), Some(error)).report(py);
    }
}

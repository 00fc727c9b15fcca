//! The table of functions that the bridge hands to the loader.
//!
//! The loader imports `pyisapi._bridge`, takes the capsule [`CAPSULE_NAME`] out of it and from then on
//! calls only through this table. Nothing else is shared between the two libraries, so each can be
//! replaced on its own; [`BridgeTable::size`] and [`BridgeTable::version`] say what the other side knows.
//!
//! The bridge owns the table (it is static) and every [`Script`] it opens; neither is ever freed.

use core::ffi::{c_char, c_void};

use crate::httpext::{EXTENSION_CONTROL_BLOCK, HSE_VERSION_INFO};
use crate::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_VERSION};
use crate::{BOOL, DWORD};

/// The attribute of the extension module and the name inside the capsule, as CPython wants them to agree.
pub const CAPSULE_NAME: &core::ffi::CStr = c"pyisapi._bridge.table";

/// The layout and meaning described here. A loader refuses a bridge of another version.
pub const BRIDGE_TABLE_VERSION: u32 = 1;

/// One script behind one loader library: opaque to the loader.
#[repr(C)]
pub struct Script {
    _private: [u8; 0],
}

/// What the loader knows of its script. All strings are UTF-8 and need to live for the call only.
#[repr(C)]
pub struct ScriptInfo {
    /// Size of this struct in bytes.
    pub size: u32,
    /// Non-zero when a freezing tool's program set the module name: the folder then stays off `sys.path`.
    pub is_frozen: BOOL,
    /// Name of the Python module, NUL-terminated.
    pub module_name: *const c_char,
    /// The loader library's folder without a trailing separator, NUL-terminated.
    pub folder: *const c_char,
    /// The loader library's own path, NUL-terminated, for messages.
    pub library: *const c_char,
    /// The loader library's module handle (`HMODULE`, or what `dlopen` returned), for `sys.isapidllhandle`.
    pub library_handle: *mut c_void,
    /// Further folders for `sys.path`, one a line, NUL-terminated; empty when there are none.
    pub paths: *const c_char,
}

/// The bridge's entry points. Each may be called on any thread, with or without the interpreter held,
/// and never unwinds: a failure is the entry point's own failure value.
#[repr(C)]
pub struct BridgeTable {
    /// Size of this struct in bytes, as the bridge was built.
    pub size: u32,
    /// [`BRIDGE_TABLE_VERSION`], as the bridge was built.
    pub version: u32,
    /// Opens a script: prepares `sys.path`, imports nothing yet. Null only when out of memory.
    pub open: unsafe extern "system" fn(info: *const ScriptInfo) -> *const Script,
    /// `GetExtensionVersion`: imports the module, makes the handler, asks it.
    pub get_extension_version: unsafe extern "system" fn(*const Script, *mut HSE_VERSION_INFO) -> BOOL,
    /// `HttpExtensionProc`.
    pub http_extension_proc: unsafe extern "system" fn(*const Script, *mut EXTENSION_CONTROL_BLOCK) -> DWORD,
    /// `TerminateExtension`.
    pub terminate_extension: unsafe extern "system" fn(*const Script, flags: DWORD) -> BOOL,
    /// `GetFilterVersion`.
    pub get_filter_version: unsafe extern "system" fn(*const Script, *mut HTTP_FILTER_VERSION) -> BOOL,
    /// `HttpFilterProc`.
    pub http_filter_proc: unsafe extern "system" fn(
        *const Script,
        *mut HTTP_FILTER_CONTEXT,
        notification: DWORD,
        data: *mut c_void,
    ) -> DWORD,
    /// `TerminateFilter`.
    pub terminate_filter: unsafe extern "system" fn(*const Script, flags: DWORD) -> BOOL,
}

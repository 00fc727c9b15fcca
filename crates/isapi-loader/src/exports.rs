//! The exports: ISAPI's six entry points and `PyISAPISetOptions`.
//!
//! Each forwards to the bridge inside the panic fence. The version calls open the script first; when that
//! fails they say why and return FALSE, and the next version call tries again. The others answer their
//! failure value while no script is open.

use std::ffi::{CStr, CString, c_char, c_void};
use std::sync::{Mutex, OnceLock, PoisonError};

use isapi_abi::bridge_table::{BridgeTable, Script, ScriptInfo};
use isapi_abi::fence::fence;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_STATUS_ERROR, HSE_VERSION_INFO};
use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_VERSION, SF_STATUS_REQ_ERROR};
use isapi_abi::{BOOL, FALSE, TRUE};

use crate::location::Location;
use crate::message::LoadError;
use crate::sidecar::Sidecar;
use crate::start;

/// What a freezing tool's program has set.
struct Options {
    module: Option<String>,
    is_frozen: bool,
}

/// The open script and the way to it.
struct Open {
    table: &'static BridgeTable,
    script: *const Script,
}

// SAFETY: the bridge lets any thread call with the script, which it never frees.
unsafe impl Send for Open {}
// SAFETY: as above.
unsafe impl Sync for Open {}

static OPTIONS: Mutex<Options> = Mutex::new(Options { module: None, is_frozen: false });
static OPENING: Mutex<()> = Mutex::new(());
static OPEN: OnceLock<Open> = OnceLock::new();

/// The open script; opens it if need be. Only one thread at a time gets to try.
fn open() -> Result<&'static Open, LoadError> {
    let _opening = OPENING.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(open) = OPEN.get() {
        return Ok(open);
    }
    let location = Location::find()?;
    let sidecar = Sidecar::read(&location.sidecar())?.unwrap_or_default();
    let table = start::bridge(&location, &sidecar)?;
    let script = open_script(table, &location, sidecar);
    if script.is_null() {
        return Err(LoadError::Open { library: location.library });
    }
    Ok(OPEN.get_or_init(|| Open { table, script }))
}

fn open_script(table: &BridgeTable, location: &Location, sidecar: Sidecar) -> *const Script {
    let options = OPTIONS.lock().unwrap_or_else(PoisonError::into_inner);
    let is_frozen = options.is_frozen;
    let module = text(options.module.clone().or(sidecar.module).unwrap_or_else(|| location.module.clone()));
    let folder = text(location.folder().to_string_lossy().into_owned());
    let library = text(location.library.to_string_lossy().into_owned());
    let paths = text(sidecar.paths.iter().map(|path| path.to_string_lossy()).collect::<Vec<_>>().join("\n"));
    let info = ScriptInfo {
        size: size_of::<ScriptInfo>() as u32,
        is_frozen: if is_frozen { TRUE } else { FALSE },
        module_name: module.as_ptr(),
        folder: folder.as_ptr(),
        library: library.as_ptr(),
        library_handle: location.handle,
        paths: paths.as_ptr(),
    };
    // SAFETY: all strings live until the call returns.
    unsafe { (table.open)(&info) }
}

/// Names come from file names and C strings, so they hold no NUL; if one did, it would end there.
fn text(text: String) -> CString {
    CString::new(text.split('\0').next().unwrap_or_default()).expect("no NUL is left")
}

/// Runs `call` with the open script, opening it first.
fn opening<R>(failure: R, call: impl FnOnce(&Open) -> R) -> R {
    fault::here();
    match open() {
        Ok(open) => call(open),
        Err(error) => {
            error.print();
            failure
        }
    }
}

/// Runs `call` with the script if it is open.
fn opened<R>(failure: R, call: impl FnOnce(&Open) -> R) -> R {
    fault::here();
    OPEN.get().map_or(failure, call)
}

/// `GetExtensionVersion` of the script.
///
/// # Safety
/// - `info` is NULL or a valid `HSE_VERSION_INFO` for the call.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetExtensionVersion(info: *mut HSE_VERSION_INFO) -> BOOL {
    fence(FALSE, || {
        if info.is_null() {
            return FALSE;
        }
        // SAFETY: the script came from this table; `info` is the server's.
        opening(FALSE, |open| unsafe { (open.table.get_extension_version)(open.script, info) })
    })
}

/// `HttpExtensionProc` of the script.
///
/// # Safety
/// - `block` is NULL or the control block of a request, valid as ISAPI says.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HttpExtensionProc(block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    fence(HSE_STATUS_ERROR, || {
        if block.is_null() {
            return HSE_STATUS_ERROR;
        }
        // SAFETY: the script came from this table; `block` is the server's.
        opened(HSE_STATUS_ERROR, |open| unsafe { (open.table.http_extension_proc)(open.script, block) })
    })
}

/// `TerminateExtension` of the script.
#[unsafe(no_mangle)]
pub extern "system" fn TerminateExtension(flags: u32) -> BOOL {
    // SAFETY: the script came from this table.
    fence(FALSE, || opened(FALSE, |open| unsafe { (open.table.terminate_extension)(open.script, flags) }))
}

/// `GetFilterVersion` of the script.
///
/// # Safety
/// - `version` is NULL or a valid `HTTP_FILTER_VERSION` for the call.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn GetFilterVersion(version: *mut HTTP_FILTER_VERSION) -> BOOL {
    fence(FALSE, || {
        if version.is_null() {
            return FALSE;
        }
        // SAFETY: the script came from this table; `version` is the server's.
        opening(FALSE, |open| unsafe { (open.table.get_filter_version)(open.script, version) })
    })
}

/// `HttpFilterProc` of the script.
///
/// # Safety
/// - `context` is NULL or the filter context of a connection, valid for the call.
/// - `data` is what `notification` brings with it.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn HttpFilterProc(
    context: *mut HTTP_FILTER_CONTEXT,
    notification: u32,
    data: *mut c_void,
) -> u32 {
    fence(SF_STATUS_REQ_ERROR, || {
        if context.is_null() {
            return SF_STATUS_REQ_ERROR;
        }
        // SAFETY: the script came from this table; the pointers are the server's.
        opened(SF_STATUS_REQ_ERROR, |open| unsafe {
            (open.table.http_filter_proc)(open.script, context, notification, data)
        })
    })
}

/// `TerminateFilter` of the script.
#[unsafe(no_mangle)]
pub extern "system" fn TerminateFilter(flags: u32) -> BOOL {
    // SAFETY: the script came from this table.
    fence(FALSE, || opened(FALSE, |open| unsafe { (open.table.terminate_filter)(open.script, flags) }))
}

/// Sets the module's name in place of the one from the file name; for freezing tools, before the first entry point.
///
/// # Safety
/// - `module` is NULL or NUL-terminated.
#[unsafe(no_mangle)]
pub unsafe extern "system" fn PyISAPISetOptions(module: *const c_char, is_frozen: BOOL) {
    fence((), || {
        fault::here();
        let module = if module.is_null() {
            String::new()
        } else {
            // SAFETY: not NULL, so NUL-terminated.
            unsafe { CStr::from_ptr(module) }.to_string_lossy().into_owned()
        };
        let options =
            Options { module: Some(module).filter(|module| !module.is_empty()), is_frozen: is_frozen != FALSE };
        *OPTIONS.lock().unwrap_or_else(PoisonError::into_inner) = options;
    });
}

/// A panic on demand, for the tests of the fence; nothing in the built library.
mod fault {
    #[cfg(not(test))]
    pub fn here() {}

    #[cfg(test)]
    thread_local! {
        pub static ARMED: std::cell::Cell<bool> = const { std::cell::Cell::new(false) };
    }

    #[cfg(test)]
    pub fn here() {
        assert!(!ARMED.get(), "a fault on demand");
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ptr;

    #[test]
    fn a_panic_in_any_export_becomes_its_failure_value() {
        fault::ARMED.set(true);
        let mut version = [0_u8; 512];
        let place: *mut c_void = version.as_mut_ptr().cast();
        // SAFETY: the fault comes before any of the pointers is used.
        unsafe {
            assert_eq!(GetExtensionVersion(place.cast()), FALSE);
            assert_eq!(HttpExtensionProc(place.cast()), HSE_STATUS_ERROR);
            assert_eq!(TerminateExtension(0), FALSE);
            assert_eq!(GetFilterVersion(place.cast()), FALSE);
            assert_eq!(HttpFilterProc(place.cast(), 0, ptr::null_mut()), SF_STATUS_REQ_ERROR);
            assert_eq!(TerminateFilter(0), FALSE);
            PyISAPISetOptions(c"name".as_ptr(), 0);
        }
        fault::ARMED.set(false);
    }

    #[test]
    fn null_pointers_are_refused() {
        // SAFETY: NULL is what is being tested.
        unsafe {
            assert_eq!(GetExtensionVersion(ptr::null_mut()), FALSE);
            assert_eq!(HttpExtensionProc(ptr::null_mut()), HSE_STATUS_ERROR);
            assert_eq!(GetFilterVersion(ptr::null_mut()), FALSE);
            assert_eq!(HttpFilterProc(ptr::null_mut(), 0, ptr::null_mut()), SF_STATUS_REQ_ERROR);
            PyISAPISetOptions(ptr::null(), 0);
        }
    }
}

//! Loading a native library: dlopen, its exports, and the text by which it describes itself.
//!
//! What is opened here stays loaded until the process ends, once its exports have been called: a module may have
//! started threads, so its code must never go away under a call.
#![expect(unsafe_code, reason = "loads a library and looks its exports up")]

use std::ffi::{CStr, c_char};
use std::path::Path;

#[cfg(unix)]
pub(crate) use libloading::os::unix::Library;
#[cfg(windows)]
pub(crate) use libloading::os::windows::Library;

use crate::error::HostError;

/// What a library is loaded as, and where it lies; both are for messages.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    /// `extension` or `filter`.
    pub(crate) role: &'static str,
    pub(crate) path: &'a Path,
}

/// Opens a library.
///
/// # Errors
/// When the path is not absolute, or the system cannot load the file.
pub(crate) fn open(Wanted { role, path }: Wanted<'_>) -> Result<Library, HostError> {
    let cannot_load = |reason: String| HostError::CannotLoad { role, path: path.to_owned(), reason };
    if !path.is_absolute() {
        return Err(cannot_load("the path is not absolute".to_owned()));
    }
    // SAFETY: the administrator configured this library to run inside the server; its initialisers are trusted.
    #[cfg(unix)]
    let library = unsafe {
        use libloading::os::unix::{RTLD_LOCAL, RTLD_NOW};
        Library::open(Some(path), RTLD_NOW | RTLD_LOCAL)
    };
    // SAFETY: as above.
    #[cfg(windows)]
    let library = unsafe {
        // So that libraries beside it are found.
        use libloading::os::windows::LOAD_WITH_ALTERED_SEARCH_PATH;
        Library::load_with_flags(path, LOAD_WITH_ALTERED_SEARCH_PATH)
    };
    library.map_err(|error| cannot_load(reason(&error)))
}

/// What the dynamic linker says; the error itself only names the call.
fn reason(error: &libloading::Error) -> String {
    use std::error::Error;
    error.source().map_or_else(|| error.to_string(), ToString::to_string)
}

/// The export `name`.
///
/// # Errors
/// When the library has none of that name.
///
/// # Safety
/// * `F` is a function pointer of the type that the export has.
pub(crate) unsafe fn export<F: Copy>(
    library: &Library,
    Wanted { role, path }: Wanted<'_>,
    name: &'static CStr,
) -> Result<F, HostError> {
    // SAFETY: the caller vouches for the type.
    let symbol = unsafe { library.get::<F>(name) };
    let missing = || {
        let (path, name) = (path.to_owned(), name.to_str().unwrap_or_default());
        HostError::MissingExport { role, path, name }
    };
    symbol.map(|symbol| *symbol).map_err(|_| missing())
}

/// The text of the module, cut at its NUL or the end of the array, without control characters.
pub(crate) fn description(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|unit| unit.cast_unsigned()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).chars().filter(|character| !character.is_control()).collect()
}

//! A loaded extension library: dlopen, the three exports, the handshake, and the calls into it.
//!
//! All of it runs on threads of the executor, but for TerminateExtension (`termination.rs`). A library stays loaded
//! until the process ends, since a module may have started threads; so its code never goes away under a call.
#![expect(unsafe_code, reason = "loads a library and calls its exports")]

use std::ffi::{CStr, c_char};
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_TERM_MUST_UNLOAD, HSE_VERSION_INFO};
use isapi_abi::{BOOL, FALSE};
#[cfg(unix)]
use libloading::os::unix::Library;
#[cfg(windows)]
use libloading::os::windows::Library;

use super::completion::Callback;
use super::control_block::ControlBlock;
use crate::error::HostError;
use crate::executor::Pace;

type GetExtensionVersion = unsafe extern "system" fn(*mut HSE_VERSION_INFO) -> BOOL;
type HttpExtensionProc = unsafe extern "system" fn(*mut EXTENSION_CONTROL_BLOCK) -> u32;
type TerminateExtension = unsafe extern "system" fn(u32) -> BOOL;

/// An extension that has been loaded and has accepted the handshake.
pub(crate) struct Extension {
    path: PathBuf,
    http_extension_proc: HttpExtensionProc,
    terminate_extension: Option<TerminateExtension>,
    pace: Arc<Pace>,
}

impl Extension {
    /// Loads the library and calls its GetExtensionVersion. Blocks; called on a native thread.
    ///
    /// # Errors
    /// When the library cannot be loaded, lacks an export, or refuses.
    pub(crate) fn load(path: &Path) -> Result<Self, HostError> {
        let library = open(path)?;
        // SAFETY: the types are those that the contract gives to these names.
        let (get_version, http_extension_proc, terminate_extension) = unsafe {
            (
                export::<GetExtensionVersion>(&library, path, c"GetExtensionVersion")?,
                export::<HttpExtensionProc>(&library, path, c"HttpExtensionProc")?,
                export::<TerminateExtension>(&library, path, c"TerminateExtension").ok(),
            )
        };
        // From here on foreign code may have started threads: never unloaded.
        let _library = ManuallyDrop::new(library);
        let extension =
            Extension { path: path.to_owned(), http_extension_proc, terminate_extension, pace: Arc::default() };
        extension.shake_hands(get_version)?;
        Ok(extension)
    }

    /// An extension that is a function of this process, known by `path`; there is no handshake.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_function(path: &Path, http_extension_proc: HttpExtensionProc) -> Self {
        Extension { path: path.to_owned(), http_extension_proc, terminate_extension: None, pace: Arc::default() }
    }

    fn shake_hands(&self, get_version: GetExtensionVersion) -> Result<(), HostError> {
        let mut version = HSE_VERSION_INFO { dwExtensionVersion: 0, lpszExtensionDesc: [0; 256] };
        // SAFETY: the export has this type, and the struct is ours and writable.
        if unsafe { get_version(&raw mut version) } == FALSE {
            return Err(HostError::VersionRefused { path: self.path.clone() });
        }
        let (major, minor) = (version.dwExtensionVersion >> 16, version.dwExtensionVersion & 0xffff);
        let description = description(&version.lpszExtensionDesc);
        tracing::info!("loaded {} (version {major}.{minor}): {description}", self.path.display());
        Ok(())
    }

    /// The library's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// How fast it has shown itself.
    pub(crate) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Calls HttpExtensionProc.
    pub(crate) fn serve(&self, block: &ControlBlock) -> u32 {
        // SAFETY: the export has this type, the library is never unloaded, and the block outlives the call.
        unsafe { (self.http_extension_proc)(block.as_ptr()) }
    }

    /// Calls a completion callback that this extension registered.
    pub(crate) fn complete(&self, block: &ControlBlock, callback: Callback, bytes: u32, error: u32) {
        // SAFETY: the library is never unloaded, and the block outlives the call.
        unsafe { callback.call(block.as_ptr(), bytes, error) }
    }

    /// Calls TerminateExtension, if there is one. Blocks as long as the module likes.
    pub(crate) fn terminate(&self) {
        if let Some(terminate) = self.terminate_extension {
            // SAFETY: the export has this type, and the library is never unloaded.
            unsafe { terminate(HSE_TERM_MUST_UNLOAD) };
        }
    }
}

fn open(path: &Path) -> Result<Library, HostError> {
    let cannot_load = |reason: String| HostError::CannotLoad { path: path.to_owned(), reason };
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
/// # Safety
/// * `F` is a function pointer of the type that the export has.
unsafe fn export<F: Copy>(library: &Library, path: &Path, name: &'static CStr) -> Result<F, HostError> {
    // SAFETY: the caller vouches for the type.
    let symbol = unsafe { library.get::<F>(name) };
    let missing = || HostError::MissingExport { path: path.to_owned(), name: name.to_str().unwrap_or_default() };
    symbol.map(|symbol| *symbol).map_err(|_| missing())
}

/// The text of the module, cut at its NUL or the end of the array, without control characters.
fn description(text: &[c_char]) -> String {
    let bytes: Vec<u8> = text.iter().map(|unit| unit.cast_unsigned()).take_while(|byte| *byte != 0).collect();
    String::from_utf8_lossy(&bytes).chars().filter(|character| !character.is_control()).collect()
}

//! A loaded extension library: dlopen, the three exports, the handshake, and the calls into it.
//!
//! All of it runs on threads of the executor, but for TerminateExtension (`termination.rs`). A library stays loaded
//! until the process ends, since a module may have started threads; so its code never goes away under a call.
#![expect(unsafe_code, reason = "loads a library and calls its exports")]

use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::completion::Callback;
use super::control_block::ControlBlock;
use crate::error::HostError;
use crate::executor::Pace;
use crate::native_library::{Wanted, description, export, open};
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_TERM_MUST_UNLOAD, HSE_VERSION_INFO};
use isapi_abi::{BOOL, FALSE};

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
        let wanted = Wanted { role: "extension", path };
        let library = open(wanted)?;
        // SAFETY: the types are those that the contract gives to these names.
        let (get_version, http_extension_proc, terminate_extension) = unsafe {
            (
                export::<GetExtensionVersion>(&library, wanted, c"GetExtensionVersion")?,
                export::<HttpExtensionProc>(&library, wanted, c"HttpExtensionProc")?,
                export::<TerminateExtension>(&library, wanted, c"TerminateExtension").ok(),
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

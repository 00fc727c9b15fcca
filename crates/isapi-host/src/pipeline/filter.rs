//! A loaded filter library: its handshake, what it asks for, and the calls into it.
//!
//! Loaded before the server serves, and called on native threads. It stays loaded until the process ends.
#![expect(unsafe_code, reason = "calls a library's exports")]

use std::ffi::c_void;
use std::mem::ManuallyDrop;
use std::path::{Path, PathBuf};

use isapi_abi::httpext::HSE_TERM_MUST_UNLOAD;
use isapi_abi::httpfilt as sf;
use isapi_abi::{BOOL, FALSE};

use super::notification::{Notification, name_all};
use crate::error::HostError;
use crate::native_library::{Wanted, description, export, open};
use crate::options::FilterProfile;

type GetFilterVersion = unsafe extern "system" fn(*mut sf::HTTP_FILTER_VERSION) -> BOOL;
type HttpFilterProc = unsafe extern "system" fn(*mut sf::HTTP_FILTER_CONTEXT, u32, *mut c_void) -> u32;
type TerminateFilter = unsafe extern "system" fn(u32) -> BOOL;

/// A filter that has been loaded and has accepted the handshake.
pub(crate) struct Filter {
    name: String,
    path: PathBuf,
    http_filter_proc: HttpFilterProc,
    terminate_filter: Option<TerminateFilter>,
    /// `SF_NOTIFY_*` and `SF_NOTIFY_ORDER_*`, as it asked.
    flags: u32,
}

impl Filter {
    /// Loads the library and calls its GetFilterVersion. Blocks; called on a native thread.
    ///
    /// # Errors
    /// When the library cannot be loaded, lacks an export, refuses, or asks for what the profile does not have.
    pub(crate) fn load(entry: &isapi_config::Filter, profile: FilterProfile) -> Result<Self, HostError> {
        let wanted = Wanted { role: "filter", path: entry.path() };
        let library = open(wanted)?;
        // SAFETY: the types are those that the contract gives to these names.
        let (get_version, http_filter_proc, terminate_filter) = unsafe {
            (
                export::<GetFilterVersion>(&library, wanted, c"GetFilterVersion")?,
                export::<HttpFilterProc>(&library, wanted, c"HttpFilterProc")?,
                export::<TerminateFilter>(&library, wanted, c"TerminateFilter").ok(),
            )
        };
        // From here on foreign code may have started threads: never unloaded.
        let _library = ManuallyDrop::new(library);
        let (name, path) = (entry.name().to_owned(), entry.path().to_owned());
        let mut filter = Filter { name, path, http_filter_proc, terminate_filter, flags: 0 };
        filter.shake_hands(get_version)?;
        if profile == FilterProfile::Iis10 && filter.flags & sf::SF_NOTIFY_READ_RAW_DATA != 0 {
            filter.terminate();
            return Err(HostError::RawReadRefused { path: filter.path });
        }
        Ok(filter)
    }

    /// A filter that is a function of this process and asks for `flags`, known by `path`; there is no handshake.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn of_function(path: &Path, http_filter_proc: HttpFilterProc, flags: u32) -> Self {
        let name = path.to_string_lossy().into_owned();
        Filter { name, path: path.to_owned(), http_filter_proc, terminate_filter: None, flags }
    }

    fn shake_hands(&mut self, get_version: GetFilterVersion) -> Result<(), HostError> {
        let mut version = sf::HTTP_FILTER_VERSION {
            dwServerFilterVersion: sf::HTTP_FILTER_REVISION,
            dwFilterVersion: 0,
            lpszFilterDesc: [0; sf::SF_MAX_FILTER_DESC_LEN as usize],
            dwFlags: 0,
        };
        errno::set_errno(errno::Errno(0));
        // SAFETY: the export has this type, and the struct is ours and writable.
        let accepted = unsafe { get_version(&raw mut version) } != FALSE;
        let error = errno::errno().0.cast_unsigned();
        if !accepted {
            return Err(HostError::FilterRefused { path: self.path.clone(), error });
        }
        self.flags = version.dwFlags;
        let (major, minor) = (version.dwFilterVersion >> 16, version.dwFilterVersion & 0xffff);
        let (name, asked) = (&self.name, name_all(version.dwFlags));
        let text = description(&version.lpszFilterDesc);
        tracing::info!("loaded the filter {name} (version {major}.{minor}, for {asked}): {text}");
        Ok(())
    }

    /// The name by which messages speak of it.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The library's file.
    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it asked for `notification` on such a connection. One that names no kind of port means both.
    pub(crate) fn wants(&self, notification: Notification, is_secure: bool) -> bool {
        let port = if is_secure { sf::SF_NOTIFY_SECURE_PORT } else { sf::SF_NOTIFY_NONSECURE_PORT };
        let ports = self.flags & (sf::SF_NOTIFY_SECURE_PORT | sf::SF_NOTIFY_NONSECURE_PORT);
        self.flags & notification.bit() != 0 && (ports == 0 || ports & port != 0)
    }

    /// The highest of the priorities that it asked for; greater is earlier.
    pub(super) fn priority(&self) -> u32 {
        let orders = [sf::SF_NOTIFY_ORDER_HIGH, sf::SF_NOTIFY_ORDER_MEDIUM];
        orders.into_iter().find(|order| self.flags & order != 0).unwrap_or(sf::SF_NOTIFY_ORDER_DEFAULT)
    }

    /// Calls HttpFilterProc; also gives the last error that it left.
    ///
    /// # Safety
    /// * `context` is valid for as long as the filter may use it, and `data` is what `notification` brings.
    pub(super) unsafe fn call(
        &self,
        context: *mut sf::HTTP_FILTER_CONTEXT,
        notification: Notification,
        data: *mut c_void,
    ) -> (u32, u32) {
        errno::set_errno(errno::Errno(0));
        // SAFETY: the export has this type, the library is never unloaded, and the caller vouches for the rest.
        let status = unsafe { (self.http_filter_proc)(context, notification.bit(), data) };
        (status, errno::errno().0.cast_unsigned())
    }

    /// Calls TerminateFilter, if there is one. Blocks as long as the module likes.
    pub(crate) fn terminate(&self) {
        if let Some(terminate) = self.terminate_filter {
            // SAFETY: the export has this type, and the library is never unloaded.
            unsafe { terminate(HSE_TERM_MUST_UNLOAD) };
        }
    }
}

//! URL_MAP: where a URL leads, as filters want it.
#![expect(unsafe_code, reason = "the struct of the notification is foreign code's")]

use std::ffi::{CString, OsString, c_char};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use isapi_abi::httpfilt::HTTP_FILTER_URL_MAP_EX;
use isapi_config::HandlerModule;

use super::memory::Lent;
use super::notification::Notification;
use super::raise::Raised;
use super::request::FilteredRequest;
use crate::server_variables::path_bytes;
use crate::url_map::Mapped;
use crate::win32::Win32Error;

/// The least size of the buffer for the path.
const PATH_BUFFER: usize = 4096;

impl FilteredRequest {
    /// Raises URL_MAP for `url`, a decoded path that leads to `mapped`; the path is as filters leave it. Called in turn.
    pub(super) fn map(self: &Arc<Self>, url: &str, mapped: &Mapped) -> (Raised, PathBuf) {
        let path = path_bytes(&mapped.path);
        let mut lent = Lent::text(&path, PATH_BUFFER);
        let (url, script_map) = (c_string(url.as_bytes()), self.script_map(url));
        let script_map = script_map.map(|path| c_string(&path_bytes(&path)));
        let mut data = HTTP_FILTER_URL_MAP_EX {
            pszURL: url.as_ptr(),
            pszPhysicalPath: lent.as_mut_ptr().cast::<c_char>(),
            cbPathBuff: lent.size(),
            dwFlags: mapped.access,
            cchMatchingPath: count(path_bytes(&mapped.folder).len()),
            cchMatchingURL: count(mapped.url_prefix.len()),
            pszScriptMapEntry: script_map.as_ref().map_or(ptr::null(), |text| text.as_ptr()),
        };
        // SAFETY: this is the struct of URL_MAP, and all it points to lives until the filters have been notified.
        let raised = unsafe { self.raise(Notification::UrlMap, (&raw mut data).cast(), || lent.as_text().is_some()) };
        let path = lent.as_text().map_or_else(|| mapped.path.clone(), into_path);
        (raised, path)
    }

    /// Whether filters want to be asked where URLs lead.
    pub(crate) fn maps_urls(&self) -> bool {
        self.session().wants(Notification::UrlMap)
    }

    /// Where the decoded `path` leads, if filters want it elsewhere. Called in turn.
    ///
    /// # Errors
    /// The message code of a filter that failed or answered by itself, which it cannot do for a request inside another.
    pub(super) fn map_path(self: &Arc<Self>, path: &[u8]) -> Result<Option<PathBuf>, &'static str> {
        let text = String::from_utf8_lossy(path);
        let mapped = Mapped::of_path(self.session().host(), &text);
        match self.map(&text, &mapped) {
            (Raised::GoOn, to) => Ok((to != mapped.path).then_some(to)),
            (Raised::Finished { position, .. }, _) => {
                let filter = self.session().chain().filters()[position].name();
                tracing::error!("ISAPI0338 the filter {filter} answered a request inside of another, which it cannot");
                Err("ISAPI0338")
            }
            (raised, _) => Err(self.report(Notification::UrlMap, raised)),
        }
    }

    /// As [`FilteredRequest::map`], for an extension that asks on its own thread.
    ///
    /// # Errors
    /// The code of a filter that failed.
    pub(crate) fn map_for_extension(self: &Arc<Self>, url: &str, mapped: Mapped) -> Result<Mapped, Win32Error> {
        if !self.maps_urls() {
            return Ok(mapped);
        }
        // A request that is over has nobody who could ask.
        let record = self.hold().ok_or(Win32Error::INVALID_PARAMETER)?;
        let (filtered, url) = (Arc::clone(self), url.to_owned());
        let job = move || {
            let _record = record;
            let (raised, path) = filtered.map(&url, &mapped);
            match raised {
                Raised::Failed { error, .. } => Err(Win32Error(error)),
                Raised::Broken { .. } => {
                    filtered.report(Notification::UrlMap, raised);
                    Err(Win32Error::INTERNAL)
                }
                Raised::GoOn | Raised::Finished { .. } => Ok(Mapped { path, ..mapped }),
            }
        };
        self.session().call_and_wait(job).unwrap_or(Err(Win32Error::TIMEOUT))
    }

    /// The library of the handler that takes this path, if one does.
    fn script_map(&self, url: &str) -> Option<PathBuf> {
        let site = &self.session().host().site;
        let resolution = site.resolve(url);
        let selection = resolution.select("GET", |_| isapi_config::Resource::File)?;
        match &selection.handler.module {
            HandlerModule::Isapi { script_processor } => script_processor.as_deref().map(Path::to_owned),
            HandlerModule::StaticFile => None,
        }
    }
}

/// A path as a filter wrote it: any bytes on Unix, UTF-8 elsewhere.
fn into_path(bytes: &[u8]) -> PathBuf {
    #[cfg(unix)]
    return PathBuf::from(<OsString as std::os::unix::ffi::OsStringExt>::from_vec(bytes.to_vec()));
    #[cfg(windows)]
    return PathBuf::from(OsString::from(String::from_utf8_lossy(bytes).into_owned()));
}

/// The bytes before the first NUL; there is none in what was checked before.
pub(super) fn c_string(bytes: &[u8]) -> CString {
    let end = bytes.iter().position(|byte| *byte == 0).unwrap_or(bytes.len());
    CString::new(&bytes[..end]).expect("cut at the first NUL")
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

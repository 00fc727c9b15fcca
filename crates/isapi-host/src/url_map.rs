//! Where URLs lead: to files, with what may be done there; and their normal form.
//!
//! URLs to map are taken as decoded, as PATH_INFO is; only the normal form decodes.
#![expect(unsafe_code, reason = "a text of foreign code is changed in place")]

use std::ffi::c_char;
use std::path::PathBuf;

use isapi_abi::httpext as hse;
use isapi_config::HandlerModule;
use percent_encoding::percent_decode;

use crate::host::Host;
use crate::raw;
use crate::request_path;
use crate::win32::Win32Error;

/// Where a URL leads.
pub(crate) struct Mapped {
    pub(crate) path: PathBuf,
    /// The folder of the virtual directory, which `path` begins with.
    pub(crate) folder: PathBuf,
    /// The part of the URL that `folder` stands for; empty for the site's root. What follows is the same in both.
    pub(crate) url_prefix: String,
    /// `HSE_URL_FLAGS_*`.
    pub(crate) access: u32,
}

impl Mapped {
    /// Where `url`, with or without a query, leads in the site of `host`.
    ///
    /// # Errors
    /// 87 when it is no path.
    pub(crate) fn of(host: &Host, url: &str) -> Result<Mapped, Win32Error> {
        let path = url.split('?').next().unwrap_or_default();
        if !path.starts_with('/') {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        let path = request_path::normalise(path.as_bytes().to_vec());
        Ok(Mapped::of_path(host, &String::from_utf8_lossy(&path)))
    }

    /// Where a request's path leads, decoded and normal as handlers are chosen by: a `?` in it is a part of a name.
    pub(crate) fn of_path(host: &Host, path: &str) -> Mapped {
        let resolution = host.site.resolve(path);
        let (application, directory) = (resolution.application, resolution.virtual_directory);
        let below = |path: &str| path.trim_end_matches('/').to_owned();
        Mapped {
            folder: directory.physical_path().to_owned(),
            url_prefix: below(application.path()) + &below(directory.path()),
            access: application.handlers().iter().fold(0, |access, handler| access | access_by(&handler.module)),
            path: resolution.physical_path,
        }
    }
}

/// What a handler of the application lets clients do.
fn access_by(module: &HandlerModule) -> u32 {
    match module {
        HandlerModule::StaticFile => hse::HSE_URL_FLAGS_READ,
        HandlerModule::Isapi { script_processor: Some(_) } => hse::HSE_URL_FLAGS_SCRIPT,
        // The requested file is itself run.
        HandlerModule::Isapi { script_processor: None } => hse::HSE_URL_FLAGS_SCRIPT | hse::HSE_URL_FLAGS_EXECUTE,
    }
}

/// Replaces the URL at `url` by its normal form, which is never longer: escapes decoded, `.` and `..` resolved,
/// slashes forward. A query stays as it is.
///
/// # Errors
/// 87 when there is none, or it is none.
///
/// # Safety
/// * Unless null, `url` points to a writable text that ends with a NUL.
pub(crate) unsafe fn normalise_in_place(url: *mut c_char) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the text.
    let text = unsafe { raw::text(url, raw::MAX_TEXT) }?;
    let mut normal = normal_form(text.ok_or(Win32Error::INVALID_PARAMETER)?)?;
    normal.push(0);
    // SAFETY: what is written is at most as long as the text with its NUL; `text` is not used any more.
    unsafe { std::ptr::copy_nonoverlapping(normal.as_ptr(), url.cast(), normal.len()) };
    Ok(())
}

fn normal_form(url: &[u8]) -> Result<Vec<u8>, Win32Error> {
    let (path, query) = url.split_at(url.iter().position(|byte| *byte == b'?').unwrap_or(url.len()));
    let mut path: Vec<u8> = percent_decode(path).collect();
    for byte in &mut path {
        if *byte == b'\\' {
            *byte = b'/';
        }
    }
    // A NUL would end the URL early, and other controls have no place in a path either.
    if path.first() != Some(&b'/') || path.iter().any(u8::is_ascii_control) {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let mut normal = request_path::normalise(path);
    normal.extend_from_slice(query);
    Ok(normal)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn normal_forms_are_never_longer() {
        for (url, expected) in [
            ("/a/b", "/a/b"),
            ("/a%20b?c=%20d", "/a b?c=%20d"),
            ("/a/./b/../c", "/a/c"),
            ("\\a\\..\\b", "/b"),
            ("/%2e%2e/%2E%2E/x", "/x"),
            ("/a%5c..%5cb", "/b"),
            ("/%zz%4", "/%zz%4"),
            ("/..", "/"),
            ("/a/..?..", "/?.."),
            ("/%3Fx", "/?x"),
        ] {
            let normal = normal_form(url.as_bytes()).expect(url);
            assert_eq!(String::from_utf8_lossy(&normal), expected, "{url}");
            assert!(normal.len() <= url.len(), "{url}");
        }
        for url in ["", "a/b", "?x", "http://host/x", "/a%00b", "/a%0d%0ab", "/\u{7f}"] {
            assert_eq!(normal_form(url.as_bytes()), Err(Win32Error::INVALID_PARAMETER), "{url}");
        }
    }
}

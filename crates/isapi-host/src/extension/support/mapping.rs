//! From URLs to the files that they stand for: MAP_URL_TO_PATH (1001), MAP_URL_TO_PATH_EX (1012), both in UTF-16
//! (1023, 1024), and NORMALIZE_URL (1033).
//!
//! The URLs to map are taken as decoded, as PATH_INFO is; only NORMALIZE_URL decodes.

use std::ffi::{OsStr, c_char};
use std::path::{Path, PathBuf};

use isapi_abi::httpext as hse;
use isapi_config::HandlerModule;
use percent_encoding::percent_decode;

use super::Arguments;
use crate::extension::session::Session;
use crate::raw;
use crate::request_path;
use crate::win32::Win32Error;

/// The characters that fit the path of the EX structs, with the NUL.
const MAX_PATH: usize = isapi_abi::MAX_PATH as usize;

/// The URL in the buffer is replaced by the path, as far as the buffer's size allows.
///
/// # Safety
/// * As the contract says for request 1001.
pub(super) unsafe fn map(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches that the size is that of the buffer, and that the URL in it ends with a NUL.
    unsafe {
        let room = raw::read(arguments.size)?;
        let url = raw::text(arguments.buffer.cast::<c_char>(), room as usize)?;
        let mut path = bytes(&Mapped::of(session, &text(url)?)?.path);
        path.push(0);
        raw::answer(&[&path], arguments.buffer, arguments.size)
    }
}

/// As [`map`], in UTF-16; sizes are bytes.
///
/// # Safety
/// * As the contract says for request 1023.
pub(super) unsafe fn map_unicode(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: as in `map`.
    unsafe {
        let units = raw::read(arguments.size)? as usize / size_of::<u16>();
        let url = raw::wide_text(arguments.buffer.cast::<u16>(), units)?;
        let mut path = wide(&Mapped::of(session, &wide_to_text(url)?)?.path);
        path.push(0);
        let path: Vec<u8> = path.into_iter().flat_map(u16::to_ne_bytes).collect();
        raw::answer(&[&path], arguments.buffer, arguments.size)
    }
}

/// The path of the URL in the buffer, and what may be done there, into the struct that the data type points to.
///
/// # Safety
/// * As the contract says for request 1012.
pub(super) unsafe fn map_ex(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches that the URL ends with a NUL or with the buffer, and for the struct.
    unsafe {
        let url = raw::text_within(arguments.buffer.cast::<c_char>(), limit(arguments.size, 1));
        let mapped = Mapped::of(session, &text(url)?)?;
        let path = bytes(&mapped.path);
        let mut info = hse::HSE_URL_MAPEX_INFO {
            lpszPath: [0; MAX_PATH],
            dwFlags: mapped.access,
            cchMatchingPath: count(bytes(&mapped.folder).len()),
            cchMatchingURL: count(mapped.url_prefix.len()),
            dwReserved1: 0,
            dwReserved2: 0,
        };
        for (place, byte) in info.lpszPath[..MAX_PATH - 1].iter_mut().zip(&path) {
            *place = byte.cast_signed();
        }
        raw::write(arguments.data_type.cast(), info)?;
        fits(path.len())
    }
}

/// As [`map_ex`], in UTF-16.
///
/// # Safety
/// * As the contract says for request 1024.
pub(super) unsafe fn map_unicode_ex(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: as in `map_ex`. The struct has 532 bytes: the two reserved members that old pages list are not there.
    unsafe {
        let url = raw::wide_text_within(arguments.buffer.cast::<u16>(), limit(arguments.size, size_of::<u16>()));
        let mapped = Mapped::of(session, &wide_to_text(url)?)?;
        let path = wide(&mapped.path);
        let mut info = hse::HSE_UNICODE_URL_MAPEX_INFO {
            lpszPath: [0; MAX_PATH],
            dwFlags: mapped.access,
            cchMatchingPath: count(wide(&mapped.folder).len()),
            cchMatchingURL: count(mapped.url_prefix.encode_utf16().count()),
        };
        for (place, unit) in info.lpszPath[..MAX_PATH - 1].iter_mut().zip(&path) {
            *place = *unit;
        }
        raw::write(arguments.data_type.cast(), info)?;
        fits(path.len())
    }
}

/// Replaces the URL in the buffer by its normal form, which is never longer: escapes decoded, `.` and `..` resolved,
/// slashes forward. A query stays as it is.
///
/// # Safety
/// * As the contract says for request 1033.
pub(super) unsafe fn normalise(arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the text.
    let url = unsafe { raw::text(arguments.buffer.cast::<c_char>(), raw::MAX_TEXT) }?;
    let mut normal = normal_form(url.ok_or(Win32Error::INVALID_PARAMETER)?)?;
    normal.push(0);
    // SAFETY: what is written is at most as long as the text with its NUL; `url` is not used any more.
    unsafe { std::ptr::copy_nonoverlapping(normal.as_ptr(), arguments.buffer.cast(), normal.len()) };
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

/// Where a URL leads.
struct Mapped {
    path: PathBuf,
    /// The folder of the virtual directory, which `path` begins with.
    folder: PathBuf,
    /// The part of the URL that `folder` stands for; empty for the site's root. What follows is the same in both.
    url_prefix: String,
    /// `HSE_URL_FLAGS_*`.
    access: u32,
}

impl Mapped {
    fn of(session: &Session, url: &str) -> Result<Mapped, Win32Error> {
        let path = url.split('?').next().unwrap_or_default();
        if !path.starts_with('/') {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        let path = request_path::normalise(path.as_bytes().to_vec());
        let path = String::from_utf8_lossy(&path);
        let resolution = session.host().site.resolve(&path);
        let (application, directory) = (resolution.application, resolution.virtual_directory);
        let below = |path: &str| path.trim_end_matches('/').to_owned();
        Ok(Mapped {
            folder: directory.physical_path().to_owned(),
            url_prefix: below(application.path()) + &below(directory.path()),
            access: application.handlers().iter().fold(0, |access, handler| access | access_by(&handler.module)),
            path: resolution.physical_path,
        })
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

/// The size of a buffer in characters of `width` bytes, where it is given.
///
/// # Safety
/// * Unless null, `size` points to a readable number.
unsafe fn limit(size: *const u32, width: usize) -> usize {
    // SAFETY: the caller vouches for it; null means that there is none.
    unsafe { raw::read(size) }.map_or(raw::MAX_TEXT, |size| size as usize / width)
}

fn text(url: Option<&[u8]>) -> Result<String, Win32Error> {
    Ok(String::from_utf8_lossy(url.ok_or(Win32Error::INVALID_PARAMETER)?).into_owned())
}

fn wide_to_text(url: Option<Vec<u16>>) -> Result<String, Win32Error> {
    String::from_utf16(&url.ok_or(Win32Error::INVALID_PARAMETER)?).map_err(|_| Win32Error::INVALID_PARAMETER)
}

fn bytes(path: &Path) -> Vec<u8> {
    OsStr::as_encoded_bytes(path.as_os_str()).to_vec()
}

fn wide(path: &Path) -> Vec<u16> {
    path.to_string_lossy().encode_utf16().collect()
}

fn count(length: usize) -> u32 {
    u32::try_from(length).unwrap_or(u32::MAX)
}

/// Whether a path and its NUL fit the struct; otherwise it has been cut.
fn fits(length: usize) -> Result<(), Win32Error> {
    if length < MAX_PATH { Ok(()) } else { Err(Win32Error::INSUFFICIENT_BUFFER) }
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

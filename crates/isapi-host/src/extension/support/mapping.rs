//! From URLs to the files that they stand for: MAP_URL_TO_PATH (1001), MAP_URL_TO_PATH_EX (1012), both in UTF-16
//! (1023, 1024), and NORMALIZE_URL (1033).
//!
//! The URLs to map are taken as decoded, as PATH_INFO is; only NORMALIZE_URL decodes.

use std::ffi::{OsStr, c_char};
use std::path::Path;

use isapi_abi::httpext as hse;

use super::Arguments;
use crate::extension::session::Session;
use crate::raw;
use crate::url_map::{self, Mapped};
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
        let mut path = bytes(&mapped(session, &text(url)?)?.path);
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
        let mut path = wide(&mapped(session, &wide_to_text(url)?)?.path);
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
        let mapped = mapped(session, &text(url)?)?;
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
        let mapped = mapped(session, &wide_to_text(url)?)?;
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

/// Replaces the URL in the buffer by its normal form; see [`url_map::normalise_in_place`].
///
/// # Safety
/// * As the contract says for request 1033.
pub(super) unsafe fn normalise(arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the text.
    unsafe { url_map::normalise_in_place(arguments.buffer.cast::<c_char>()) }
}

/// Where a URL leads, in the eyes of the site's filters as well.
fn mapped(session: &Session, url: &str) -> Result<Mapped, Win32Error> {
    let mapped = Mapped::of(session.host(), url)?;
    match &session.facts().filtered {
        Some(filtered) => filtered.map_for_extension(url, mapped),
        None => Ok(mapped),
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

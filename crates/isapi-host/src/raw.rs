//! From raw arguments of a callback to safe values: null checks, bounds, and copies out.
#![expect(unsafe_code, reason = "arguments of foreign code are raw pointers")]

use std::ffi::{c_char, c_void};
use std::mem::MaybeUninit;

use crate::win32::Win32Error;

/// The most bytes of a NUL-terminated argument that are looked at.
pub(crate) const MAX_TEXT: usize = 1024 * 1024;

/// `length` bytes at `start`; an empty slice may be null.
///
/// # Errors
/// 87 when `start` is null and the length is not 0.
///
/// # Safety
/// * Unless null, `start` points to `length` readable bytes that stay unchanged for `'a`.
pub(crate) unsafe fn bytes<'a>(start: *const c_void, length: u32) -> Result<&'a [u8], Win32Error> {
    match (start.is_null(), length) {
        (_, 0) => Ok(&[]),
        (true, _) => Err(Win32Error::INVALID_PARAMETER),
        // SAFETY: not null, and the caller vouches for the bytes.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts(start.cast(), length as usize) }),
    }
}

/// `length` writable bytes at `start`; an empty slice may be null.
///
/// # Errors
/// 87 when `start` is null and the length is not 0.
///
/// # Safety
/// * Unless null, `start` points to `length` bytes, initialised or not, that nobody else touches for `'a`.
pub(crate) unsafe fn room<'a>(start: *mut c_void, length: u32) -> Result<&'a mut [MaybeUninit<u8>], Win32Error> {
    match (start.is_null(), length) {
        (_, 0) => Ok(&mut []),
        (true, _) => Err(Win32Error::INVALID_PARAMETER),
        // SAFETY: not null, and the caller vouches for the bytes.
        (false, _) => Ok(unsafe { std::slice::from_raw_parts_mut(start.cast(), length as usize) }),
    }
}

/// The bytes before the NUL at or behind `start`; `None` for null.
///
/// # Errors
/// 87 when there is no NUL within `limit` bytes.
///
/// # Safety
/// * Unless null, `start` points to bytes that end with a NUL, or to at least `limit` bytes, unchanged for `'a`.
pub(crate) unsafe fn text<'a>(start: *const c_char, limit: usize) -> Result<Option<&'a [u8]>, Win32Error> {
    if start.is_null() {
        return Ok(None);
    }
    // SAFETY: the search stops at the first NUL and at the limit, and the caller vouches for the bytes up to there.
    let length = (0..limit).find(|index| unsafe { *start.add(*index) } == 0).ok_or(Win32Error::INVALID_PARAMETER)?;
    // SAFETY: these bytes have just been read.
    Ok(Some(unsafe { std::slice::from_raw_parts(start.cast(), length) }))
}

/// The bytes at `start`, up to a NUL or to `limit` bytes; `None` for null.
///
/// # Safety
/// * As for [`text`].
pub(crate) unsafe fn text_within<'a>(start: *const c_char, limit: usize) -> Option<&'a [u8]> {
    if start.is_null() {
        return None;
    }
    // SAFETY: as in `text`.
    let length = (0..limit).find(|index| unsafe { *start.add(*index) } == 0).unwrap_or(limit);
    // SAFETY: these bytes have just been read.
    Some(unsafe { std::slice::from_raw_parts(start.cast(), length) })
}

/// The units of UTF-16 at `start`, up to a NUL or to `limit` units; `None` for null.
///
/// # Safety
/// * Unless null, `start` points to units, aligned or not, that end with a NUL, or to at least `limit` of them.
pub(crate) unsafe fn wide_text_within(start: *const u16, limit: usize) -> Option<Vec<u16>> {
    if start.is_null() {
        return None;
    }
    // SAFETY: the search stops at the first NUL and at the limit, and the caller vouches for the units up to there.
    let units = (0..limit).map(|index| unsafe { start.add(index).read_unaligned() });
    Some(units.take_while(|unit| *unit != 0).collect())
}

/// As [`wide_text_within`], but a NUL must be there.
///
/// # Errors
/// 87 when there is no NUL within `limit` units.
///
/// # Safety
/// * As for [`wide_text_within`].
pub(crate) unsafe fn wide_text(start: *const u16, limit: usize) -> Result<Option<Vec<u16>>, Win32Error> {
    // SAFETY: the caller vouches for the units.
    match unsafe { wide_text_within(start, limit) } {
        Some(units) if units.len() >= limit => Err(Win32Error::INVALID_PARAMETER),
        units => Ok(units),
    }
}

/// The value at `place`.
///
/// # Errors
/// 87 when it is null.
///
/// # Safety
/// * Unless null, `place` points to a readable `T`, aligned or not.
pub(crate) unsafe fn read<T: Copy>(place: *const T) -> Result<T, Win32Error> {
    if place.is_null() {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    Ok(unsafe { place.read_unaligned() })
}

/// Puts `value` at `place`.
///
/// # Errors
/// 87 when it is null.
///
/// # Safety
/// * Unless null, `place` points to a writable `T`, aligned or not.
pub(crate) unsafe fn write<T: Copy>(place: *mut T, value: T) -> Result<(), Win32Error> {
    if place.is_null() {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    // SAFETY: not null, and the caller vouches for the rest.
    unsafe { place.write_unaligned(value) };
    Ok(())
}

/// Copies the parts of `value` to `buffer` if `*size` bytes are enough, and sets `*size` to the bytes copied or needed.
///
/// # Errors
/// 87 when `size` is null, 122 when the buffer is null or too small.
///
/// # Safety
/// * Unless null, `size` points to a readable and writable number, and `buffer` to that many writable bytes.
pub(crate) unsafe fn answer(value: &[&[u8]], buffer: *mut c_void, size: *mut u32) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for `size`.
    let room = unsafe { read(size) }?;
    let needed = value.iter().map(|part| part.len()).sum::<usize>();
    let needed = u32::try_from(needed).map_err(|_| Win32Error::INVALID_PARAMETER)?;
    // SAFETY: as above.
    unsafe { write(size, needed) }?;
    if buffer.is_null() || room < needed {
        return Err(Win32Error::INSUFFICIENT_BUFFER);
    }
    let mut place = buffer.cast::<u8>();
    for part in value {
        // SAFETY: the buffer has room for `needed` bytes, says the caller; a value of ours cannot overlap it.
        unsafe {
            std::ptr::copy_nonoverlapping(part.as_ptr(), place, part.len());
            place = place.add(part.len());
        }
    }
    Ok(())
}

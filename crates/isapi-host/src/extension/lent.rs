//! Memory that a module lends to an operation: to send from it, or to read into it.
//!
//! By the contract (2.4) it stays valid until the operation's completion, and not longer. These types carry the
//! address from thread to thread; whoever uses the memory vouches that the operation has not ended, which
//! [`Session::while_outstanding`](super::session::Session::while_outstanding) makes sure of.
#![expect(unsafe_code, reason = "the memory is the module's, behind a raw pointer")]

use std::ffi::c_void;
use std::mem::MaybeUninit;
use std::slice;

use crate::win32::Win32Error;

/// Bytes to send.
#[derive(Clone, Copy)]
pub(crate) struct LentBytes {
    start: *const u8,
    length: usize,
}

// SAFETY: an address and a length; the memory may be used from any thread until the completion, says the contract.
unsafe impl Send for LentBytes {}

impl LentBytes {
    /// `length` bytes, `offset` behind `start`. Nothing is read yet.
    ///
    /// # Errors
    /// 87 for a null pointer, for no bytes, and for a range that no memory can have.
    pub(crate) fn new(start: *const c_void, offset: u64, length: u64) -> Result<Self, Win32Error> {
        let checked = || {
            let (offset, length) = (usize::try_from(offset).ok()?, usize::try_from(length).ok()?);
            let address = start.addr().checked_add(offset)?;
            address.checked_add(length)?;
            let fits = !start.is_null() && length > 0 && isize::try_from(length).is_ok();
            fits.then(|| LentBytes { start: start.cast::<u8>().wrapping_add(offset), length })
        };
        checked().ok_or(Win32Error::INVALID_PARAMETER)
    }

    pub(crate) fn len(self) -> usize {
        self.length
    }

    /// Takes the first `length` bytes off, or all if there are fewer.
    pub(crate) fn split_to(&mut self, length: usize) -> LentBytes {
        let first = LentBytes { start: self.start, length: self.length.min(length) };
        self.start = self.start.wrapping_add(first.length);
        self.length -= first.length;
        first
    }

    /// The bytes.
    ///
    /// # Safety
    /// * The operation has not been completed, and is not during `'a`.
    pub(crate) unsafe fn bytes<'a>(self) -> &'a [u8] {
        // SAFETY: not null and at most isize::MAX bytes, as `new` checked; readable, since the module keeps the memory
        // until the completion.
        unsafe { slice::from_raw_parts(self.start, self.length) }
    }
}

/// Room to read into.
pub(crate) struct LentRoom {
    start: *mut u8,
    length: usize,
}

// SAFETY: as for `LentBytes`.
unsafe impl Send for LentRoom {}

impl LentRoom {
    /// `length` bytes at `start`. Nothing is touched yet.
    ///
    /// # Errors
    /// 87 for a null pointer and for no room, whose completion could not be told from the end of the body.
    pub(crate) fn new(start: *mut c_void, length: u32) -> Result<Self, Win32Error> {
        let length = usize::try_from(length).unwrap_or(usize::MAX);
        if start.is_null() || length == 0 || isize::try_from(length).is_err() {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        Ok(LentRoom { start: start.cast(), length })
    }

    /// The room.
    ///
    /// # Safety
    /// * The operation has not been completed, and is not during `'a`.
    pub(crate) unsafe fn room<'a>(&mut self) -> &'a mut [MaybeUninit<u8>] {
        // SAFETY: not null and at most isize::MAX bytes, as `new` checked; ours alone, since the module gives the
        // memory away until the completion. It need not be initialised.
        unsafe { slice::from_raw_parts_mut(self.start.cast(), self.length) }
    }
}

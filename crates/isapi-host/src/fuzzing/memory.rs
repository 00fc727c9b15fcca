//! Memory of a module: allocated for one purpose and of exactly the size that the host is told, so that a sanitizer
//! sees every byte that is touched beyond it, or after it has been given back.
#![expect(unsafe_code, reason = "the memory is shared with the host through raw pointers")]

use std::ffi::c_void;
use std::slice;

/// See the module. Dropping it gives it back.
#[derive(Debug)]
pub(super) struct Memory {
    start: *mut u8,
    length: usize,
}

// SAFETY: it owns what it points to, as a box does.
unsafe impl Send for Memory {}

impl Memory {
    /// With these bytes in it.
    pub(super) fn of(bytes: &[u8]) -> Self {
        let length = bytes.len();
        // As a raw pointer: the host uses the memory while this value is moved about.
        Memory { start: Box::into_raw(Box::<[u8]>::from(bytes)).cast(), length }
    }

    /// With these bytes and a NUL in it.
    pub(super) fn text(bytes: &[u8]) -> Self {
        Memory::of(&[bytes, b"\0"].concat())
    }

    /// So many bytes of `byte`.
    pub(super) fn filled(byte: u8, length: usize) -> Self {
        Memory::of(&vec![byte; length])
    }

    /// The address, for the host.
    pub(super) fn start(&self) -> *mut c_void {
        self.start.cast()
    }

    /// The length as the host wants it.
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.length).expect("no input asks for that much")
    }

    /// What is in it, once the host has no use of it any more.
    pub(super) fn bytes(&self) -> &[u8] {
        // SAFETY: allocated with this length and initialised by `of`; the caller waited for the host.
        unsafe { slice::from_raw_parts(self.start, self.length) }
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: made by `of` from a box of this length, and freed once, here.
        drop(unsafe { Box::from_raw(std::ptr::slice_from_raw_parts_mut(self.start, self.length)) });
    }
}

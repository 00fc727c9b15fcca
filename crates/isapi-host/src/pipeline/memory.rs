//! The memory that `AllocMem` gives to filters, and the buffers that the host lends them for one notification.
//!
//! A block lives until the request is over in which it was asked for; one that a filter's `pFilterContext` points to
//! then lives on as long as that is so, and every block dies with the connection.
#![expect(unsafe_code, reason = "memory that foreign code writes to")]

use std::ffi::c_void;

use crate::win32::Win32Error;

/// The most that one filter connection may hold.
const MAX_HELD: usize = 256 * 1024 * 1024;

/// Bytes behind a lent buffer that show whether a filter wrote past its end.
const GUARD: usize = 1024;
const GUARD_BYTE: u8 = 0xa5;

/// A part of memory aligned for any type.
#[derive(Clone, Copy)]
#[repr(align(16))]
struct Unit(#[expect(dead_code, reason = "only the address is given away")] [u8; 16]);

/// The blocks of one connection.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    held: usize,
}

/// One block. The units are never touched here, so that moving the vector leaves the filter's pointer valid.
struct Block {
    units: Vec<Unit>,
    size: usize,
}

impl Block {
    fn contains(&self, address: usize) -> bool {
        let start = self.units.as_ptr().addr();
        (start..start + self.size.max(1)).contains(&address)
    }
}

impl Memory {
    /// A block of `size` bytes, all 0, aligned for any type.
    ///
    /// # Errors
    /// 8 when the connection holds too much.
    pub(super) fn allocate(&mut self, size: usize) -> Result<*mut c_void, Win32Error> {
        if size > MAX_HELD - self.held {
            return Err(Win32Error::NOT_ENOUGH_MEMORY);
        }
        let mut units = vec![Unit([0; 16]); size.div_ceil(size_of::<Unit>()).max(1)];
        let start = units.as_mut_ptr().cast();
        self.held += size;
        self.blocks.push(Block { units, size });
        Ok(start)
    }

    /// How many bytes there are from `address` to the end of its block, if it is in one.
    pub(super) fn room_at(&self, address: *const c_void) -> Option<usize> {
        let address = address.addr();
        let block = self.blocks.iter().find(|block| block.contains(address))?;
        Some(block.units.as_ptr().addr() + block.size - address)
    }

    /// Frees all blocks but those that one of `kept` points into.
    pub(super) fn free_but(&mut self, kept: &[*mut c_void]) {
        self.blocks.retain(|block| kept.iter().any(|pointer| block.contains(pointer.addr())));
        self.held = self.blocks.iter().map(|block| block.size).sum();
    }
}

/// A buffer that a filter may write to during one notification, with guards behind its end.
pub(super) struct Lent {
    bytes: Vec<u8>,
    size: usize,
}

impl Lent {
    /// A buffer of `size` bytes that begins with `content`, and with zeros behind it.
    pub(super) fn new(content: &[u8], size: usize) -> Self {
        let size = size.max(content.len());
        let mut bytes = Vec::with_capacity(size + GUARD);
        bytes.extend_from_slice(content);
        bytes.resize(size, 0);
        bytes.resize(size + GUARD, GUARD_BYTE);
        Lent { bytes, size }
    }

    /// A buffer for a text and its NUL.
    pub(super) fn text(text: &[u8], size: usize) -> Self {
        Lent::new(text, size.max(text.len() + 1))
    }

    /// Where it begins.
    pub(super) fn as_mut_ptr(&mut self) -> *mut u8 {
        self.bytes.as_mut_ptr()
    }

    /// Its size in bytes, without the guards.
    pub(super) fn size(&self) -> u32 {
        u32::try_from(self.size).unwrap_or(u32::MAX)
    }

    /// The first `length` bytes; `None` when something has been written past the end, or there are fewer.
    pub(super) fn bytes(&self, length: usize) -> Option<&[u8]> {
        let intact = self.bytes[self.size..].iter().all(|byte| *byte == GUARD_BYTE);
        if intact { self.bytes[..self.size].get(..length) } else { None }
    }

    /// The text up to its NUL; `None` when something has been written past the end, or there is no NUL.
    pub(super) fn as_text(&self) -> Option<&[u8]> {
        let all = self.bytes(self.size)?;
        all.iter().position(|byte| *byte == 0).map(|end| &all[..end])
    }
}

/// Copies `length` bytes from where a filter says that they are.
///
/// # Safety
/// * `start` points to `length` readable bytes, unless it is null or the length is 0.
pub(super) unsafe fn copy(start: *const c_void, length: usize) -> Option<Vec<u8>> {
    match (start.is_null(), length) {
        (_, 0) => Some(Vec::new()),
        (true, _) => None,
        // SAFETY: not null, and the caller vouches for the bytes.
        (false, _) => Some(unsafe { std::slice::from_raw_parts(start.cast::<u8>(), length) }.to_vec()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_block_that_a_filter_points_to_outlives_the_request() {
        let mut memory = Memory::default();
        let kept = memory.allocate(100).expect("there is room");
        let other = memory.allocate(100).expect("there is room");
        assert_eq!(memory.room_at(kept.wrapping_byte_add(60)), Some(40));
        memory.free_but(&[std::ptr::null_mut(), kept.wrapping_byte_add(99)]);
        assert_eq!((memory.room_at(kept), memory.room_at(other)), (Some(100), None));
        memory.free_but(&[]);
        assert_eq!((memory.room_at(kept), memory.held), (None, 0));
        assert!(memory.allocate(usize::MAX).is_err());
    }

    #[test]
    fn a_byte_behind_the_end_of_a_lent_buffer_shows() {
        let mut lent = Lent::text(b"abc", 8);
        assert_eq!((lent.as_text(), lent.size()), (Some(&b"abc"[..]), 8));
        lent.bytes[..8].copy_from_slice(b"12345678");
        assert_eq!((lent.as_text(), lent.bytes(8)), (None, Some(&b"12345678"[..])));
        assert_eq!(lent.bytes(9), None);
        lent.bytes[8] = 0;
        assert_eq!(lent.bytes(3), None);
    }
}

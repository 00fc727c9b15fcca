//! The memory that `AllocMem` gives to filters, and the buffers that the host lends them for one notification.
//!
//! A block lives until the request is over in which it was asked for; one that a filter's `pFilterContext` leads to
//! lives on until the connection ends. A block that a filter puts in the place of raw data is given back when these have
//! been taken.
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
struct Unit(#[expect(dead_code, reason = "read by way of its address")] [u8; 16]);

/// The blocks of one connection.
#[derive(Default)]
pub(super) struct Memory {
    blocks: Vec<Block>,
    held: usize,
    /// Blocks that there have been.
    count: u64,
}

/// One block. The units are only read here, so that moving the vector leaves the filter's pointer valid.
struct Block {
    units: Vec<Unit>,
    size: usize,
    /// The request that it was asked for in; 0 outside of one.
    request: u64,
    /// Its place among all blocks of the connection.
    number: u64,
}

impl Block {
    fn start(&self) -> usize {
        self.units.as_ptr().addr()
    }

    fn contains(&self, address: usize) -> bool {
        (self.start()..self.start() + self.size.max(1)).contains(&address)
    }

    /// The words in it, any of which may be an address.
    fn words(&self) -> impl Iterator<Item = usize> {
        let (start, count) = (self.units.as_ptr().cast::<usize>(), self.size / size_of::<usize>());
        // SAFETY: the block has so many words, aligned and initialised, and the filter is not being notified.
        (0..count).map(move |index| unsafe { start.add(index).read() })
    }
}

impl Memory {
    /// A block of `size` bytes, all 0, aligned for any type, asked for in `request`.
    ///
    /// # Errors
    /// 8 when the connection holds too much.
    pub(super) fn allocate(&mut self, size: usize, request: u64) -> Result<*mut c_void, Win32Error> {
        if size > MAX_HELD - self.held {
            return Err(Win32Error::NOT_ENOUGH_MEMORY);
        }
        let mut units = vec![Unit([0; 16]); size.div_ceil(size_of::<Unit>()).max(1)];
        let start = units.as_mut_ptr().cast();
        self.held += size;
        self.count += 1;
        self.blocks.push(Block { units, size, request, number: self.count });
        Ok(start)
    }

    /// How many blocks there have been.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// How many bytes there are from `address` to the end of its block, if it is in one.
    pub(super) fn room_at(&self, address: *const c_void) -> Option<usize> {
        let address = address.addr();
        let block = self.blocks.iter().find(|block| block.contains(address))?;
        Some(block.start() + block.size - address)
    }

    /// Frees the blocks of `request`, but those that one of `kept` leads to, directly or by way of other blocks.
    pub(super) fn free_request(&mut self, request: u64, kept: &[*mut c_void]) {
        let is_kept = self.reachable(kept);
        self.retain(|block| block.request != request || is_kept.contains(&block.number));
    }

    /// Frees the block that `given` points to, if it was asked for behind the first `count` and none of `kept` leads to it.
    pub(super) fn take_back(&mut self, given: *const c_void, count: u64, kept: &[*mut c_void]) {
        let is_kept = self.reachable(kept);
        self.retain(|block| block.number <= count || !block.contains(given.addr()) || is_kept.contains(&block.number));
    }

    fn retain(&mut self, stays: impl Fn(&Block) -> bool) {
        self.blocks.retain(stays);
        self.held = self.blocks.iter().map(|block| block.size).sum();
    }

    /// The numbers of the blocks that `roots` lead to.
    fn reachable(&self, roots: &[*mut c_void]) -> Vec<u64> {
        let mut found: Vec<u64> = Vec::new();
        let mut open: Vec<usize> = roots.iter().map(|pointer| pointer.addr()).filter(|address| *address != 0).collect();
        while let Some(address) = open.pop() {
            let block = self.blocks.iter().find(|block| block.contains(address) && !found.contains(&block.number));
            if let Some(block) = block {
                found.push(block.number);
                open.extend(block.words().filter(|word| *word != 0));
            }
        }
        found
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

    /// The `length` bytes at `start`, an address inside; `None` as in [`Lent::bytes`].
    pub(super) fn bytes_at(&self, start: usize, length: usize) -> Option<&[u8]> {
        let offset = start.checked_sub(self.bytes.as_ptr().addr())?;
        self.bytes(offset.checked_add(length)?).map(|all| &all[offset..])
    }

    /// Whether `address` is inside, or in the guards.
    pub(super) fn contains(&self, address: usize) -> bool {
        let start = self.bytes.as_ptr().addr();
        (start..start + self.bytes.len()).contains(&address)
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
    fn a_block_that_a_filter_leads_to_outlives_its_request() {
        let mut memory = Memory::default();
        let mut block = |request| memory.allocate(100, request).expect("there is room");
        let (kept, inner, other, later) = (block(1), block(1), block(1), block(2));
        // SAFETY: the block is 100 bytes long and aligned for any type.
        unsafe { kept.cast::<*mut c_void>().add(3).write(inner.wrapping_byte_add(50)) };
        assert_eq!(memory.room_at(kept.wrapping_byte_add(60)), Some(40));
        memory.free_request(1, &[std::ptr::null_mut(), kept.wrapping_byte_add(99)]);
        let rooms = [kept, inner, other, later].map(|pointer| memory.room_at(pointer).is_some());
        assert_eq!(rooms, [true, true, false, true]);
        memory.free_request(1, &[]);
        assert_eq!((memory.room_at(kept), memory.held), (None, 100));
        assert!(memory.allocate(usize::MAX, 1).is_err());
    }

    #[test]
    fn only_a_fresh_block_is_taken_back() {
        let mut memory = Memory::default();
        let old = memory.allocate(10, 0).expect("there is room");
        let count = memory.count();
        let fresh = memory.allocate(10, 0).expect("there is room");
        memory.take_back(fresh, count, &[fresh]);
        assert!(memory.room_at(fresh).is_some(), "a filter keeps it");
        memory.take_back(fresh, count, &[]);
        memory.take_back(old, count, &[]);
        assert_eq!((memory.room_at(fresh), memory.room_at(old)), (None, Some(10)));
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

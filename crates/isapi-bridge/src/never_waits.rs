//! Whether the server has promised that its short calls never wait, so that the interpreter need not be released.
//!
//! Asked once for each server, which is known by the address of its ServerSupportFunction; apart for extensions and
//! filters.

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU64, Ordering};

use isapi_abi::httpext::EXTENSION_CONTROL_BLOCK;
use isapi_abi::httpfilt::HTTP_FILTER_CONTEXT;
use isapi_abi::never_waits::{HSE_REQ_FINISHING_MORE, HSE_REQ_NEVER_WAITS};
use isapi_abi::{BOOL, FALSE, HCONN};

/// The address of a server's function, and in its highest bit the answer: no address reaches so far.
struct Asked(AtomicU64);
const YES: u64 = 1 << 63;

static OF_EXTENSIONS: Asked = Asked(AtomicU64::new(0));
static OF_FILTERS: Asked = Asked(AtomicU64::new(0));

impl Asked {
    /// The answer of the function at `address`; `ask` is called with the place for it when it is not known yet.
    fn answer(&self, address: usize, ask: impl FnOnce(*mut c_void) -> BOOL) -> bool {
        let address = address as u64;
        let asked = self.0.load(Ordering::Relaxed);
        if asked & !YES == address {
            return asked & YES != 0;
        }
        let mut answer: u32 = 0;
        let promised = ask(ptr::from_mut(&mut answer).cast()) != FALSE && answer == 1;
        self.0.store(address | if promised { YES } else { 0 }, Ordering::Relaxed);
        promised
    }
}

/// Whether the server behind `block` has made the promise.
///
/// # Safety
/// - The block is alive.
pub unsafe fn never_waits(block: *mut EXTENSION_CONTROL_BLOCK) -> bool {
    // SAFETY: the caller says that the block is alive.
    let (function, connection) = unsafe { ((*block).ServerSupportFunction, (*block).ConnID) };
    let Some(function) = function else { return false };
    OF_EXTENSIONS.answer(function as usize, |answer| {
        // SAFETY: the request sets a DWORD; a server that does not know it touches nothing.
        unsafe { function(connection, HSE_REQ_NEVER_WAITS, answer, ptr::null_mut(), ptr::null_mut()) }
    })
}

/// Whether the server behind a filter's `context` has made the promise.
///
/// # Safety
/// - The context is alive.
pub unsafe fn filter_never_waits(context: *mut HTTP_FILTER_CONTEXT) -> bool {
    // SAFETY: the caller says that the context is alive.
    let Some(function) = (unsafe { (*context).ServerSupportFunction }) else { return false };
    OF_FILTERS.answer(function as usize, |answer| {
        // SAFETY: the request sets a DWORD; a server that does not know it touches nothing.
        unsafe { function(context, HSE_REQ_NEVER_WAITS, answer, 0, 0) }
    })
}

/// A server that has made the promise, as one of its requests shows it.
#[derive(Clone, Copy)]
pub struct Server {
    function: unsafe extern "system" fn(HCONN, u32, *mut c_void, *mut u32, *mut u32) -> BOOL,
    connection: HCONN,
}

impl Server {
    /// The server behind `block`, when it has made the promise.
    ///
    /// # Safety
    /// - The block is alive.
    pub unsafe fn of(block: *mut EXTENSION_CONTROL_BLOCK) -> Option<Self> {
        // SAFETY: the caller says that the block is alive.
        let (function, connection) = unsafe { ((*block).ServerSupportFunction?, (*block).ConnID) };
        Some(Self { function, connection })
    }

    /// Says whether this thread goes on to finish other requests at once.
    pub fn finishing_more(self, more: bool) {
        let flag = ptr::without_provenance_mut(usize::from(more));
        // SAFETY: the request takes a flag by value, and a connection that may be over.
        unsafe { (self.function)(self.connection, HSE_REQ_FINISHING_MORE, flag, ptr::null_mut(), ptr::null_mut()) };
    }
}

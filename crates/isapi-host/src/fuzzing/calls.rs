//! The four functions of a control block as a module calls them, with the answer and the last error as one result.
#![expect(unsafe_code, reason = "calls the host as foreign code does")]

use std::ffi::{c_char, c_void};
use std::ptr::null_mut;

use isapi_abi::httpext::{
    EXTENSION_CONTROL_BLOCK, PFN_GETSERVERVARIABLE, PFN_READCLIENT, PFN_SERVERSUPPORTFUNCTION, PFN_WRITECLIENT,
};
use isapi_abi::{BOOL, FALSE, HCONN, TRUE};

use super::memory::Memory;

/// The functions, and the handle that they are called with. It outlives the block, as in modules that keep such a copy.
#[derive(Clone, Copy)]
pub(super) struct Calls {
    pub(super) conn: HCONN,
    get_server_variable: PFN_GETSERVERVARIABLE,
    write_client: PFN_WRITECLIENT,
    read_client: PFN_READCLIENT,
    server_support_function: PFN_SERVERSUPPORTFUNCTION,
}

// SAFETY: the handle is a number to us, and the functions may be called on any thread.
unsafe impl Send for Calls {}
// SAFETY: as above.
unsafe impl Sync for Calls {}

/// Whether a call succeeded, or why not.
pub(super) type Called = Result<(), u32>;

/// What the host answers after a panic.
const INTERNAL: u32 = isapi_abi::win32::ERROR_INVALID_FUNCTION;

const WHY: &str = "the host fills all four";

impl Calls {
    /// The functions of `block`.
    ///
    /// # Safety
    /// * The block is valid.
    pub(super) unsafe fn of(block: *const EXTENSION_CONTROL_BLOCK) -> Self {
        // SAFETY: the caller vouches for it.
        let block = unsafe { &*block };
        Calls {
            conn: block.ConnID,
            get_server_variable: block.GetServerVariable,
            write_client: block.WriteClient,
            read_client: block.ReadClient,
            server_support_function: block.ServerSupportFunction,
        }
    }

    /// `GetServerVariable`. The size becomes that of the value.
    pub(super) fn variable(&self, name: Option<&Memory>, room: Option<&Memory>, size: Option<&mut u32>) -> Called {
        let call = self.get_server_variable.expect(WHY);
        let name = start(name).cast::<c_char>();
        // SAFETY: the name has its NUL, and the size is that of the room.
        answered(|| unsafe { call(self.conn, name, start(room), pointer(size)) })
    }

    /// `WriteClient`.
    ///
    /// # Safety
    /// * The size is at most that of the data, which stays until the completion of an asynchronous write.
    pub(super) unsafe fn write(&self, data: *mut c_void, size: Option<&mut u32>, flags: u32) -> Called {
        let call = self.write_client.expect(WHY);
        // SAFETY: the caller vouches for it.
        answered(|| unsafe { call(self.conn, data, pointer(size), flags) })
    }

    /// `ReadClient`. The size becomes the number of bytes that came.
    pub(super) fn read(&self, room: Option<&Memory>, size: Option<&mut u32>) -> Called {
        let call = self.read_client.expect(WHY);
        // SAFETY: the size is that of the room.
        answered(|| unsafe { call(self.conn, start(room), pointer(size)) })
    }

    /// `ServerSupportFunction`.
    ///
    /// # Safety
    /// * Each argument is what the contract says of it under this request, or null.
    pub(super) unsafe fn support(
        &self,
        request: u32,
        buffer: *mut c_void,
        size: *mut u32,
        data_type: *mut c_void,
    ) -> Called {
        let call = self.server_support_function.expect(WHY);
        // SAFETY: the caller vouches for it.
        answered(|| unsafe { call(self.conn, request, buffer, size, data_type.cast()) })
    }

    /// `ServerSupportFunction` for a request that has a buffer alone.
    ///
    /// # Safety
    /// * The buffer is what the contract says of it under this request, or null.
    pub(super) unsafe fn ask(&self, request: u32, buffer: *mut c_void) -> Called {
        // SAFETY: the caller vouches for it.
        unsafe { self.support(request, buffer, null_mut(), null_mut()) }
    }
}

/// The address of `memory`, or null.
pub(super) fn start(memory: Option<&Memory>) -> *mut c_void {
    memory.map_or(null_mut(), Memory::start)
}

/// The address of `number`, or null.
pub(super) fn pointer(number: Option<&mut u32>) -> *mut u32 {
    number.map_or(null_mut(), std::ptr::from_mut)
}

/// Runs a call and takes its answer for what the contract allows.
pub(super) fn answered(call: impl FnOnce() -> BOOL) -> Called {
    errno::set_errno(errno::Errno(0));
    let answer = call();
    let error = errno::errno().0.cast_unsigned();
    match answer {
        TRUE => Ok(()),
        FALSE => {
            assert!(error != 0 && error != INTERNAL, "a call failed without a reason: {error}");
            Err(error)
        }
        other => panic!("{other} is no BOOL"),
    }
}

//! The ISAPI contract.
//!
//! [`httpext`] and [`httpfilt`] are Microsoft's headers of those names in Rust, C names verbatim;
//! `layout` asserts their layouts while compiling; [`win32`] has the error codes;
//! [`fence`] keeps panics on our side of them; [`bridge_table`] is what loader and bridge share.
//! Nothing here allocates, logs or knows Python or HTTP.

pub mod bridge_table;
pub mod fence;
pub mod httpext;
pub mod httpfilt;
mod layout;
pub mod never_waits;
pub mod win32;

/// `BOOL` of Windows: zero is false, all else true.
pub type BOOL = i32;
/// `DWORD` of Windows.
pub type DWORD = u32;
/// `HANDLE` of Windows. On Unix a file's descriptor, widened.
pub type HANDLE = *mut core::ffi::c_void;
/// `HCONN`: the server's name for a request, opaque to the extension.
pub type HCONN = *mut core::ffi::c_void;
/// `HRESULT` of Windows: negative is failure.
pub type HRESULT = i32;
/// `ULONG_PTR` of Windows: an integer as wide as a pointer.
#[allow(non_camel_case_types, reason = "the name is that of the C header")]
pub type ULONG_PTR = usize;
/// `WCHAR` of Windows: a UTF-16 unit on every platform, never `wchar_t`.
pub type WCHAR = u16;

/// `TRUE`.
pub const TRUE: BOOL = 1;
/// `FALSE`.
pub const FALSE: BOOL = 0;
/// `MAX_PATH` of Windows: size of a path's buffer in characters, terminator included.
pub const MAX_PATH: u32 = 260;

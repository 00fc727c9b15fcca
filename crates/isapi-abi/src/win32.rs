//! The Win32 error codes of the contract.
//!
//! A failing callback leaves one of these in the thread's last error, which on Unix is `errno`; a
//! completion gets one as its argument. The numbers are those of Windows on every platform. The
//! texts are our own, for messages and for exceptions raised in Python.

/// No error.
pub const ERROR_SUCCESS: u32 = 0;
/// The function's number is not known.
pub const ERROR_INVALID_FUNCTION: u32 = 1;
/// No such file, or no configured error page.
pub const ERROR_FILE_NOT_FOUND: u32 = 2;
/// No such folder.
pub const ERROR_PATH_NOT_FOUND: u32 = 3;
/// Access is refused.
pub const ERROR_ACCESS_DENIED: u32 = 5;
/// A handle does not exist, or no more.
pub const ERROR_INVALID_HANDLE: u32 = 6;
/// Memory ran out.
pub const ERROR_NOT_ENOUGH_MEMORY: u32 = 8;
/// The data cannot be understood.
pub const ERROR_INVALID_DATA: u32 = 13;
/// A write failed.
pub const ERROR_WRITE_FAULT: u32 = 29;
/// A read failed.
pub const ERROR_READ_FAULT: u32 = 30;
/// The end of the file was reached.
pub const ERROR_HANDLE_EOF: u32 = 38;
/// This server does not do that.
pub const ERROR_NOT_SUPPORTED: u32 = 50;
/// The connection was closed by the server.
pub const ERROR_NETNAME_DELETED: u32 = 64;
/// An argument is wrong.
pub const ERROR_INVALID_PARAMETER: u32 = 87;
/// The other end is gone.
pub const ERROR_BROKEN_PIPE: u32 = 109;
/// The buffer is too small; its size argument tells how much is needed.
pub const ERROR_INSUFFICIENT_BUFFER: u32 = 122;
/// A library lacks an export.
pub const ERROR_PROC_NOT_FOUND: u32 = 127;
/// Something is in use.
pub const ERROR_BUSY: u32 = 170;
/// There is no value now.
pub const ERROR_NO_DATA: u32 = 232;
/// There is more than fits.
pub const ERROR_MORE_DATA: u32 = 234;
/// A wait ended without its event.
pub const WAIT_TIMEOUT: u32 = 258;
/// The operation was given up.
pub const ERROR_OPERATION_ABORTED: u32 = 995;
/// The operation runs on.
pub const ERROR_IO_PENDING: u32 = 997;
/// A library's initialization failed.
pub const ERROR_DLL_INIT_FAILED: u32 = 1114;
/// The element does not exist.
pub const ERROR_NOT_FOUND: u32 = 1168;
/// The operation was cancelled by who asked for it.
pub const ERROR_CANCELLED: u32 = 1223;
/// The connection was aborted by this machine.
pub const ERROR_CONNECTION_ABORTED: u32 = 1236;
/// The one called failed in itself.
pub const ERROR_INTERNAL_ERROR: u32 = 1359;
/// There is no such server variable.
pub const ERROR_INVALID_INDEX: u32 = 1413;
/// The time allowed is over.
pub const ERROR_TIMEOUT: u32 = 1460;
/// The call does not fit the present state.
pub const ERROR_INVALID_STATE: u32 = 5023;
/// A socket argument is wrong, such as an offset behind a file's end.
pub const WSAEINVAL: u32 = 10022;
/// It cannot be done at once, and was not to be waited for.
pub const WSAEWOULDBLOCK: u32 = 10035;
/// The connection was aborted.
pub const WSAECONNABORTED: u32 = 10053;
/// The client reset the connection.
pub const WSAECONNRESET: u32 = 10054;
/// The connection timed out.
pub const WSAETIMEDOUT: u32 = 10060;

/// A short text for `code`, or `None` for a code that is not in this module.
///
/// ```
/// assert_eq!(isapi_abi::win32::message(1413), Some("Invalid index."));
/// ```
pub const fn message(code: u32) -> Option<&'static str> {
    Some(match code {
        ERROR_SUCCESS => "No error.",
        ERROR_INVALID_FUNCTION => "Invalid function.",
        ERROR_FILE_NOT_FOUND => "File not found.",
        ERROR_PATH_NOT_FOUND => "Folder not found.",
        ERROR_ACCESS_DENIED => "Access denied.",
        ERROR_INVALID_HANDLE => "Invalid handle.",
        ERROR_NOT_ENOUGH_MEMORY => "Not enough memory.",
        ERROR_INVALID_DATA => "Invalid data.",
        ERROR_WRITE_FAULT => "Write failed.",
        ERROR_READ_FAULT => "Read failed.",
        ERROR_HANDLE_EOF => "End of file.",
        ERROR_NOT_SUPPORTED => "Not supported.",
        ERROR_NETNAME_DELETED => "Connection closed by the server.",
        ERROR_INVALID_PARAMETER => "Invalid parameter.",
        ERROR_BROKEN_PIPE => "Broken pipe.",
        ERROR_INSUFFICIENT_BUFFER => "Buffer too small.",
        ERROR_PROC_NOT_FOUND => "Export not found.",
        ERROR_BUSY => "Resource in use.",
        ERROR_NO_DATA => "No data.",
        ERROR_MORE_DATA => "More data available.",
        WAIT_TIMEOUT => "Wait timed out.",
        ERROR_OPERATION_ABORTED => "Operation aborted.",
        ERROR_IO_PENDING => "Operation in progress.",
        ERROR_DLL_INIT_FAILED => "Library initialization failed.",
        ERROR_NOT_FOUND => "Element not found.",
        ERROR_CANCELLED => "Operation cancelled.",
        ERROR_CONNECTION_ABORTED => "Connection aborted.",
        ERROR_INTERNAL_ERROR => "Internal error.",
        ERROR_INVALID_INDEX => "Invalid index.",
        ERROR_TIMEOUT => "Timed out.",
        ERROR_INVALID_STATE => "Invalid state.",
        WSAEINVAL => "Invalid socket argument.",
        WSAEWOULDBLOCK => "The call would have to wait.",
        WSAECONNABORTED => "Connection aborted by this machine.",
        WSAECONNRESET => "Connection reset by the client.",
        WSAETIMEDOUT => "Connection timed out.",
        _ => return None,
    })
}

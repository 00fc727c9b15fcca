//! The error a callback answers with: a Win32 code that ends in the calling thread's last error.

use isapi_abi::win32 as code;

use crate::extension::pipe::WriteFailure;

/// Why a callback returns FALSE.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Win32Error(pub(crate) u32);

impl Win32Error {
    pub(crate) const ABORTED: Win32Error = Win32Error(code::ERROR_OPERATION_ABORTED);
    pub(crate) const CUT: Win32Error = Win32Error(code::ERROR_NETNAME_DELETED);
    pub(crate) const FILE_NOT_FOUND: Win32Error = Win32Error(code::ERROR_FILE_NOT_FOUND);
    pub(crate) const INSUFFICIENT_BUFFER: Win32Error = Win32Error(code::ERROR_INSUFFICIENT_BUFFER);
    pub(crate) const INVALID_DATA: Win32Error = Win32Error(code::ERROR_INVALID_DATA);
    pub(crate) const INVALID_INDEX: Win32Error = Win32Error(code::ERROR_INVALID_INDEX);
    pub(crate) const INVALID_OFFSET: Win32Error = Win32Error(code::WSAEINVAL);
    pub(crate) const INVALID_PARAMETER: Win32Error = Win32Error(code::ERROR_INVALID_PARAMETER);
    /// Success, where a code is reported either way.
    pub(crate) const NONE: Win32Error = Win32Error(code::ERROR_SUCCESS);
    pub(crate) const NO_DATA: Win32Error = Win32Error(code::ERROR_NO_DATA);
    pub(crate) const NOT_ENOUGH_MEMORY: Win32Error = Win32Error(code::ERROR_NOT_ENOUGH_MEMORY);
    pub(crate) const NOT_FOUND: Win32Error = Win32Error(code::ERROR_NOT_FOUND);
    pub(crate) const NOT_SUPPORTED: Win32Error = Win32Error(code::ERROR_NOT_SUPPORTED);
    pub(crate) const RESET: Win32Error = Win32Error(code::WSAECONNRESET);
    pub(crate) const WOULD_BLOCK: Win32Error = Win32Error(code::WSAEWOULDBLOCK);
    pub(crate) const TIMEOUT: Win32Error = Win32Error(code::ERROR_TIMEOUT);
    /// Only after a panic on our side of the fence.
    pub(crate) const INTERNAL: Win32Error = Win32Error(code::ERROR_INVALID_FUNCTION);
}

impl Win32Error {
    /// The code that a completion reports for this error.
    pub(crate) fn of_completion(self) -> u32 {
        match self {
            // A client that went away has its own code in completions (contract 2.4).
            Win32Error::RESET => code::ERROR_OPERATION_ABORTED,
            // The response was ended or cut under the operation.
            Win32Error::INVALID_PARAMETER => code::ERROR_NETNAME_DELETED,
            Win32Error(code) => code,
        }
    }
}

impl From<WriteFailure> for Win32Error {
    fn from(failure: WriteFailure) -> Self {
        match failure {
            WriteFailure::ClientGone => Win32Error::RESET,
            WriteFailure::Ended => Win32Error::INVALID_PARAMETER,
            WriteFailure::Cut => Win32Error::CUT,
            WriteFailure::TimedOut => Win32Error::TIMEOUT,
        }
    }
}

/// Leaves `error` as the calling thread's last error: `errno` on Unix, the last error on Windows.
///
/// Nothing may run between this and the return to the module, or the code is overwritten.
pub(crate) fn set_last_error(error: Win32Error) {
    errno::set_errno(errno::Errno(error.0.cast_signed()));
}

//! A promise of our host beyond ISAPI, and how a module asks for it.
//!
//! A module that holds a lock of its own (Python's) must let go of it before a call that may wait for a client. Letting
//! go costs more than most calls. Our host says which calls never wait; every other server answers the question
//! with FALSE, since it does not know the number.

/// The request: `lpvBuffer` is a DWORD that the server sets to 1. A server that answers TRUE promises that
/// `GetServerVariable`, and `ServerSupportFunction` with SEND_RESPONSE_HEADER_EX (headers below 64 KiB) and
/// DONE_WITH_SESSION, wait for nothing outside the process, and that it knows [`HSE_IO_DO_NOT_WAIT`].
///
/// A filter asks in the same way, with this number as `sfReq` and the DWORD as `pData`. TRUE promises that all calls of
/// its context and data but `WriteClient`, SF_REQ_SEND_RESPONSE_HEADER and `GetUserToken` wait for nothing outside the
/// process.
pub const HSE_REQ_NEVER_WAITS: u32 = 0x7079_0001;

/// A flag of `WriteClient`: when the data cannot be taken at once, take none of it and fail with
/// [`WSAEWOULDBLOCK`](crate::win32::WSAEWOULDBLOCK).
pub const HSE_IO_DO_NOT_WAIT: u32 = 0x4000_0000;

/// The request: `lpvBuffer` is a flag by value. 1 says that the calling thread goes on to finish other requests at once,
/// so the server may wait a moment, at most some milliseconds, before it works off what this thread finishes, and then
/// does it for several together. 0 ends that. The connection may be one that is over. Known to servers that know
/// [`HSE_REQ_NEVER_WAITS`].
pub const HSE_REQ_FINISHING_MORE: u32 = 0x7079_0002;

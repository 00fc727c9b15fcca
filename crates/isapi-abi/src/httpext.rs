//! `httpext.h`: what an ISAPI extension and its server share.
//!
//! Types, callbacks and constants only, C names verbatim. Everything is plain data: who owns a
//! buffer and how long it lives is said at each member, and nothing here enforces it. Byte strings
//! end with NUL and are in the server's code page (UTF-8 on Unix); sizes are bytes unless a name
//! says `cch`. "In" is set by the caller (the server for an entry point, the extension for a
//! callback), "out" by the one called. Layouts are asserted in `layout.rs`.
//!
//! A callback that returns `FALSE` leaves a code of [`crate::win32`] in the thread's last error
//! (`GetLastError` on Windows, `errno` on Unix).
#![allow(non_camel_case_types, non_snake_case, reason = "the names are those of the C header")]

use core::ffi::{c_char, c_void};

use crate::{BOOL, DWORD, HANDLE, HCONN, HRESULT, MAX_PATH, WCHAR};

// ---- Versions and buffer sizes ---------------------------------------------------------------

/// Major part of [`HSE_VERSION`].
pub const HSE_VERSION_MAJOR: u32 = 8;
/// Minor part of [`HSE_VERSION`].
pub const HSE_VERSION_MINOR: u32 = 0;
/// Version of the extension contract, major number in the high word: 0x00080000.
pub const HSE_VERSION: u32 = (HSE_VERSION_MAJOR << 16) | HSE_VERSION_MINOR;
/// Size of [`EXTENSION_CONTROL_BLOCK::lpszLogData`], terminator included.
pub const HSE_LOG_BUFFER_LEN: u32 = 80;
/// Size of [`HSE_VERSION_INFO::lpszExtensionDesc`], terminator included.
pub const HSE_MAX_EXT_DLL_NAME_LEN: u32 = 256;

// ---- Results of HttpExtensionProc ------------------------------------------------------------

/// The request is finished; the control block is dead.
pub const HSE_STATUS_SUCCESS: u32 = 1;
/// As [`HSE_STATUS_SUCCESS`]; the wish to keep the connection is honoured if the response allows it.
pub const HSE_STATUS_SUCCESS_AND_KEEP_CONN: u32 = 2;
/// The extension keeps the control block and ends with [`HSE_REQ_DONE_WITH_SESSION`], exactly once.
pub const HSE_STATUS_PENDING: u32 = 3;
/// The request failed; the log gets status 500.
pub const HSE_STATUS_ERROR: u32 = 4;

// ---- Requests to ServerSupportFunction -------------------------------------------------------
// "buffer", "size" and "type" are the function's last three arguments; one not named is null.

/// Where the first group of requests begins; not itself a request.
pub const HSE_REQ_BASE: u32 = 0;
/// Sends a complete 302 response. buffer in: the URL.
pub const HSE_REQ_SEND_URL_REDIRECT_RESP: u32 = 1;
/// Old form of [`HSE_REQ_SEND_URL_REDIRECT_RESP`]. buffer in: a local URL.
pub const HSE_REQ_SEND_URL: u32 = 2;
/// Sends status line and headers. buffer in: status or null; type in: header text or null.
pub const HSE_REQ_SEND_RESPONSE_HEADER: u32 = 3;
/// Ends a pending request, after which the control block is dead. buffer in: `DWORD` status or null.
pub const HSE_REQ_DONE_WITH_SESSION: u32 = 4;
/// Where the second group of requests begins; not itself a request.
pub const HSE_REQ_END_RESERVED: u32 = 1000;

/// Maps a URL to a file path. buffer in: URL, out: path; size in: buffer's bytes, out: path's bytes.
pub const HSE_REQ_MAP_URL_TO_PATH: u32 = 1001;
/// Asks for the SSPI handles. buffer out: `CtxtHandle`; type out: `CredHandle`.
pub const HSE_REQ_GET_SSPI_INFO: u32 = 1002;
/// Appends to the request's log entry. buffer in: text.
pub const HSE_APPEND_LOG_PARAMETER: u32 = 1003;
/// Sets the completion callback. buffer in: [`PFN_HSE_IO_COMPLETION`] or null; type in: its context.
pub const HSE_REQ_IO_COMPLETION: u32 = 1005;
/// Sends a file. buffer in: [`HSE_TF_INFO`].
pub const HSE_REQ_TRANSMIT_FILE: u32 = 1006;
/// Makes the server read a library's access list again. buffer in: the library's path.
pub const HSE_REQ_REFRESH_ISAPI_ACL: u32 = 1007;
/// Tells whether the connection will be kept. buffer out: `BOOL`.
pub const HSE_REQ_IS_KEEP_CONN: u32 = 1008;
/// Starts an asynchronous read. buffer out, on completion: data; size in: its bytes; type in: [`HSE_IO_ASYNC`].
pub const HSE_REQ_ASYNC_READ_CLIENT: u32 = 1010;
/// Asks for the user's token, which stays the server's. buffer out: `HANDLE`.
pub const HSE_REQ_GET_IMPERSONATION_TOKEN: u32 = 1011;
/// Maps a URL with its access flags. buffer in: URL; size in: its bytes; type out: [`HSE_URL_MAPEX_INFO`].
pub const HSE_REQ_MAP_URL_TO_PATH_EX: u32 = 1012;
/// Makes the close of the connection a reset.
pub const HSE_REQ_ABORTIVE_CLOSE: u32 = 1014;
/// Asks for the client's certificate. buffer in and out: [`CERT_CONTEXT_EX`].
pub const HSE_REQ_GET_CERT_INFO_EX: u32 = 1015;
/// Sends status line and headers with explicit lengths. buffer in: [`HSE_SEND_HEADER_EX_INFO`].
pub const HSE_REQ_SEND_RESPONSE_HEADER_EX: u32 = 1016;
/// Closes the connection now; [`HSE_REQ_DONE_WITH_SESSION`] is still due.
pub const HSE_REQ_CLOSE_CONNECTION: u32 = 1017;
/// Tells whether the client is still there. buffer out: `BOOL`.
pub const HSE_REQ_IS_CONNECTED: u32 = 1018;
/// [`HSE_REQ_MAP_URL_TO_PATH`] in UTF-16; sizes stay bytes.
pub const HSE_REQ_MAP_UNICODE_URL_TO_PATH: u32 = 1023;
/// [`HSE_REQ_MAP_URL_TO_PATH_EX`] in UTF-16. type out: [`HSE_UNICODE_URL_MAPEX_INFO`].
pub const HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX: u32 = 1024;
/// [`HSE_REQ_EXEC_URL`] with a UTF-16 URL. buffer in: [`HSE_EXEC_UNICODE_URL_INFO`].
pub const HSE_REQ_EXEC_UNICODE_URL: u32 = 1025;
/// Runs another URL inside this request, always asynchronously. buffer in: [`HSE_EXEC_URL_INFO`].
pub const HSE_REQ_EXEC_URL: u32 = 1026;
/// Asks how the last child request ended. buffer out: [`HSE_EXEC_URL_STATUS`].
pub const HSE_REQ_GET_EXEC_URL_STATUS: u32 = 1027;
/// Sends the error page configured for a status. buffer in: [`HSE_CUSTOM_ERROR_INFO`].
pub const HSE_REQ_SEND_CUSTOM_ERROR: u32 = 1028;
/// Tells where the extension runs. buffer out: `DWORD`, one of `HSE_APP_FLAG_*`.
pub const HSE_REQ_IS_IN_PROCESS: u32 = 1030;
/// Asks that the process be recycled. buffer in: the reason or null.
pub const HSE_REQ_REPORT_UNHEALTHY: u32 = 1032;
/// Canonicalizes a URL. buffer in and out: the URL, changed in place.
pub const HSE_REQ_NORMALIZE_URL: u32 = 1033;
/// Sends several buffers and files at once. buffer in: [`HSE_RESPONSE_VECTOR`].
pub const HSE_REQ_VECTOR_SEND: u32 = 1037;
/// Asks for the anonymous user's token. buffer in: a metabase path; out: `HANDLE`.
pub const HSE_REQ_GET_ANONYMOUS_TOKEN: u32 = 1038;
/// Asks for the cache invalidation function. buffer out: [`PFN_HSE_CACHE_INVALIDATION_CALLBACK`].
pub const HSE_REQ_GET_CACHE_INVALIDATION_CALLBACK: u32 = 1040;
/// [`HSE_REQ_GET_ANONYMOUS_TOKEN`] in UTF-16.
pub const HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN: u32 = 1041;
/// Asks for the request's trace identity. buffer out: [`HSE_TRACE_INFO`].
pub const HSE_REQ_GET_TRACE_INFO: u32 = 1042;
/// Turns response buffering off or on. buffer in: a `BOOL` *by value*; `TRUE` sends each write at once.
pub const HSE_REQ_SET_FLUSH_FLAG: u32 = 1043;
/// Asks for the trace configuration. buffer out: `HTTP_TRACE_CONFIGURATION`.
pub const HSE_REQ_GET_TRACE_INFO_EX: u32 = 1044;
/// Raises a trace event. buffer in: `HTTP_TRACE_EVENT`.
pub const HSE_REQ_RAISE_TRACE_EVENT: u32 = 1045;
/// Asks for the configuration system's interface. buffer out: an interface pointer.
pub const HSE_REQ_GET_CONFIG_OBJECT: u32 = 1046;
/// Asks for the worker process's settings. buffer out: an interface pointer.
pub const HSE_REQ_GET_WORKER_PROCESS_SETTINGS: u32 = 1047;
/// buffer out: [`PFN_HSE_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK`].
pub const HSE_REQ_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK: u32 = 1048;
/// Cancels the pending asynchronous operation, whose completion then arrives with an error.
pub const HSE_REQ_CANCEL_IO: u32 = 1049;
/// Asks for the TLS channel binding token. buffer out: pointer to its bytes; size out: their number.
pub const HSE_REQ_GET_CHANNEL_BINDING_TOKEN: u32 = 1050;

// ---- Flags of TerminateExtension and TerminateFilter -----------------------------------------

/// The server asks whether it may unload the library; `FALSE` refuses.
pub const HSE_TERM_ADVISORY_UNLOAD: u32 = 1;
/// The library will be unloaded; the result is ignored.
pub const HSE_TERM_MUST_UNLOAD: u32 = 2;

// ---- Flags of writes and sends ---------------------------------------------------------------

/// Return when the data has been handed over.
pub const HSE_IO_SYNC: u32 = 0x1;
/// Return at once; the completion callback reports.
pub const HSE_IO_ASYNC: u32 = 0x2;
/// Close the connection after this send; [`HSE_REQ_DONE_WITH_SESSION`] is still due.
pub const HSE_IO_DISCONNECT_AFTER_SEND: u32 = 0x4;
/// The structure carries status and headers, to be sent first.
pub const HSE_IO_SEND_HEADERS: u32 = 0x8;
/// Vector sends: nothing more will be sent.
pub const HSE_IO_FINAL_SEND: u32 = 0x10;
/// Vector sends: the response may be cached by the server.
pub const HSE_IO_CACHE_RESPONSE: u32 = 0x20;
/// Vector sends: leave an error response as it is instead of putting the configured page in its place.
pub const HSE_IO_TRY_SKIP_CUSTOM_ERRORS: u32 = 0x40;
/// Do not delay small packets.
pub const HSE_IO_NODELAY: u32 = 0x1000;

// ---- Access flags of a mapped URL ------------------------------------------------------------

/// Files may be read.
pub const HSE_URL_FLAGS_READ: u32 = 0x1;
/// Files may be written.
pub const HSE_URL_FLAGS_WRITE: u32 = 0x2;
/// Programs may be run.
pub const HSE_URL_FLAGS_EXECUTE: u32 = 0x4;
/// TLS is required.
pub const HSE_URL_FLAGS_SSL: u32 = 0x8;
/// Do not cache (of virtual directories).
pub const HSE_URL_FLAGS_DONT_CACHE: u32 = 0x10;
/// A client certificate is asked for.
pub const HSE_URL_FLAGS_NEGO_CERT: u32 = 0x20;
/// A client certificate is required.
pub const HSE_URL_FLAGS_REQUIRE_CERT: u32 = 0x40;
/// A client certificate is mapped to an account.
pub const HSE_URL_FLAGS_MAP_CERT: u32 = 0x80;
/// TLS with keys of 128 bits or more is required.
pub const HSE_URL_FLAGS_SSL128: u32 = 0x100;
/// Scripts may be run.
pub const HSE_URL_FLAGS_SCRIPT: u32 = 0x200;
/// All of `HSE_URL_FLAGS_*`.
pub const HSE_URL_FLAGS_MASK: u32 = 0x3ff;

// ---- Flags of a child request ----------------------------------------------------------------

/// Drop the child's response headers.
pub const HSE_EXEC_URL_NO_HEADERS: u32 = 0x2;
/// Skip the wildcard mapping that led to this extension.
pub const HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR: u32 = 0x4;
/// Ignore conditional and range headers.
pub const HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE: u32 = 0x10;
/// No configured error pages for the child.
pub const HSE_EXEC_URL_DISABLE_CUSTOM_ERROR: u32 = 0x20;
/// The child is a command of a server-side include.
pub const HSE_EXEC_URL_SSI_CMD: u32 = 0x40;
/// The child's response may be cached by the server.
pub const HSE_EXEC_URL_HTTP_CACHE_ELIGIBLE: u32 = 0x80;

// ---- Kinds and places ------------------------------------------------------------------------

/// [`HSE_VECTOR_ELEMENT::pvContext`] points to bytes.
pub const HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER: u32 = 0;
/// [`HSE_VECTOR_ELEMENT::pvContext`] is an open file's `HANDLE`.
pub const HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE: u32 = 1;

/// The extension runs in the server's process.
pub const HSE_APP_FLAG_IN_PROCESS: u32 = 0;
/// The extension runs in a process of its own.
pub const HSE_APP_FLAG_ISOLATED_OOP: u32 = 1;
/// The extension runs in a process shared by applications.
pub const HSE_APP_FLAG_POOLED_OOP: u32 = 2;

// ---- Callbacks -------------------------------------------------------------------------------

/// Reads a variable of the request. `lpdwSize` in: the buffer's bytes, out: the value's with its NUL.
pub type PFN_GETSERVERVARIABLE = Option<
    unsafe extern "system" fn(
        hConn: HCONN,
        lpszVariableName: *mut c_char,
        lpvBuffer: *mut c_void,
        lpdwSize: *mut DWORD,
    ) -> BOOL,
>;
/// Sends body bytes. `lpdwBytes` in: how many, out: how many were written; `dwReserved`: `HSE_IO_*`.
pub type PFN_WRITECLIENT = Option<
    unsafe extern "system" fn(ConnID: HCONN, Buffer: *mut c_void, lpdwBytes: *mut DWORD, dwReserved: DWORD) -> BOOL,
>;
/// Reads body bytes, blocking. `lpdwSize` in: the buffer's bytes, out: how many came; 0 is the end.
pub type PFN_READCLIENT =
    Option<unsafe extern "system" fn(ConnID: HCONN, lpvBuffer: *mut c_void, lpdwSize: *mut DWORD) -> BOOL>;
/// Everything else, by number (`HSE_REQ_*`); the meaning of the last three arguments depends on it.
pub type PFN_SERVERSUPPORTFUNCTION = Option<
    unsafe extern "system" fn(
        hConn: HCONN,
        dwHSERequest: DWORD,
        lpvBuffer: *mut c_void,
        lpdwSize: *mut DWORD,
        lpdwDataType: *mut DWORD,
    ) -> BOOL,
>;
/// The extension's completion callback, on any server thread; once per accepted operation.
pub type PFN_HSE_IO_COMPLETION = Option<
    unsafe extern "system" fn(pECB: *mut EXTENSION_CONTROL_BLOCK, pContext: *mut c_void, cbIO: DWORD, dwError: DWORD),
>;
/// Removes a URL, NUL-terminated UTF-16, from the server's cache.
pub type PFN_HSE_CACHE_INVALIDATION_CALLBACK = Option<unsafe extern "system" fn(pszUrl: *mut WCHAR) -> HRESULT>;
/// Asks a protocol manager's library for one of its interfaces.
pub type PFN_HSE_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK = Option<
    unsafe extern "system" fn(
        pszProtocolManagerDll: *const WCHAR,
        pszProtocolManagerDllInitFunction: *const WCHAR,
        dwCustomInterfaceId: DWORD,
        ppCustomInterface: *mut *mut c_void,
    ) -> HRESULT,
>;

// ---- Entry points ----------------------------------------------------------------------------

/// `GetExtensionVersion`: fills the struct; `FALSE` refuses to be loaded.
pub type PFN_GETEXTENSIONVERSION = Option<unsafe extern "system" fn(pVer: *mut HSE_VERSION_INFO) -> BOOL>;
/// `HttpExtensionProc`: serves one request and returns one of `HSE_STATUS_*`.
pub type PFN_HTTPEXTENSIONPROC = Option<unsafe extern "system" fn(pECB: *mut EXTENSION_CONTROL_BLOCK) -> DWORD>;
/// `TerminateExtension`, optional: releases what the extension holds; `dwFlags`: `HSE_TERM_*`.
pub type PFN_TERMINATEEXTENSION = Option<unsafe extern "system" fn(dwFlags: DWORD) -> BOOL>;

// ---- Structs ---------------------------------------------------------------------------------

/// What an extension says of itself. The server owns it; valid during `GetExtensionVersion`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_VERSION_INFO {
    /// Out: the version the extension was written for, as [`HSE_VERSION`].
    pub dwExtensionVersion: DWORD,
    /// Out: its description.
    pub lpszExtensionDesc: [c_char; HSE_MAX_EXT_DLL_NAME_LEN as usize],
}
/// Pointer to [`HSE_VERSION_INFO`].
pub type LPHSE_VERSION_INFO = *mut HSE_VERSION_INFO;

/// One request, as the extension sees it. The server owns it and all it points to; valid until
/// `HttpExtensionProc` returns anything but pending, or until [`HSE_REQ_DONE_WITH_SESSION`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct EXTENSION_CONTROL_BLOCK {
    /// In: size of this struct.
    pub cbSize: DWORD,
    /// In: the server's version, as [`HSE_VERSION`].
    pub dwVersion: DWORD,
    /// In: the request, to be handed to every callback unchanged.
    pub ConnID: HCONN,
    /// Out: status for the log.
    pub dwHttpStatusCode: DWORD,
    /// Out: text for the log.
    pub lpszLogData: [c_char; HSE_LOG_BUFFER_LEN as usize],
    /// In: the method, such as `GET`.
    pub lpszMethod: *mut c_char,
    /// In: what follows `?` in the URL, not decoded.
    pub lpszQueryString: *mut c_char,
    /// In: the part of the path behind the script, decoded.
    pub lpszPathInfo: *mut c_char,
    /// In: the file path that `lpszPathInfo` maps to.
    pub lpszPathTranslated: *mut c_char,
    /// In: the body's bytes; `0xFFFFFFFF` when unknown or too many for the type.
    pub cbTotalBytes: DWORD,
    /// In: how many of them are already in `lpbData`.
    pub cbAvailable: DWORD,
    /// In: the first bytes of the body, which `ReadClient` does not deliver again; may be null if none.
    pub lpbData: *mut u8,
    /// In: the body's content type.
    pub lpszContentType: *mut c_char,
    /// Reads a variable of the request.
    pub GetServerVariable: PFN_GETSERVERVARIABLE,
    /// Sends body bytes.
    pub WriteClient: PFN_WRITECLIENT,
    /// Reads body bytes.
    pub ReadClient: PFN_READCLIENT,
    /// Everything else.
    pub ServerSupportFunction: PFN_SERVERSUPPORTFUNCTION,
}
/// Pointer to [`EXTENSION_CONTROL_BLOCK`].
pub type LPEXTENSION_CONTROL_BLOCK = *mut EXTENSION_CONTROL_BLOCK;

/// Where a URL leads. The extension owns it, the server fills it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_URL_MAPEX_INFO {
    /// Out: the file path.
    pub lpszPath: [c_char; MAX_PATH as usize],
    /// Out: `HSE_URL_FLAGS_*`.
    pub dwFlags: DWORD,
    /// Out: how many characters of the path the virtual directory accounts for.
    pub cchMatchingPath: DWORD,
    /// Out: how many characters of the URL the virtual directory accounts for.
    pub cchMatchingURL: DWORD,
    /// Not used.
    pub dwReserved1: DWORD,
    /// Not used.
    pub dwReserved2: DWORD,
}
/// Pointer to [`HSE_URL_MAPEX_INFO`].
pub type LPHSE_URL_MAPEX_INFO = *mut HSE_URL_MAPEX_INFO;

/// [`HSE_URL_MAPEX_INFO`] in UTF-16, and without the two reserved members.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_UNICODE_URL_MAPEX_INFO {
    /// Out: the file path.
    pub lpszPath: [WCHAR; MAX_PATH as usize],
    /// Out: `HSE_URL_FLAGS_*`.
    pub dwFlags: DWORD,
    /// Out: how many characters of the path the virtual directory accounts for.
    pub cchMatchingPath: DWORD,
    /// Out: how many characters of the URL the virtual directory accounts for.
    pub cchMatchingURL: DWORD,
}
/// Pointer to [`HSE_UNICODE_URL_MAPEX_INFO`].
pub type LPHSE_UNICODE_URL_MAPEX_INFO = *mut HSE_UNICODE_URL_MAPEX_INFO;

/// A file to send. The extension owns it and all it points to, until the completion.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_TF_INFO {
    /// In: completion callback for this send, or null for the registered one.
    pub pfnHseIO: PFN_HSE_IO_COMPLETION,
    /// In: its context.
    pub pContext: *mut c_void,
    /// In: the open file.
    pub hFile: HANDLE,
    /// In: status line's text, or null for `200 OK`; used with [`HSE_IO_SEND_HEADERS`].
    pub pszStatusCode: *const c_char,
    /// In: how many bytes of the file; 0 for all from `Offset` on.
    pub BytesToWrite: DWORD,
    /// In: the first byte to send.
    pub Offset: DWORD,
    /// In: bytes before the file, or the NUL-terminated headers with [`HSE_IO_SEND_HEADERS`]; may be null.
    pub pHead: *mut c_void,
    /// In: size of `pHead`.
    pub HeadLength: DWORD,
    /// In: bytes after the file; may be null.
    pub pTail: *mut c_void,
    /// In: size of `pTail`.
    pub TailLength: DWORD,
    /// In: `HSE_IO_*`.
    pub dwFlags: DWORD,
}
/// Pointer to [`HSE_TF_INFO`].
pub type LPHSE_TF_INFO = *mut HSE_TF_INFO;

/// Status and headers to send. The extension owns it; needed for the call only.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_SEND_HEADER_EX_INFO {
    /// In: the status line's text, such as `200 OK`.
    pub pszStatus: *const c_char,
    /// In: header lines up to and with an empty one.
    pub pszHeader: *const c_char,
    /// In: length of `pszStatus` without a terminator.
    pub cchStatus: DWORD,
    /// In: length of `pszHeader` without a terminator.
    pub cchHeader: DWORD,
    /// In: zero closes the connection after the response.
    pub fKeepConn: BOOL,
}
/// Pointer to [`HSE_SEND_HEADER_EX_INFO`].
pub type LPHSE_SEND_HEADER_EX_INFO = *mut HSE_SEND_HEADER_EX_INFO;

/// Whom a child request runs as. The extension owns it and all it points to.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_URL_USER_INFO {
    /// In: the user's token.
    pub hImpersonationToken: HANDLE,
    /// In: the user's name.
    pub pszCustomUserName: *mut c_char,
    /// In: the authentication type.
    pub pszCustomAuthType: *mut c_char,
}
/// Pointer to [`HSE_EXEC_URL_USER_INFO`].
pub type LPHSE_EXEC_URL_USER_INFO = *mut HSE_EXEC_URL_USER_INFO;

/// The body of a child request. The extension owns it and the bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_URL_ENTITY_INFO {
    /// In: size of `lpbData`.
    pub cbAvailable: DWORD,
    /// In: the body.
    pub lpbData: *mut c_void,
}
/// Pointer to [`HSE_EXEC_URL_ENTITY_INFO`].
pub type LPHSE_EXEC_URL_ENTITY_INFO = *mut HSE_EXEC_URL_ENTITY_INFO;

/// How a child request ended. The extension owns it, the server fills it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_URL_STATUS {
    /// Out: HTTP status.
    pub uHttpStatusCode: u16,
    /// Out: sub-status, the 1 of 401.1.
    pub uHttpSubStatus: u16,
    /// Out: a Win32 code, 0 for none.
    pub dwWin32Error: DWORD,
}
/// Pointer to [`HSE_EXEC_URL_STATUS`].
pub type LPHSE_EXEC_URL_STATUS = *mut HSE_EXEC_URL_STATUS;

/// A child request. The extension owns it and all it points to, until the completion.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_URL_INFO {
    /// In: the URL, or null for this request's own.
    pub pszUrl: *mut c_char,
    /// In: the method, or null for the parent's.
    pub pszMethod: *mut c_char,
    /// In: all of the child's headers, or null for the parent's.
    pub pszChildHeaders: *mut c_char,
    /// In: the user, or null for the parent's.
    pub pUserInfo: LPHSE_EXEC_URL_USER_INFO,
    /// In: the body, or null for what the parent has not read.
    pub pEntity: LPHSE_EXEC_URL_ENTITY_INFO,
    /// In: `HSE_EXEC_URL_*`.
    pub dwExecUrlFlags: DWORD,
}
/// Pointer to [`HSE_EXEC_URL_INFO`].
pub type LPHSE_EXEC_URL_INFO = *mut HSE_EXEC_URL_INFO;

/// [`HSE_EXEC_URL_USER_INFO`] with the name in UTF-16; the type stays bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_UNICODE_URL_USER_INFO {
    /// In: the user's token.
    pub hImpersonationToken: HANDLE,
    /// In: the user's name.
    pub pszCustomUserName: *mut WCHAR,
    /// In: the authentication type.
    pub pszCustomAuthType: *mut c_char,
}
/// Pointer to [`HSE_EXEC_UNICODE_URL_USER_INFO`].
pub type LPHSE_EXEC_UNICODE_URL_USER_INFO = *mut HSE_EXEC_UNICODE_URL_USER_INFO;

/// [`HSE_EXEC_URL_INFO`] with the URL in UTF-16; method and headers stay bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_EXEC_UNICODE_URL_INFO {
    /// In: the URL, or null for this request's own.
    pub pszUrl: *mut WCHAR,
    /// In: the method, or null for the parent's.
    pub pszMethod: *mut c_char,
    /// In: all of the child's headers, or null for the parent's.
    pub pszChildHeaders: *mut c_char,
    /// In: the user, or null for the parent's.
    pub pUserInfo: LPHSE_EXEC_UNICODE_URL_USER_INFO,
    /// In: the body, or null for what the parent has not read.
    pub pEntity: LPHSE_EXEC_URL_ENTITY_INFO,
    /// In: `HSE_EXEC_URL_*`.
    pub dwExecUrlFlags: DWORD,
}
/// Pointer to [`HSE_EXEC_UNICODE_URL_INFO`].
pub type LPHSE_EXEC_UNICODE_URL_INFO = *mut HSE_EXEC_UNICODE_URL_INFO;

/// Which configured error page to send. The extension owns it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_CUSTOM_ERROR_INFO {
    /// In: the status line's text, such as `404 Not Found`.
    pub pszStatus: *mut c_char,
    /// In: the sub-status.
    pub uHttpSubError: u16,
    /// In: non-zero to be told through the completion callback.
    pub fAsync: BOOL,
}
/// Pointer to [`HSE_CUSTOM_ERROR_INFO`].
pub type LPHSE_CUSTOM_ERROR_INFO = *mut HSE_CUSTOM_ERROR_INFO;

/// One piece of a vector send: bytes or a part of a file.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_VECTOR_ELEMENT {
    /// In: `HSE_VECTOR_ELEMENT_TYPE_*`.
    pub ElementType: DWORD,
    /// In: pointer to the bytes, or the file's `HANDLE`; the extension's until the completion.
    pub pvContext: *mut c_void,
    /// In: the first byte to send, counted from the start of buffer or file.
    pub cbOffset: u64,
    /// In: how many bytes; 0 means the whole file and is invalid for memory.
    pub cbSize: u64,
}
/// Pointer to [`HSE_VECTOR_ELEMENT`].
pub type LPHSE_VECTOR_ELEMENT = *mut HSE_VECTOR_ELEMENT;

/// A vector send. The extension owns it and all it points to, until the completion.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_RESPONSE_VECTOR {
    /// In: `HSE_IO_*`, with exactly one of [`HSE_IO_SYNC`] and [`HSE_IO_ASYNC`].
    pub dwFlags: DWORD,
    /// In: the status line's text with [`HSE_IO_SEND_HEADERS`], else null.
    pub pszStatus: *mut c_char,
    /// In: header lines with [`HSE_IO_SEND_HEADERS`], else null.
    pub pszHeaders: *mut c_char,
    /// In: how many elements.
    pub nElementCount: DWORD,
    /// In: the first of them.
    pub lpElementArray: LPHSE_VECTOR_ELEMENT,
}
/// Pointer to [`HSE_RESPONSE_VECTOR`].
pub type LPHSE_RESPONSE_VECTOR = *mut HSE_RESPONSE_VECTOR;

/// A certificate (of `wincrypt.h`, which `httpext.h` includes).
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CERT_CONTEXT {
    /// Out: the kind of encoding; 1 is X.509.
    pub dwCertEncodingType: DWORD,
    /// The encoded certificate; the extension provides the buffer.
    pub pbCertEncoded: *mut u8,
    /// Out: its bytes.
    pub cbCertEncoded: DWORD,
    /// Not filled here: `CERT_INFO` of the Windows API.
    pub pCertInfo: *mut c_void,
    /// Not filled here: a certificate store of the Windows API.
    pub hCertStore: *mut c_void,
}

/// The client's certificate. The extension owns it and the buffer, the server fills both.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct CERT_CONTEXT_EX {
    /// In and out: the certificate.
    pub CertContext: CERT_CONTEXT,
    /// In: size of the buffer that `CertContext.pbCertEncoded` points to.
    pub cbAllocated: DWORD,
    /// Out: flags of the certificate.
    pub dwCertificateFlags: DWORD,
}

/// The trace identity of a request. The extension owns it, the server fills it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HSE_TRACE_INFO {
    /// Out: non-zero when this request is traced.
    pub fTraceRequest: BOOL,
    /// Out: the identity, a GUID's bytes.
    pub TraceContextId: [u8; 16],
    /// Not used.
    pub dwReserved1: DWORD,
    /// Not used.
    pub dwReserved2: DWORD,
}
/// Pointer to [`HSE_TRACE_INFO`].
pub type LPHSE_TRACE_INFO = *mut HSE_TRACE_INFO;

//! `httpfilt.h`: what an ISAPI filter and its server share.
//!
//! Types, callbacks and constants only, C names verbatim; the header gives the callbacks no names,
//! so `PFN_SF_*` are ours. All structs belong to the server and are valid during one call of
//! `HttpFilterProc`; a pointer that a filter puts in must stay valid until its next notification,
//! which [`HTTP_FILTER_CONTEXT::AllocMem`] makes easy. "In" and "out" are meant from the filter's
//! side. Byte strings end with NUL.
//!
//! A callback that returns `FALSE` leaves a code of [`crate::win32`] in the thread's last error
//! (`GetLastError` on Windows, `errno` on Unix). Layouts are asserted in `layout.rs`.
#![allow(non_camel_case_types, non_snake_case, reason = "the names are those of the C header")]

use core::ffi::{c_char, c_void};

use crate::{BOOL, DWORD, HANDLE, ULONG_PTR};

/// Version of the filter contract, major number in the high word: 0x000A0000.
pub const HTTP_FILTER_REVISION: u32 = 10 << 16;

// ---- Buffer sizes, terminator included -------------------------------------------------------

/// Size of the buffer [`HTTP_FILTER_AUTHENT::pszUser`].
pub const SF_MAX_USERNAME: u32 = 257;
/// Size of the buffer [`HTTP_FILTER_AUTHENT::pszPassword`].
pub const SF_MAX_PASSWORD: u32 = 257;
/// Size of the longest authentication type.
pub const SF_MAX_AUTH_TYPE: u32 = 33;
/// Size of [`HTTP_FILTER_VERSION::lpszFilterDesc`].
pub const SF_MAX_FILTER_DESC_LEN: u32 = 257;

// ---- Requests to ServerSupportFunction -------------------------------------------------------

/// A request number; in Microsoft's header an `enum` of that name.
pub type SF_REQ_TYPE = u32;
/// Sends status line and headers. `pData` in: status or null; `ul1` in: header text or 0.
pub const SF_REQ_SEND_RESPONSE_HEADER: u32 = 0;
/// Header lines, each with its line end, for the response if access is denied. `pData` in: the text.
pub const SF_REQ_ADD_HEADERS_ON_DENIAL: u32 = 1;
/// Raw reads: `ul1` in: how many bytes to read next.
pub const SF_REQ_SET_NEXT_READ_SIZE: u32 = 2;
/// `ul1` in: 1 marks the request as one for a proxy.
pub const SF_REQ_SET_PROXY_INFO: u32 = 3;
/// Not supported since IIS 4. `pData` out: `DWORD`.
pub const SF_REQ_GET_CONNID: u32 = 4;
/// For filters that do TLS themselves: sets the certificate information.
pub const SF_REQ_SET_CERTIFICATE_INFO: u32 = 5;
/// Reads a property. `pData` out: its value; `ul1` in: `SF_PROPERTY_*`.
pub const SF_REQ_GET_PROPERTY: u32 = 6;
/// Canonicalizes a URL. `pData` in and out: the URL, changed in place.
pub const SF_REQ_NORMALIZE_URL: u32 = 7;
/// Stops notifications for the rest of the request. `ul1` in: `SF_NOTIFY_*`.
pub const SF_REQ_DISABLE_NOTIFICATIONS: u32 = 8;

// ---- Properties ------------------------------------------------------------------------------

/// A property number; in Microsoft's header an `enum` of that name.
pub type SF_PROPERTY_IIS = u32;
/// The TLS context of the connection.
pub const SF_PROPERTY_SSL_CTXT: u32 = 0;
/// The site's number, a `DWORD`.
pub const SF_PROPERTY_INSTANCE_NUM_ID: u32 = 1;

// ---- Results of HttpFilterProc ---------------------------------------------------------------

/// A result; in Microsoft's header an `enum` of that name.
pub type SF_STATUS_TYPE = u32;
/// The filter has answered; the server closes the connection.
pub const SF_STATUS_REQ_FINISHED: u32 = 0x0800_0000;
/// The filter has answered; the connection is kept if it can be.
pub const SF_STATUS_REQ_FINISHED_KEEP_CONN: u32 = 0x0800_0001;
/// The next filter is to be notified.
pub const SF_STATUS_REQ_NEXT_NOTIFICATION: u32 = 0x0800_0002;
/// The filter has handled the event; no other filter hears of it.
pub const SF_STATUS_REQ_HANDLED_NOTIFICATION: u32 = 0x0800_0003;
/// The filter failed; the last error tells why.
pub const SF_STATUS_REQ_ERROR: u32 = 0x0800_0004;
/// Raw reads: read more and notify again.
pub const SF_STATUS_REQ_READ_NEXT: u32 = 0x0800_0005;

// ---- Reasons of a denial ---------------------------------------------------------------------

/// The logon failed.
pub const SF_DENIED_LOGON: u32 = 0x1;
/// The resource's access list refused.
pub const SF_DENIED_RESOURCE: u32 = 0x2;
/// A filter refused.
pub const SF_DENIED_FILTER: u32 = 0x4;
/// An extension or CGI program refused.
pub const SF_DENIED_APPLICATION: u32 = 0x8;
/// With [`SF_DENIED_LOGON`]: the server's configuration is the reason.
pub const SF_DENIED_BY_CONFIG: u32 = 0x0001_0000;

// ---- Notifications and priorities ------------------------------------------------------------

/// Notify for requests that came over TLS.
pub const SF_NOTIFY_SECURE_PORT: u32 = 0x1;
/// Notify for requests that did not come over TLS.
pub const SF_NOTIFY_NONSECURE_PORT: u32 = 0x2;
/// The response's headers are about to be sent: [`HTTP_FILTER_SEND_RESPONSE`].
pub const SF_NOTIFY_SEND_RESPONSE: u32 = 0x40;
/// The request is over; no data.
pub const SF_NOTIFY_END_OF_REQUEST: u32 = 0x80;
/// The connection is closed; no data.
pub const SF_NOTIFY_END_OF_NET_SESSION: u32 = 0x100;
/// The log entry is about to be written: [`HTTP_FILTER_LOG`].
pub const SF_NOTIFY_LOG: u32 = 0x200;
/// Bytes are about to be sent: [`HTTP_FILTER_RAW_DATA`].
pub const SF_NOTIFY_SEND_RAW_DATA: u32 = 0x400;
/// Access was denied: [`HTTP_FILTER_ACCESS_DENIED`].
pub const SF_NOTIFY_ACCESS_DENIED: u32 = 0x800;
/// The URL is being mapped to a file path: [`HTTP_FILTER_URL_MAP_EX`].
pub const SF_NOTIFY_URL_MAP: u32 = 0x1000;
/// The client is being authenticated: [`HTTP_FILTER_AUTHENT`].
pub const SF_NOTIFY_AUTHENTICATION: u32 = 0x2000;
/// The request's headers have been read: [`HTTP_FILTER_PREPROC_HEADERS`].
pub const SF_NOTIFY_PREPROC_HEADERS: u32 = 0x4000;
/// Bytes have been received: [`HTTP_FILTER_RAW_DATA`]; refused since IIS 6.
pub const SF_NOTIFY_READ_RAW_DATA: u32 = 0x8000;
/// The client's identity is settled: [`HTTP_FILTER_AUTH_COMPLETE_INFO`].
pub const SF_NOTIFY_AUTH_COMPLETE: u32 = 0x0400_0000;

/// Notify this filter late.
pub const SF_NOTIFY_ORDER_LOW: u32 = 0x0002_0000;
/// Notify this filter between the two others.
pub const SF_NOTIFY_ORDER_MEDIUM: u32 = 0x0004_0000;
/// Notify this filter early.
pub const SF_NOTIFY_ORDER_HIGH: u32 = 0x0008_0000;
/// What a filter without a wish gets.
pub const SF_NOTIFY_ORDER_DEFAULT: u32 = SF_NOTIFY_ORDER_LOW;
/// All of the priorities.
pub const SF_NOTIFY_ORDER_MASK: u32 = SF_NOTIFY_ORDER_HIGH | SF_NOTIFY_ORDER_MEDIUM | SF_NOTIFY_ORDER_LOW;

// ---- Callbacks -------------------------------------------------------------------------------

/// Reads a variable of the request. `lpdwSize` in: the buffer's bytes, out: the value's with its NUL.
pub type PFN_SF_GETSERVERVARIABLE = Option<
    unsafe extern "system" fn(
        pfc: *mut HTTP_FILTER_CONTEXT,
        lpszVariableName: *mut c_char,
        lpvBuffer: *mut c_void,
        lpdwSize: *mut DWORD,
    ) -> BOOL,
>;
/// Adds header lines, each with its line end, to the response.
pub type PFN_SF_ADDRESPONSEHEADERS = Option<
    unsafe extern "system" fn(pfc: *mut HTTP_FILTER_CONTEXT, lpszHeaders: *mut c_char, dwReserved: DWORD) -> BOOL,
>;
/// Sends bytes as they are, blocking. `lpdwBytes` in: how many, out: how many were written.
pub type PFN_SF_WRITECLIENT = Option<
    unsafe extern "system" fn(
        pfc: *mut HTTP_FILTER_CONTEXT,
        Buffer: *mut c_void,
        lpdwBytes: *mut DWORD,
        dwReserved: DWORD,
    ) -> BOOL,
>;
/// Gives memory that the server frees, at the latest when the connection is closed; null when there is none.
pub type PFN_SF_ALLOCMEM =
    Option<unsafe extern "system" fn(pfc: *mut HTTP_FILTER_CONTEXT, cbSize: DWORD, dwReserved: DWORD) -> *mut c_void>;
/// Everything else, by number (`SF_REQ_*`); the meaning of the last three arguments depends on it.
pub type PFN_SF_SERVERSUPPORTFUNCTION = Option<
    unsafe extern "system" fn(
        pfc: *mut HTTP_FILTER_CONTEXT,
        sfReq: SF_REQ_TYPE,
        pData: *mut c_void,
        ul1: ULONG_PTR,
        ul2: ULONG_PTR,
    ) -> BOOL,
>;
/// Reads a header, its name given with the colon (`Host:`). `lpdwSize` as in [`PFN_SF_GETSERVERVARIABLE`].
pub type PFN_SF_GETHEADER = Option<
    unsafe extern "system" fn(
        pfc: *mut HTTP_FILTER_CONTEXT,
        lpszName: *mut c_char,
        lpvBuffer: *mut c_void,
        lpdwSize: *mut DWORD,
    ) -> BOOL,
>;
/// Replaces a header, its name given with the colon; an empty value deletes it.
pub type PFN_SF_SETHEADER = Option<
    unsafe extern "system" fn(pfc: *mut HTTP_FILTER_CONTEXT, lpszName: *mut c_char, lpszValue: *mut c_char) -> BOOL,
>;
/// Adds a header, its name given with the colon.
pub type PFN_SF_ADDHEADER = Option<
    unsafe extern "system" fn(pfc: *mut HTTP_FILTER_CONTEXT, lpszName: *mut c_char, lpszValue: *mut c_char) -> BOOL,
>;
/// Gives the authenticated user's token.
pub type PFN_SF_GETUSERTOKEN =
    Option<unsafe extern "system" fn(pfc: *mut HTTP_FILTER_CONTEXT, phToken: *mut HANDLE) -> BOOL>;

// ---- Entry points ----------------------------------------------------------------------------

/// `GetFilterVersion`: fills the struct; `FALSE` refuses to be loaded.
pub type PFN_GETFILTERVERSION = Option<unsafe extern "system" fn(pVer: *mut HTTP_FILTER_VERSION) -> BOOL>;
/// `HttpFilterProc`: handles one notification and returns one of `SF_STATUS_*`.
pub type PFN_HTTPFILTERPROC = Option<
    unsafe extern "system" fn(
        pfc: *mut HTTP_FILTER_CONTEXT,
        NotificationType: DWORD,
        pvNotification: *mut c_void,
    ) -> DWORD,
>;
/// `TerminateFilter`, optional: releases what the filter holds.
pub type PFN_TERMINATEFILTER = Option<unsafe extern "system" fn(dwFlags: DWORD) -> BOOL>;

// ---- Structs ---------------------------------------------------------------------------------

/// What a filter says of itself; valid during `GetFilterVersion`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_VERSION {
    /// In: the server's version, as [`HTTP_FILTER_REVISION`].
    pub dwServerFilterVersion: DWORD,
    /// Out: the version the filter was written for.
    pub dwFilterVersion: DWORD,
    /// Out: its description.
    pub lpszFilterDesc: [c_char; SF_MAX_FILTER_DESC_LEN as usize],
    /// Out: `SF_NOTIFY_*`, with one `SF_NOTIFY_ORDER_*`.
    pub dwFlags: DWORD,
}
/// Pointer to [`HTTP_FILTER_VERSION`].
pub type PHTTP_FILTER_VERSION = *mut HTTP_FILTER_VERSION;

/// One request (or connection) as the filter sees it.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_CONTEXT {
    /// In: size of this struct.
    pub cbSize: DWORD,
    /// In: the server's version, as [`HTTP_FILTER_REVISION`].
    pub Revision: DWORD,
    /// The server's own; not to be touched.
    pub ServerContext: *mut c_void,
    /// Not used.
    pub ulReserved: DWORD,
    /// In: non-zero when the request came over TLS.
    pub fIsSecurePort: BOOL,
    /// In and out: the filter's own, kept for the connection; null at first.
    pub pFilterContext: *mut c_void,
    /// Reads a variable of the request.
    pub GetServerVariable: PFN_SF_GETSERVERVARIABLE,
    /// Adds header lines to the response.
    pub AddResponseHeaders: PFN_SF_ADDRESPONSEHEADERS,
    /// Sends bytes as they are.
    pub WriteClient: PFN_SF_WRITECLIENT,
    /// Gives memory that the server frees.
    pub AllocMem: PFN_SF_ALLOCMEM,
    /// Everything else.
    pub ServerSupportFunction: PFN_SF_SERVERSUPPORTFUNCTION,
}
/// Pointer to [`HTTP_FILTER_CONTEXT`].
pub type PHTTP_FILTER_CONTEXT = *mut HTTP_FILTER_CONTEXT;

/// Bytes on their way to or from the client.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_RAW_DATA {
    /// In and out: the bytes.
    pub pvInData: *mut c_void,
    /// In and out: how many of them count.
    pub cbInData: DWORD,
    /// In and out: size of the buffer.
    pub cbInBuffer: DWORD,
    /// Not used.
    pub dwReserved: DWORD,
}
/// Pointer to [`HTTP_FILTER_RAW_DATA`].
pub type PHTTP_FILTER_RAW_DATA = *mut HTTP_FILTER_RAW_DATA;

/// Access to the headers, of the request or (as [`HTTP_FILTER_SEND_RESPONSE`]) of the response.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_PREPROC_HEADERS {
    /// Reads a header, or without a colon `method`, `url`, `version`; of a response `status`.
    pub GetHeader: PFN_SF_GETHEADER,
    /// Replaces or deletes a header.
    pub SetHeader: PFN_SF_SETHEADER,
    /// Adds a header.
    pub AddHeader: PFN_SF_ADDHEADER,
    /// In: the response's status; 0 before there is one.
    pub HttpStatus: DWORD,
    /// Not used.
    pub dwReserved: DWORD,
}
/// Pointer to [`HTTP_FILTER_PREPROC_HEADERS`].
pub type PHTTP_FILTER_PREPROC_HEADERS = *mut HTTP_FILTER_PREPROC_HEADERS;
/// The same struct, for [`SF_NOTIFY_SEND_RESPONSE`].
pub type HTTP_FILTER_SEND_RESPONSE = HTTP_FILTER_PREPROC_HEADERS;
/// Pointer to [`HTTP_FILTER_SEND_RESPONSE`].
pub type PHTTP_FILTER_SEND_RESPONSE = *mut HTTP_FILTER_PREPROC_HEADERS;

/// Name and password the client sent; empty for an anonymous request.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_AUTHENT {
    /// In and out: the user's name, in a buffer of [`SF_MAX_USERNAME`] bytes.
    pub pszUser: *mut c_char,
    /// In: size of that buffer.
    pub cbUserBuff: DWORD,
    /// In and out: the password, in a buffer of [`SF_MAX_PASSWORD`] bytes.
    pub pszPassword: *mut c_char,
    /// In: size of that buffer.
    pub cbPasswordBuff: DWORD,
}
/// Pointer to [`HTTP_FILTER_AUTHENT`].
pub type PHTTP_FILTER_AUTHENT = *mut HTTP_FILTER_AUTHENT;

/// Where a URL leads; the first members of [`HTTP_FILTER_URL_MAP_EX`].
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_URL_MAP {
    /// In: the URL.
    pub pszURL: *const c_char,
    /// In and out: the file path, in the server's buffer.
    pub pszPhysicalPath: *mut c_char,
    /// In: size of that buffer.
    pub cbPathBuff: DWORD,
}
/// Pointer to [`HTTP_FILTER_URL_MAP`].
pub type PHTTP_FILTER_URL_MAP = *mut HTTP_FILTER_URL_MAP;

/// Where a URL leads, and how.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_URL_MAP_EX {
    /// In: the URL.
    pub pszURL: *const c_char,
    /// In and out: the file path, in the server's buffer.
    pub pszPhysicalPath: *mut c_char,
    /// In: size of that buffer.
    pub cbPathBuff: DWORD,
    /// In: `HSE_URL_FLAGS_*`.
    pub dwFlags: DWORD,
    /// In: how many characters of the path the virtual directory accounts for.
    pub cchMatchingPath: DWORD,
    /// In: how many characters of the URL the virtual directory accounts for.
    pub cchMatchingURL: DWORD,
    /// In: the script mapping that matched.
    pub pszScriptMapEntry: *const c_char,
}
/// Pointer to [`HTTP_FILTER_URL_MAP_EX`].
pub type PHTTP_FILTER_URL_MAP_EX = *mut HTTP_FILTER_URL_MAP_EX;

/// A denial.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_ACCESS_DENIED {
    /// In: the URL.
    pub pszURL: *const c_char,
    /// In: the file path it leads to.
    pub pszPhysicalPath: *const c_char,
    /// In: `SF_DENIED_*`.
    pub dwReason: DWORD,
}
/// Pointer to [`HTTP_FILTER_ACCESS_DENIED`].
pub type PHTTP_FILTER_ACCESS_DENIED = *mut HTTP_FILTER_ACCESS_DENIED;

/// The log entry. A filter may replace the pointers, not write through them.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_LOG {
    /// In and out: the client's name or address.
    pub pszClientHostName: *const c_char,
    /// In and out: the user's name.
    pub pszClientUserName: *const c_char,
    /// In and out: the server's name.
    pub pszServerName: *const c_char,
    /// In and out: the method.
    pub pszOperation: *const c_char,
    /// In and out: the URL's path.
    pub pszTarget: *const c_char,
    /// In and out: the query.
    pub pszParameters: *const c_char,
    /// In and out: the HTTP status.
    pub dwHttpStatus: DWORD,
    /// In and out: the Win32 code.
    pub dwWin32Status: DWORD,
    /// In: bytes sent.
    pub dwBytesSent: DWORD,
    /// In: bytes received.
    pub dwBytesRecvd: DWORD,
    /// In: how long it took, in milliseconds.
    pub msTimeForProcessing: DWORD,
}
/// Pointer to [`HTTP_FILTER_LOG`].
pub type PHTTP_FILTER_LOG = *mut HTTP_FILTER_LOG;

/// Access to the request once the client's identity is settled.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
pub struct HTTP_FILTER_AUTH_COMPLETE_INFO {
    /// Reads a header of the request.
    pub GetHeader: PFN_SF_GETHEADER,
    /// Replaces or deletes a header.
    pub SetHeader: PFN_SF_SETHEADER,
    /// Adds a header.
    pub AddHeader: PFN_SF_ADDHEADER,
    /// Gives the user's token.
    pub GetUserToken: PFN_SF_GETUSERTOKEN,
    /// In: the response's status; 0 before there is one.
    pub HttpStatus: DWORD,
    /// Out: non-zero to authenticate once more.
    pub fResetAuth: BOOL,
    /// Not used.
    pub dwReserved: DWORD,
}
/// Pointer to [`HTTP_FILTER_AUTH_COMPLETE_INFO`].
pub type PHTTP_FILTER_AUTH_COMPLETE_INFO = *mut HTTP_FILTER_AUTH_COMPLETE_INFO;

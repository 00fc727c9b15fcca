/*
 * isapi.h - the ISAPI contract for native extensions and filters on Unix.
 *
 * A module is a shared library that exports, undecorated,
 *   an extension:  GetExtensionVersion, HttpExtensionProc, optionally TerminateExtension
 *   a filter:      GetFilterVersion, HttpFilterProc, optionally TerminateFilter
 * and may be both. Names, values and layouts are those of Microsoft's httpext.h and httpfilt.h, so
 * that a source builds on both systems. On Windows, MinGW included, use those headers instead.
 *
 * What differs on Unix:
 *   - A callback that returns FALSE sets errno to the Win32 code (ERROR_..., WSAE..., below); it
 *     is not one of the system's own errno values. GetLastError and SetLastError are errno.
 *   - The HANDLE of a file is its descriptor: (HANDLE)(intptr_t)descriptor.
 *   - WCHAR is a UTF-16 unit, never wchar_t; byte strings are UTF-8.
 *   - SF_REQ_TYPE, SF_PROPERTY_IIS and SF_STATUS_TYPE are integer types, not enums.
 *   - Server and module are built for 64 bits.
 *
 * "In" is set by the caller (the server for an entry point, the module for a callback), "out" by
 * the one called.
 *
 * Generated from crates/isapi-abi: do not edit. To write it anew:
 *   ISAPI_UPDATE_HEADER=1 cargo test -p isapi-abi --test header
 */
#ifndef ISAPI_H
#define ISAPI_H

#ifdef _WIN32
#error "isapi.h is for Unix; on Windows include httpext.h and httpfilt.h"
#endif

#include <errno.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The calling convention of entry points and callbacks: the system's own. */
#ifndef WINAPI
#define WINAPI
#endif

/* Marks what a module exports; the prototypes below carry it, whatever -fvisibility says. */
#ifndef ISAPI_EXPORT
#define ISAPI_EXPORT __attribute__((visibility("default")))
#endif

#ifndef TRUE
#define TRUE 1
#endif
#ifndef FALSE
#define FALSE 0
#endif

/* Named by the callbacks that are its members. */
struct HTTP_FILTER_CONTEXT;

// `MAX_PATH` of Windows: size of a path's buffer in characters, terminator included.
#define MAX_PATH 260

// Major part of `HSE_VERSION`.
#define HSE_VERSION_MAJOR 8

// Minor part of `HSE_VERSION`.
#define HSE_VERSION_MINOR 0

// Version of the extension contract, major number in the high word: 0x00080000.
#define HSE_VERSION ((HSE_VERSION_MAJOR << 16) | HSE_VERSION_MINOR)

// Size of `EXTENSION_CONTROL_BLOCK.lpszLogData`, terminator included.
#define HSE_LOG_BUFFER_LEN 80

// Size of `HSE_VERSION_INFO.lpszExtensionDesc`, terminator included.
#define HSE_MAX_EXT_DLL_NAME_LEN 256

// The request is finished; the control block is dead.
#define HSE_STATUS_SUCCESS 1

// As `HSE_STATUS_SUCCESS`; the wish to keep the connection is honoured if the response allows it.
#define HSE_STATUS_SUCCESS_AND_KEEP_CONN 2

// The extension keeps the control block and ends with `HSE_REQ_DONE_WITH_SESSION`, exactly once.
#define HSE_STATUS_PENDING 3

// The request failed; the log gets status 500.
#define HSE_STATUS_ERROR 4

// Where the first group of requests begins; not itself a request.
#define HSE_REQ_BASE 0

// Sends a complete 302 response. buffer in: the URL.
#define HSE_REQ_SEND_URL_REDIRECT_RESP 1

// Old form of `HSE_REQ_SEND_URL_REDIRECT_RESP`. buffer in: a local URL.
#define HSE_REQ_SEND_URL 2

// Sends status line and headers. buffer in: status or null; type in: header text or null.
#define HSE_REQ_SEND_RESPONSE_HEADER 3

// Ends a pending request, after which the control block is dead. buffer in: `DWORD` status or null.
#define HSE_REQ_DONE_WITH_SESSION 4

// Where the second group of requests begins; not itself a request.
#define HSE_REQ_END_RESERVED 1000

// Maps a URL to a file path. buffer in: URL, out: path; size in: buffer's bytes, out: path's bytes.
#define HSE_REQ_MAP_URL_TO_PATH 1001

// Asks for the SSPI handles. buffer out: `CtxtHandle`; type out: `CredHandle`.
#define HSE_REQ_GET_SSPI_INFO 1002

// Appends to the request's log entry. buffer in: text.
#define HSE_APPEND_LOG_PARAMETER 1003

// Sets the completion callback. buffer in: `PFN_HSE_IO_COMPLETION` or null; type in: its context.
#define HSE_REQ_IO_COMPLETION 1005

// Sends a file. buffer in: `HSE_TF_INFO`.
#define HSE_REQ_TRANSMIT_FILE 1006

// Makes the server read a library's access list again. buffer in: the library's path.
#define HSE_REQ_REFRESH_ISAPI_ACL 1007

// Tells whether the connection will be kept. buffer out: `BOOL`.
#define HSE_REQ_IS_KEEP_CONN 1008

// Starts an asynchronous read. buffer out, on completion: data; size in: its bytes; type in: `HSE_IO_ASYNC`.
#define HSE_REQ_ASYNC_READ_CLIENT 1010

// Asks for the user's token, which stays the server's. buffer out: `HANDLE`.
#define HSE_REQ_GET_IMPERSONATION_TOKEN 1011

// Maps a URL with its access flags. buffer in: URL; size in: its bytes; type out: `HSE_URL_MAPEX_INFO`.
#define HSE_REQ_MAP_URL_TO_PATH_EX 1012

// Makes the close of the connection a reset.
#define HSE_REQ_ABORTIVE_CLOSE 1014

// Asks for the client's certificate. buffer in and out: `CERT_CONTEXT_EX`.
#define HSE_REQ_GET_CERT_INFO_EX 1015

// Sends status line and headers with explicit lengths. buffer in: `HSE_SEND_HEADER_EX_INFO`.
#define HSE_REQ_SEND_RESPONSE_HEADER_EX 1016

// Closes the connection now; `HSE_REQ_DONE_WITH_SESSION` is still due.
#define HSE_REQ_CLOSE_CONNECTION 1017

// Tells whether the client is still there. buffer out: `BOOL`.
#define HSE_REQ_IS_CONNECTED 1018

// `HSE_REQ_MAP_URL_TO_PATH` in UTF-16; sizes stay bytes.
#define HSE_REQ_MAP_UNICODE_URL_TO_PATH 1023

// `HSE_REQ_MAP_URL_TO_PATH_EX` in UTF-16. type out: `HSE_UNICODE_URL_MAPEX_INFO`.
#define HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX 1024

// `HSE_REQ_EXEC_URL` with a UTF-16 URL. buffer in: `HSE_EXEC_UNICODE_URL_INFO`.
#define HSE_REQ_EXEC_UNICODE_URL 1025

// Runs another URL inside this request, always asynchronously. buffer in: `HSE_EXEC_URL_INFO`.
#define HSE_REQ_EXEC_URL 1026

// Asks how the last child request ended. buffer out: `HSE_EXEC_URL_STATUS`.
#define HSE_REQ_GET_EXEC_URL_STATUS 1027

// Sends the error page configured for a status. buffer in: `HSE_CUSTOM_ERROR_INFO`.
#define HSE_REQ_SEND_CUSTOM_ERROR 1028

// Tells where the extension runs. buffer out: `DWORD`, one of `HSE_APP_FLAG_*`.
#define HSE_REQ_IS_IN_PROCESS 1030

// Asks that the process be recycled. buffer in: the reason or null.
#define HSE_REQ_REPORT_UNHEALTHY 1032

// Canonicalizes a URL. buffer in and out: the URL, changed in place.
#define HSE_REQ_NORMALIZE_URL 1033

// Sends several buffers and files at once. buffer in: `HSE_RESPONSE_VECTOR`.
#define HSE_REQ_VECTOR_SEND 1037

// Asks for the anonymous user's token. buffer in: a metabase path; out: `HANDLE`.
#define HSE_REQ_GET_ANONYMOUS_TOKEN 1038

// Asks for the cache invalidation function. buffer out: `PFN_HSE_CACHE_INVALIDATION_CALLBACK`.
#define HSE_REQ_GET_CACHE_INVALIDATION_CALLBACK 1040

// `HSE_REQ_GET_ANONYMOUS_TOKEN` in UTF-16.
#define HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN 1041

// Asks for the request's trace identity. buffer out: `HSE_TRACE_INFO`.
#define HSE_REQ_GET_TRACE_INFO 1042

// Turns response buffering off or on. buffer in: a `BOOL` *by value*; `TRUE` sends each write at once.
#define HSE_REQ_SET_FLUSH_FLAG 1043

// Asks for the trace configuration. buffer out: `HTTP_TRACE_CONFIGURATION`.
#define HSE_REQ_GET_TRACE_INFO_EX 1044

// Raises a trace event. buffer in: `HTTP_TRACE_EVENT`.
#define HSE_REQ_RAISE_TRACE_EVENT 1045

// Asks for the configuration system's interface. buffer out: an interface pointer.
#define HSE_REQ_GET_CONFIG_OBJECT 1046

// Asks for the worker process's settings. buffer out: an interface pointer.
#define HSE_REQ_GET_WORKER_PROCESS_SETTINGS 1047

// buffer out: `PFN_HSE_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK`.
#define HSE_REQ_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK 1048

// Cancels the pending asynchronous operation, whose completion then arrives with an error.
#define HSE_REQ_CANCEL_IO 1049

// Asks for the TLS channel binding token. buffer out: pointer to its bytes; size out: their number.
#define HSE_REQ_GET_CHANNEL_BINDING_TOKEN 1050

// The server asks whether it may unload the library; `FALSE` refuses.
#define HSE_TERM_ADVISORY_UNLOAD 1

// The library will be unloaded; the result is ignored.
#define HSE_TERM_MUST_UNLOAD 2

// Return when the data has been handed over.
#define HSE_IO_SYNC 1

// Return at once; the completion callback reports.
#define HSE_IO_ASYNC 2

// Close the connection after this send; `HSE_REQ_DONE_WITH_SESSION` is still due.
#define HSE_IO_DISCONNECT_AFTER_SEND 4

// The structure carries status and headers, to be sent first.
#define HSE_IO_SEND_HEADERS 8

// Vector sends: nothing more will be sent.
#define HSE_IO_FINAL_SEND 16

// Vector sends: the response may be cached by the server.
#define HSE_IO_CACHE_RESPONSE 32

// Vector sends: leave an error response as it is instead of putting the configured page in its place.
#define HSE_IO_TRY_SKIP_CUSTOM_ERRORS 64

// Do not delay small packets.
#define HSE_IO_NODELAY 4096

// Files may be read.
#define HSE_URL_FLAGS_READ 1

// Files may be written.
#define HSE_URL_FLAGS_WRITE 2

// Programs may be run.
#define HSE_URL_FLAGS_EXECUTE 4

// TLS is required.
#define HSE_URL_FLAGS_SSL 8

// Do not cache (of virtual directories).
#define HSE_URL_FLAGS_DONT_CACHE 16

// A client certificate is asked for.
#define HSE_URL_FLAGS_NEGO_CERT 32

// A client certificate is required.
#define HSE_URL_FLAGS_REQUIRE_CERT 64

// A client certificate is mapped to an account.
#define HSE_URL_FLAGS_MAP_CERT 128

// TLS with keys of 128 bits or more is required.
#define HSE_URL_FLAGS_SSL128 256

// Scripts may be run.
#define HSE_URL_FLAGS_SCRIPT 512

// All of `HSE_URL_FLAGS_*`.
#define HSE_URL_FLAGS_MASK 1023

// Drop the child's response headers.
#define HSE_EXEC_URL_NO_HEADERS 2

// Skip the wildcard mapping that led to this extension.
#define HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR 4

// Ignore conditional and range headers.
#define HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE 16

// No configured error pages for the child.
#define HSE_EXEC_URL_DISABLE_CUSTOM_ERROR 32

// The child is a command of a server-side include.
#define HSE_EXEC_URL_SSI_CMD 64

// The child's response may be cached by the server.
#define HSE_EXEC_URL_HTTP_CACHE_ELIGIBLE 128

// `HSE_VECTOR_ELEMENT.pvContext` points to bytes.
#define HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER 0

// `HSE_VECTOR_ELEMENT.pvContext` is an open file's `HANDLE`.
#define HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE 1

// The extension runs in the server's process.
#define HSE_APP_FLAG_IN_PROCESS 0

// The extension runs in a process of its own.
#define HSE_APP_FLAG_ISOLATED_OOP 1

// The extension runs in a process shared by applications.
#define HSE_APP_FLAG_POOLED_OOP 2

// Version of the filter contract, major number in the high word: 0x000A0000.
#define HTTP_FILTER_REVISION (10 << 16)

// Size of the buffer `HTTP_FILTER_AUTHENT.pszUser`.
#define SF_MAX_USERNAME 257

// Size of the buffer `HTTP_FILTER_AUTHENT.pszPassword`.
#define SF_MAX_PASSWORD 257

// Size of the longest authentication type.
#define SF_MAX_AUTH_TYPE 33

// Size of `HTTP_FILTER_VERSION.lpszFilterDesc`.
#define SF_MAX_FILTER_DESC_LEN 257

// Sends status line and headers. `pData` in: status or null; `ul1` in: header text or 0.
#define SF_REQ_SEND_RESPONSE_HEADER 0

// Header lines, each with its line end, for the response if access is denied. `pData` in: the text.
#define SF_REQ_ADD_HEADERS_ON_DENIAL 1

// Raw reads: `ul1` in: how many bytes to read next.
#define SF_REQ_SET_NEXT_READ_SIZE 2

// `ul1` in: 1 marks the request as one for a proxy.
#define SF_REQ_SET_PROXY_INFO 3

// Not supported since IIS 4. `pData` out: `DWORD`.
#define SF_REQ_GET_CONNID 4

// For filters that do TLS themselves: sets the certificate information.
#define SF_REQ_SET_CERTIFICATE_INFO 5

// Reads a property. `pData` out: its value; `ul1` in: `SF_PROPERTY_*`.
#define SF_REQ_GET_PROPERTY 6

// Canonicalizes a URL. `pData` in and out: the URL, changed in place.
#define SF_REQ_NORMALIZE_URL 7

// Stops notifications for the rest of the request. `ul1` in: `SF_NOTIFY_*`.
#define SF_REQ_DISABLE_NOTIFICATIONS 8

// The TLS context of the connection.
#define SF_PROPERTY_SSL_CTXT 0

// The site's number, a `DWORD`.
#define SF_PROPERTY_INSTANCE_NUM_ID 1

// The filter has answered; the server closes the connection.
#define SF_STATUS_REQ_FINISHED 134217728

// The filter has answered; the connection is kept if it can be.
#define SF_STATUS_REQ_FINISHED_KEEP_CONN 134217729

// The next filter is to be notified.
#define SF_STATUS_REQ_NEXT_NOTIFICATION 134217730

// The filter has handled the event; no other filter hears of it.
#define SF_STATUS_REQ_HANDLED_NOTIFICATION 134217731

// The filter failed; the last error tells why.
#define SF_STATUS_REQ_ERROR 134217732

// Raw reads: read more and notify again.
#define SF_STATUS_REQ_READ_NEXT 134217733

// The logon failed.
#define SF_DENIED_LOGON 1

// The resource's access list refused.
#define SF_DENIED_RESOURCE 2

// A filter refused.
#define SF_DENIED_FILTER 4

// An extension or CGI program refused.
#define SF_DENIED_APPLICATION 8

// With `SF_DENIED_LOGON`: the server's configuration is the reason.
#define SF_DENIED_BY_CONFIG 65536

// Notify for requests that came over TLS.
#define SF_NOTIFY_SECURE_PORT 1

// Notify for requests that did not come over TLS.
#define SF_NOTIFY_NONSECURE_PORT 2

// The response's headers are about to be sent: `HTTP_FILTER_SEND_RESPONSE`.
#define SF_NOTIFY_SEND_RESPONSE 64

// The request is over; no data.
#define SF_NOTIFY_END_OF_REQUEST 128

// The connection is closed; no data.
#define SF_NOTIFY_END_OF_NET_SESSION 256

// The log entry is about to be written: `HTTP_FILTER_LOG`.
#define SF_NOTIFY_LOG 512

// Bytes are about to be sent: `HTTP_FILTER_RAW_DATA`.
#define SF_NOTIFY_SEND_RAW_DATA 1024

// Access was denied: `HTTP_FILTER_ACCESS_DENIED`.
#define SF_NOTIFY_ACCESS_DENIED 2048

// The URL is being mapped to a file path: `HTTP_FILTER_URL_MAP_EX`.
#define SF_NOTIFY_URL_MAP 4096

// The client is being authenticated: `HTTP_FILTER_AUTHENT`.
#define SF_NOTIFY_AUTHENTICATION 8192

// The request's headers have been read: `HTTP_FILTER_PREPROC_HEADERS`.
#define SF_NOTIFY_PREPROC_HEADERS 16384

// Bytes have been received: `HTTP_FILTER_RAW_DATA`; refused since IIS 6.
#define SF_NOTIFY_READ_RAW_DATA 32768

// The client's identity is settled: `HTTP_FILTER_AUTH_COMPLETE_INFO`.
#define SF_NOTIFY_AUTH_COMPLETE 67108864

// Notify this filter late.
#define SF_NOTIFY_ORDER_LOW 131072

// Notify this filter between the two others.
#define SF_NOTIFY_ORDER_MEDIUM 262144

// Notify this filter early.
#define SF_NOTIFY_ORDER_HIGH 524288

// What a filter without a wish gets.
#define SF_NOTIFY_ORDER_DEFAULT SF_NOTIFY_ORDER_LOW

// All of the priorities.
#define SF_NOTIFY_ORDER_MASK ((SF_NOTIFY_ORDER_HIGH | SF_NOTIFY_ORDER_MEDIUM) | SF_NOTIFY_ORDER_LOW)

// The request: `lpvBuffer` is a DWORD that the server sets to 1. A server that answers TRUE promises that
// `GetServerVariable`, and `ServerSupportFunction` with SEND_RESPONSE_HEADER_EX (headers below 64 KiB) and
// DONE_WITH_SESSION, wait for nothing outside the process, and that it knows `HSE_IO_DO_NOT_WAIT`.
//
// A filter asks in the same way, with this number as `sfReq` and the DWORD as `pData`. TRUE promises that all calls of
// its context and data but `WriteClient`, SF_REQ_SEND_RESPONSE_HEADER and `GetUserToken` wait for nothing outside the
// process.
#define HSE_REQ_NEVER_WAITS 1886978049

// A flag of `WriteClient`: when the data cannot be taken at once, take none of it and fail with
// `WSAEWOULDBLOCK`(crate.win32.WSAEWOULDBLOCK).
#define HSE_IO_DO_NOT_WAIT 1073741824

// The request: `lpvBuffer` is a flag by value. 1 says that the calling thread goes on to finish other requests at once,
// so the server may wait a moment, at most some milliseconds, before it works off what this thread finishes, and then
// does it for several together. 0 ends that. The connection may be one that is over. Known to servers that know
// `HSE_REQ_NEVER_WAITS`.
#define HSE_REQ_FINISHING_MORE 1886978050

// No error.
#define ERROR_SUCCESS 0

// The function's number is not known.
#define ERROR_INVALID_FUNCTION 1

// No such file, or no configured error page.
#define ERROR_FILE_NOT_FOUND 2

// No such folder.
#define ERROR_PATH_NOT_FOUND 3

// Access is refused.
#define ERROR_ACCESS_DENIED 5

// A handle does not exist, or no more.
#define ERROR_INVALID_HANDLE 6

// Memory ran out.
#define ERROR_NOT_ENOUGH_MEMORY 8

// The data cannot be understood.
#define ERROR_INVALID_DATA 13

// A write failed.
#define ERROR_WRITE_FAULT 29

// A read failed.
#define ERROR_READ_FAULT 30

// The end of the file was reached.
#define ERROR_HANDLE_EOF 38

// This server does not do that.
#define ERROR_NOT_SUPPORTED 50

// The connection was closed by the server.
#define ERROR_NETNAME_DELETED 64

// An argument is wrong.
#define ERROR_INVALID_PARAMETER 87

// The other end is gone.
#define ERROR_BROKEN_PIPE 109

// The buffer is too small; its size argument tells how much is needed.
#define ERROR_INSUFFICIENT_BUFFER 122

// A library lacks an export.
#define ERROR_PROC_NOT_FOUND 127

// Something is in use.
#define ERROR_BUSY 170

// There is no value now.
#define ERROR_NO_DATA 232

// There is more than fits.
#define ERROR_MORE_DATA 234

// A wait ended without its event.
#define WAIT_TIMEOUT 258

// The operation was given up.
#define ERROR_OPERATION_ABORTED 995

// The operation runs on.
#define ERROR_IO_PENDING 997

// A library's initialization failed.
#define ERROR_DLL_INIT_FAILED 1114

// The element does not exist.
#define ERROR_NOT_FOUND 1168

// The operation was cancelled by who asked for it.
#define ERROR_CANCELLED 1223

// The connection was aborted by this machine.
#define ERROR_CONNECTION_ABORTED 1236

// The one called failed in itself.
#define ERROR_INTERNAL_ERROR 1359

// There is no such server variable.
#define ERROR_INVALID_INDEX 1413

// The time allowed is over.
#define ERROR_TIMEOUT 1460

// The call does not fit the present state.
#define ERROR_INVALID_STATE 5023

// A socket argument is wrong, such as an offset behind a file's end.
#define WSAEINVAL 10022

// It cannot be done at once, and was not to be waited for.
#define WSAEWOULDBLOCK 10035

// The connection was aborted.
#define WSAECONNABORTED 10053

// The client reset the connection.
#define WSAECONNRESET 10054

// The connection timed out.
#define WSAETIMEDOUT 10060

// `DWORD` of Windows.
typedef uint32_t DWORD;

// What an extension says of itself. The server owns it; valid during `GetExtensionVersion`.
typedef struct HSE_VERSION_INFO {
  // Out: the version the extension was written for, as `HSE_VERSION`.
  DWORD dwExtensionVersion;
  // Out: its description.
  char lpszExtensionDesc[HSE_MAX_EXT_DLL_NAME_LEN];
} HSE_VERSION_INFO;

// `HCONN`: the server's name for a request, opaque to the extension.
typedef void *HCONN;

// `BOOL` of Windows: zero is false, all else true.
typedef int32_t BOOL;

// Reads a variable of the request. `lpdwSize` in: the buffer's bytes, out: the value's with its NUL.
typedef BOOL (*PFN_GETSERVERVARIABLE)(HCONN hConn, char *lpszVariableName, void *lpvBuffer, DWORD *lpdwSize);

// Sends body bytes. `lpdwBytes` in: how many, out: how many were written; `dwReserved`: `HSE_IO_*`.
typedef BOOL (*PFN_WRITECLIENT)(HCONN ConnID, void *Buffer, DWORD *lpdwBytes, DWORD dwReserved);

// Reads body bytes, blocking. `lpdwSize` in: the buffer's bytes, out: how many came; 0 is the end.
typedef BOOL (*PFN_READCLIENT)(HCONN ConnID, void *lpvBuffer, DWORD *lpdwSize);

// Everything else, by number (`HSE_REQ_*`); the meaning of the last three arguments depends on it.
typedef BOOL (*PFN_SERVERSUPPORTFUNCTION)(HCONN hConn,
                                          DWORD dwHSERequest,
                                          void *lpvBuffer,
                                          DWORD *lpdwSize,
                                          DWORD *lpdwDataType);

// One request, as the extension sees it. The server owns it and all it points to; valid until
// `HttpExtensionProc` returns anything but pending, or until `HSE_REQ_DONE_WITH_SESSION`.
typedef struct EXTENSION_CONTROL_BLOCK {
  // In: size of this struct.
  DWORD cbSize;
  // In: the server's version, as `HSE_VERSION`.
  DWORD dwVersion;
  // In: the request, to be handed to every callback unchanged.
  HCONN ConnID;
  // Out: status for the log.
  DWORD dwHttpStatusCode;
  // Out: text for the log.
  char lpszLogData[HSE_LOG_BUFFER_LEN];
  // In: the method, such as `GET`.
  char *lpszMethod;
  // In: what follows `?` in the URL, not decoded.
  char *lpszQueryString;
  // In: the part of the path behind the script, decoded.
  char *lpszPathInfo;
  // In: the file path that `lpszPathInfo` maps to.
  char *lpszPathTranslated;
  // In: the body's bytes; `0xFFFFFFFF` when unknown or too many for the type.
  DWORD cbTotalBytes;
  // In: how many of them are already in `lpbData`.
  DWORD cbAvailable;
  // In: the first bytes of the body, which `ReadClient` does not deliver again; may be null if none.
  uint8_t *lpbData;
  // In: the body's content type.
  char *lpszContentType;
  // Reads a variable of the request.
  PFN_GETSERVERVARIABLE GetServerVariable;
  // Sends body bytes.
  PFN_WRITECLIENT WriteClient;
  // Reads body bytes.
  PFN_READCLIENT ReadClient;
  // Everything else.
  PFN_SERVERSUPPORTFUNCTION ServerSupportFunction;
} EXTENSION_CONTROL_BLOCK;

// Where a URL leads. The extension owns it, the server fills it.
typedef struct HSE_URL_MAPEX_INFO {
  // Out: the file path.
  char lpszPath[MAX_PATH];
  // Out: `HSE_URL_FLAGS_*`.
  DWORD dwFlags;
  // Out: how many characters of the path the virtual directory accounts for.
  DWORD cchMatchingPath;
  // Out: how many characters of the URL the virtual directory accounts for.
  DWORD cchMatchingURL;
  // Not used.
  DWORD dwReserved1;
  // Not used.
  DWORD dwReserved2;
} HSE_URL_MAPEX_INFO;

// `WCHAR` of Windows: a UTF-16 unit on every platform, never `wchar_t`.
typedef uint16_t WCHAR;

// `HSE_URL_MAPEX_INFO` in UTF-16, and without the two reserved members.
typedef struct HSE_UNICODE_URL_MAPEX_INFO {
  // Out: the file path.
  WCHAR lpszPath[MAX_PATH];
  // Out: `HSE_URL_FLAGS_*`.
  DWORD dwFlags;
  // Out: how many characters of the path the virtual directory accounts for.
  DWORD cchMatchingPath;
  // Out: how many characters of the URL the virtual directory accounts for.
  DWORD cchMatchingURL;
} HSE_UNICODE_URL_MAPEX_INFO;

// The extension's completion callback, on any server thread; once per accepted operation.
typedef void (*PFN_HSE_IO_COMPLETION)(struct EXTENSION_CONTROL_BLOCK *pECB,
                                      void *pContext,
                                      DWORD cbIO,
                                      DWORD dwError);

// `HANDLE` of Windows. On Unix a file's descriptor, widened.
typedef void *HANDLE;

// A file to send. The extension owns it and all it points to, until the completion.
typedef struct HSE_TF_INFO {
  // In: completion callback for this send, or null for the registered one.
  PFN_HSE_IO_COMPLETION pfnHseIO;
  // In: its context.
  void *pContext;
  // In: the open file.
  HANDLE hFile;
  // In: status line's text, or null for `200 OK`; used with `HSE_IO_SEND_HEADERS`.
  const char *pszStatusCode;
  // In: how many bytes of the file; 0 for all from `Offset` on.
  DWORD BytesToWrite;
  // In: the first byte to send.
  DWORD Offset;
  // In: bytes before the file, or the NUL-terminated headers with `HSE_IO_SEND_HEADERS`; may be null.
  void *pHead;
  // In: size of `pHead`.
  DWORD HeadLength;
  // In: bytes after the file; may be null.
  void *pTail;
  // In: size of `pTail`.
  DWORD TailLength;
  // In: `HSE_IO_*`.
  DWORD dwFlags;
} HSE_TF_INFO;

// Status and headers to send. The extension owns it; needed for the call only.
typedef struct HSE_SEND_HEADER_EX_INFO {
  // In: the status line's text, such as `200 OK`.
  const char *pszStatus;
  // In: header lines up to and with an empty one.
  const char *pszHeader;
  // In: length of `pszStatus` without a terminator.
  DWORD cchStatus;
  // In: length of `pszHeader` without a terminator.
  DWORD cchHeader;
  // In: zero closes the connection after the response.
  BOOL fKeepConn;
} HSE_SEND_HEADER_EX_INFO;

// Whom a child request runs as. The extension owns it and all it points to.
typedef struct HSE_EXEC_URL_USER_INFO {
  // In: the user's token.
  HANDLE hImpersonationToken;
  // In: the user's name.
  char *pszCustomUserName;
  // In: the authentication type.
  char *pszCustomAuthType;
} HSE_EXEC_URL_USER_INFO;

// The body of a child request. The extension owns it and the bytes.
typedef struct HSE_EXEC_URL_ENTITY_INFO {
  // In: size of `lpbData`.
  DWORD cbAvailable;
  // In: the body.
  void *lpbData;
} HSE_EXEC_URL_ENTITY_INFO;

// How a child request ended. The extension owns it, the server fills it.
typedef struct HSE_EXEC_URL_STATUS {
  // Out: HTTP status.
  uint16_t uHttpStatusCode;
  // Out: sub-status, the 1 of 401.1.
  uint16_t uHttpSubStatus;
  // Out: a Win32 code, 0 for none.
  DWORD dwWin32Error;
} HSE_EXEC_URL_STATUS;

// Pointer to `HSE_EXEC_URL_USER_INFO`.
typedef struct HSE_EXEC_URL_USER_INFO *LPHSE_EXEC_URL_USER_INFO;

// Pointer to `HSE_EXEC_URL_ENTITY_INFO`.
typedef struct HSE_EXEC_URL_ENTITY_INFO *LPHSE_EXEC_URL_ENTITY_INFO;

// A child request. The extension owns it and all it points to, until the completion.
typedef struct HSE_EXEC_URL_INFO {
  // In: the URL, or null for this request's own.
  char *pszUrl;
  // In: the method, or null for the parent's.
  char *pszMethod;
  // In: all of the child's headers, or null for the parent's.
  char *pszChildHeaders;
  // In: the user, or null for the parent's.
  LPHSE_EXEC_URL_USER_INFO pUserInfo;
  // In: the body, or null for what the parent has not read.
  LPHSE_EXEC_URL_ENTITY_INFO pEntity;
  // In: `HSE_EXEC_URL_*`.
  DWORD dwExecUrlFlags;
} HSE_EXEC_URL_INFO;

// `HSE_EXEC_URL_USER_INFO` with the name in UTF-16; the type stays bytes.
typedef struct HSE_EXEC_UNICODE_URL_USER_INFO {
  // In: the user's token.
  HANDLE hImpersonationToken;
  // In: the user's name.
  WCHAR *pszCustomUserName;
  // In: the authentication type.
  char *pszCustomAuthType;
} HSE_EXEC_UNICODE_URL_USER_INFO;

// Pointer to `HSE_EXEC_UNICODE_URL_USER_INFO`.
typedef struct HSE_EXEC_UNICODE_URL_USER_INFO *LPHSE_EXEC_UNICODE_URL_USER_INFO;

// `HSE_EXEC_URL_INFO` with the URL in UTF-16; method and headers stay bytes.
typedef struct HSE_EXEC_UNICODE_URL_INFO {
  // In: the URL, or null for this request's own.
  WCHAR *pszUrl;
  // In: the method, or null for the parent's.
  char *pszMethod;
  // In: all of the child's headers, or null for the parent's.
  char *pszChildHeaders;
  // In: the user, or null for the parent's.
  LPHSE_EXEC_UNICODE_URL_USER_INFO pUserInfo;
  // In: the body, or null for what the parent has not read.
  LPHSE_EXEC_URL_ENTITY_INFO pEntity;
  // In: `HSE_EXEC_URL_*`.
  DWORD dwExecUrlFlags;
} HSE_EXEC_UNICODE_URL_INFO;

// Which configured error page to send. The extension owns it.
typedef struct HSE_CUSTOM_ERROR_INFO {
  // In: the status line's text, such as `404 Not Found`.
  char *pszStatus;
  // In: the sub-status.
  uint16_t uHttpSubError;
  // In: non-zero to be told through the completion callback.
  BOOL fAsync;
} HSE_CUSTOM_ERROR_INFO;

// One piece of a vector send: bytes or a part of a file.
typedef struct HSE_VECTOR_ELEMENT {
  // In: `HSE_VECTOR_ELEMENT_TYPE_*`.
  DWORD ElementType;
  // In: pointer to the bytes, or the file's `HANDLE`; the extension's until the completion.
  void *pvContext;
  // In: the first byte to send, counted from the start of buffer or file.
  uint64_t cbOffset;
  // In: how many bytes; 0 means the whole file and is invalid for memory.
  uint64_t cbSize;
} HSE_VECTOR_ELEMENT;

// Pointer to `HSE_VECTOR_ELEMENT`.
typedef struct HSE_VECTOR_ELEMENT *LPHSE_VECTOR_ELEMENT;

// A vector send. The extension owns it and all it points to, until the completion.
typedef struct HSE_RESPONSE_VECTOR {
  // In: `HSE_IO_*`, with exactly one of `HSE_IO_SYNC` and `HSE_IO_ASYNC`.
  DWORD dwFlags;
  // In: the status line's text with `HSE_IO_SEND_HEADERS`, else null.
  char *pszStatus;
  // In: header lines with `HSE_IO_SEND_HEADERS`, else null.
  char *pszHeaders;
  // In: how many elements.
  DWORD nElementCount;
  // In: the first of them.
  LPHSE_VECTOR_ELEMENT lpElementArray;
} HSE_RESPONSE_VECTOR;

// A certificate (of `wincrypt.h`, which `httpext.h` includes).
typedef struct CERT_CONTEXT {
  // Out: the kind of encoding; 1 is X.509.
  DWORD dwCertEncodingType;
  // The encoded certificate; the extension provides the buffer.
  uint8_t *pbCertEncoded;
  // Out: its bytes.
  DWORD cbCertEncoded;
  // Not filled here: `CERT_INFO` of the Windows API.
  void *pCertInfo;
  // Not filled here: a certificate store of the Windows API.
  void *hCertStore;
} CERT_CONTEXT;

// The client's certificate. The extension owns it and the buffer, the server fills both.
typedef struct CERT_CONTEXT_EX {
  // In and out: the certificate.
  struct CERT_CONTEXT CertContext;
  // In: size of the buffer that `CertContext.pbCertEncoded` points to.
  DWORD cbAllocated;
  // Out: flags of the certificate.
  DWORD dwCertificateFlags;
} CERT_CONTEXT_EX;

// The trace identity of a request. The extension owns it, the server fills it.
typedef struct HSE_TRACE_INFO {
  // Out: non-zero when this request is traced.
  BOOL fTraceRequest;
  // Out: the identity, a GUID's bytes.
  uint8_t TraceContextId[16];
  // Not used.
  DWORD dwReserved1;
  // Not used.
  DWORD dwReserved2;
} HSE_TRACE_INFO;

// What a filter says of itself; valid during `GetFilterVersion`.
typedef struct HTTP_FILTER_VERSION {
  // In: the server's version, as `HTTP_FILTER_REVISION`.
  DWORD dwServerFilterVersion;
  // Out: the version the filter was written for.
  DWORD dwFilterVersion;
  // Out: its description.
  char lpszFilterDesc[SF_MAX_FILTER_DESC_LEN];
  // Out: `SF_NOTIFY_*`, with one `SF_NOTIFY_ORDER_*`.
  DWORD dwFlags;
} HTTP_FILTER_VERSION;

// Reads a variable of the request. `lpdwSize` in: the buffer's bytes, out: the value's with its NUL.
typedef BOOL (*PFN_SF_GETSERVERVARIABLE)(struct HTTP_FILTER_CONTEXT *pfc,
                                         char *lpszVariableName,
                                         void *lpvBuffer,
                                         DWORD *lpdwSize);

// Adds header lines, each with its line end, to the response.
typedef BOOL (*PFN_SF_ADDRESPONSEHEADERS)(struct HTTP_FILTER_CONTEXT *pfc, char *lpszHeaders, DWORD dwReserved);

// Sends bytes as they are, blocking. `lpdwBytes` in: how many, out: how many were written.
typedef BOOL (*PFN_SF_WRITECLIENT)(struct HTTP_FILTER_CONTEXT *pfc,
                                   void *Buffer,
                                   DWORD *lpdwBytes,
                                   DWORD dwReserved);

// Gives memory that the server frees, at the latest when the connection is closed; null when there is none.
typedef void *(*PFN_SF_ALLOCMEM)(struct HTTP_FILTER_CONTEXT *pfc, DWORD cbSize, DWORD dwReserved);

// A request number; in Microsoft's header an `enum` of that name.
typedef uint32_t SF_REQ_TYPE;

// `ULONG_PTR` of Windows: an integer as wide as a pointer.
typedef uintptr_t ULONG_PTR;

// Everything else, by number (`SF_REQ_*`); the meaning of the last three arguments depends on it.
typedef BOOL (*PFN_SF_SERVERSUPPORTFUNCTION)(struct HTTP_FILTER_CONTEXT *pfc,
                                             SF_REQ_TYPE sfReq,
                                             void *pData,
                                             ULONG_PTR ul1,
                                             ULONG_PTR ul2);

// One request (or connection) as the filter sees it.
typedef struct HTTP_FILTER_CONTEXT {
  // In: size of this struct.
  DWORD cbSize;
  // In: the server's version, as `HTTP_FILTER_REVISION`.
  DWORD Revision;
  // The server's own; not to be touched.
  void *ServerContext;
  // Not used.
  DWORD ulReserved;
  // In: non-zero when the request came over TLS.
  BOOL fIsSecurePort;
  // In and out: the filter's own, kept for the connection; null at first.
  void *pFilterContext;
  // Reads a variable of the request.
  PFN_SF_GETSERVERVARIABLE GetServerVariable;
  // Adds header lines to the response.
  PFN_SF_ADDRESPONSEHEADERS AddResponseHeaders;
  // Sends bytes as they are.
  PFN_SF_WRITECLIENT WriteClient;
  // Gives memory that the server frees.
  PFN_SF_ALLOCMEM AllocMem;
  // Everything else.
  PFN_SF_SERVERSUPPORTFUNCTION ServerSupportFunction;
} HTTP_FILTER_CONTEXT;

// Bytes on their way to or from the client.
typedef struct HTTP_FILTER_RAW_DATA {
  // In and out: the bytes.
  void *pvInData;
  // In and out: how many of them count.
  DWORD cbInData;
  // In and out: size of the buffer.
  DWORD cbInBuffer;
  // Not used.
  DWORD dwReserved;
} HTTP_FILTER_RAW_DATA;

// Reads a header, its name given with the colon (`Host:`). `lpdwSize` as in `PFN_SF_GETSERVERVARIABLE`.
typedef BOOL (*PFN_SF_GETHEADER)(struct HTTP_FILTER_CONTEXT *pfc,
                                 char *lpszName,
                                 void *lpvBuffer,
                                 DWORD *lpdwSize);

// Replaces a header, its name given with the colon; an empty value deletes it.
typedef BOOL (*PFN_SF_SETHEADER)(struct HTTP_FILTER_CONTEXT *pfc, char *lpszName, char *lpszValue);

// Adds a header, its name given with the colon.
typedef BOOL (*PFN_SF_ADDHEADER)(struct HTTP_FILTER_CONTEXT *pfc, char *lpszName, char *lpszValue);

// Access to the headers, of the request or (as `HTTP_FILTER_SEND_RESPONSE`) of the response.
typedef struct HTTP_FILTER_PREPROC_HEADERS {
  // Reads a header, or without a colon `method`, `url`, `version`; of a response `status`.
  PFN_SF_GETHEADER GetHeader;
  // Replaces or deletes a header.
  PFN_SF_SETHEADER SetHeader;
  // Adds a header.
  PFN_SF_ADDHEADER AddHeader;
  // In: the response's status; 0 before there is one.
  DWORD HttpStatus;
  // Not used.
  DWORD dwReserved;
} HTTP_FILTER_PREPROC_HEADERS;

// Name and password the client sent; empty for an anonymous request.
typedef struct HTTP_FILTER_AUTHENT {
  // In and out: the user's name, in a buffer of `SF_MAX_USERNAME` bytes.
  char *pszUser;
  // In: size of that buffer.
  DWORD cbUserBuff;
  // In and out: the password, in a buffer of `SF_MAX_PASSWORD` bytes.
  char *pszPassword;
  // In: size of that buffer.
  DWORD cbPasswordBuff;
} HTTP_FILTER_AUTHENT;

// Where a URL leads; the first members of `HTTP_FILTER_URL_MAP_EX`.
typedef struct HTTP_FILTER_URL_MAP {
  // In: the URL.
  const char *pszURL;
  // In and out: the file path, in the server's buffer.
  char *pszPhysicalPath;
  // In: size of that buffer.
  DWORD cbPathBuff;
} HTTP_FILTER_URL_MAP;

// Where a URL leads, and how.
typedef struct HTTP_FILTER_URL_MAP_EX {
  // In: the URL.
  const char *pszURL;
  // In and out: the file path, in the server's buffer.
  char *pszPhysicalPath;
  // In: size of that buffer.
  DWORD cbPathBuff;
  // In: `HSE_URL_FLAGS_*`.
  DWORD dwFlags;
  // In: how many characters of the path the virtual directory accounts for.
  DWORD cchMatchingPath;
  // In: how many characters of the URL the virtual directory accounts for.
  DWORD cchMatchingURL;
  // In: the script mapping that matched.
  const char *pszScriptMapEntry;
} HTTP_FILTER_URL_MAP_EX;

// A denial.
typedef struct HTTP_FILTER_ACCESS_DENIED {
  // In: the URL.
  const char *pszURL;
  // In: the file path it leads to.
  const char *pszPhysicalPath;
  // In: `SF_DENIED_*`.
  DWORD dwReason;
} HTTP_FILTER_ACCESS_DENIED;

// The log entry. A filter may replace the pointers, not write through them.
typedef struct HTTP_FILTER_LOG {
  // In and out: the client's name or address.
  const char *pszClientHostName;
  // In and out: the user's name.
  const char *pszClientUserName;
  // In and out: the server's name.
  const char *pszServerName;
  // In and out: the method.
  const char *pszOperation;
  // In and out: the URL's path.
  const char *pszTarget;
  // In and out: the query.
  const char *pszParameters;
  // In and out: the HTTP status.
  DWORD dwHttpStatus;
  // In and out: the Win32 code.
  DWORD dwWin32Status;
  // In: bytes sent.
  DWORD dwBytesSent;
  // In: bytes received.
  DWORD dwBytesRecvd;
  // In: how long it took, in milliseconds.
  DWORD msTimeForProcessing;
} HTTP_FILTER_LOG;

// Gives the authenticated user's token.
typedef BOOL (*PFN_SF_GETUSERTOKEN)(struct HTTP_FILTER_CONTEXT *pfc, HANDLE *phToken);

// Access to the request once the client's identity is settled.
typedef struct HTTP_FILTER_AUTH_COMPLETE_INFO {
  // Reads a header of the request.
  PFN_SF_GETHEADER GetHeader;
  // Replaces or deletes a header.
  PFN_SF_SETHEADER SetHeader;
  // Adds a header.
  PFN_SF_ADDHEADER AddHeader;
  // Gives the user's token.
  PFN_SF_GETUSERTOKEN GetUserToken;
  // In: the response's status; 0 before there is one.
  DWORD HttpStatus;
  // Out: non-zero to authenticate once more.
  BOOL fResetAuth;
  // Not used.
  DWORD dwReserved;
} HTTP_FILTER_AUTH_COMPLETE_INFO;

// `HRESULT` of Windows: negative is failure.
typedef int32_t HRESULT;

// Removes a URL, NUL-terminated UTF-16, from the server's cache.
typedef HRESULT (*PFN_HSE_CACHE_INVALIDATION_CALLBACK)(WCHAR *pszUrl);

// Asks a protocol manager's library for one of its interfaces.
typedef HRESULT (*PFN_HSE_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK)(const WCHAR *pszProtocolManagerDll,
                                                                          const WCHAR *pszProtocolManagerDllInitFunction,
                                                                          DWORD dwCustomInterfaceId,
                                                                          void **ppCustomInterface);

// `GetExtensionVersion`: fills the struct; `FALSE` refuses to be loaded.
typedef BOOL (*PFN_GETEXTENSIONVERSION)(struct HSE_VERSION_INFO *pVer);

// `HttpExtensionProc`: serves one request and returns one of `HSE_STATUS_*`.
typedef DWORD (*PFN_HTTPEXTENSIONPROC)(struct EXTENSION_CONTROL_BLOCK *pECB);

// `TerminateExtension`, optional: releases what the extension holds; `dwFlags`: `HSE_TERM_*`.
typedef BOOL (*PFN_TERMINATEEXTENSION)(DWORD dwFlags);

// Pointer to `HSE_VERSION_INFO`.
typedef struct HSE_VERSION_INFO *LPHSE_VERSION_INFO;

// Pointer to `EXTENSION_CONTROL_BLOCK`.
typedef struct EXTENSION_CONTROL_BLOCK *LPEXTENSION_CONTROL_BLOCK;

// Pointer to `HSE_URL_MAPEX_INFO`.
typedef struct HSE_URL_MAPEX_INFO *LPHSE_URL_MAPEX_INFO;

// Pointer to `HSE_UNICODE_URL_MAPEX_INFO`.
typedef struct HSE_UNICODE_URL_MAPEX_INFO *LPHSE_UNICODE_URL_MAPEX_INFO;

// Pointer to `HSE_TF_INFO`.
typedef struct HSE_TF_INFO *LPHSE_TF_INFO;

// Pointer to `HSE_SEND_HEADER_EX_INFO`.
typedef struct HSE_SEND_HEADER_EX_INFO *LPHSE_SEND_HEADER_EX_INFO;

// Pointer to `HSE_EXEC_URL_STATUS`.
typedef struct HSE_EXEC_URL_STATUS *LPHSE_EXEC_URL_STATUS;

// Pointer to `HSE_EXEC_URL_INFO`.
typedef struct HSE_EXEC_URL_INFO *LPHSE_EXEC_URL_INFO;

// Pointer to `HSE_EXEC_UNICODE_URL_INFO`.
typedef struct HSE_EXEC_UNICODE_URL_INFO *LPHSE_EXEC_UNICODE_URL_INFO;

// Pointer to `HSE_CUSTOM_ERROR_INFO`.
typedef struct HSE_CUSTOM_ERROR_INFO *LPHSE_CUSTOM_ERROR_INFO;

// Pointer to `HSE_RESPONSE_VECTOR`.
typedef struct HSE_RESPONSE_VECTOR *LPHSE_RESPONSE_VECTOR;

// Pointer to `HSE_TRACE_INFO`.
typedef struct HSE_TRACE_INFO *LPHSE_TRACE_INFO;

// A property number; in Microsoft's header an `enum` of that name.
typedef uint32_t SF_PROPERTY_IIS;

// A result; in Microsoft's header an `enum` of that name.
typedef uint32_t SF_STATUS_TYPE;

// `GetFilterVersion`: fills the struct; `FALSE` refuses to be loaded.
typedef BOOL (*PFN_GETFILTERVERSION)(struct HTTP_FILTER_VERSION *pVer);

// `HttpFilterProc`: handles one notification and returns one of `SF_STATUS_*`.
typedef DWORD (*PFN_HTTPFILTERPROC)(struct HTTP_FILTER_CONTEXT *pfc,
                                    DWORD NotificationType,
                                    void *pvNotification);

// `TerminateFilter`, optional: releases what the filter holds.
typedef BOOL (*PFN_TERMINATEFILTER)(DWORD dwFlags);

// Pointer to `HTTP_FILTER_VERSION`.
typedef struct HTTP_FILTER_VERSION *PHTTP_FILTER_VERSION;

// Pointer to `HTTP_FILTER_CONTEXT`.
typedef struct HTTP_FILTER_CONTEXT *PHTTP_FILTER_CONTEXT;

// Pointer to `HTTP_FILTER_RAW_DATA`.
typedef struct HTTP_FILTER_RAW_DATA *PHTTP_FILTER_RAW_DATA;

// Pointer to `HTTP_FILTER_PREPROC_HEADERS`.
typedef struct HTTP_FILTER_PREPROC_HEADERS *PHTTP_FILTER_PREPROC_HEADERS;

// The same struct, for `SF_NOTIFY_SEND_RESPONSE`.
typedef struct HTTP_FILTER_PREPROC_HEADERS HTTP_FILTER_SEND_RESPONSE;

// Pointer to `HTTP_FILTER_SEND_RESPONSE`.
typedef struct HTTP_FILTER_PREPROC_HEADERS *PHTTP_FILTER_SEND_RESPONSE;

// Pointer to `HTTP_FILTER_AUTHENT`.
typedef struct HTTP_FILTER_AUTHENT *PHTTP_FILTER_AUTHENT;

// Pointer to `HTTP_FILTER_URL_MAP`.
typedef struct HTTP_FILTER_URL_MAP *PHTTP_FILTER_URL_MAP;

// Pointer to `HTTP_FILTER_URL_MAP_EX`.
typedef struct HTTP_FILTER_URL_MAP_EX *PHTTP_FILTER_URL_MAP_EX;

// Pointer to `HTTP_FILTER_ACCESS_DENIED`.
typedef struct HTTP_FILTER_ACCESS_DENIED *PHTTP_FILTER_ACCESS_DENIED;

// Pointer to `HTTP_FILTER_LOG`.
typedef struct HTTP_FILTER_LOG *PHTTP_FILTER_LOG;

// Pointer to `HTTP_FILTER_AUTH_COMPLETE_INFO`.
typedef struct HTTP_FILTER_AUTH_COMPLETE_INFO *PHTTP_FILTER_AUTH_COMPLETE_INFO;
/* ---- Names of the Windows API that ISAPI sources use ---------------------------------------- */

#define VOID void
#define MAKELONG(low, high) ((DWORD)((uint16_t)(low) | ((DWORD)(uint16_t)(high) << 16)))

typedef char CHAR;
typedef unsigned char BYTE;
typedef uint16_t USHORT;
typedef uint64_t ULONGLONG;
typedef void *PVOID;
typedef void *LPVOID;
typedef BYTE *LPBYTE;
typedef DWORD *LPDWORD;
typedef char *LPSTR;
typedef const char *LPCSTR;
typedef WCHAR *LPWSTR;
typedef const WCHAR *LPCWSTR;

static inline DWORD GetLastError(void) { return (DWORD)errno; }
static inline void SetLastError(DWORD code) { errno = (int)code; }

/* ---- The entry points to implement ---------------------------------------------------------- */

ISAPI_EXPORT BOOL WINAPI GetExtensionVersion(HSE_VERSION_INFO *pVer);
ISAPI_EXPORT DWORD WINAPI HttpExtensionProc(EXTENSION_CONTROL_BLOCK *pECB);
ISAPI_EXPORT BOOL WINAPI TerminateExtension(DWORD dwFlags);

ISAPI_EXPORT BOOL WINAPI GetFilterVersion(HTTP_FILTER_VERSION *pVer);
ISAPI_EXPORT DWORD WINAPI HttpFilterProc(HTTP_FILTER_CONTEXT *pfc, DWORD NotificationType, VOID *pvNotification);
ISAPI_EXPORT BOOL WINAPI TerminateFilter(DWORD dwFlags);

#ifdef __cplusplus
}
#endif

#endif /* ISAPI_H */

//! Compares the value of every constant with two oracles: the crate `windows-sys` and mingw-w64's
//! headers. The lists below name the constants; one test checks that none is missing from them.

mod mingw;

use std::fmt::Write;

type Constants = Vec<(&'static str, u64)>;

/// The version constants, which mingw-w64's headers have from an older Windows (6.0).
const OLDER_IN_MINGW: &[&str] = &["HSE_VERSION_MAJOR", "HSE_VERSION", "HTTP_FILTER_REVISION"];

macro_rules! values {
    ($($name:ident,)*) => { vec![$((stringify!($name), $name as u64),)*] };
}

/// Calls the macro `$check` with the constants of `httpext.h` and `httpfilt.h`.
macro_rules! for_each_isapi_constant {
    ($check:ident) => {
        $check! {
            HSE_VERSION_MAJOR, HSE_VERSION_MINOR, HSE_LOG_BUFFER_LEN, HSE_MAX_EXT_DLL_NAME_LEN,
            HSE_STATUS_SUCCESS, HSE_STATUS_SUCCESS_AND_KEEP_CONN, HSE_STATUS_PENDING, HSE_STATUS_ERROR,
            HSE_REQ_BASE, HSE_REQ_SEND_URL_REDIRECT_RESP, HSE_REQ_SEND_URL,
            HSE_REQ_SEND_RESPONSE_HEADER, HSE_REQ_DONE_WITH_SESSION, HSE_REQ_END_RESERVED,
            HSE_REQ_MAP_URL_TO_PATH, HSE_REQ_GET_SSPI_INFO, HSE_APPEND_LOG_PARAMETER,
            HSE_REQ_IO_COMPLETION, HSE_REQ_TRANSMIT_FILE, HSE_REQ_REFRESH_ISAPI_ACL,
            HSE_REQ_IS_KEEP_CONN, HSE_REQ_ASYNC_READ_CLIENT, HSE_REQ_GET_IMPERSONATION_TOKEN,
            HSE_REQ_MAP_URL_TO_PATH_EX, HSE_REQ_ABORTIVE_CLOSE, HSE_REQ_GET_CERT_INFO_EX,
            HSE_REQ_SEND_RESPONSE_HEADER_EX, HSE_REQ_CLOSE_CONNECTION, HSE_REQ_IS_CONNECTED,
            HSE_REQ_MAP_UNICODE_URL_TO_PATH, HSE_REQ_MAP_UNICODE_URL_TO_PATH_EX,
            HSE_REQ_EXEC_UNICODE_URL, HSE_REQ_EXEC_URL, HSE_REQ_GET_EXEC_URL_STATUS,
            HSE_REQ_SEND_CUSTOM_ERROR, HSE_REQ_IS_IN_PROCESS, HSE_REQ_REPORT_UNHEALTHY,
            HSE_REQ_NORMALIZE_URL, HSE_REQ_VECTOR_SEND, HSE_REQ_GET_ANONYMOUS_TOKEN,
            HSE_REQ_GET_CACHE_INVALIDATION_CALLBACK, HSE_REQ_GET_UNICODE_ANONYMOUS_TOKEN,
            HSE_REQ_GET_TRACE_INFO, HSE_REQ_SET_FLUSH_FLAG, HSE_REQ_GET_TRACE_INFO_EX,
            HSE_REQ_RAISE_TRACE_EVENT, HSE_REQ_GET_CONFIG_OBJECT, HSE_REQ_GET_WORKER_PROCESS_SETTINGS,
            HSE_REQ_GET_PROTOCOL_MANAGER_CUSTOM_INTERFACE_CALLBACK, HSE_REQ_CANCEL_IO,
            HSE_REQ_GET_CHANNEL_BINDING_TOKEN, HSE_TERM_ADVISORY_UNLOAD, HSE_TERM_MUST_UNLOAD,
            HSE_IO_SYNC, HSE_IO_ASYNC, HSE_IO_DISCONNECT_AFTER_SEND, HSE_IO_SEND_HEADERS,
            HSE_IO_FINAL_SEND, HSE_IO_CACHE_RESPONSE, HSE_IO_TRY_SKIP_CUSTOM_ERRORS, HSE_IO_NODELAY,
            HSE_URL_FLAGS_READ, HSE_URL_FLAGS_WRITE, HSE_URL_FLAGS_EXECUTE, HSE_URL_FLAGS_SSL,
            HSE_URL_FLAGS_DONT_CACHE, HSE_URL_FLAGS_NEGO_CERT, HSE_URL_FLAGS_REQUIRE_CERT,
            HSE_URL_FLAGS_MAP_CERT, HSE_URL_FLAGS_SSL128, HSE_URL_FLAGS_SCRIPT, HSE_URL_FLAGS_MASK,
            HSE_EXEC_URL_NO_HEADERS, HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR,
            HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE, HSE_EXEC_URL_DISABLE_CUSTOM_ERROR,
            HSE_EXEC_URL_SSI_CMD, HSE_EXEC_URL_HTTP_CACHE_ELIGIBLE,
            HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER, HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE,
            HSE_APP_FLAG_IN_PROCESS, HSE_APP_FLAG_ISOLATED_OOP, HSE_APP_FLAG_POOLED_OOP,

            SF_MAX_USERNAME, SF_MAX_PASSWORD, SF_MAX_AUTH_TYPE, SF_MAX_FILTER_DESC_LEN,
            SF_REQ_SEND_RESPONSE_HEADER, SF_REQ_ADD_HEADERS_ON_DENIAL, SF_REQ_SET_NEXT_READ_SIZE,
            SF_REQ_SET_PROXY_INFO, SF_REQ_GET_CONNID, SF_REQ_SET_CERTIFICATE_INFO, SF_REQ_GET_PROPERTY,
            SF_REQ_NORMALIZE_URL, SF_REQ_DISABLE_NOTIFICATIONS, SF_PROPERTY_SSL_CTXT,
            SF_PROPERTY_INSTANCE_NUM_ID, SF_STATUS_REQ_FINISHED, SF_STATUS_REQ_FINISHED_KEEP_CONN,
            SF_STATUS_REQ_NEXT_NOTIFICATION, SF_STATUS_REQ_HANDLED_NOTIFICATION, SF_STATUS_REQ_ERROR,
            SF_STATUS_REQ_READ_NEXT, SF_DENIED_LOGON, SF_DENIED_RESOURCE, SF_DENIED_FILTER,
            SF_DENIED_APPLICATION, SF_DENIED_BY_CONFIG, SF_NOTIFY_SECURE_PORT, SF_NOTIFY_NONSECURE_PORT,
            SF_NOTIFY_SEND_RESPONSE, SF_NOTIFY_END_OF_REQUEST, SF_NOTIFY_END_OF_NET_SESSION,
            SF_NOTIFY_LOG, SF_NOTIFY_SEND_RAW_DATA, SF_NOTIFY_ACCESS_DENIED, SF_NOTIFY_URL_MAP,
            SF_NOTIFY_AUTHENTICATION, SF_NOTIFY_PREPROC_HEADERS, SF_NOTIFY_READ_RAW_DATA,
            SF_NOTIFY_AUTH_COMPLETE, SF_NOTIFY_ORDER_LOW, SF_NOTIFY_ORDER_MEDIUM, SF_NOTIFY_ORDER_HIGH,
            SF_NOTIFY_ORDER_DEFAULT,
        }
    };
}

/// Calls the macro `$check` with the error codes that `windows-sys` has as such.
macro_rules! for_each_win32_code {
    ($check:ident) => {
        $check! {
            ERROR_SUCCESS, ERROR_INVALID_FUNCTION, ERROR_FILE_NOT_FOUND, ERROR_PATH_NOT_FOUND,
            ERROR_ACCESS_DENIED, ERROR_INVALID_HANDLE, ERROR_NOT_ENOUGH_MEMORY, ERROR_INVALID_DATA,
            ERROR_WRITE_FAULT, ERROR_READ_FAULT, ERROR_HANDLE_EOF, ERROR_NOT_SUPPORTED,
            ERROR_NETNAME_DELETED, ERROR_INVALID_PARAMETER, ERROR_BROKEN_PIPE,
            ERROR_INSUFFICIENT_BUFFER, ERROR_PROC_NOT_FOUND, ERROR_BUSY, ERROR_NO_DATA, ERROR_MORE_DATA,
            WAIT_TIMEOUT, ERROR_OPERATION_ABORTED, ERROR_IO_PENDING, ERROR_DLL_INIT_FAILED,
            ERROR_NOT_FOUND, ERROR_CANCELLED, ERROR_CONNECTION_ABORTED, ERROR_INVALID_INDEX,
            ERROR_TIMEOUT, ERROR_INTERNAL_ERROR, ERROR_INVALID_STATE,
        }
    };
}

fn ours() -> Constants {
    use isapi_abi::httpext::*;
    use isapi_abi::httpfilt::*;
    use isapi_abi::win32::*;
    let mut constants: Constants = for_each_isapi_constant!(values);
    constants.extend::<Constants>(for_each_win32_code!(values));
    constants
}

fn windows_sys() -> Constants {
    use windows_sys::Win32::Foundation::*;
    use windows_sys::Win32::System::Iis::*;
    let mut constants: Constants = for_each_isapi_constant!(values);
    constants.extend::<Constants>(for_each_win32_code!(values));
    constants
}

/// Constants of ours that `windows-sys` does not have, or not in a feature asked for here.
fn ours_alone() -> Constants {
    use isapi_abi::httpext::*;
    use isapi_abi::httpfilt::*;
    use isapi_abi::win32::*;
    values![
        HSE_VERSION,
        HTTP_FILTER_REVISION,
        SF_NOTIFY_ORDER_MASK,
        WSAEINVAL,
        WSAEWOULDBLOCK,
        WSAECONNABORTED,
        WSAECONNRESET,
        WSAETIMEDOUT,
    ]
}

#[test]
fn values_are_those_of_windows_sys() {
    assert_eq!(ours(), windows_sys());
}

#[test]
fn versions_are_those_of_the_windows_10_sdk() {
    assert_eq!(isapi_abi::httpext::HSE_VERSION, 0x0008_0000);
    assert_eq!(isapi_abi::httpfilt::HTTP_FILTER_REVISION, 0x000a_0000);
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no compiler")]
fn values_are_those_of_mingw() {
    let mut source = mingw::INCLUDES.to_owned();
    for (name, value) in ours().into_iter().chain(ours_alone()) {
        if !OLDER_IN_MINGW.contains(&name) {
            writeln!(source, "_Static_assert({name} == {value}, \"{name} is not {value}\");")
                .expect("a String accepts all text");
        }
    }
    mingw::compile(&source, &["-fsyntax-only"]);
}

#[test]
#[cfg_attr(miri, ignore = "Miri starts no compiler")]
fn no_macro_of_the_headers_is_missing() {
    let Some(macros) = mingw::compile(mingw::INCLUDES, &["-E", "-dM"]) else { return };
    let known: Vec<_> = ours().into_iter().chain(ours_alone()).map(|(name, _)| name).collect();
    let missing: Vec<_> = macros
        .lines()
        .filter_map(|line| line.strip_prefix("#define ")?.split([' ', '(']).next())
        .filter(|name| ["HSE_", "SF_", "HTTP_FILTER_"].iter().any(|prefix| name.starts_with(prefix)))
        .filter(|name| !known.contains(name))
        .collect();
    assert!(missing.is_empty(), "in the C headers, but not here: {missing:?}");
}

#[test]
fn no_constant_of_ours_is_left_uncompared() {
    let sources = concat!(
        include_str!("../src/httpext.rs"),
        include_str!("../src/httpfilt.rs"),
        include_str!("../src/win32.rs"),
    );
    let compared: Vec<_> = ours().into_iter().chain(ours_alone()).map(|(name, _)| name).collect();
    let uncompared: Vec<_> = sources
        .lines()
        .filter_map(|line| line.strip_prefix("pub const ")?.split_once(": u32 ="))
        .map(|(name, _)| name)
        .filter(|name| !compared.contains(name))
        .collect();
    assert!(uncompared.is_empty(), "add these to a list of this file: {uncompared:?}");
}

#[test]
fn every_error_code_has_a_message() {
    use isapi_abi::win32::*;
    let codes: Constants = for_each_win32_code!(values);
    for (name, code) in
        codes.into_iter().chain(values![WSAEINVAL, WSAEWOULDBLOCK, WSAECONNABORTED, WSAECONNRESET, WSAETIMEDOUT,])
    {
        let code = u32::try_from(code).expect("the codes are declared as u32");
        assert!(message(code).is_some_and(|text| text.ends_with('.')), "{name} has no message");
    }
}

//! The layouts of all structs, as a table that is checked while compiling.
//!
//! Each line gives 64-bit and 32-bit numbers: `Struct: size | size, align | { member: offset | offset }`.
//! The 32-bit ones are those of Windows, where 64-bit members are aligned to 8; a 32-bit Unix aligns
//! them otherwise and is not asserted. `tests/layout.rs` feeds the same table to two oracles.

/// Calls the macro `$check` with the table.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_struct {
    ($check:ident) => {
        $check! {
            HSE_VERSION_INFO: 260 | 260, align 4 | 4 {
                dwExtensionVersion: 0 | 0,
                lpszExtensionDesc: 4 | 4,
            }
            EXTENSION_CONTROL_BLOCK: 192 | 144, align 8 | 4 {
                cbSize: 0 | 0,
                dwVersion: 4 | 4,
                ConnID: 8 | 8,
                dwHttpStatusCode: 16 | 12,
                lpszLogData: 20 | 16,
                lpszMethod: 104 | 96,
                lpszQueryString: 112 | 100,
                lpszPathInfo: 120 | 104,
                lpszPathTranslated: 128 | 108,
                cbTotalBytes: 136 | 112,
                cbAvailable: 140 | 116,
                lpbData: 144 | 120,
                lpszContentType: 152 | 124,
                GetServerVariable: 160 | 128,
                WriteClient: 168 | 132,
                ReadClient: 176 | 136,
                ServerSupportFunction: 184 | 140,
            }
            HSE_URL_MAPEX_INFO: 280 | 280, align 4 | 4 {
                lpszPath: 0 | 0,
                dwFlags: 260 | 260,
                cchMatchingPath: 264 | 264,
                cchMatchingURL: 268 | 268,
                dwReserved1: 272 | 272,
                dwReserved2: 276 | 276,
            }
            HSE_UNICODE_URL_MAPEX_INFO: 532 | 532, align 4 | 4 {
                lpszPath: 0 | 0,
                dwFlags: 520 | 520,
                cchMatchingPath: 524 | 524,
                cchMatchingURL: 528 | 528,
            }
            HSE_TF_INFO: 72 | 44, align 8 | 4 {
                pfnHseIO: 0 | 0,
                pContext: 8 | 4,
                hFile: 16 | 8,
                pszStatusCode: 24 | 12,
                BytesToWrite: 32 | 16,
                Offset: 36 | 20,
                pHead: 40 | 24,
                HeadLength: 48 | 28,
                pTail: 56 | 32,
                TailLength: 64 | 36,
                dwFlags: 68 | 40,
            }
            HSE_SEND_HEADER_EX_INFO: 32 | 20, align 8 | 4 {
                pszStatus: 0 | 0,
                pszHeader: 8 | 4,
                cchStatus: 16 | 8,
                cchHeader: 20 | 12,
                fKeepConn: 24 | 16,
            }
            HSE_EXEC_URL_USER_INFO: 24 | 12, align 8 | 4 {
                hImpersonationToken: 0 | 0,
                pszCustomUserName: 8 | 4,
                pszCustomAuthType: 16 | 8,
            }
            HSE_EXEC_URL_ENTITY_INFO: 16 | 8, align 8 | 4 {
                cbAvailable: 0 | 0,
                lpbData: 8 | 4,
            }
            HSE_EXEC_URL_STATUS: 8 | 8, align 4 | 4 {
                uHttpStatusCode: 0 | 0,
                uHttpSubStatus: 2 | 2,
                dwWin32Error: 4 | 4,
            }
            HSE_EXEC_URL_INFO: 48 | 24, align 8 | 4 {
                pszUrl: 0 | 0,
                pszMethod: 8 | 4,
                pszChildHeaders: 16 | 8,
                pUserInfo: 24 | 12,
                pEntity: 32 | 16,
                dwExecUrlFlags: 40 | 20,
            }
            HSE_EXEC_UNICODE_URL_USER_INFO: 24 | 12, align 8 | 4 {
                hImpersonationToken: 0 | 0,
                pszCustomUserName: 8 | 4,
                pszCustomAuthType: 16 | 8,
            }
            HSE_EXEC_UNICODE_URL_INFO: 48 | 24, align 8 | 4 {
                pszUrl: 0 | 0,
                pszMethod: 8 | 4,
                pszChildHeaders: 16 | 8,
                pUserInfo: 24 | 12,
                pEntity: 32 | 16,
                dwExecUrlFlags: 40 | 20,
            }
            HSE_CUSTOM_ERROR_INFO: 16 | 12, align 8 | 4 {
                pszStatus: 0 | 0,
                uHttpSubError: 8 | 4,
                fAsync: 12 | 8,
            }
            HSE_VECTOR_ELEMENT: 32 | 24, align 8 | 8 {
                ElementType: 0 | 0,
                pvContext: 8 | 4,
                cbOffset: 16 | 8,
                cbSize: 24 | 16,
            }
            HSE_RESPONSE_VECTOR: 40 | 20, align 8 | 4 {
                dwFlags: 0 | 0,
                pszStatus: 8 | 4,
                pszHeaders: 16 | 8,
                nElementCount: 24 | 12,
                lpElementArray: 32 | 16,
            }
            CERT_CONTEXT: 40 | 20, align 8 | 4 {
                dwCertEncodingType: 0 | 0,
                pbCertEncoded: 8 | 4,
                cbCertEncoded: 16 | 8,
                pCertInfo: 24 | 12,
                hCertStore: 32 | 16,
            }
            CERT_CONTEXT_EX: 48 | 28, align 8 | 4 {
                CertContext: 0 | 0,
                cbAllocated: 40 | 20,
                dwCertificateFlags: 44 | 24,
            }
            HSE_TRACE_INFO: 28 | 28, align 4 | 4 {
                fTraceRequest: 0 | 0,
                TraceContextId: 4 | 4,
                dwReserved1: 20 | 20,
                dwReserved2: 24 | 24,
            }
            HTTP_FILTER_VERSION: 272 | 272, align 4 | 4 {
                dwServerFilterVersion: 0 | 0,
                dwFilterVersion: 4 | 4,
                lpszFilterDesc: 8 | 8,
                dwFlags: 268 | 268,
            }
            HTTP_FILTER_CONTEXT: 72 | 44, align 8 | 4 {
                cbSize: 0 | 0,
                Revision: 4 | 4,
                ServerContext: 8 | 8,
                ulReserved: 16 | 12,
                fIsSecurePort: 20 | 16,
                pFilterContext: 24 | 20,
                GetServerVariable: 32 | 24,
                AddResponseHeaders: 40 | 28,
                WriteClient: 48 | 32,
                AllocMem: 56 | 36,
                ServerSupportFunction: 64 | 40,
            }
            HTTP_FILTER_RAW_DATA: 24 | 16, align 8 | 4 {
                pvInData: 0 | 0,
                cbInData: 8 | 4,
                cbInBuffer: 12 | 8,
                dwReserved: 16 | 12,
            }
            HTTP_FILTER_PREPROC_HEADERS: 32 | 20, align 8 | 4 {
                GetHeader: 0 | 0,
                SetHeader: 8 | 4,
                AddHeader: 16 | 8,
                HttpStatus: 24 | 12,
                dwReserved: 28 | 16,
            }
            HTTP_FILTER_AUTHENT: 32 | 16, align 8 | 4 {
                pszUser: 0 | 0,
                cbUserBuff: 8 | 4,
                pszPassword: 16 | 8,
                cbPasswordBuff: 24 | 12,
            }
            HTTP_FILTER_URL_MAP: 24 | 12, align 8 | 4 {
                pszURL: 0 | 0,
                pszPhysicalPath: 8 | 4,
                cbPathBuff: 16 | 8,
            }
            HTTP_FILTER_URL_MAP_EX: 40 | 28, align 8 | 4 {
                pszURL: 0 | 0,
                pszPhysicalPath: 8 | 4,
                cbPathBuff: 16 | 8,
                dwFlags: 20 | 12,
                cchMatchingPath: 24 | 16,
                cchMatchingURL: 28 | 20,
                pszScriptMapEntry: 32 | 24,
            }
            HTTP_FILTER_ACCESS_DENIED: 24 | 12, align 8 | 4 {
                pszURL: 0 | 0,
                pszPhysicalPath: 8 | 4,
                dwReason: 16 | 8,
            }
            HTTP_FILTER_LOG: 72 | 44, align 8 | 4 {
                pszClientHostName: 0 | 0,
                pszClientUserName: 8 | 4,
                pszServerName: 16 | 8,
                pszOperation: 24 | 12,
                pszTarget: 32 | 16,
                pszParameters: 40 | 20,
                dwHttpStatus: 48 | 24,
                dwWin32Status: 52 | 28,
                dwBytesSent: 56 | 32,
                dwBytesRecvd: 60 | 36,
                msTimeForProcessing: 64 | 40,
            }
            HTTP_FILTER_AUTH_COMPLETE_INFO: 48 | 28, align 8 | 4 {
                GetHeader: 0 | 0,
                SetHeader: 8 | 4,
                AddHeader: 16 | 8,
                GetUserToken: 24 | 12,
                HttpStatus: 32 | 16,
                fResetAuth: 36 | 20,
                dwReserved: 40 | 24,
            }
        }
    };
}

#[cfg(any(target_pointer_width = "64", all(windows, target_pointer_width = "32")))]
mod assertions {
    use core::mem::{align_of, offset_of, size_of};

    use crate::httpext::*;
    use crate::httpfilt::*;

    /// Chooses the number of this target's column.
    const fn here(bits64: usize, bits32: usize) -> usize {
        if cfg!(target_pointer_width = "64") { bits64 } else { bits32 }
    }

    macro_rules! assert_layouts {
        ($($name:ident: $size64:literal | $size32:literal, align $align64:literal | $align32:literal {
            $($field:ident: $offset64:literal | $offset32:literal,)*
        })*) => {$(
            const _: () = {
                assert!(size_of::<$name>() == here($size64, $size32), stringify!($name));
                assert!(align_of::<$name>() == here($align64, $align32), stringify!($name));
                $(assert!(
                    offset_of!($name, $field) == here($offset64, $offset32),
                    concat!(stringify!($name), ".", stringify!($field))
                );)*
                // Does not compile when the table lacks a member.
                const fn has_all_members(value: &$name) {
                    let $name { $($field: _),* } = value;
                }
                let _ = has_all_members;
            };
        )*};
    }
    for_each_struct!(assert_layouts);
}

//! What the server knows of the TLS connection: the client's certificate and the channel binding token.

use std::ffi::c_void;
use std::ptr;

use isapi_abi::httpext::{CERT_CONTEXT, CERT_CONTEXT_EX, HSE_REQ_GET_CERT_INFO_EX, HSE_REQ_GET_CHANNEL_BINDING_TOKEN};
use isapi_abi::win32::ERROR_INSUFFICIENT_BUFFER;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::control_block::ControlBlock;
use crate::lease::{CallError, Entered};
use crate::results::ResultClass;
use crate::server_calls::grow;

/// Room for the certificate, in bytes, before the server asks for more.
const CERTIFICATE_ROOM: usize = 8192;

static CERTIFICATE: ResultClass = ResultClass::new("Certificate");

impl ControlBlock {
    pub(crate) fn cert_info<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let (encoded, encoding, flags) =
            self.call(py, "ServerSupportFunction(HSE_REQ_GET_CERT_INFO_EX)", |entered| {
                let (mut encoding, mut flags) = (0, 0);
                let encoded = grow(CERTIFICATE_ROOM, |buffer, size| {
                    let info = fetch(entered, buffer, size)?;
                    (encoding, flags) = (info.CertContext.dwCertEncodingType, info.dwCertificateFlags);
                    Ok(())
                })?;
                Ok((encoded, encoding, flags))
            })?;
        CERTIFICATE.make(py, (PyBytes::new(py, &encoded), encoding, flags))
    }

    pub(crate) fn channel_binding_token(&self, py: Python<'_>) -> PyResult<Vec<u8>> {
        self.call(py, "ServerSupportFunction(HSE_REQ_GET_CHANNEL_BINDING_TOKEN)", |entered| {
            let mut token: *const u8 = ptr::null();
            // Also the size of what `buffer` is: a server that wants to copy the token there can tell that it does not fit.
            let mut size = size_of_val(&token) as u32;
            let buffer = ptr::from_mut(&mut token).cast();
            // SAFETY: the request writes a pointer to the token, and its length.
            unsafe { entered.support(HSE_REQ_GET_CHANNEL_BINDING_TOKEN, buffer, &mut size, ptr::null_mut()) }?;
            if token.is_null() {
                return Ok(Vec::new());
            }
            // SAFETY: the token is the server's and stays as long as the request, which `entered` keeps alive.
            Ok(unsafe { std::slice::from_raw_parts(token, size as usize) }.to_vec())
        })
    }
}

/// One attempt; `size` is the room in, and out the certificate's length or the room that it needs.
fn fetch(entered: &Entered<'_>, buffer: &mut [u8], size: &mut u32) -> Result<CERT_CONTEXT_EX, CallError> {
    let room = *size;
    let mut info = empty(buffer, room);
    let out = ptr::from_mut(&mut info).cast::<c_void>();
    // SAFETY: the request fills the struct, and the buffer as far as the struct says that it goes.
    let fetched = unsafe { entered.support(HSE_REQ_GET_CERT_INFO_EX, out, ptr::null_mut(), ptr::null_mut()) };
    *size = info.CertContext.cbCertEncoded;
    fetched?;
    // A length beyond the buffer is a need for room, whatever the server calls it.
    if *size > room { Err(CallError::Win32(ERROR_INSUFFICIENT_BUFFER)) } else { Ok(info) }
}

fn empty(buffer: &mut [u8], room: u32) -> CERT_CONTEXT_EX {
    CERT_CONTEXT_EX {
        CertContext: CERT_CONTEXT {
            dwCertEncodingType: 0,
            pbCertEncoded: buffer.as_mut_ptr(),
            cbCertEncoded: 0,
            pCertInfo: ptr::null_mut(),
            hCertStore: ptr::null_mut(),
        },
        cbAllocated: room,
        dwCertificateFlags: 0,
    }
}

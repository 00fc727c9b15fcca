//! The requests of `ServerSupportFunction`, `SF_REQ_*`.
#![expect(unsafe_code, reason = "arguments of foreign code are raw pointers")]

use std::ffi::{c_char, c_void};
use std::sync::Arc;

use isapi_abi::ULONG_PTR;
use isapi_abi::httpfilt as sf;
use isapi_abi::never_waits::HSE_REQ_NEVER_WAITS;

use super::context::Visit;
use super::headers;
use super::net_session::NetSession;
use super::notification::Notification;
use super::sending;
use crate::lock::LockAnyway;
use crate::raw;
use crate::repeated;
use crate::server_variables::SERVER_SOFTWARE;
use crate::url_map;
use crate::win32::Win32Error;

/// Serves one request.
///
/// # Errors
/// 87 for an unknown number and wrong arguments, 50 for what this server does not do.
///
/// # Safety
/// * `data` and `ul1` are what the contract gives `request`.
pub(super) unsafe fn serve(
    session: &Arc<NetSession>,
    visit: &Visit,
    request: u32,
    data: *mut c_void,
    ul1: ULONG_PTR,
) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the arguments, here and below.
    unsafe {
        match request {
            sf::SF_REQ_SEND_RESPONSE_HEADER => {
                let status = raw::text(data.cast::<c_char>(), raw::MAX_TEXT)?.unwrap_or_default();
                let block = std::ptr::with_exposed_provenance::<c_char>(ul1);
                let block = raw::text(block, raw::MAX_TEXT)?.unwrap_or_default();
                sending::send_head(session, visit, status, block)
            }
            sf::SF_REQ_ADD_HEADERS_ON_DENIAL => {
                let lines = raw::text(data.cast::<c_char>(), raw::MAX_TEXT)?.ok_or(Win32Error::INVALID_PARAMETER)?;
                add_headers_on_denial(visit, lines)
            }
            sf::SF_REQ_SET_NEXT_READ_SIZE => set_next_read_size(session, visit, ul1),
            sf::SF_REQ_GET_PROPERTY => match u32::try_from(ul1) {
                Ok(sf::SF_PROPERTY_INSTANCE_NUM_ID) => raw::write(data.cast::<u32>(), session.host().site.id()),
                Ok(sf::SF_PROPERTY_SSL_CTXT) => Err(Win32Error::NOT_SUPPORTED),
                _ => Err(Win32Error::INVALID_PARAMETER),
            },
            sf::SF_REQ_NORMALIZE_URL => url_map::normalise_in_place(data.cast::<c_char>()),
            sf::SF_REQ_DISABLE_NOTIFICATIONS => {
                session.disable(visit.position, u32::try_from(ul1).map_err(|_| Win32Error::INVALID_PARAMETER)?);
                Ok(())
            }
            sf::SF_REQ_GET_CONNID | sf::SF_REQ_SET_CERTIFICATE_INFO | sf::SF_REQ_SET_PROXY_INFO => {
                Err(Win32Error::NOT_SUPPORTED)
            }
            // Nothing that a filter asks for here waits for the client.
            HSE_REQ_NEVER_WAITS => raw::write(data.cast::<u32>(), 1),
            _ => Err(unknown(session, visit, request)),
        }
    }
}

fn unknown(session: &NetSession, visit: &Visit, request: u32) -> Win32Error {
    let filter = session.chain().filters()[visit.position].name();
    repeated::warn(("ISAPI0339", filter), || {
        format!(
            "ISAPI0339 the filter {filter} called ServerSupportFunction with {request}, which is no request for filters"
        )
    });
    Win32Error::INVALID_PARAMETER
}

fn add_headers_on_denial(visit: &Visit, lines: &[u8]) -> Result<(), Win32Error> {
    let request = visit.request.as_ref().ok_or(Win32Error::INVALID_PARAMETER)?;
    let mut state = request.state.lock_anyway();
    if state.answered {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    headers::add_lines(&mut state.denial_headers, lines)
}

fn set_next_read_size(session: &NetSession, visit: &Visit, size: usize) -> Result<(), Win32Error> {
    match session.raw() {
        Some(raw) if visit.notification == Notification::ReadRawData && size > 0 => {
            raw.set_next_read_size(size);
            Ok(())
        }
        _ => Err(Win32Error::INVALID_PARAMETER),
    }
}

/// A variable of the connection itself, for notifications that no request goes with.
pub(super) fn connection_variable(session: &NetSession, name: &[u8]) -> Option<String> {
    let (peers, site) = (session.peers(), &session.host().site);
    Some(match name.to_ascii_uppercase().as_slice() {
        b"REMOTE_ADDR" | b"REMOTE_HOST" => peers.remote.ip().to_canonical().to_string(),
        b"REMOTE_PORT" => peers.remote.port().to_string(),
        b"LOCAL_ADDR" | b"SERVER_NAME" => peers.local.ip().to_canonical().to_string(),
        b"SERVER_PORT" => peers.local.port().to_string(),
        b"SERVER_PORT_SECURE" => "0".to_owned(),
        b"HTTPS" => "off".to_owned(),
        b"INSTANCE_ID" => site.id().to_string(),
        b"INSTANCE_NAME" => site.name().to_owned(),
        b"INSTANCE_META_PATH" => format!("/LM/W3SVC/{}", site.id()),
        b"SERVER_SOFTWARE" => SERVER_SOFTWARE.to_owned(),
        _ => return None,
    })
}

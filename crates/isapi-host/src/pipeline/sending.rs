//! What filters send by themselves: `WriteClient` and SEND_RESPONSE_HEADER.
//!
//! Before the response goes out it is kept as the request's own answer. Among raw data, and when the request ends, it
//! takes its place in the connection's bytes, through the filters that are nearer to the client.

use std::sync::Arc;

use super::context::Visit;
use super::net_session::NetSession;
use super::notification::Notification;
use crate::lock::LockAnyway;
use crate::repeated;
use crate::win32::Win32Error;

/// Sends bytes as they are.
///
/// # Errors
/// 87 where nothing can be sent, 8 when it is too much.
pub(super) fn write(session: &Arc<NetSession>, visit: &Visit, data: &[u8]) -> Result<(), Win32Error> {
    match visit.notification {
        Notification::ReadRawData | Notification::SendRawData | Notification::EndOfRequest => {
            let Some(raw) = session.raw() else { return Err(refuse(session, visit)) };
            // In SEND_RAW_DATA only those that come after this filter see it.
            let after = (visit.notification == Notification::SendRawData).then_some(visit.position);
            let bytes = session.send_through(data.to_vec(), after);
            match visit.notification {
                Notification::SendRawData => visit.output.lock_anyway().extend_from_slice(&bytes),
                _ => raw.inject(bytes),
            }
            Ok(())
        }
        Notification::Log | Notification::EndOfNetSession => Err(refuse(session, visit)),
        _ => {
            let request = visit.request.as_ref().ok_or(Win32Error::INVALID_PARAMETER)?;
            let mut state = request.state.lock_anyway();
            if state.answered || !state.takes_answers {
                return Err(refuse(session, visit));
            }
            state.own.write(data)
        }
    }
}

/// Sends a response head.
///
/// # Errors
/// 87 where none can be sent, when it is the second, or malformed.
pub(super) fn send_head(session: &NetSession, visit: &Visit, status: &[u8], block: &[u8]) -> Result<(), Win32Error> {
    let request = visit.request.as_ref().ok_or(Win32Error::INVALID_PARAMETER)?;
    let mut state = request.state.lock_anyway();
    if state.answered || !state.takes_answers {
        return Err(refuse(session, visit));
    }
    state.own.set_head(status, block)
}

fn refuse(session: &NetSession, visit: &Visit) -> Win32Error {
    let filter = session.chain().filters()[visit.position].name();
    repeated::warn(("ISAPI0339", filter), || {
        let notification = visit.notification.name();
        format!(
            "ISAPI0339 the filter {filter} sent something to the client in {notification}, where that is not possible; \
             it is refused"
        )
    });
    Win32Error::INVALID_PARAMETER
}

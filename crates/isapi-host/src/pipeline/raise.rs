//! Raising a notification: the filters that asked for it, one after the other, until one of them ends that.

use std::ffi::c_void;
use std::sync::Arc;

use super::net_session::NetSession;
use super::notification::{Notification, Status};
use super::request::FilteredRequest;

/// How a notification ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Raised {
    /// The request goes on.
    GoOn,
    /// The filter at this position has answered the request.
    Finished { position: usize, keep: bool },
    /// The filter at this position failed, with this last error.
    Failed { position: usize, error: u32 },
    /// The filter at this position broke the memory that it was lent, or lied about it.
    Broken { position: usize },
}

impl FilteredRequest {
    /// Notifies the filters that want to hear of `notification`. `is_intact` is asked behind each of them whether it
    /// left `data` as the contract wants it.
    ///
    /// # Safety
    /// * `data` is what `notification` brings with it.
    #[expect(unsafe_code, reason = "foreign code gets a raw pointer")]
    pub(super) unsafe fn raise(
        self: &Arc<Self>,
        notification: Notification,
        data: *mut c_void,
        mut is_intact: impl FnMut() -> bool,
    ) -> Raised {
        let session: &Arc<NetSession> = self.session();
        for position in session.order(notification) {
            // SAFETY: the caller vouches for the data.
            let called = unsafe { session.notify_one(position, notification, Some(self), data) };
            if !is_intact() {
                return Raised::Broken { position };
            }
            match called.status {
                Status::Next | Status::ReadNext => {}
                Status::Handled => break,
                Status::Finished => return Raised::Finished { position, keep: false },
                Status::FinishedKeepConnection => return Raised::Finished { position, keep: true },
                Status::Error(error) => return Raised::Failed { position, error },
            }
        }
        Raised::GoOn
    }

    /// Reports a filter that failed or broke something, and says under which code.
    pub(super) fn report(&self, notification: Notification, raised: Raised) -> &'static str {
        let notification = notification.name();
        let name = |position: usize| self.session().chain().filters()[position].name();
        match raised {
            Raised::Broken { position } => {
                tracing::error!(
                    "ISAPI0334 the filter {} wrote past the end of the memory that {notification} lent it, or gave a \
                     length that is not true",
                    name(position)
                );
                "ISAPI0334"
            }
            Raised::Failed { position, error } => {
                tracing::error!(
                    "ISAPI0333 the filter {} answered {notification} with SF_STATUS_REQ_ERROR; its last error was {error}",
                    name(position)
                );
                "ISAPI0333"
            }
            Raised::GoOn | Raised::Finished { .. } => "",
        }
    }
}

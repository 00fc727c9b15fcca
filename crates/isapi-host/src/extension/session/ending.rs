//! How a session ends: by the extension's return, by DONE_WITH_SESSION, or unseen.
//!
//! Both may come in either order and on any thread. The response ends with the first of them that is final; the
//! session leaves the table when the extension has returned, has said that it is done, and no completion callback
//! is running or owed. All steps are decided under the lock of [`Stage`].

use std::sync::Arc;

use http::StatusCode;
use isapi_abi::httpext::{HSE_STATUS_ERROR, HSE_STATUS_PENDING, HSE_STATUS_SUCCESS, HSE_STATUS_SUCCESS_AND_KEEP_CONN};

use super::Session;
use crate::extension::completion::Aborted;
use crate::extension::response::Failure;
use crate::extension::sessions::SESSIONS;
use crate::host::Seat;
use crate::lock::LockAnyway;
use crate::win32::Win32Error;

/// How far a session is.
pub(super) struct Stage {
    life: Life,
    /// Completion callbacks that run or are owed; the session is not left before they have returned.
    pub(super) callbacks: usize,
    /// Given back when the session leaves.
    seat: Option<Seat>,
}

impl Stage {
    pub(super) fn new(seat: Seat) -> Self {
        Stage { life: Life::Running, callbacks: 0, seat: Some(seat) }
    }
}

/// Where a session is in its life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    /// The extension has not returned, nor said that it is done.
    Running,
    /// It said done before it returned. The response has ended, the control block is still in use.
    DoneWhileRunning,
    /// It returned PENDING and will say done later.
    Pending,
    /// Over. Nothing can happen any more.
    Finished,
}

impl Session {
    /// Gives a session up that the extension never saw.
    pub(crate) fn discard(&self) {
        self.stage.lock_anyway().life = Life::Finished;
        self.leave_if_over();
    }

    /// The extension has returned `status`.
    pub(super) fn returned(self: &Arc<Self>, status: u32) {
        let pending = status == HSE_STATUS_PENDING;
        let success = !pending && self.is_success(status, "returned");
        let mut stage = self.stage.lock_anyway();
        let before = stage.life;
        if before == Life::Running && pending {
            stage.life = Life::Pending;
            drop(stage);
            // Whoever streams from another thread wants its head seen before its first event.
            self.response.flush_head();
            return;
        }
        stage.life = Life::Finished;
        let aborted = if before == Life::Running { self.close_completions(&mut stage) } else { None };
        drop(stage);
        if before == Life::Running {
            self.end(success, aborted);
        }
        self.leave_if_over();
    }

    /// The extension says that it is done, with a status if it gave one.
    ///
    /// # Errors
    /// 87 when it has said so before.
    pub(crate) fn done(self: &Arc<Self>, status: Option<u32>) -> Result<(), Win32Error> {
        let success = status.is_none_or(|status| self.is_success(status, "gave DONE_WITH_SESSION the status"));
        let mut stage = self.stage.lock_anyway();
        stage.life = match stage.life {
            Life::Running => Life::DoneWhileRunning,
            Life::Pending => Life::Finished,
            Life::DoneWhileRunning | Life::Finished => {
                tracing::warn!(
                    "ISAPI0325 {} called DONE_WITH_SESSION twice; the second call is refused",
                    self.describe()
                );
                return Err(Win32Error::INVALID_PARAMETER);
            }
        };
        let aborted = self.close_completions(&mut stage);
        drop(stage);
        self.end(success, aborted);
        self.leave_if_over();
        Ok(())
    }

    /// Breaks the connection at once, unless the extension has given it back.
    ///
    /// # Errors
    /// 87 when it has: the connection may be another request's by now.
    pub(crate) fn close_connection(self: &Arc<Self>) -> Result<(), Win32Error> {
        self.check_connection()?;
        // Its completion says who closed the connection; without an operation there is nothing to tell.
        let _ = self.stop_outstanding(Win32Error::CUT);
        self.response.abort();
        Ok(())
    }

    /// Lets the connection end with a reset, whenever it ends, unless the extension has given it back.
    ///
    /// # Errors
    /// As [`Session::close_connection`].
    pub(crate) fn reset_on_close(&self) -> Result<(), Win32Error> {
        self.check_connection()?;
        self.response.reset_on_close();
        Ok(())
    }

    fn check_connection(&self) -> Result<(), Win32Error> {
        let given_back = matches!(self.stage.lock_anyway().life, Life::DoneWhileRunning | Life::Finished);
        if given_back { Err(Win32Error::INVALID_PARAMETER) } else { Ok(()) }
    }

    /// Whether a status means success; one that is none is logged and means failure.
    fn is_success(&self, status: u32, how: &str) -> bool {
        match status {
            0 | HSE_STATUS_SUCCESS | HSE_STATUS_SUCCESS_AND_KEEP_CONN => true,
            HSE_STATUS_ERROR => false,
            other => {
                let whose = self.describe();
                tracing::error!("ISAPI0304 {whose} {how} {other}, which is no final status; taken as an error");
                false
            }
        }
    }

    /// No operation starts from now on; one that is outstanding is owed its completion.
    fn close_completions(&self, stage: &mut Stage) -> Option<Aborted> {
        let aborted = self.completions.lock_anyway().close();
        stage.callbacks += usize::from(aborted.as_ref().is_some_and(|aborted| aborted.callback.is_some()));
        aborted
    }

    fn end(self: &Arc<Self>, success: bool, aborted: Option<Aborted>) {
        let cut_short = aborted.as_ref().is_some_and(|aborted| aborted.partial);
        if success && aborted.is_some() {
            tracing::warn!(
                "ISAPI0305 {} ended its request while an asynchronous operation was outstanding, which is given up; \
                 one that returns before the operation has completed returns HSE_STATUS_PENDING",
                self.describe()
            );
        }
        self.end_response(success && !cut_short);
        if let Some(callback) = aborted.and_then(|aborted| aborted.callback) {
            self.report_aborted(callback, Win32Error::ABORTED);
        }
    }

    /// Ends the client's side: no byte is taken from now on.
    fn end_response(&self, success: bool) {
        let outcome = self.block.outcome();
        self.append_log(&outcome.log_data);
        if success {
            let status = u16::try_from(outcome.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            self.response.finish(status.filter(|status| !status.is_informational()).unwrap_or(StatusCode::OK));
        } else {
            let client_gone = !self.response.is_connected();
            let failure = self.response.fail();
            // A client that has got everything may have gone since.
            if client_gone && failure != Failure::Whole {
                tracing::info!("ISAPI0305 {} gave the request up: the client has gone", self.describe());
            } else {
                tracing::warn!("ISAPI0305 {} failed the request: {failure}", self.describe());
            }
        }
        self.end_body();
        drop(self.access.lock_anyway().take());
    }

    /// Leaves the table, once, when nothing of the session is to come.
    pub(super) fn leave_if_over(&self) {
        let mut stage = self.stage.lock_anyway();
        if stage.life != Life::Finished || stage.callbacks > 0 {
            return;
        }
        let seat = stage.seat.take();
        drop(stage);
        if seat.is_some() {
            SESSIONS.remove(self.id);
        }
    }
}

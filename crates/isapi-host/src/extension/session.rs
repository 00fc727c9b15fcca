//! One request on its way through an extension.
//!
//! A session is created by the I/O task when the first bytes of the body are there, entered in the table of
//! [`super::sessions`], run on a thread of the executor, and ended by whoever comes last of the extension's return
//! and its DONE_WITH_SESSION. It owns the control block, which lives until the session has ended and no callback is
//! inside it any more: every callback holds the session by an `Arc` while it runs.

use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::{Method, StatusCode};
use isapi_abi::fence::fence;
use isapi_abi::httpext::{HSE_STATUS_ERROR, HSE_STATUS_PENDING, HSE_STATUS_SUCCESS, HSE_STATUS_SUCCESS_AND_KEEP_CONN};
use isapi_abi::win32 as code;
use tokio::sync::oneshot;

use super::completion::{Callback, Completions};
use super::control_block::ControlBlock;
use super::library::Extension;
use super::pipe::{Pipe, WriteFailure};
use super::request_body::RequestBody;
use super::request_facts::RequestFacts;
use super::response::{Response, Start};
use super::sessions::{SESSIONS, SessionId};
use super::win32::Win32Error;
use crate::access_log::AccessRecord;
use crate::host::Host;
use crate::lock::LockAnyway;
use crate::server_variables;

/// One request in an extension's hands.
pub(crate) struct Session {
    id: SessionId,
    host: Arc<Host>,
    extension: Arc<Extension>,
    facts: RequestFacts,
    block: ControlBlock,
    body: Mutex<Option<RequestBody>>,
    response: Response,
    completions: Mutex<Completions>,
    /// The log entry, written when both the session and the client's side have let go of it.
    access: Mutex<Option<Arc<AccessRecord>>>,
    life: Mutex<Life>,
    started: Instant,
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

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) host: Arc<Host>,
    pub(crate) extension: Arc<Extension>,
    pub(crate) facts: RequestFacts,
    pub(crate) body: RequestBody,
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) hand_over: oneshot::Sender<Start>,
    pub(crate) access: Arc<AccessRecord>,
}

impl Session {
    /// Creates a session and enters it in the table.
    pub(crate) fn enter(mut parts: Parts) -> Arc<Session> {
        parts.host.live.add();
        let first_bytes = parts.body.take_first_bytes();
        SESSIONS.enter(|id| {
            let to_head_request = parts.facts.method == Method::HEAD;
            let send_idle = parts.host.timeouts.send_idle;
            Session {
                id,
                block: ControlBlock::new(id, &parts.facts, &first_bytes),
                response: Response::new(parts.pipe, parts.hand_over, to_head_request, send_idle),
                host: parts.host,
                extension: parts.extension,
                facts: parts.facts,
                body: Mutex::new(Some(parts.body)),
                completions: Mutex::default(),
                access: Mutex::new(Some(parts.access)),
                life: Mutex::new(Life::Running),
                started: Instant::now(),
            }
        })
    }

    /// Calls the extension. The one call of a session's life, on a native thread.
    pub(crate) fn run(self: &Arc<Self>) {
        let status = fence(HSE_STATUS_ERROR, || self.extension.serve(&self.block));
        self.returned(status);
    }

    /// Gives a session up that the extension never saw.
    pub(crate) fn discard(&self) {
        *self.life.lock_anyway() = Life::Finished;
        self.leave();
    }

    /// The extension has returned `status`.
    fn returned(&self, status: u32) {
        let success = match status {
            0 | HSE_STATUS_SUCCESS | HSE_STATUS_SUCCESS_AND_KEEP_CONN => true,
            HSE_STATUS_ERROR | HSE_STATUS_PENDING => false,
            other => {
                tracing::error!(
                    "ISAPI0304 {} returned {other}, which is no status; taken as an error",
                    self.describe()
                );
                false
            }
        };
        let mut life = self.life.lock_anyway();
        let before = *life;
        let stays = before == Life::Running && status == HSE_STATUS_PENDING;
        *life = if stays { Life::Pending } else { Life::Finished };
        drop(life);
        if stays {
            // Whoever streams from another thread wants its head seen before its first event.
            self.response.flush_head();
            return;
        }
        if before == Life::Running {
            self.end_response(success);
        }
        self.leave();
    }

    /// The extension says that it is done, with a status if it gave one.
    ///
    /// # Errors
    /// 87 when it has said so before.
    pub(crate) fn done(&self, status: Option<u32>) -> Result<(), Win32Error> {
        let mut life = self.life.lock_anyway();
        let before = *life;
        *life = match before {
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
        drop(life);
        self.end_response(status != Some(HSE_STATUS_ERROR));
        if before == Life::Pending {
            self.leave();
        }
        Ok(())
    }

    /// Ends the client's side: no completion is reported and no byte is taken from now on.
    fn end_response(&self, success: bool) {
        self.completions.lock_anyway().close();
        let outcome = self.block.outcome();
        self.append_log(&outcome.log_data);
        if success {
            let status = u16::try_from(outcome.status).ok().and_then(|status| StatusCode::from_u16(status).ok());
            self.response.finish(status.filter(|status| !status.is_informational()).unwrap_or(StatusCode::OK));
        } else {
            let failure = self.response.fail();
            tracing::warn!("ISAPI0305 {} failed the request: {failure}", self.describe());
        }
        // A reader on another thread keeps the body a little longer; it is then dropped with the session.
        if let Ok(mut body) = self.body.try_lock() {
            *body = None;
        }
        drop(self.access.lock_anyway().take());
    }

    /// Leaves the table.
    fn leave(&self) {
        SESSIONS.remove(self.id);
        self.host.live.remove();
    }

    /// The value of a server variable, with its terminating NUL.
    ///
    /// # Errors
    /// 1413 when there is none of that name.
    pub(crate) fn variable(&self, name: &[u8]) -> Result<Vec<u8>, Win32Error> {
        server_variables::terminated(&self.facts, name).ok_or(Win32Error::INVALID_INDEX)
    }

    /// The next bytes of the body; see [`RequestBody::read`].
    pub(crate) fn read(&self, buffer: &mut [u8]) -> Result<usize, Win32Error> {
        let mut body = self.body.lock_anyway();
        let body = body.as_mut().ok_or(Win32Error::INVALID_PARAMETER)?;
        body.read(buffer, &self.host.runtime)
    }

    /// Writes body bytes, blocking; see [`Response::write`].
    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Win32Error> {
        self.response.write(data)
    }

    /// Queues a copy of body bytes; the completion reports when there is room for more.
    pub(crate) fn write_async(self: &Arc<Self>, data: &[u8]) -> Result<(), Win32Error> {
        self.completions.lock_anyway().start(None)?;
        let count = u32::try_from(data.len()).unwrap_or(u32::MAX);
        let session = Arc::clone(self);
        let when_taken = move |result| session.complete(count, result);
        let started = self.response.write_async(data, Box::new(when_taken));
        if started.is_err() {
            self.completions.lock_anyway().withdraw();
        }
        started
    }

    /// Reports the end of the outstanding operation, on a thread of the executor.
    pub(crate) fn complete(self: &Arc<Self>, bytes: u32, result: Result<(), WriteFailure>) {
        let (bytes, error) = match result {
            Ok(()) => (bytes, code::ERROR_SUCCESS),
            Err(WriteFailure::ClientGone) => (0, code::ERROR_OPERATION_ABORTED),
            Err(WriteFailure::Ended | WriteFailure::Cut) => (0, code::ERROR_NETNAME_DELETED),
            Err(WriteFailure::TimedOut) => (0, code::ERROR_TIMEOUT),
        };
        let session = Arc::clone(self);
        self.host.executor.resume(move || session.report(bytes, error));
    }

    fn report(&self, bytes: u32, error: u32) {
        // Ended before the call, so that the callback can start the next operation.
        let callback = self.completions.lock_anyway().complete();
        if let Some(callback) = callback {
            self.extension.complete(&self.block, callback, bytes, error);
        }
    }

    /// Registers a completion callback; `None` unregisters.
    pub(crate) fn register(&self, callback: Option<Callback>) {
        self.completions.lock_anyway().register(callback);
    }

    /// Runs `operation` as the session's asynchronous operation on a thread of the executor, and reports its end.
    /// `prepare` runs before that on the calling thread, once it is certain that the operation may start.
    ///
    /// # Errors
    /// 87 when nothing can be reported to, or another operation is outstanding; otherwise what `prepare` fails with.
    pub(crate) fn run_async(
        self: &Arc<Self>,
        own: Option<Callback>,
        prepare: impl FnOnce() -> Result<(), Win32Error>,
        operation: impl FnOnce(&Session) -> Result<u32, WriteFailure> + Send + 'static,
    ) -> Result<(), Win32Error> {
        self.completions.lock_anyway().start(own)?;
        if let Err(error) = prepare() {
            self.completions.lock_anyway().withdraw();
            return Err(error);
        }
        let session = Arc::clone(self);
        self.host.executor.resume(move || {
            let result = operation(&session);
            session.complete(result.unwrap_or_default(), result.map(|_| ()));
        });
        Ok(())
    }

    /// Appends to the query field of the log entry.
    pub(crate) fn append_log(&self, text: &[u8]) {
        if let Some(access) = self.access.lock_anyway().as_ref() {
            access.append(text);
        }
    }

    /// Whether the connection will be kept behind this response, as far as is known.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.facts.wants_keep_alive() && !self.response.closes()
    }

    /// The response.
    pub(crate) fn response(&self) -> &Response {
        &self.response
    }

    /// The host.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Module, method and URL, for the log.
    pub(crate) fn describe(&self) -> String {
        let RequestFacts { method, raw_path, .. } = &self.facts;
        format!("{} for {method} {raw_path}", self.extension.path().display())
    }

    /// When the session was created.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }
}

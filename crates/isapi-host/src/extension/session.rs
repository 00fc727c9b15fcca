//! One request on its way through an extension.
//!
//! A session is created by the I/O task when the first bytes of the body are there, entered in the table of
//! [`super::sessions`], run on a thread of the executor, and ended by whoever comes last of the extension's return
//! and its DONE_WITH_SESSION (`session/ending.rs`). It owns the control block, which lives until the session has ended
//! and no callback is inside it any more: every callback holds the session by an `Arc` while it runs.

mod asynchronous;
mod ending;

use std::mem::MaybeUninit;
use std::sync::{Arc, Mutex};
use std::time::Instant;

use http::Method;
use isapi_abi::fence::fence;
use isapi_abi::httpext::HSE_STATUS_ERROR;
use tokio::runtime::Handle;

use self::ending::Stage;
use super::completion::Completions;
use super::control_block::ControlBlock;
use super::library::Extension;
use super::pipe::Pipe;
use super::request_body::RequestBody;
use super::request_facts::RequestFacts;
use super::response::Response;
use super::sessions::{SESSIONS, SessionId};
use super::win32::Win32Error;
use crate::access_log::AccessRecord;
use crate::executor::EventLoop;
use crate::host::{Host, Seat};
use crate::link::Link;
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
    /// Where the connection lives.
    event_loop: Option<Arc<EventLoop>>,
    stage: Mutex<Stage>,
    started: Instant,
}

/// What a session is made of.
pub(crate) struct Parts {
    pub(crate) host: Arc<Host>,
    pub(crate) extension: Arc<Extension>,
    pub(crate) facts: RequestFacts,
    pub(crate) body: RequestBody,
    pub(crate) pipe: Arc<Pipe>,
    pub(crate) link: Arc<Link>,
    pub(crate) event_loop: Option<Arc<EventLoop>>,
    pub(crate) access: Option<Arc<AccessRecord>>,
    pub(crate) seat: Seat,
}

impl Session {
    /// Creates a session and enters it in the table.
    pub(crate) fn enter(mut parts: Parts) -> Arc<Session> {
        let first_bytes = parts.body.take_first_bytes();
        SESSIONS.enter(|id| {
            let to_head_request = parts.facts.head.method == Method::HEAD;
            let send_idle = parts.host.timeouts.send_idle;
            Session {
                id,
                block: ControlBlock::new(id, &parts.facts, &first_bytes),
                response: Response::new(parts.pipe, parts.link, to_head_request, send_idle),
                host: parts.host,
                extension: parts.extension,
                facts: parts.facts,
                body: Mutex::new(Some(parts.body)),
                completions: Mutex::default(),
                access: Mutex::new(parts.access),
                event_loop: parts.event_loop,
                stage: Mutex::new(Stage::new(parts.seat)),
                started: Instant::now(),
            }
        })
    }

    /// Calls the extension, unless the client has left meanwhile. The one call of a session's life, on a native thread.
    pub(crate) fn run(self: &Arc<Self>) {
        if !self.response.is_connected() {
            tracing::debug!("the client left before a thread was free for {}", self.describe());
            return self.discard();
        }
        let status = fence(HSE_STATUS_ERROR, || self.extension.serve(&self.block));
        self.returned(status);
    }

    /// Gives the value of a server variable, with its terminating NUL, to `take`.
    ///
    /// # Errors
    /// 1413 when there is none of that name; what `take` says.
    pub(crate) fn variable(
        &self,
        name: &[u8],
        take: impl FnOnce(&[&[u8]]) -> Result<(), Win32Error>,
    ) -> Result<(), Win32Error> {
        let value = server_variables::value(&self.facts, name).ok_or(Win32Error::INVALID_INDEX)?;
        take(&[value.as_bytes(), value.terminator()])
    }

    /// The next bytes of the body; see [`RequestBody::read`].
    pub(crate) fn read(&self, buffer: &mut [MaybeUninit<u8>]) -> Result<usize, Win32Error> {
        let mut body = self.body.lock_anyway();
        let body = body.as_mut().ok_or(Win32Error::INVALID_PARAMETER)?;
        body.read(buffer, self.runtime()?)
    }

    /// Writes body bytes, blocking; see [`Response::write`].
    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Win32Error> {
        self.response.write(data)
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

    /// The extension that has the request in its hands.
    pub(crate) fn extension(&self) -> &Arc<Extension> {
        &self.extension
    }

    /// For native threads that wait for the network.
    ///
    /// # Errors
    /// 87 when the request came over none, which only tests make so.
    pub(crate) fn runtime(&self) -> Result<&Handle, Win32Error> {
        self.event_loop.as_deref().map(EventLoop::handle).ok_or(Win32Error::INVALID_PARAMETER)
    }

    /// The host.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// Module, method and URL, for the log.
    pub(crate) fn describe(&self) -> String {
        let (method, path) = (&self.facts.head.method, self.facts.raw_path());
        format!("{} for {method} {path}", self.extension.path().display())
    }

    /// When the session was created.
    pub(crate) fn started(&self) -> Instant {
        self.started
    }
}

//! One request on its way through an extension.
//!
//! A session is created by the I/O task when the first bytes of the body are there, entered in the table of
//! [`super::sessions`], run on a thread of the executor, and ended by whoever comes last of the extension's return
//! and its DONE_WITH_SESSION (`session/ending.rs`). It owns the control block, which lives until the session has ended
//! and no callback is inside it any more: every callback holds the session by an `Arc` while it runs.

mod asynchronous;
mod child;
mod ending;
mod reading;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use isapi_abi::fence::fence;
use isapi_abi::httpext::HSE_STATUS_ERROR;
use tokio::runtime::Handle;

pub(crate) use self::child::{ChildStatus, Order};
use self::ending::Stage;
use self::reading::BodyPlace;
use super::completion::Completions;
use super::control_block::ControlBlock;
use super::library::Extension;
use super::origin::Origin;
use super::pipe::Pipe;
use super::request_body::RequestBody;
use super::request_facts::RequestFacts;
use super::response::Response;
use super::sessions::{SESSIONS, SessionId};
use crate::access_log::AccessRecord;
use crate::clock;
use crate::executor::EventLoop;
use crate::host::{Host, Seat};
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::server_variables;
use crate::win32::Win32Error;

/// One request in an extension's hands.
pub(crate) struct Session {
    id: SessionId,
    host: Arc<Host>,
    origin: Arc<Origin>,
    block: ControlBlock,
    body: Mutex<BodyPlace>,
    response: Response,
    completions: Mutex<Completions>,
    /// How the last child request ended.
    child_status: Mutex<Option<ChildStatus>>,
    /// The log entry, written when both the session and the client's side have let go of it.
    access: Mutex<Option<Arc<AccessRecord>>>,
    /// Where the connection lives.
    event_loop: Option<Arc<EventLoop>>,
    stage: Mutex<Stage>,
    /// By the coarse clock.
    started: u32,
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
    pub(crate) fn enter(parts: Parts) -> Arc<Session> {
        let first_bytes = parts.body.first_bytes();
        SESSIONS.enter(|id| {
            let origin = Arc::new(Origin { extension: parts.extension, facts: parts.facts });
            let send_idle = parts.host.timeouts.send_idle;
            Session {
                id,
                block: ControlBlock::new(id, &origin.facts, &first_bytes),
                response: Response::new(parts.pipe, parts.link, Arc::clone(&origin), send_idle),
                host: parts.host,
                origin,
                body: Mutex::new(BodyPlace::Here(parts.body)),
                completions: Mutex::default(),
                child_status: Mutex::default(),
                access: Mutex::new(parts.access),
                event_loop: parts.event_loop,
                stage: Mutex::new(Stage::new(parts.seat)),
                started: clock::now(),
            }
        })
    }

    /// Calls the extension, unless the client has left meanwhile. The one call of a session's life, on a native thread.
    pub(crate) fn run(self: &Arc<Self>) {
        if !self.response.is_connected() {
            tracing::debug!("the client left before a thread was free for {}", self.describe());
            return self.discard();
        }
        let status = fence(HSE_STATUS_ERROR, || self.origin.extension.serve(&self.block));
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
        let value = server_variables::value(&self.origin.facts, name).ok_or(Win32Error::INVALID_INDEX)?;
        take(&[value.as_bytes(), value.terminator()])
    }

    /// Writes body bytes, blocking; see [`Response::write`].
    ///
    /// # Errors
    /// As [`Session::open_response`] and [`Response::write`].
    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Win32Error> {
        self.open_response()?.write(data)
    }

    /// Writes body bytes if they can be taken at once.
    ///
    /// # Errors
    /// 10035 when they cannot, and then none is taken; otherwise as [`Session::write`].
    pub(crate) fn write_at_once(&self, data: &[u8]) -> Result<(), Win32Error> {
        self.open_response()?.write_at_once(data)
    }

    /// Appends to the query field of the log entry.
    pub(crate) fn append_log(&self, text: &[u8]) {
        if let Some(access) = self.access.lock_anyway().as_ref() {
            access.append(text);
        }
    }

    /// Whether the connection will be kept behind this response, as far as is known.
    pub(crate) fn keeps_connection(&self) -> bool {
        self.origin.facts.wants_keep_alive() && !self.response.closes()
    }

    /// The response, to send more of it.
    ///
    /// # Errors
    /// 87 when the last send of it has been accepted, a child request has it, or the session is done.
    pub(crate) fn open_response(&self) -> Result<&Response, Win32Error> {
        let is_sealed = self.completions.lock_anyway().is_sealed();
        if is_sealed { Err(Win32Error::INVALID_PARAMETER) } else { Ok(&self.response) }
    }

    /// The send that starts now is the last of the response.
    pub(crate) fn seal_response(&self) {
        self.completions.lock_anyway().seal();
    }

    /// The response, whatever its state.
    pub(crate) fn response(&self) -> &Response {
        &self.response
    }

    /// The extension that answers.
    pub(crate) fn extension(&self) -> &Extension {
        &self.origin.extension
    }

    /// For native threads and tasks that wait for the network.
    ///
    /// # Errors
    /// 87 when the request came over none, which only tests make so.
    pub(crate) fn runtime(&self) -> Result<&Handle, Win32Error> {
        self.event_loop.as_deref().map(EventLoop::handle).ok_or(Win32Error::INVALID_PARAMETER)
    }

    /// The name of the session towards the module: the same for all of the request, and of no other in the process.
    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    /// Notes the sub-status for the log.
    pub(crate) fn log_sub_status(&self, sub_status: u16) {
        if let Some(access) = self.access.lock_anyway().as_ref() {
            access.sub_status(sub_status);
        }
    }

    /// The host.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// What the request is.
    pub(crate) fn facts(&self) -> &RequestFacts {
        &self.origin.facts
    }

    /// Module, method and URL, for the log.
    pub(crate) fn describe(&self) -> String {
        self.origin.to_string()
    }

    /// How long ago the session was created, roughly.
    pub(crate) fn age(&self) -> Duration {
        Duration::from_millis(clock::now().wrapping_sub(self.started).into())
    }
}

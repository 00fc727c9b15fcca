//! `CompletionPort`: the queue and the worker loop of `ThreadPoolExtension`.
//!
//! It stands where pywin32 has an I/O completion port. Requests are queued by the server's threads without
//! the interpreter ([`Messages::post_request`]); the workers are Python threads that spend their lives in
//! [`CompletionPort::run`]. A worker that holds the interpreter takes further messages before it lets go.

use std::sync::Arc;
use std::time::{Duration, Instant};

use isapi_abi::fence::fence;
use isapi_abi::httpext::HSE_STATUS_ERROR;
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;

use crate::arguments::Int32;
use crate::control_block::ControlBlock;
use crate::failure;
use crate::lease::Lease;
use crate::never_waits::Server;
use crate::queue::Queue;

/// The key of a request, `ISAPI_REQUEST`.
const REQUEST: i64 = 1;
/// The key that ends a worker, `ISAPI_SHUTDOWN`.
const SHUTDOWN: i64 = 2;
/// What `get` returns as error code when nothing came in time.
const WAIT_TIMEOUT: u32 = 258;
/// `INFINITE` of Windows.
const INFINITE: i64 = u32::MAX as i64;

/// Carries one object through the port.
#[pyclass(name = "OVERLAPPED")]
#[expect(non_snake_case, reason = "the members' names on Windows")]
pub struct Overlapped {
    /// Any object; for a request its `EXTENSION_CONTROL_BLOCK`.
    #[pyo3(get, set)]
    object: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    Internal: usize,
    #[pyo3(get, set)]
    InternalHigh: usize,
    #[pyo3(get, set)]
    Offset: u32,
    #[pyo3(get, set)]
    OffsetHigh: u32,
    #[pyo3(get, set)]
    hEvent: usize,
}

impl Overlapped {
    fn carrying(object: Option<Py<PyAny>>) -> Self {
        Self { object, Internal: 0, InternalHigh: 0, Offset: 0, OffsetHigh: 0, hEvent: 0 }
    }
}

#[pymethods]
impl Overlapped {
    #[new]
    fn new() -> Self {
        Self::carrying(None)
    }
}

enum Payload {
    Request(Arc<Lease>),
    Posted(Option<Py<Overlapped>>),
}

/// What a worker gets.
pub struct Message {
    bytes: u32,
    key: i64,
    payload: Payload,
}

impl Message {
    /// The request that it carries, to be ended if nobody can.
    fn lease(&self) -> Option<Arc<Lease>> {
        match &self.payload {
            Payload::Request(lease) => Some(Arc::clone(lease)),
            Payload::Posted(_) => None,
        }
    }

    fn overlapped(self, py: Python<'_>) -> PyResult<Option<Py<Overlapped>>> {
        match self.payload {
            Payload::Posted(overlapped) => Ok(overlapped),
            Payload::Request(lease) => {
                let block = ControlBlock::again(py, &lease)?;
                Py::new(py, Overlapped::carrying(Some(block.into_any()))).map(Some)
            }
        }
    }
}

/// The messages of one port. Any thread may use it, with or without the interpreter.
pub type Messages = Queue<Message>;

impl Messages {
    /// Queues a request for the workers. False when the port is closed.
    pub fn post_request(&self, lease: Arc<Lease>) -> bool {
        self.post(Message { bytes: 0, key: REQUEST, payload: Payload::Request(lease) }).is_ok()
    }
}

/// See the module. Scripts know it as `io_req_port`.
#[pyclass(frozen)]
pub struct CompletionPort {
    pub queue: Arc<Messages>,
}

#[pymethods]
impl CompletionPort {
    #[new]
    fn new() -> Self {
        Self { queue: Arc::default() }
    }

    /// Queues a message for the workers; raises `ValueError` when the port is closed.
    #[pyo3(signature = (bytes, key, overlapped=None, /))]
    fn post(&self, bytes: Int32, key: i64, overlapped: Option<Py<Overlapped>>) -> PyResult<()> {
        self.queue
            .post(Message { bytes: bytes.0, key, payload: Payload::Posted(overlapped) })
            .map_err(|_| PyValueError::new_err("the port is closed"))
    }

    /// Takes one message: `(errCode, bytes, key, overlapped)`, `errCode` 258 when none came in time.
    #[pyo3(signature = (timeout_milliseconds, /))]
    fn get(&self, py: Python<'_>, timeout_milliseconds: i64) -> PyResult<(u32, u32, i64, Option<Py<Overlapped>>)> {
        let forever = timeout_milliseconds < 0 || timeout_milliseconds == INFINITE;
        let deadline = (!forever).then(|| Instant::now() + Duration::from_millis(timeout_milliseconds as u64));
        match py.detach(|| self.queue.take_by(deadline)) {
            Some(message) => Ok((0, message.bytes, message.key, message.overlapped(py)?)),
            None => Ok((WAIT_TIMEOUT, 0, 0, None)),
        }
    }

    /// Hands messages to `worker.extension.dispatch_map` until a shutdown message or the port's end.
    #[pyo3(signature = (worker, /))]
    fn run(&self, py: Python<'_>, worker: &Bound<'_, PyAny>) -> PyResult<()> {
        let _entered = EnteredQueue::new(&self.queue);
        let mut run = Run::default();
        while let Some(message) = self.next(py, worker, &mut run)? {
            if message.key == SHUTDOWN && matches!(message.payload, Payload::Posted(None)) {
                break;
            }
            let lease = message.lease();
            run.goes_on_with(lease.as_ref().and_then(|lease| lease.server(py)));
            // A panic must not cost the worker, nor leave the client waiting.
            let whole = fence(false, || {
                handle(py, worker, message);
                true
            });
            if let (false, Some(lease)) = (whole, lease) {
                // It may have been ended before the panic.
                py.detach(|| lease.finish(HSE_STATUS_ERROR)).ok();
            }
        }
        Ok(())
    }

    /// Removes what is queued, except shutdown messages, and returns the overlapped objects.
    fn drain(&self, py: Python<'_>) -> PyResult<Vec<Py<Overlapped>>> {
        let mut drained = Vec::new();
        while let Some(message) = self.queue.try_take() {
            drained.extend(message.overlapped(py)?);
        }
        Ok(drained)
    }

    /// Refuses further messages and ends workers that wait for one.
    fn close(&self) {
        self.queue.close();
    }
}

/// How long a handler takes at most that is one of many, one behind the other.
const QUICK: Duration = Duration::from_micros(200);

/// Requests that a worker handles quickly one behind the other. While it does, the server works off what it finishes
/// for several together, instead of being woken for each.
#[derive(Default)]
struct Run {
    /// When the present handler began.
    since: Option<Instant>,
    /// Whom the worker has told that it goes on.
    told: Option<Server>,
}

impl Run {
    /// The next handler begins; `server` is whose request it is.
    fn goes_on_with(&mut self, server: Option<Server>) {
        let now = Instant::now();
        let was_quick = self.since.replace(now).is_some_and(|since| now - since <= QUICK);
        match (self.told, server) {
            (None, Some(server)) if was_quick => {
                server.finishing_more(true);
                self.told = Some(server);
            }
            (Some(_), _) if !was_quick => self.tell_end(),
            _ => {}
        }
    }

    /// Nothing is left to handle.
    fn end(&mut self) {
        self.since = None;
        self.tell_end();
    }

    fn tell_end(&mut self) {
        if let Some(server) = self.told.take() {
            server.finishing_more(false);
        }
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        self.tell_end();
    }
}

/// A worker's part in the queue's books, also when Python code ends it in an unusual way.
struct EnteredQueue<'a>(&'a Messages);

impl<'a> EnteredQueue<'a> {
    fn new(queue: &'a Messages) -> Self {
        queue.enter();
        Self(queue)
    }
}

impl Drop for EnteredQueue<'_> {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl CompletionPort {
    /// What the worker does next. One that is told to stop still takes what is queued, but waits no longer.
    fn next(&self, py: Python<'_>, worker: &Bound<'_, PyAny>, run: &mut Run) -> PyResult<Option<Message>> {
        if let Some(message) = self.queue.try_next() {
            return Ok(Some(message));
        }
        run.end();
        if !worker.getattr(intern!(py, "running"))?.is_truthy()? {
            // One that need not go on at once may still have something to do.
            return Ok(self.queue.try_take());
        }
        Ok(py.detach(|| self.queue.next()))
    }
}

/// Calls the entry of `dispatch_map`. What it raises is reported; the worker lives.
fn handle(py: Python<'_>, worker: &Bound<'_, PyAny>, message: Message) {
    let (bytes, key) = (message.bytes, message.key);
    let overlapped = match message.overlapped(py) {
        Ok(overlapped) => overlapped.into_pyobject(py).unwrap_or_else(|never| match never {}),
        // The request ended before a worker took it: nothing is left to do.
        Err(_) => return,
    };
    match find_entry(py, worker, key) {
        Ok(Some(entry)) => {
            if let Err(error) = entry.call1((0, bytes, key, &overlapped)) {
                failure::work_failed(py, key, &overlapped, Some(&error));
            }
        }
        Ok(None) => failure::work_failed(py, key, &overlapped, None),
        Err(error) => failure::work_failed(py, key, &overlapped, Some(&error)),
    }
}

/// The entry of `dispatch_map`; `None` when it has none for the key.
fn find_entry<'py>(py: Python<'py>, worker: &Bound<'py, PyAny>, key: i64) -> PyResult<Option<Bound<'py, PyAny>>> {
    let map = worker.getattr(intern!(py, "extension"))?.getattr(intern!(py, "dispatch_map"))?;
    match map.get_item(key) {
        Ok(entry) => Ok(Some(entry)),
        Err(error) if error.is_instance_of::<PyKeyError>(py) => Ok(None),
        Err(error) => Err(error),
    }
}

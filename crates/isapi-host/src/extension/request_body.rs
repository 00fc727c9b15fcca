//! The request's body: what is read ahead of the extension, and the rest, which ReadClient pulls.
//!
//! Reading ahead happens on the I/O task and is asynchronous. The rest is read by the extension's own thread, which
//! blocks on hyper's body, or by a task when the extension reads asynchronously; the connection's task keeps filling it
//! meanwhile. The body belongs to the session and is dropped when the session ends, which tells hyper that nobody will
//! read the rest.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::time::Duration;

use bytes::Bytes;
use bytes::buf::UninitSlice;
use http_body_util::BodyExt;
use hyper::body::{Body, Incoming};
use tokio::runtime::Handle;
use tokio::time::{Instant, timeout};

use crate::executor::about_to_block;
use crate::options::Timeouts;
use crate::win32::Win32Error;

/// `uploadReadAheadSize`: the most bytes that the control block brings.
pub(crate) const READ_AHEAD: usize = 49152;
/// A body of announced length up to this is in memory when the extension is called; ReadClient then never waits.
const KEPT_READY: u64 = 256 * 1024;

/// Where a request's body comes from.
pub(crate) enum Entity {
    /// The network.
    Client(Incoming),
    /// The parent of a child request.
    Parent(RequestBody),
}

impl Entity {
    /// Whether there is no body, as far as is known.
    pub(crate) fn is_empty(&self) -> bool {
        match self {
            Entity::Client(incoming) => incoming.is_end_stream(),
            Entity::Parent(body) => body.has_nothing(),
        }
    }
}

/// A body, partly read.
pub(crate) struct RequestBody {
    /// What has been read ahead, in pieces, of which the control block has a copy; kept for a child request until more is
    /// read.
    read_ahead: Vec<Bytes>,
    /// Bytes that the extension has been given, those read ahead included once it has asked for more.
    consumed: u64,
    /// Read from the connection, not yet delivered; no piece is empty.
    left_over: VecDeque<Bytes>,
    /// The connection's side; `None` once it has ended.
    incoming: Option<Incoming>,
    /// As announced by the client, or known because all was read ahead.
    length: Option<u64>,
    /// Bytes taken from the connection so far.
    received: u64,
    /// How long the connection has been waited for in all.
    waited: Duration,
    /// What ended the body before its end. It stays so: an end that looks regular must not follow.
    failed: Option<BodyError>,
    limits: BodyLimits,
}

/// Bounds of a body.
#[derive(Debug, Clone, Copy)]
pub(crate) struct BodyLimits {
    /// The most bytes in all.
    pub(crate) max_length: u64,
    /// How long the client may send nothing.
    idle: Duration,
    /// Bytes per second; 0 is no limit.
    min_rate: u32,
    /// How long may be waited before the rate counts.
    rate_after: Duration,
}

impl BodyLimits {
    /// The limits of a body, whose time is bounded by `timeouts`.
    pub(crate) fn new(max_length: u64, timeouts: &Timeouts) -> Self {
        let Timeouts { body_idle, min_rate, rate_after, .. } = *timeouts;
        BodyLimits { max_length, idle: body_idle, min_rate, rate_after }
    }

    /// How long the next bytes may be waited for, after `received` bytes that took `waited` to come. Every byte earns
    /// the time that the least rate gives it, but no single wait may be longer than the time after which the rate counts:
    /// a fast beginning must not pay for a long silence.
    fn patience(&self, received: u64, waited: Duration) -> Duration {
        if self.min_rate == 0 {
            return self.idle;
        }
        let earned = Duration::from_millis(received.saturating_mul(1000) / u64::from(self.min_rate));
        self.idle.min(self.rate_after).min(self.rate_after.saturating_add(earned).saturating_sub(waited))
    }
}

/// Why a body cannot be read to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum BodyError {
    /// The body is longer than allowed.
    TooLarge,
    /// The client sent nothing for too long, or too little for a long time.
    TimedOut,
    /// The client went away or sent malformed chunks.
    Broken,
}

impl From<BodyError> for Win32Error {
    fn from(error: BodyError) -> Self {
        match error {
            BodyError::TimedOut => Win32Error::TIMEOUT,
            BodyError::TooLarge => Win32Error::INVALID_DATA,
            BodyError::Broken => Win32Error::RESET,
        }
    }
}

impl RequestBody {
    /// No body at all.
    pub(crate) fn empty() -> Self {
        RequestBody::of(Bytes::new())
    }

    /// A body whose bytes are all here.
    pub(crate) fn of(mut bytes: Bytes) -> Self {
        let length = Some(bytes.len() as u64);
        let left_over = bytes.split_off(bytes.len().min(READ_AHEAD));
        RequestBody {
            read_ahead: if bytes.is_empty() { Vec::new() } else { vec![bytes] },
            consumed: 0,
            left_over: if left_over.is_empty() { VecDeque::new() } else { VecDeque::from([left_over]) },
            incoming: None,
            length,
            received: 0,
            waited: Duration::ZERO,
            failed: None,
            limits: BodyLimits { max_length: 0, idle: Duration::ZERO, min_rate: 0, rate_after: Duration::ZERO },
        }
    }

    /// Reads the first bytes of a body: all of it, or at least [`READ_AHEAD`] bytes of one that is long or of unknown length.
    ///
    /// # Errors
    /// When the body is too large, malformed, slow or broken off.
    pub(crate) async fn read_ahead(entity: Entity, limits: BodyLimits) -> Result<Self, BodyError> {
        let mut body = match entity {
            Entity::Client(incoming) => RequestBody::coming(incoming, limits)?,
            Entity::Parent(body) => body,
        };
        if body.read_ahead.is_empty() {
            body.fill().await?;
        }
        Ok(body)
    }

    fn coming(incoming: Incoming, limits: BodyLimits) -> Result<Self, BodyError> {
        let length = incoming.size_hint().exact();
        if length.is_some_and(|length| length > limits.max_length) {
            return Err(BodyError::TooLarge);
        }
        let ended = incoming.is_end_stream();
        Ok(RequestBody {
            read_ahead: Vec::new(),
            consumed: 0,
            left_over: VecDeque::new(),
            incoming: (!ended).then_some(incoming),
            length,
            received: 0,
            waited: Duration::ZERO,
            failed: None,
            limits,
        })
    }

    async fn fill(&mut self) -> Result<(), BodyError> {
        // A body that is short enough comes whole, so that no thread has to wait for it.
        let wanted = self.length.filter(|length| *length <= KEPT_READY).unwrap_or(READ_AHEAD as u64);
        let mut here = self.left_over.iter().map(|data| data.len() as u64).sum::<u64>();
        while here < wanted
            && let Some(data) = self.next().await?
        {
            here += data.len() as u64;
            self.left_over.push_back(data);
        }
        self.split_off_first_bytes();
        if self.incoming.is_none() && self.left_over.is_empty() {
            // A chunked body that fits whole is presented as one of known length (contract 2.2).
            self.length = Some(here);
        }
        Ok(())
    }

    /// Moves the first [`READ_AHEAD`] bytes to where the control block will find them.
    fn split_off_first_bytes(&mut self) {
        let mut room = READ_AHEAD;
        while room > 0
            && let Some(mut data) = self.left_over.pop_front()
        {
            if data.len() > room {
                self.left_over.push_front(data.split_off(room));
            }
            room -= data.len();
            self.read_ahead.push(data);
        }
    }

    /// What the extension has not consumed, as the body of a child request. The bytes read ahead are part of it until
    /// the extension has asked for more: one that only looks at a request need not have looked at them.
    pub(crate) fn unread(self) -> Self {
        let length = self.length.map(|length| length.saturating_sub(self.consumed));
        RequestBody { length, consumed: 0, ..self }
    }

    fn has_nothing(&self) -> bool {
        self.read_ahead.is_empty() && self.left_over.is_empty() && self.incoming.is_none() && self.failed.is_none()
    }

    /// The bytes read ahead, in pieces, for the control block.
    pub(crate) fn first_bytes(&self) -> Vec<Bytes> {
        self.read_ahead.clone()
    }

    /// The length when it is known: announced, or found by reading ahead.
    pub(crate) fn length(&self) -> Option<u64> {
        self.length
    }

    /// Fills `buffer` with the next bytes, at least one unless the body has ended, and blocks until there are any.
    ///
    /// # Errors
    /// 10054 when the client went away, 1460 when it sent nothing for too long or too slowly, 13 when a chunked body
    /// grew beyond `maxAllowedContentLength`; the same ever after.
    pub(crate) fn read(&mut self, buffer: &mut [MaybeUninit<u8>], runtime: &Handle) -> Result<usize, Win32Error> {
        if buffer.is_empty() {
            return Ok(0);
        }
        if self.left_over.is_empty() && (self.incoming.is_some() || self.failed.is_some()) {
            about_to_block();
            runtime.block_on(self.wait_for_bytes())?;
        }
        Ok(self.take(buffer))
    }

    /// Waits until [`RequestBody::take`] has bytes to give, or the body has ended. May be dropped without loss.
    ///
    /// # Errors
    /// As [`RequestBody::read`].
    pub(crate) async fn wait_for_bytes(&mut self) -> Result<(), Win32Error> {
        while self.left_over.is_empty() {
            match self.next().await? {
                Some(data) => self.left_over.push_back(data),
                None => break,
            }
        }
        Ok(())
    }

    /// Moves bytes that are there to the beginning of `buffer` and says how many; none at the end.
    pub(crate) fn take(&mut self, buffer: &mut [MaybeUninit<u8>]) -> usize {
        self.consumed += std::mem::take(&mut self.read_ahead).iter().map(|data| data.len() as u64).sum::<u64>();
        let mut filled = 0;
        while filled < buffer.len()
            && let Some(data) = self.left_over.front_mut()
        {
            let length = (buffer.len() - filled).min(data.len());
            UninitSlice::uninit(&mut buffer[filled..filled + length]).copy_from_slice(&data.split_to(length));
            if data.is_empty() {
                self.left_over.pop_front();
            }
            filled += length;
        }
        self.consumed += filled as u64;
        filled
    }

    /// The next data from the connection; `None` is the end. A failure is for good.
    async fn next(&mut self) -> Result<Option<Bytes>, BodyError> {
        if let Some(error) = self.failed {
            return Err(error);
        }
        let next = self.next_data().await;
        self.failed = next.as_ref().err().copied();
        next
    }

    /// As [`RequestBody::next`], but a failure is not kept. Trailers are dropped.
    async fn next_data(&mut self) -> Result<Option<Bytes>, BodyError> {
        loop {
            let Some(incoming) = &mut self.incoming else { return Ok(None) };
            let patience = self.limits.patience(self.received, self.waited);
            let begin = Instant::now();
            let frame = timeout(patience, incoming.frame()).await.map_err(|_| BodyError::TimedOut)?;
            self.waited += begin.elapsed();
            let Some(frame) = frame else {
                self.incoming = None;
                return Ok(None);
            };
            let frame = frame.map_err(|_| BodyError::Broken)?;
            let Ok(data) = frame.into_data() else { continue };
            self.received += data.len() as u64;
            if self.received > self.limits.max_length {
                return Err(BodyError::TooLarge);
            }
            if !data.is_empty() {
                if incoming.is_end_stream() {
                    self.incoming = None;
                }
                return Ok(Some(data));
            }
        }
    }
}

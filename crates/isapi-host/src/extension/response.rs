//! The response of one session, from what the extension sends to head and body pipe.
//!
//! The head waits here until the first body bytes need to go out, the extension returns, or the response ends; then
//! it goes to the service future, which hands it and the reading end of the pipe to hyper. All methods are called
//! on native threads; those that write may block, and hold no lock of this module while they do.

use std::borrow::Cow;
use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use http::{Method, StatusCode};

use super::chunked::ChunkDecoder;
use super::framing::{Admitted, Framing};
use super::implicit_head::{Beginning, recognise};
use super::origin::Origin;
use super::pipe::{HIGH_WATER, Pipe, Start, WhenTaken};
use super::response_head::{BadHead, BodyFraming, ResponseHead};
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::stream::FileToSend;
use crate::win32::Win32Error;

/// The writing side of one response.
pub(crate) struct Response {
    pipe: Arc<Pipe>,
    link: Arc<Link>,
    /// The request: what it was, and how messages name it.
    origin: Arc<Origin>,
    /// How long a write may find no room.
    send_idle: Duration,
    /// A file of this response is on its way.
    sending_file: Arc<AtomicBool>,
    state: Mutex<State>,
}

struct State {
    head: Head,
    /// The service future has been told how the answer begins.
    begun: bool,
    framing: Framing,
    close: bool,
    /// The end has been written, in good order.
    finished: bool,
}

enum Head {
    /// No header call yet; what WriteClient brought is collected until its meaning is clear.
    Unset(Vec<u8>),
    /// Known, not yet handed over.
    Held(Box<ResponseHead>),
    /// With hyper.
    Sent,
}

impl Response {
    pub(crate) fn new(pipe: Arc<Pipe>, link: Arc<Link>, origin: Arc<Origin>, send_idle: Duration) -> Self {
        let state = State {
            head: Head::Unset(Vec::new()),
            begun: false,
            framing: Framing::Plain,
            close: false,
            finished: false,
        };
        Response { pipe, link, origin, send_idle, sending_file: Arc::default(), state: Mutex::new(state) }
    }

    /// Sets the head from a status and a header block; bytes behind the block's empty line are written as body.
    ///
    /// # Errors
    /// 87 when there was a head before or this one is malformed; otherwise as [`Response::write`].
    pub(crate) fn send_head(&self, status: &[u8], block: &[u8], keep: Option<bool>) -> Result<(), Win32Error> {
        let (mut head, body_start) = ResponseHead::parse_again(status, block).map_err(|bad| self.refuse(&bad))?;
        head.close |= keep == Some(false);
        self.set_head(head)?;
        if body_start < block.len() {
            self.write(&block[body_start..])?;
        }
        Ok(())
    }

    /// Sets a head already built.
    ///
    /// # Errors
    /// 87 when there was one before.
    pub(crate) fn set_head(&self, head: Box<ResponseHead>) -> Result<(), Win32Error> {
        let mut state = self.state.lock_anyway();
        match &state.head {
            Head::Unset(collected) if collected.is_empty() => state.hold(head, self.to_head_request()),
            _ => {
                tracing::warn!("ISAPI0311 {} sent a second response head; it is refused", self.origin);
                return Err(Win32Error::INVALID_PARAMETER);
            }
        }
        Ok(())
    }

    /// Writes body bytes, or a raw head before them, and blocks while the client is slow.
    ///
    /// # Errors
    /// 10054 when the client has gone, 1460 when it takes nothing, 87 for malformed framing of the extension's own.
    pub(crate) fn write(&self, data: &[u8]) -> Result<(), Win32Error> {
        let Some(admitted) = self.admit(data)? else { return self.check_client() };
        let mut parts = admitted.parts();
        // The first part goes before the head, so that both leave in one packet; it fits the empty pipe.
        let first = parts.next().map_or_else(|| self.check_client(), |part| Ok(self.pipe.write(part, self.send_idle)?));
        self.flush_head();
        first?;
        for part in parts {
            self.pipe.write(part, self.send_idle)?;
        }
        Ok(())
    }

    /// As [`Response::write`], but never waits.
    ///
    /// # Errors
    /// 10035 when the bytes cannot be taken at once, and then none is taken; otherwise as there.
    pub(crate) fn write_at_once(&self, data: &[u8]) -> Result<(), Win32Error> {
        if data.len() > HIGH_WATER || !self.pipe.has_room() {
            return Err(Win32Error::WOULD_BLOCK);
        }
        let Some(admitted) = self.admit(data)? else { return self.check_client() };
        let pushed = self.pipe.push(admitted.parts());
        self.flush_head();
        Ok(pushed?)
    }

    /// Queues a copy of body bytes and calls `when_taken` once there is room for more.
    ///
    /// # Errors
    /// As [`Response::write`]; `when_taken` is then never called.
    pub(crate) fn write_async(&self, data: &[u8], when_taken: WhenTaken) -> Result<(), Win32Error> {
        let admitted = self.admit(data)?;
        let starts = admitted.is_some();
        let chunks = admitted.map_or_else(Vec::new, |admitted| admitted.copies());
        if chunks.is_empty() {
            self.check_client()?;
        }
        let queued = self.pipe.queue(chunks, when_taken);
        if starts {
            self.flush_head();
        }
        Ok(queued?)
    }

    /// Whether so many bytes of a file can go out as a file: behind a head, where nobody has to look into them.
    pub(crate) fn takes_file(&self, length: u64) -> bool {
        let state = self.state.lock_anyway();
        let fits = match state.framing {
            Framing::Plain => true,
            Framing::Length(left) => length <= left,
            Framing::Chunks(_) | Framing::Discard => false,
        };
        fits && !matches!(state.head, Head::Unset(_)) && !self.link.is_inner()
    }

    /// Has the system send a part of a file, for which [`Response::takes_file`] has been asked. It tells by itself what
    /// becomes of it.
    ///
    /// # Errors
    /// When the client has gone or the response has been ended.
    pub(crate) fn send_file(&self, mut file: FileToSend) -> Result<(), Win32Error> {
        let length = file.left;
        if let Some(when_sent) = file.when_sent.take() {
            let sending = Arc::clone(&self.sending_file);
            sending.store(true, Ordering::Release);
            file.when_sent = Some(Box::new(move |sent| {
                sending.store(false, Ordering::Release);
                when_sent(sent);
            }));
        }
        self.pipe.send_file(file)?;
        let mut state = self.state.lock_anyway();
        if let Framing::Length(left) = &mut state.framing {
            *left = left.saturating_sub(length);
        }
        state.hand_over(&self.pipe);
        Ok(())
    }

    /// Cuts the response: what is queued goes out first, but not the rest of a file.
    fn break_off(&self) {
        self.pipe.cut();
        // Only a file of ours: the connection may be another request's by now.
        if self.sending_file.swap(false, Ordering::AcqRel) {
            self.link.files().clear();
        }
    }

    /// Sends the head now if there is one, without waiting for body bytes.
    pub(crate) fn flush_head(&self) {
        self.state.lock_anyway().hand_over(&self.pipe);
    }

    /// Ends the response in good order. Without a head, `status` is sent with an empty body.
    pub(crate) fn finish(&self, status: StatusCode) {
        let mut state = self.state.lock_anyway();
        let rest = state.end_collecting(status, self.to_head_request());
        if let Err(bad) = &rest {
            self.refuse(bad);
        }
        if let (Framing::Length(left @ 1..), Ok([])) = (&state.framing, rest.as_deref()) {
            tracing::warn!(
                "ISAPI0329 {} ended its response {left} bytes short of its Content-Length; the connection is cut",
                self.origin
            );
        }
        let complete = rest.is_ok() && state.framing.is_complete();
        if let Some(rest) = rest.ok().filter(|rest| !rest.is_empty()) {
            let ranges = state.framing.admit(&rest, &self.origin).unwrap_or_default();
            let chunks = Admitted { data: Cow::Owned(rest), ranges, piece: state.framing.piece() }.copies();
            // It can only fail when nobody is left to read.
            let _ = self.pipe.queue(chunks, Box::new(|_| ()));
        }
        // The end is marked first, so that hyper finds a short body complete and states its length.
        if complete {
            state.finished = true;
            self.pipe.finish()
        } else {
            self.break_off()
        }
        state.hand_over(&self.pipe);
    }

    /// Ends the response as failed: 500 when nothing has been sent; cut when a part of it has.
    pub(crate) fn fail(&self) -> Failure {
        let mut state = self.state.lock_anyway();
        let unsent = matches!(&state.head, Head::Unset(collected) if collected.is_empty());
        if !unsent {
            state.hand_over(&self.pipe);
        }
        let nothing_sent = state.begin(&self.pipe, Start::Failed);
        // An open end would look like a whole response; only a framed one can be known to be whole.
        let whole = state.finished || (!matches!(state.framing, Framing::Plain) && state.framing.is_complete());
        drop(state);
        if whole && !nothing_sent {
            self.pipe.finish();
            return Failure::Whole;
        }
        self.break_off();
        if nothing_sent { Failure::NothingSent } else { Failure::Cut }
    }

    /// Ends the response as broken: what is queued goes out, then the connection is cut.
    pub(crate) fn cut(&self) {
        self.flush_head();
        self.break_off();
    }

    /// Ends the connection behind this response, whether or not its head, which may be out, says so.
    pub(crate) fn close_behind(&self) {
        let mut state = self.state.lock_anyway();
        state.close = true;
        if let Head::Held(head) = &mut state.head {
            head.close = true;
        }
        drop(state);
        self.link.close_behind_response();
    }

    /// Ends the connection with a reset, whenever it ends.
    pub(crate) fn reset_on_close(&self) {
        self.link.reset_on_close();
    }

    /// Breaks the connection at once, also when the client does not read.
    pub(crate) fn abort(&self) {
        self.pipe.abort();
        self.link.cut();
        let mut state = self.state.lock_anyway();
        state.head = Head::Sent;
        state.begin(&self.pipe, Start::Close);
    }

    /// Whether this response will close the connection, as far as the extension has said.
    pub(crate) fn closes(&self) -> bool {
        self.state.lock_anyway().close
    }

    /// Whether there is a head, or something that may become one.
    pub(crate) fn has_begun(&self) -> bool {
        !matches!(&self.state.lock_anyway().head, Head::Unset(collected) if collected.is_empty())
    }

    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }

    /// Ready when the client has gone; until then the task of `cx`, one at a time, will be told.
    pub(crate) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        self.pipe.poll_gone(cx)
    }

    /// Whether the client is still there.
    pub(crate) fn is_connected(&self) -> bool {
        self.pipe.is_connected() && !self.link.is_gone()
    }

    /// Whether body bytes are taken and dropped.
    fn to_head_request(&self) -> bool {
        self.origin.facts.head.method == Method::HEAD
    }

    fn refuse(&self, bad: &BadHead) -> Win32Error {
        tracing::warn!("ISAPI0308 {} sent a malformed response head, which is refused: {}", self.origin, bad.0);
        Win32Error::INVALID_PARAMETER
    }

    /// What a write without anything to send answers.
    fn check_client(&self) -> Result<(), Win32Error> {
        self.pipe.check()?;
        // The pipe cannot tell when the response needs no more of it.
        if self.link.is_gone() { Err(Win32Error::RESET) } else { Ok(()) }
    }

    /// Decides which parts of `data` are body bytes to send now; `None` while nothing is, because there is no data or
    /// the head is not complete.
    fn admit<'a>(&self, data: &'a [u8]) -> Result<Option<Admitted<'a>>, Win32Error> {
        if data.is_empty() {
            return Ok(None);
        }
        let mut state = self.state.lock_anyway();
        let Some(data) = state.behind_head(data, self.to_head_request()).map_err(|bad| self.refuse(&bad))? else {
            return Ok(None);
        };
        let ranges = match state.framing.admit(&data, &self.origin) {
            Ok(ranges) => ranges,
            Err(error) => {
                tracing::warn!(
                    "ISAPI0314 {} announced chunked framing and wrote malformed chunks; the connection is cut",
                    self.origin
                );
                state.hand_over(&self.pipe);
                drop(state);
                self.break_off();
                return Err(error);
            }
        };
        Ok(Some(Admitted { data, ranges, piece: state.framing.piece() }))
    }
}

/// How a failed response ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The client gets an error page.
    NothingSent,
    /// The client sees the connection break.
    Cut,
    /// The client has already got all of what the extension announced.
    Whole,
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Failure::NothingSent => "the client gets a 500 page",
            Failure::Cut => "the response had begun, so the connection is cut",
            Failure::Whole => "its answer, such as an error page, had gone out whole",
        })
    }
}

impl State {
    /// Keeps `head` until it has to go out, and sets how body bytes are treated.
    fn hold(&mut self, mut head: Box<ResponseHead>, to_head_request: bool) {
        head.close |= self.close;
        self.close = head.close;
        self.framing = match head.framing {
            _ if head.is_bodiless(to_head_request) => Framing::Discard,
            BodyFraming::UntilDone => Framing::Plain,
            BodyFraming::Length(length) => Framing::Length(length),
            BodyFraming::OwnChunks => Framing::Chunks(ChunkDecoder::new()),
        };
        self.head = Head::Held(head);
    }

    fn hand_over(&mut self, pipe: &Pipe) {
        if !matches!(self.head, Head::Held(_)) {
            return;
        }
        if let Head::Held(head) = std::mem::replace(&mut self.head, Head::Sent) {
            self.begin(pipe, Start::Head(head));
        }
    }

    /// Tells the service future how the answer begins; `false` when it has been told before.
    fn begin(&mut self, pipe: &Pipe, start: Start) -> bool {
        let first = !std::mem::replace(&mut self.begun, true);
        if first {
            pipe.begin(start);
        }
        first
    }

    /// The part of `data` that is body, once the head is known; `None` while it is being collected.
    fn behind_head<'a>(&mut self, data: &'a [u8], to_head_request: bool) -> Result<Option<Cow<'a, [u8]>>, BadHead> {
        let Head::Unset(collected) = &mut self.head else { return Ok(Some(Cow::Borrowed(data))) };
        let all = if collected.is_empty() { Cow::Borrowed(data) } else { Cow::Owned([collected, data].concat()) };
        let (head, body_start) = match recognise(&all, false)? {
            Beginning::Undecided => {
                collected.extend_from_slice(data);
                return Ok(None);
            }
            Beginning::Head(head, start) => (head, start),
            Beginning::Body => (ResponseHead::ok(), 0),
        };
        self.hold(Box::new(head), to_head_request);
        Ok(Some(match all {
            Cow::Borrowed(data) => Cow::Borrowed(&data[body_start..]),
            Cow::Owned(mut data) => {
                data.drain(..body_start);
                Cow::Owned(data)
            }
        }))
    }

    /// At the end: settles what was collected, and makes sure of a head. The error is an unusable one.
    fn end_collecting(&mut self, status: StatusCode, to_head_request: bool) -> Result<Vec<u8>, BadHead> {
        let Head::Unset(collected) = &mut self.head else { return Ok(Vec::new()) };
        let mut collected = std::mem::take(collected);
        if collected.is_empty() {
            self.hold(Box::new(ResponseHead::with_status(status)), to_head_request);
            return Ok(collected);
        }
        let (head, body_start, bad) = match recognise(&collected, true) {
            Ok(Beginning::Head(head, start)) => (head, start, None),
            Ok(_) => (ResponseHead::ok(), 0, None),
            Err(bad) => (ResponseHead::ok(), 0, Some(bad)),
        };
        self.hold(Box::new(head), to_head_request);
        collected.drain(..body_start);
        bad.map_or(Ok(collected), Err)
    }
}

//! The pipe of a response's body, from native threads that block to the I/O task that must not.
//!
//! [`Pipe`] is the writing end, shared by everything that holds the session; [`PipeBody`] the reading end, a body
//! for hyper. At most [`HIGH_WATER`] bytes wait before writers block. Dropping the reading end wakes the writers: they
//! fail from then on when the client went away, and write into the void when it has all that the response can have
//! (HEAD, 204, a `Content-Length` reached). No lock is held while foreign code runs.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};

use super::response_head::ResponseHead;
use crate::executor::{EventLoop, about_to_block};
use crate::link::Link;
use crate::lock::{LockAnyway, wait_at_most};
use crate::stream::{Chunk, FileToSend};

/// The bytes that may wait for the client before a writer blocks.
pub(crate) const HIGH_WATER: usize = 64 * 1024;

/// Why a write was not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WriteFailure {
    /// The client has gone.
    ClientGone,
    /// The response has been finished before.
    Ended,
    /// Our side has cut the connection.
    Cut,
    /// The client took nothing for the whole time limit.
    TimedOut,
}

/// Called once when a queued write has been taken, or with the reason why it will not be.
pub(crate) type WhenTaken = Box<dyn FnOnce(Result<(), WriteFailure>) + Send>;

/// The writing end.
pub(crate) struct Pipe {
    state: Mutex<State>,
    room: Condvar,
    /// Where the reader runs.
    event_loop: Option<Arc<EventLoop>>,
}

/// How the answer to the client begins.
pub(crate) enum Start {
    /// With this head, and the pipe's bytes as body.
    Head(Box<ResponseHead>),
    /// Not at all: the connection closes.
    Close,
    /// With an error page of the host's, since the extension has said nothing.
    Failed,
}

#[derive(Default)]
struct State {
    /// The beginning, until it is taken.
    start: Option<Start>,
    chunks: VecDeque<Queued>,
    /// What counts towards [`HIGH_WATER`].
    queued: usize,
    /// Bytes that wait, those of files included.
    length: u64,
    end: End,
    reading: Reading,
    /// The reader has been given one more turn to flush before it sees the cut.
    cut_announced: bool,
    reader: Option<Waker>,
    /// Writers that wait for room.
    writers: usize,
    when_taken: Option<WhenTaken>,
    /// Who wants to know when the client has gone.
    watcher: Option<Waker>,
}

/// What waits for the reader.
enum Queued {
    Bytes(Bytes),
    File(FileToSend),
}

impl Queued {
    /// What it counts towards [`HIGH_WATER`]: nothing fits behind a file until it has been taken.
    fn weight(&self) -> usize {
        match self {
            Queued::Bytes(bytes) => bytes.len(),
            Queued::File(_) => HIGH_WATER + 1,
        }
    }

    fn length(&self) -> u64 {
        match self {
            Queued::Bytes(bytes) => bytes.len() as u64,
            Queued::File(file) => file.left,
        }
    }
}

#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum End {
    #[default]
    Open,
    Finished,
    Cut,
}

/// What became of the reading end.
#[derive(Default, Clone, Copy, PartialEq, Eq)]
enum Reading {
    #[default]
    On,
    /// It was dropped because nothing more can be sent. What is written is dropped too.
    Satisfied,
    /// It was dropped because the client has gone.
    Gone,
}

impl State {
    fn check(&self) -> Result<(), WriteFailure> {
        match (self.end, self.reading) {
            (End::Open, Reading::On | Reading::Satisfied) => Ok(()),
            (End::Open, Reading::Gone) => Err(WriteFailure::ClientGone),
            // The reader drops its end behind the last byte, which says nothing about the client.
            (End::Finished, _) => Err(WriteFailure::Ended),
            (End::Cut, _) => Err(WriteFailure::Cut),
        }
    }

    fn push(&mut self, chunk: Bytes) -> Option<Waker> {
        if chunk.is_empty() || self.reading != Reading::On {
            return None;
        }
        self.enqueue(Queued::Bytes(chunk))
    }

    fn enqueue(&mut self, chunk: Queued) -> Option<Waker> {
        self.queued += chunk.weight();
        self.length += chunk.length();
        self.chunks.push_back(chunk);
        self.reader.take()
    }

    /// Takes out the first file and all that waits behind it.
    fn take_from_first_file(&mut self) -> VecDeque<Queued> {
        let first = self.chunks.iter().position(|chunk| matches!(chunk, Queued::File(_)));
        let taken = self.chunks.split_off(first.unwrap_or(self.chunks.len()));
        for chunk in &taken {
            self.queued -= chunk.weight();
            self.length -= chunk.length();
        }
        taken
    }

    /// Takes out what waits. To be dropped without the lock, since a file's end is told to somebody.
    fn take_queued(&mut self) -> VecDeque<Queued> {
        (self.queued, self.length) = (0, 0);
        std::mem::take(&mut self.chunks)
    }
}

impl Pipe {
    /// A pipe to a reader on `event_loop`; `None` for a reader that runs elsewhere.
    pub(crate) fn new(event_loop: Option<Arc<EventLoop>>) -> Self {
        Pipe { state: Mutex::default(), room: Condvar::new(), event_loop }
    }

    /// Says how the answer begins. Once.
    pub(crate) fn begin(&self, start: Start) {
        let mut state = self.state.lock_anyway();
        state.start = Some(start);
        let reader = state.reader.take();
        drop(state);
        self.wake(reader);
    }

    fn poll_start(&self, cx: &Context<'_>) -> Poll<Start> {
        let mut state = self.state.lock_anyway();
        match state.start.take() {
            Some(start) => Poll::Ready(start),
            None => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }

    /// Wakes the writers that wait for room; a signal is a system call, so it is spared when nobody waits.
    fn tell_writers(&self, state: MutexGuard<'_, State>) {
        let waiting = state.writers > 0;
        drop(state);
        if waiting {
            self.room.notify_all();
        }
    }

    /// Wakes the reader's task.
    fn wake(&self, reader: Option<Waker>) {
        match (reader, &self.event_loop) {
            (Some(reader), Some(event_loop)) => event_loop.wake(reader),
            (Some(reader), None) => reader.wake(),
            (None, _) => {}
        }
    }

    /// Whether a write would be taken.
    ///
    /// # Errors
    /// When the client has gone, or the response has been ended.
    pub(crate) fn check(&self) -> Result<(), WriteFailure> {
        self.state.lock_anyway().check()
    }

    /// Whether [`Pipe::write`] would not block.
    pub(crate) fn has_room(&self) -> bool {
        self.state.lock_anyway().queued <= HIGH_WATER
    }

    /// Queues copies of `pieces` whether or not there is room. Whoever has asked for room just before exceeds
    /// [`HIGH_WATER`] by no more than he writes.
    ///
    /// # Errors
    /// When the client has gone, or the response has been ended.
    pub(crate) fn push<'a>(&self, pieces: impl Iterator<Item = &'a [u8]>) -> Result<(), WriteFailure> {
        let mut state = self.state.lock_anyway();
        state.check()?;
        let mut reader = None;
        for piece in pieces {
            reader = state.push(Bytes::copy_from_slice(piece)).or(reader);
        }
        drop(state);
        self.wake(reader);
        Ok(())
    }

    /// Blocks while more than [`HIGH_WATER`] bytes wait, then queues a copy of `piece`, which stays in one piece.
    ///
    /// # Errors
    /// When the client has gone, or takes nothing for `limit`, or the response has been ended.
    pub(crate) fn write(&self, piece: &[u8], limit: Duration) -> Result<(), WriteFailure> {
        let mut state = self.state.lock_anyway();
        loop {
            state.check()?;
            if state.queued <= HIGH_WATER {
                break;
            }
            let before = state.queued;
            drop(state);
            about_to_block();
            state = self.state.lock_anyway();
            if state.queued <= HIGH_WATER || state.check().is_err() {
                continue;
            }
            state.writers += 1;
            let (next, timed_out) = wait_at_most(&self.room, state, limit);
            state = next;
            state.writers -= 1;
            if timed_out && state.queued == before {
                return Err(WriteFailure::TimedOut);
            }
        }
        let reader = state.push(Bytes::copy_from_slice(piece));
        drop(state);
        self.wake(reader);
        Ok(())
    }

    /// Queues `chunks` at once and calls `when_taken` when less than [`HIGH_WATER`] bytes wait, perhaps before this
    /// returns. One such write at a time is the caller's duty.
    ///
    /// # Errors
    /// When the client has gone or the response has been ended; `when_taken` is then never called.
    pub(crate) fn queue(&self, chunks: Vec<Bytes>, when_taken: WhenTaken) -> Result<(), WriteFailure> {
        let mut state = self.state.lock_anyway();
        state.check()?;
        let mut reader = None;
        for chunk in chunks {
            reader = state.push(chunk).or(reader);
        }
        let immediate = if state.queued <= HIGH_WATER {
            Some(when_taken)
        } else {
            state.when_taken = Some(when_taken);
            None
        };
        drop(state);
        self.wake(reader);
        if let Some(when_taken) = immediate {
            when_taken(Ok(()));
        }
        Ok(())
    }

    /// Queues a part of a file. It tells by itself what becomes of it, perhaps before this returns.
    ///
    /// # Errors
    /// When the client has gone or the response has been ended.
    pub(crate) fn send_file(&self, mut file: FileToSend) -> Result<(), WriteFailure> {
        let mut state = self.state.lock_anyway();
        if let Err(failure) = state.check() {
            file.when_sent = None;
            return Err(failure);
        }
        if state.reading != Reading::On {
            // It goes into the void, as all else does.
            drop(state);
            file.left = 0;
            return Ok(());
        }
        let reader = state.enqueue(Queued::File(file));
        drop(state);
        self.wake(reader);
        Ok(())
    }

    /// Ends the body; what is queued still goes out.
    pub(crate) fn finish(&self) {
        self.end(End::Finished, false);
    }

    /// Ends the body as broken: what is queued goes out, then the connection is cut.
    pub(crate) fn cut(&self) {
        self.end(End::Cut, false);
    }

    /// Breaks the connection at once, dropping what is queued.
    pub(crate) fn abort(&self) {
        self.end(End::Cut, true);
    }

    fn end(&self, end: End, drop_queued: bool) {
        let mut state = self.state.lock_anyway();
        if state.end == End::Open {
            state.end = end;
        } else if end == End::Cut {
            state.end = End::Cut;
        }
        let dropped = match (end, drop_queued) {
            (_, true) => state.take_queued(),
            (End::Cut, false) => state.take_from_first_file(),
            (End::Open | End::Finished, false) => VecDeque::new(),
        };
        let failed = if end == End::Cut { state.when_taken.take() } else { None };
        let reader = state.reader.take();
        self.tell_writers(state);
        drop(dropped);
        self.wake(reader);
        if let Some(when_taken) = failed {
            when_taken(Err(WriteFailure::Cut));
        }
    }

    /// Ready when the reader has gone away; the task of `cx`, one at a time, is woken then.
    pub(crate) fn poll_gone(&self, cx: &Context<'_>) -> Poll<()> {
        let mut state = self.state.lock_anyway();
        if state.reading == Reading::Gone {
            return Poll::Ready(());
        }
        state.watcher = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Whether the client is there and the response has not been cut.
    pub(crate) fn is_connected(&self) -> bool {
        let state = self.state.lock_anyway();
        state.reading != Reading::Gone && state.end != End::Cut
    }

    fn reader_left(&self, satisfied: bool) {
        let mut state = self.state.lock_anyway();
        state.reading = if satisfied { Reading::Satisfied } else { Reading::Gone };
        let dropped = state.take_queued();
        let when_taken = state.when_taken.take();
        let watcher = state.watcher.take();
        self.tell_writers(state);
        drop(dropped);
        self.wake(watcher);
        if let Some(when_taken) = when_taken {
            when_taken(if satisfied { Ok(()) } else { Err(WriteFailure::ClientGone) });
        }
    }

    fn poll(&self, cx: &mut Context<'_>) -> Poll<Option<io::Result<Queued>>> {
        let mut state = self.state.lock_anyway();
        if let Some(chunk) = state.chunks.pop_front() {
            state.queued -= chunk.weight();
            state.length -= chunk.length();
            let when_taken = if state.queued <= HIGH_WATER { state.when_taken.take() } else { None };
            self.tell_writers(state);
            if let Some(when_taken) = when_taken {
                when_taken(Ok(()));
            }
            return Poll::Ready(Some(Ok(chunk)));
        }
        match state.end {
            End::Finished => Poll::Ready(None),
            End::Cut if state.cut_announced => {
                Poll::Ready(Some(Err(io::Error::new(io::ErrorKind::ConnectionAborted, "the response was cut"))))
            }
            End::Cut => {
                // hyper flushes what it has when the body is pending, and drops it when the body fails.
                state.cut_announced = true;
                cx.waker().wake_by_ref();
                Poll::Pending
            }
            End::Open => {
                state.reader = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

/// The reading end, a response body for hyper. Dropping it tells the writers that the client has gone, unless it
/// has been satisfied.
pub(crate) struct PipeBody {
    pipe: Arc<Pipe>,
    /// Where files are announced.
    link: Arc<Link>,
    satisfied: bool,
}

impl PipeBody {
    /// The one reading end of `pipe`, for the connection of `link`.
    pub(crate) fn new(pipe: Arc<Pipe>, link: Arc<Link>) -> Self {
        PipeBody { pipe, link, satisfied: false }
    }

    /// Notes that the client gets all that the response can have, so that the end of reading says nothing about it.
    pub(crate) fn satisfy(&mut self) {
        self.satisfied = true;
    }

    /// Whether the writer has finished or cut the response.
    pub(crate) fn has_ended(&self) -> bool {
        self.pipe.state.lock_anyway().end != End::Open
    }

    /// Waits for the beginning of the answer.
    pub(crate) fn poll_start(&self, cx: &Context<'_>) -> Poll<Start> {
        self.pipe.poll_start(cx)
    }
}

impl Body for PipeBody {
    type Data = Chunk;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunk>>>> {
        let this = &*self;
        let frame = |queued| match queued {
            Queued::Bytes(bytes) => Frame::data(Chunk::Bytes(bytes)),
            Queued::File(file) => Frame::data(this.link.files().push(file)),
        };
        this.pipe.poll(cx).map(|next| next.map(|queued| queued.map(frame)))
    }

    fn is_end_stream(&self) -> bool {
        let state = self.pipe.state.lock_anyway();
        state.end == End::Finished && state.chunks.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        let state = self.pipe.state.lock_anyway();
        if state.end == End::Finished { SizeHint::with_exact(state.length) } else { SizeHint::default() }
    }
}

impl Drop for PipeBody {
    fn drop(&mut self) {
        self.pipe.reader_left(self.satisfied);
    }
}

#[cfg(test)]
mod tests {
    use std::thread;

    use http_body_util::BodyExt;

    use super::*;

    const LIMIT: Duration = Duration::from_secs(10);

    fn write_much(pipe: &Pipe, limit: Duration) -> Result<(), WriteFailure> {
        (0..4).try_for_each(|_| pipe.write(&[0; HIGH_WATER], limit))
    }

    #[test]
    fn a_finished_pipe_knows_its_size() {
        let pipe = Arc::new(Pipe::new(None));
        let body = PipeBody::new(Arc::clone(&pipe), Arc::default());
        assert_eq!(body.size_hint().exact(), None);
        pipe.write(b"hello", LIMIT).expect("open");
        pipe.finish();
        assert_eq!(body.size_hint().exact(), Some(5));
        assert_eq!(pipe.write(b"x", LIMIT), Err(WriteFailure::Ended));
    }

    #[test]
    fn a_dropped_reader_wakes_and_fails_the_writer() {
        let pipe = Arc::new(Pipe::new(None));
        let body = PipeBody::new(Arc::clone(&pipe), Arc::default());
        let writer = thread::spawn(move || write_much(&pipe, LIMIT));
        drop(body);
        assert_eq!(writer.join().expect("no panic"), Err(WriteFailure::ClientGone));
    }

    #[test]
    fn a_satisfied_reader_wakes_the_writer_and_everything_goes_into_the_void() {
        let pipe = Arc::new(Pipe::new(None));
        let mut body = PipeBody::new(Arc::clone(&pipe), Arc::default());
        let writer = thread::spawn(move || write_much(&pipe, LIMIT));
        body.satisfy();
        drop(body);
        assert_eq!(writer.join().expect("no panic"), Ok(()));
    }

    #[test]
    fn a_reader_that_takes_nothing_times_the_writer_out() {
        let pipe = Arc::new(Pipe::new(None));
        let _body = PipeBody::new(Arc::clone(&pipe), Arc::default());
        assert_eq!(write_much(&pipe, Duration::from_millis(10)), Err(WriteFailure::TimedOut));
    }

    #[tokio::test]
    async fn a_cut_pipe_delivers_what_it_has_and_then_fails() {
        let pipe = Arc::new(Pipe::new(None));
        let mut body = PipeBody::new(Arc::clone(&pipe), Arc::default());
        pipe.write(b"part", LIMIT).expect("open");
        pipe.cut();
        let first = body.frame().await.expect("a frame").expect("data");
        assert!(matches!(first.into_data(), Ok(Chunk::Bytes(bytes)) if bytes == "part"));
        assert!(body.frame().await.expect("an end").is_err());
    }
}

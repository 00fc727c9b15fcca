//! READ_RAW_DATA and SEND_RAW_DATA: a connection's bytes on their way through the filters.
//!
//! ```text
//! client ── socket ── pump ── READ_RAW_DATA, first filter first ──► FilteredSocket ── hyper
//!                       ◄──── SEND_RAW_DATA, first filter last ────
//! ```
//!
//! [`FilteredSocket`] is what hyper takes for the socket; the pump, in the same task, carries the bytes, and has the
//! filters called on native threads.

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::Notify;

use super::net_session::NetSession;
use super::notification::Notification;
use super::offering::Verdict;
use crate::lock::LockAnyway;
use crate::stream::Socket;

/// How much is read at once.
const PIECE: usize = 16 * 1024;
/// The most that a filter may ask for as its next read.
const MAX_READ: usize = 1024 * 1024;
/// The bytes between pump and hyper.
const BETWEEN: usize = 64 * 1024;

/// The state of a connection whose bytes filters see.
pub(crate) struct RawSide {
    /// What each filter wants to see again, with more behind it.
    pub(super) pending: Mutex<Vec<Vec<u8>>>,
    next_read: AtomicUsize,
    /// What filters send by themselves, to go out with the next bytes.
    injected: Mutex<Vec<u8>>,
    /// A response has ended that may not have been written yet.
    ended: AtomicBool,
    /// Bytes that hyper has written, and that the pump has taken.
    written: AtomicU64,
    taken: AtomicU64,
    /// Where the last response ends among these.
    mark: AtomicU64,
    /// hyper is done with the connection.
    closed: AtomicBool,
    /// The connection is to end at once.
    is_cut: AtomicBool,
    /// The pump takes no more bytes from hyper.
    drained: AtomicBool,
    /// Something of the above has changed.
    changed: Notify,
}

impl RawSide {
    pub(super) fn new(filters: usize) -> Self {
        RawSide {
            pending: Mutex::new(vec![Vec::new(); filters]),
            next_read: AtomicUsize::new(PIECE),
            injected: Mutex::default(),
            ended: AtomicBool::new(false),
            written: AtomicU64::new(0),
            taken: AtomicU64::new(0),
            mark: AtomicU64::new(0),
            closed: AtomicBool::new(false),
            is_cut: AtomicBool::new(false),
            drained: AtomicBool::new(false),
            changed: Notify::new(),
        }
    }

    /// The next read is to bring at most so many bytes.
    pub(super) fn set_next_read_size(&self, size: usize) {
        self.next_read.store(size.min(MAX_READ), Ordering::Relaxed);
    }

    /// Sends bytes that have been through the filters.
    pub(super) fn inject(&self, bytes: Vec<u8>) {
        self.injected.lock_anyway().extend_from_slice(&bytes);
        self.tell();
    }

    /// The body of a response has ended; hyper writes the rest of it next.
    pub(crate) fn response_ended(&self) {
        self.ended.store(true, Ordering::Release);
    }

    /// Waits until all of the response that has ended is through the filters, or there is no connection any more.
    pub(super) async fn response_is_through(&self) {
        self.until(|| {
            let flushed = !self.ended.load(Ordering::Acquire);
            let is_through = flushed && self.taken.load(Ordering::Acquire) >= self.mark.load(Ordering::Acquire);
            is_through || self.drained.load(Ordering::Acquire)
        })
        .await;
    }

    async fn until(&self, is_so: impl Fn() -> bool) {
        loop {
            let changed = self.changed.notified();
            if is_so() {
                return;
            }
            changed.await;
        }
    }

    fn tell(&self) {
        self.changed.notify_waiters();
    }

    /// The connection is to end at once, whatever is on its way.
    pub(super) fn cut(&self) {
        self.is_cut.store(true, Ordering::Release);
        self.tell();
    }

    fn is_closed(&self) -> bool {
        self.closed.load(Ordering::Acquire)
    }

    fn has_injected(&self) -> bool {
        !self.injected.lock_anyway().is_empty()
    }

    /// The pump takes no more bytes from hyper.
    fn drain(&self) {
        self.drained.store(true, Ordering::Release);
        self.tell();
    }
}

/// What hyper takes for the socket.
pub(crate) struct FilteredSocket {
    inner: DuplexStream,
    session: Arc<NetSession>,
    /// Read to see whether anything comes.
    peeked: Vec<u8>,
}

/// Puts the filters of `session` between `socket` and the host; the future carries the bytes.
pub(crate) fn stand_between<S: Socket>(
    socket: S,
    session: &Arc<NetSession>,
) -> (FilteredSocket, impl Future<Output = ()>) {
    let (inner, outer) = duplex(BETWEEN);
    let filtered = FilteredSocket { inner, session: Arc::clone(session), peeked: Vec::new() };
    (filtered, pump(socket, outer, Arc::clone(session)))
}

async fn pump<S: Socket>(socket: S, host_side: DuplexStream, session: Arc<NetSession>) {
    let (from_client, to_client) = split(socket);
    let (from_host, to_host) = split(host_side);
    let Some(raw) = session.raw() else { return };
    let over = Notify::new();
    let inbound = async {
        let mut from_client = from_client;
        tokio::select! {
            () = carry_in(&mut from_client, to_host, &session) => {}
            () = over.notified() => {}
        }
        from_client
    };
    let outbound = async {
        let mut to_client = to_client;
        tokio::select! {
            () = carry_out(from_host, &mut to_client, &session, raw) => {}
            () = raw.until(|| raw.is_cut.load(Ordering::Acquire)) => {}
        }
        raw.drain();
        // hyper may still read over what the client sends; it is done when it has let go of its side.
        raw.until(|| raw.is_closed()).await;
        over.notify_one();
        to_client
    };
    let (from_client, to_client) = tokio::join!(inbound, outbound);
    let socket = from_client.unsplit(to_client);
    if session.link().is_some_and(|link| link.resets()) {
        socket.reset_on_close();
    }
}

/// Client to host.
async fn carry_in<S: Socket>(from: &mut ReadHalf<S>, mut to: WriteHalf<DuplexStream>, session: &Arc<NetSession>) {
    let Some(raw) = session.raw() else { return };
    loop {
        let mut bytes = vec![0; raw.next_read.swap(PIECE, Ordering::Relaxed).max(1)];
        let count = from.read(&mut bytes).await.unwrap_or(0);
        bytes.truncate(count);
        if count == 0 {
            if raw.pending.lock_anyway().iter().any(|held| !held.is_empty())
                && let Verdict::Pass(rest) | Verdict::Last(rest) = receive(session, Vec::new(), true).await
            {
                // Whoever is gone does not read it.
                let _ = to.write_all(&rest).await;
            }
            let _ = to.shutdown().await;
            return;
        }
        let verdict = receive(session, bytes, false).await;
        let (bytes, goes_on) = match verdict {
            Verdict::Pass(bytes) => (bytes, true),
            Verdict::Last(bytes) => (bytes, false),
            Verdict::Cut => {
                cut(session);
                return;
            }
        };
        if to.write_all(&bytes).await.is_err() {
            return;
        }
        if !goes_on {
            if let Some(link) = session.link() {
                link.close_behind_response();
            }
            let _ = to.shutdown().await;
            return;
        }
    }
}

/// Host to client.
async fn carry_out<S: Socket>(
    mut from: ReadHalf<DuplexStream>,
    to: &mut WriteHalf<S>,
    session: &Arc<NetSession>,
    raw: &RawSide,
) {
    let limit = session.host().timeouts.send_idle;
    let mut buffer = vec![0; BETWEEN];
    loop {
        let count = tokio::select! {
            biased;
            () = raw.until(|| raw.has_injected()), if !raw.is_closed() => None,
            count = from.read(&mut buffer) => Some(count.unwrap_or(0)),
        };
        let verdict = match count {
            None => Verdict::Pass(Vec::new()),
            Some(0) => break,
            Some(count) => send(session, &buffer[..count]).await,
        };
        let injected = std::mem::take(&mut *raw.injected.lock_anyway());
        let (bytes, goes_on) = match verdict {
            Verdict::Pass(bytes) => (bytes, true),
            Verdict::Last(bytes) => (bytes, false),
            Verdict::Cut => {
                cut(session);
                return;
            }
        };
        let written = write(to, &[injected, bytes].concat(), limit).await;
        raw.taken.fetch_add(count.unwrap_or(0) as u64, Ordering::AcqRel);
        raw.tell();
        if !written || !goes_on {
            cut(session);
            let _ = to.shutdown().await;
            return;
        }
    }
    raw.drain();
    // What filters send at the end of the last request still goes out.
    if session.wants(Notification::EndOfRequest) {
        session.last_request_over().await;
    }
    let injected = std::mem::take(&mut *raw.injected.lock_anyway());
    write(to, &injected, limit).await;
    // The other end may have gone.
    let _ = to.shutdown().await;
}

async fn send(session: &Arc<NetSession>, bytes: &[u8]) -> Verdict {
    if !session.wants(Notification::SendRawData) {
        return Verdict::Pass(bytes.to_vec());
    }
    let (bytes, session_of_job, record) = (bytes.to_vec(), Arc::clone(session), session.hold_present_request());
    let job = move || {
        // Held so that the request is not over as long as filters see its bytes.
        let _record = record;
        session_of_job.filter_send(bytes, None)
    };
    session.call(job).await.unwrap_or(Verdict::Cut)
}

/// What hyper gets of bytes of the client, or of what filters have held back when no more comes.
async fn receive(session: &Arc<NetSession>, bytes: Vec<u8>, is_end: bool) -> Verdict {
    if !session.wants(Notification::ReadRawData) {
        return Verdict::Pass(bytes);
    }
    let (session_of_job, record) = (Arc::clone(session), session.hold_present_request());
    let job = move || {
        let _record = record;
        session_of_job.filter_read(bytes, is_end)
    };
    session.call(job).await.unwrap_or(Verdict::Cut)
}

async fn write<S: Socket>(to: &mut WriteHalf<S>, bytes: &[u8], limit: Duration) -> bool {
    let mut left = bytes;
    while !left.is_empty() {
        match tokio::time::timeout(limit, to.write(left)).await {
            Ok(Ok(count @ 1..)) => left = &left[count..],
            _ => return false,
        }
    }
    true
}

fn cut(session: &NetSession) {
    if let Some(link) = session.link() {
        link.cut();
    }
}

impl FilteredSocket {
    fn raw(&self) -> &RawSide {
        self.session.raw().expect("the socket stands there only for sessions that have this side")
    }
}

impl Socket for FilteredSocket {
    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.peeked.is_empty() {
            let mut room = [0; 1024];
            let mut buffer = ReadBuf::new(&mut room);
            // The end is something to read as well.
            let _ = std::task::ready!(Pin::new(&mut self.inner).poll_read(cx, &mut buffer));
            self.peeked.extend_from_slice(buffer.filled());
        }
        Poll::Ready(())
    }
}

impl AsyncRead for FilteredSocket {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        if self.peeked.is_empty() {
            return Pin::new(&mut self.inner).poll_read(cx, buffer);
        }
        let count = self.peeked.len().min(buffer.remaining());
        buffer.put_slice(&self.peeked[..count]);
        self.peeked.drain(..count);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for FilteredSocket {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.inner).poll_write(cx, bytes);
        if let Poll::Ready(Ok(count)) = written {
            self.raw().written.fetch_add(count as u64, Ordering::AcqRel);
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let raw = self.raw();
        // hyper flushes when it has written all that it has.
        if raw.ended.load(Ordering::Acquire) {
            raw.mark.store(raw.written.load(Ordering::Acquire), Ordering::Release);
            raw.ended.store(false, Ordering::Release);
            raw.tell();
        }
        Pin::new(&mut self.inner).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.inner).poll_shutdown(cx)
    }
}

impl Drop for FilteredSocket {
    fn drop(&mut self) {
        let raw = self.raw();
        raw.closed.store(true, Ordering::Release);
        raw.tell();
    }
}

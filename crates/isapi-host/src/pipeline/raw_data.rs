//! READ_RAW_DATA and SEND_RAW_DATA: a connection's bytes on their way through the filters.
//!
//! ```text
//! client ── socket ── pump ── READ_RAW_DATA, first filter first ──► FilteredSocket ── hyper
//!                       ◄──── SEND_RAW_DATA, first filter last ────
//! ```
//!
//! [`FilteredSocket`] is what hyper takes for the socket; the pump, in the same task, carries the bytes, and has the
//! filters called on native threads.
#![expect(unsafe_code, reason = "the struct of the notifications is foreign code's")]

use std::io;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};
use std::time::Duration;

use isapi_abi::httpfilt::HTTP_FILTER_RAW_DATA;
use tokio::io::{
    AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, DuplexStream, ReadBuf, ReadHalf, WriteHalf, duplex, split,
};
use tokio::sync::Notify;

use super::memory::{Lent, copy};
use super::net_session::NetSession;
use super::notification::{Notification, Status};
use crate::lock::LockAnyway;
use crate::stream::Socket;

/// How much is read at once, and the least buffer that a filter gets.
const PIECE: usize = 16 * 1024;
/// The most that a filter may ask for as its next read.
const MAX_READ: usize = 1024 * 1024;
/// The most that a filter may hold back.
const MAX_PENDING: usize = 64 * 1024 * 1024;
/// The bytes between pump and hyper.
const BETWEEN: usize = 64 * 1024;

/// The state of a connection whose bytes filters see.
pub(crate) struct RawSide {
    /// What each filter wants to see again, with more behind it.
    pending: Mutex<Vec<Vec<u8>>>,
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

/// What becomes of bytes.
enum Verdict {
    /// These go on.
    Pass(Vec<u8>),
    /// These go on, and then the connection ends.
    Last(Vec<u8>),
    /// A filter failed: the connection is cut.
    Cut,
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

impl NetSession {
    /// READ_RAW_DATA: what hyper gets of `bytes`; at the end of what the client sends also of what was held back.
    fn filter_read(self: &Arc<Self>, bytes: Vec<u8>, is_end: bool) -> Verdict {
        let (order, mut handled, mut bytes) = (self.order(Notification::ReadRawData), false, bytes);
        for position in 0..self.chain().filters().len() {
            let brings_more = !bytes.is_empty();
            bytes = self.with_pending(position, bytes);
            // What a filter has held back goes in front of what comes later, also when it does not see that any more.
            if handled || bytes.is_empty() || !order.contains(&position) || !brings_more {
                continue;
            }
            let Some((status, _, left)) = self.offer(Notification::ReadRawData, position, &bytes) else {
                return Verdict::Cut;
            };
            bytes = left;
            match status {
                Status::Next => {}
                Status::Handled => handled = true,
                Status::ReadNext if is_end => {}
                Status::ReadNext => return self.keep_pending(position, bytes),
                Status::Finished | Status::FinishedKeepConnection => return Verdict::Last(Vec::new()),
                Status::Error(error) => return self.failed(Notification::ReadRawData, position, error),
            }
        }
        Verdict::Pass(bytes)
    }

    /// What the filter at `position` has held back, with `bytes` behind it.
    fn with_pending(&self, position: usize, bytes: Vec<u8>) -> Vec<u8> {
        let Some(raw) = self.raw() else { return bytes };
        let mut before = std::mem::take(&mut raw.pending.lock_anyway()[position]);
        if before.is_empty() {
            return bytes;
        }
        before.extend_from_slice(&bytes);
        before
    }

    fn keep_pending(&self, position: usize, bytes: Vec<u8>) -> Verdict {
        if bytes.len() > MAX_PENDING {
            let filter = self.chain().filters()[position].name();
            tracing::error!("ISAPI0333 the filter {filter} held back more than {MAX_PENDING} bytes of READ_RAW_DATA");
            return Verdict::Cut;
        }
        if let Some(raw) = self.raw() {
            raw.pending.lock_anyway()[position] = bytes;
        }
        Verdict::Pass(Vec::new())
    }

    /// SEND_RAW_DATA: what the client gets of `bytes`. With `after`, only filters behind that position are notified.
    fn filter_send(self: &Arc<Self>, bytes: Vec<u8>, after: Option<usize>) -> Verdict {
        let (mut bytes, mut before) = (bytes, Vec::new());
        // The order is reversed: those behind a filter are in front of it in the chain.
        for position in
            self.order(Notification::SendRawData).into_iter().filter(|place| after.is_none_or(|after| *place < after))
        {
            if bytes.is_empty() {
                break;
            }
            let Some((status, output, left)) = self.offer(Notification::SendRawData, position, &bytes) else {
                return Verdict::Cut;
            };
            before.extend_from_slice(&output);
            bytes = left;
            match status {
                Status::Next | Status::ReadNext => {}
                Status::Handled => break,
                Status::Finished | Status::FinishedKeepConnection => return Verdict::Last(before),
                Status::Error(error) => return self.failed(Notification::SendRawData, position, error),
            }
        }
        before.extend_from_slice(&bytes);
        Verdict::Pass(before)
    }

    /// Bytes that a filter sends by itself, as those behind it leave them.
    pub(super) fn send_through(self: &Arc<Self>, bytes: Vec<u8>, after: Option<usize>) -> Vec<u8> {
        match self.filter_send(bytes, after) {
            Verdict::Pass(bytes) | Verdict::Last(bytes) => bytes,
            Verdict::Cut => {
                cut(self);
                Vec::new()
            }
        }
    }

    fn failed(&self, notification: Notification, position: usize, error: u32) -> Verdict {
        let (filter, notification) = (self.chain().filters()[position].name(), notification.name());
        tracing::error!(
            "ISAPI0333 the filter {filter} answered {notification} with SF_STATUS_REQ_ERROR; its last error was {error}; \
             the connection is cut"
        );
        Verdict::Cut
    }

    /// Shows `bytes` to one filter: its status, what it wrote, and the bytes as it leaves them; `None` when it broke the
    /// memory that it was lent or lied about it.
    fn offer(
        self: &Arc<Self>,
        notification: Notification,
        position: usize,
        bytes: &[u8],
    ) -> Option<(Status, Vec<u8>, Vec<u8>)> {
        let (mut lent, request) = (Lent::new(bytes, PIECE), self.present_request());
        let blocks = self.memory.lock_anyway().count();
        let mut data = HTTP_FILTER_RAW_DATA {
            pvInData: lent.as_mut_ptr().cast(),
            cbInData: u32::try_from(bytes.len()).unwrap_or(u32::MAX),
            cbInBuffer: lent.size(),
            dwReserved: 0,
        };
        // SAFETY: this is the struct of both notifications, and its buffer lives until the filter has returned.
        let called = unsafe { self.notify_one(position, notification, request.as_ref(), (&raw mut data).cast()) };
        let left = self.taken_over(&lent, &data, blocks);
        // Also when other memory took its place.
        let left = left.filter(|_| lent.bytes(0).is_some());
        if left.is_none() {
            let (filter, notification) = (self.chain().filters()[position].name(), notification.name());
            tracing::error!(
                "ISAPI0334 the filter {filter} wrote past the end of the memory that {notification} lent it, or gave a \
                 length that is not true; the connection is cut"
            );
        }
        left.map(|left| (called.status, called.output, left))
    }
}

impl NetSession {
    /// The bytes that `data` says, in the lent buffer or in other memory; `None` when they cannot be there. A block that
    /// was asked for behind the first `blocks` is given back.
    fn taken_over(&self, lent: &Lent, data: &HTTP_FILTER_RAW_DATA, blocks: u64) -> Option<Vec<u8>> {
        let (start, length) = (data.pvInData.cast_const(), data.cbInData as usize);
        if lent.contains(start.addr()) {
            return lent.bytes_at(start.addr(), length).map(<[u8]>::to_vec);
        }
        let mut memory = self.memory.lock_anyway();
        if length > memory.room_at(start).unwrap_or(data.cbInBuffer as usize) {
            return None;
        }
        // SAFETY: a filter that puts its own memory there vouches for as many bytes as its buffer has.
        let taken = unsafe { copy(start, length) };
        memory.take_back(start, blocks, &self.filter_contexts());
        taken
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

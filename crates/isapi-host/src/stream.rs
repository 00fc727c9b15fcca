//! The bytes of one connection, between hyper and the socket: tells the link what it sees, sends files without reading
//! them, and lets a client that is still sending notice its answer.
//!
//! hyper knows only memory, so a part of a file goes through it as a [`Chunk::File`], whose memory is one static
//! placeholder; [`Stream`] sees the placeholder where it writes, and has the system send the file instead (`sendfile`).

use std::collections::VecDeque;
use std::fs::File;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Sleep, sleep};

use crate::link::Link;
use crate::lock::LockAnyway;

/// How long an answered client may take to stop sending.
const LINGER: Duration = Duration::from_secs(2);
/// The most bytes that are copied together to be written as one.
const SHORT: usize = 1024;
/// The most of a file that is sent at once.
const PIECE: usize = 256 * 1024;

/// Stands for the bytes of a file. Nobody looks into it, so it takes no memory.
static PLACEHOLDER: [u8; PIECE] = [0; PIECE];

/// A piece of a body.
#[derive(Debug)]
pub(crate) enum Chunk {
    /// These bytes.
    Bytes(Bytes),
    /// So many bytes of the file that [`Files::push`] was given.
    File(u64),
}

impl Buf for Chunk {
    fn remaining(&self) -> usize {
        match self {
            Chunk::Bytes(bytes) => bytes.len(),
            Chunk::File(left) => usize::try_from(*left).unwrap_or(usize::MAX),
        }
    }

    fn chunk(&self) -> &[u8] {
        match self {
            Chunk::Bytes(bytes) => bytes,
            Chunk::File(_) => &PLACEHOLDER[..self.remaining().min(PIECE)],
        }
    }

    fn advance(&mut self, count: usize) {
        match self {
            Chunk::Bytes(bytes) => bytes.advance(count),
            Chunk::File(left) => *left -= count as u64,
        }
    }
}

/// The parts of files that are on their way through hyper, in order.
#[derive(Default)]
pub(crate) struct Files(Mutex<VecDeque<FileToSend>>);

/// Told once what became of a file: `true` when the system has taken all of it.
pub(crate) type WhenSent = Box<dyn FnOnce(bool) + Send>;

/// A part of a file to be sent. Dropped before all of it has been, it says so.
pub(crate) struct FileToSend {
    pub(crate) file: Arc<File>,
    pub(crate) position: u64,
    /// In bytes; not 0.
    pub(crate) left: u64,
    pub(crate) when_sent: Option<WhenSent>,
    account: Option<Arc<dyn Account>>,
}

/// Where what has been sent is counted.
pub(crate) trait Account: Send + Sync {
    /// So many bytes that were counted have not been sent.
    fn unsent(&self, bytes: u64);
}

impl FileToSend {
    /// `left` bytes, not 0, of `file` from `position` on.
    pub(crate) fn new(file: Arc<File>, position: u64, left: u64, when_sent: Option<WhenSent>) -> Self {
        FileToSend { file, position, left, when_sent, account: None }
    }
}

impl Drop for FileToSend {
    fn drop(&mut self) {
        if let (Some(account), true) = (self.account.take(), self.left > 0) {
            account.unsent(self.left);
        }
        if let Some(when_sent) = self.when_sent.take() {
            when_sent(self.left == 0);
        }
    }
}

impl Files {
    /// Announces a file; the chunk is to be given to hyper next.
    pub(crate) fn push(&self, file: FileToSend) -> Chunk {
        let chunk = Chunk::File(file.left);
        self.0.lock_anyway().push_back(file);
        chunk
    }

    /// Has `account` count the file that was announced last.
    pub(crate) fn account(&self, account: Arc<dyn Account>) {
        if let Some(last) = self.0.lock_anyway().back_mut() {
            last.account = Some(account);
        }
    }

    /// Forgets all of them, since the connection has ended.
    pub(crate) fn clear(&self) {
        // Dropped behind the lock: whoever is told may do a good deal.
        let forgotten = std::mem::take(&mut *self.0.lock_anyway());
        drop(forgotten);
    }

    /// Gives the first to `send`, and ends it when all of it has been sent.
    fn send_first(&self, send: impl FnOnce(&FileToSend) -> Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        let mut files = self.0.lock_anyway();
        let Some(first) = files.front_mut() else {
            return Poll::Ready(Err(io::Error::other("a file was announced that is not there")));
        };
        let sent = ready!(send(first))?;
        if sent == 0 {
            // It is shorter than it was; the client has been promised more.
            return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
        }
        first.position += sent as u64;
        first.left -= sent as u64;
        let finished = if first.left == 0 { files.pop_front() } else { None };
        drop(files);
        drop(finished);
        Poll::Ready(Ok(sent))
    }
}

/// What a connection is made over.
pub(crate) trait Socket: AsyncRead + AsyncWrite + Send + Unpin + 'static {
    /// Has the client see a reset when the socket is dropped.
    fn reset_on_close(&self) {}

    /// Waits for bytes to read, or for the end, without room for them.
    fn poll_readable(&mut self, _cx: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    /// Sends at most `length` bytes of `file` from `position` on.
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        position: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        poll_send_read(self, cx, file, position, length)
    }
}

/// Sends a part of a file by reading it.
fn poll_send_read(
    socket: &mut (impl AsyncWrite + Unpin + ?Sized),
    cx: &mut Context<'_>,
    file: &File,
    position: u64,
    length: usize,
) -> Poll<io::Result<usize>> {
    let mut buffer = vec![0; length.min(64 * 1024)];
    let count = read_at(file, &mut buffer, position)?;
    if count == 0 {
        return Poll::Ready(Ok(0));
    }
    Pin::new(socket).poll_write(cx, &buffer[..count])
}

/// Whether the system says that it cannot send this file by itself.
#[cfg(target_os = "linux")]
fn is_unable(error: &io::Error) -> bool {
    use rustix::io::Errno;
    let code = error.raw_os_error();
    [Errno::INVAL, Errno::NOSYS, Errno::OPNOTSUPP].iter().any(|errno| Some(errno.raw_os_error()) == code)
}

impl Socket for TcpStream {
    fn reset_on_close(&self) {
        if let Err(error) = self.set_zero_linger() {
            tracing::debug!("a connection cannot be reset: {error}");
        }
    }

    fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        // What is wrong with it shows when it is read.
        self.poll_read_ready(cx).map(drop)
    }

    #[cfg(target_os = "linux")]
    fn poll_send_file(
        &mut self,
        cx: &mut Context<'_>,
        file: &File,
        position: u64,
        length: usize,
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.poll_write_ready(cx))?;
            let mut position = position;
            let sent = self.try_io(tokio::io::Interest::WRITABLE, || {
                rustix::fs::sendfile(&*self, file, Some(&mut position), length).map_err(io::Error::from)
            });
            match sent {
                Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
                // Not every file system can send a file.
                Err(error) if is_unable(&error) => return poll_send_read(self, cx, file, position, length),
                sent => return Poll::Ready(sent),
            }
        }
    }
}

/// Reads at a position without moving the file's own.
pub(crate) fn read_at(file: &File, buffer: &mut [u8], position: u64) -> io::Result<usize> {
    #[cfg(unix)]
    return std::os::unix::fs::FileExt::read_at(file, buffer, position);
    #[cfg(windows)]
    return std::os::windows::fs::FileExt::seek_read(file, buffer, position);
}

/// See the module.
pub(crate) struct Stream<S: Socket> {
    socket: S,
    link: Arc<Link>,
    /// Bytes that come before those of the socket.
    rewound: Bytes,
    linger_limit: Option<Pin<Box<Sleep>>>,
}

impl<S: Socket> Stream<S> {
    pub(crate) fn new(socket: S, link: Arc<Link>) -> Self {
        Stream { socket, link, rewound: Bytes::new(), linger_limit: None }
    }

    fn note(&self, cx: &Context<'_>, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        if self.link.write_waits(result.is_pending()) {
            // hyper does not ask for the answer to a request before the answer in front of it has been written, and
            // once it has been, it waits for an event that need not come.
            cx.waker().wake_by_ref();
        }
        if let Poll::Ready(Ok(bytes)) = result {
            self.link.wrote(bytes);
        }
        result
    }
}

impl<S: Socket> Stream<S> {
    /// Waits for bytes to read, or for the end.
    pub(crate) fn poll_readable(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.rewound.is_empty() { self.socket.poll_readable(cx) } else { Poll::Ready(()) }
    }

    /// Gives back bytes that have been read, to be read again.
    pub(crate) fn rewind(&mut self, bytes: Bytes) {
        self.rewound = bytes;
    }

    /// Sends the next bytes of the file that the placeholder stands for.
    fn poll_write_file(&mut self, cx: &mut Context<'_>, length: usize) -> Poll<io::Result<usize>> {
        let Stream { socket, link, .. } = self;
        link.files().send_first(|first| {
            let length = usize::try_from(first.left).unwrap_or(usize::MAX).min(length);
            socket.poll_send_file(cx, &first.file, first.position, length)
        })
    }

    /// Reads over what the client still sends, until it closes or the time is over. Closing a socket with unread
    /// bytes resets the connection, and a reset can overtake the answer that was just sent.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let limit = self.linger_limit.get_or_insert_with(|| Box::pin(sleep(LINGER)));
        if limit.as_mut().poll(cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 8192];
        for _ in 0..64 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.socket).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        // A fast sender must not keep the task from its limit, nor other tasks from the thread.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Writes `buffers`, as one if they are short: a plain send costs the system less than a vectored write.
fn poll_write_together(
    socket: &mut impl Socket,
    cx: &mut Context<'_>,
    buffers: &[IoSlice<'_>],
) -> Poll<io::Result<usize>> {
    let mut together = [0; SHORT];
    let mut length = 0;
    for buffer in buffers {
        let Some(room) = together.get_mut(length..length + buffer.len()) else {
            return Pin::new(socket).poll_write_vectored(cx, buffers);
        };
        room.copy_from_slice(buffer);
        length += buffer.len();
    }
    Pin::new(socket).poll_write(cx, &together[..length])
}

fn is_placeholder(buffer: &[u8]) -> bool {
    std::ptr::eq(buffer.as_ptr(), PLACEHOLDER.as_ptr())
}

impl<S: Socket> AsyncRead for Stream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = if this.rewound.is_empty() {
            Pin::new(&mut this.socket).poll_read(cx, buffer)
        } else {
            let count = this.rewound.len().min(buffer.remaining());
            buffer.put_slice(&this.rewound.split_to(count));
            Poll::Ready(Ok(()))
        };
        if buffer.filled().len() > before {
            this.link.bytes_came();
        }
        result
    }
}

impl<S: Socket> AsyncWrite for Stream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = if is_placeholder(buffer) {
            this.poll_write_file(cx, buffer.len())
        } else {
            Pin::new(&mut this.socket).poll_write(cx, buffer)
        };
        this.note(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = match buffers.iter().position(|buffer| is_placeholder(buffer)) {
            Some(0) => this.poll_write_file(cx, buffers[0].len()),
            Some(place) => Pin::new(&mut this.socket).poll_write_vectored(cx, &buffers[..place]),
            None => poll_write_together(&mut this.socket, cx, buffers),
        };
        this.note(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        // Always, since hyper would otherwise copy the placeholder.
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().socket).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.link.resets() {
            // An orderly end would come before the reset.
            return Poll::Ready(Ok(()));
        }
        if this.linger_limit.is_none() {
            ready!(Pin::new(&mut this.socket).poll_shutdown(cx))?;
        }
        if this.link.had_body() {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

impl<S: Socket> Drop for Stream<S> {
    fn drop(&mut self) {
        if self.link.resets() {
            self.socket.reset_on_close();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::pin::pin;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::task::{Wake, Waker};

    use tokio::io::{AsyncReadExt, DuplexStream, duplex};

    use super::*;

    impl Socket for DuplexStream {}

    /// Counts how often it is woken.
    #[derive(Default)]
    struct Count(AtomicUsize);

    impl Wake for Count {
        fn wake(self: Arc<Self>) {
            self.0.fetch_add(1, Ordering::SeqCst);
        }
    }

    /// How often the task is woken by the write that goes on after it waited for the client.
    async fn wakes_when_a_write_goes_on(request_comes_meanwhile: bool) -> usize {
        let (socket, mut client) = duplex(4);
        let link = Arc::new(Link::new());
        let mut stream = pin!(Stream::new(socket, Arc::clone(&link)));
        let count = Arc::new(Count::default());
        let waker = Waker::from(Arc::clone(&count));
        let mut cx = Context::from_waker(&waker);
        assert!(matches!(stream.as_mut().poll_write(&mut cx, b"abcd"), Poll::Ready(Ok(4))));
        assert!(stream.as_mut().poll_write(&mut cx, b"ef").is_pending());
        if request_comes_meanwhile {
            link.request_came(false);
        }
        client.read_exact(&mut [0; 4]).await.expect("it has been written");
        let before = count.0.load(Ordering::SeqCst);
        assert!(matches!(stream.as_mut().poll_write(&mut cx, b"ef"), Poll::Ready(Ok(2))));
        count.0.load(Ordering::SeqCst) - before
    }

    #[tokio::test]
    async fn a_request_that_came_while_a_write_waited_is_seen_to_when_the_write_goes_on() {
        assert_eq!(wakes_when_a_write_goes_on(true).await, 1);
        assert_eq!(wakes_when_a_write_goes_on(false).await, 0);
    }
}

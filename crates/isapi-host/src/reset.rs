//! The end of a connection by a reset, which an extension can ask for (ABORTIVE_CLOSE).
//!
//! [`Resettable`] stands between a connection's stream and its task, does nothing while the connection lives, and
//! looks at its [`Link`] when it is dropped, which is when the socket is closed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::link::Link;

/// A stream over a socket that can be closed with a reset.
pub(crate) trait Reset {
    /// Lets the close that follows be a reset instead of an orderly end.
    ///
    /// # Errors
    /// When the system refuses.
    fn reset_on_close(&self) -> io::Result<()>;
}

impl Reset for TcpStream {
    fn reset_on_close(&self) -> io::Result<()> {
        self.set_zero_linger()
    }
}

/// A stream whose end is a reset if its link says so.
pub(crate) struct Resettable<S: Reset> {
    stream: S,
    link: Arc<Link>,
}

impl<S: Reset> Resettable<S> {
    pub(crate) fn new(stream: S, link: Arc<Link>) -> Self {
        Resettable { stream, link }
    }
}

impl<S: Reset> Drop for Resettable<S> {
    fn drop(&mut self) {
        if self.link.resets()
            && let Err(error) = self.stream.reset_on_close()
        {
            tracing::debug!("cannot reset a connection: {error}");
        }
    }
}

impl<S: AsyncRead + Reset + Unpin> AsyncRead for Resettable<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl<S: AsyncWrite + Reset + Unpin> AsyncWrite for Resettable<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buffer)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, buffers)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.link.resets() {
            // An orderly end now would leave nothing to reset.
            return Poll::Ready(Ok(()));
        }
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

//! One connection: hyper's HTTP/1 over any stream, with time limits, until it ends or the server stops.
//!
//! hyper limits the time between requests. [`TimedStream`] adds two limits that it lacks: the head of a request,
//! once begun, must come in time, and a client must not stop reading for ever. Runs on an I/O task.

use std::io;
use std::net::SocketAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::{Notify, watch};
use tokio::time::{Sleep, sleep, timeout};

use crate::host::Host;
use crate::link::{self, Existence, Link};
use crate::options::Timeouts;
use crate::reset::{Reset, Resettable};
use crate::site;

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// How long an answered client may take to stop sending.
const LINGER: Duration = Duration::from_secs(2);

/// How long a stopping server waits for the first request of a connection that it has already accepted.
const FIRST_REQUEST: Duration = Duration::from_millis(500);

/// Serves requests on `stream` until it ends; when `stop` is set, the request in progress is the last.
pub(crate) async fn serve<S>(stream: S, peers: Peers, host: Arc<Host>, mut stop: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Reset + Send + Unpin + 'static,
{
    let timeouts = host.timeouts;
    let phase = Arc::new(Phase::default());
    let existence = Existence(Arc::default());
    let stream = Resettable::new(stream, Arc::clone(&existence.0));
    let stream = TokioIo::new(TimedStream::new(stream, Arc::clone(&phase), timeouts));
    let (entering, link) = (Arc::clone(&phase), Arc::clone(&existence.0));
    let service_host = Arc::clone(&host);
    let service = service_fn(move |request| {
        let turn = entering.enter_request(&request, &link);
        site::answer(Arc::clone(&service_host), peers, turn, request)
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(timeouts.keep_alive)
        .max_header_size(MAX_HEAD)
        .title_case_headers(true)
        .serve_connection(stream, service);
    let mut connection = pin!(connection);
    let mut stopping = pin!(stopped_and_not_new(&mut stop, &phase));
    let (mut asked, mut told) = (None, false);
    let result = loop {
        tokio::select! {
            // What a request asks of the connection comes before the request's end.
            biased;
            request = existence.0.asked(asked) => match request {
                // What is left of the connection is dropped, and its socket closed, without another word.
                link::Request::Cut => break Ok(()),
                link::Request::Last => {
                    asked = Some(request);
                    connection.as_mut().graceful_shutdown();
                }
            },
            result = connection.as_mut() => break result,
            () = stopping.as_mut(), if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
        }
    };
    if let Err(error) = result {
        // A client that goes away or sends nonsense is everyday business; hyper has answered what it could.
        tracing::debug!("the connection from {} ended: {error}", peers.remote);
        if error.is_parse() {
            let status = if error.is_parse_too_large() { 431 } else { 400 };
            site::log_refused_by_parser(host, peers, status);
        }
    }
}

/// Waits until `stop` is set, and then a little for the first request of a connection that has not had one: its
/// client has just been let in, and would take the close for a refusal.
async fn stopped_and_not_new(stop: &mut watch::Receiver<bool>, phase: &Phase) {
    stopped(stop).await;
    // Whether the request came or the time is over, the connection may now be told.
    let _ = timeout(FIRST_REQUEST, phase.first_request.notified()).await;
}

/// Waits until `stop` is set, or can no longer be set.
async fn stopped(stop: &mut watch::Receiver<bool>) {
    // The guard that this returns must not live across the next await.
    let _ = stop.wait_for(|stopped| *stopped).await.map(|_| ());
}

const IDLE: u8 = 0;
const HEAD: u8 = 1;
const REQUEST: u8 = 2;

/// What a connection is doing: nothing, reading a head, or answering.
#[derive(Default)]
pub(crate) struct Phase {
    now: AtomicU8,
    /// The last request had a body, of which some may be on its way.
    had_body: AtomicBool,
    /// Holds a permit once a request has come.
    first_request: Notify,
}

impl Phase {
    fn enter_request(self: &Arc<Self>, request: &Request<Incoming>, link: &Arc<Link>) -> Turn {
        self.first_request.notify_one();
        self.now.store(REQUEST, Ordering::Relaxed);
        self.had_body.store(!request.body().is_end_stream(), Ordering::Relaxed);
        Turn { phase: Arc::clone(self), link: Arc::clone(link) }
    }
}

/// Held while a request is answered, until its response has been sent or given up.
pub(crate) struct Turn {
    phase: Arc<Phase>,
    link: Arc<Link>,
}

impl Turn {
    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.phase.now.store(IDLE, Ordering::Relaxed);
    }
}

/// A stream that fails when a head takes too long or a write makes no progress.
struct TimedStream<S> {
    stream: S,
    phase: Arc<Phase>,
    timeouts: Timeouts,
    head_limit: Option<Pin<Box<Sleep>>>,
    write_limit: Option<Pin<Box<Sleep>>>,
    linger_limit: Option<Pin<Box<Sleep>>>,
}

impl<S> TimedStream<S> {
    fn new(stream: S, phase: Arc<Phase>, timeouts: Timeouts) -> Self {
        TimedStream { stream, phase, timeouts, head_limit: None, write_limit: None, linger_limit: None }
    }

    /// Lets a write's result through, unless it has been pending for too long.
    fn limit_write<T>(&mut self, cx: &mut Context<'_>, result: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if result.is_ready() {
            self.write_limit = None;
            return result;
        }
        expired(&mut self.write_limit, self.timeouts.send_idle, cx)
    }
}

impl<S: AsyncRead + Unpin> TimedStream<S> {
    /// Reads over what the client still sends, until it closes or the time is over. Closing a socket with unread
    /// bytes resets the connection, and a reset can overtake the answer that was just sent.
    fn poll_linger(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if expired::<()>(&mut self.linger_limit, LINGER, cx).is_ready() {
            return Poll::Ready(());
        }
        let mut scratch = [0; 8192];
        for _ in 0..64 {
            let mut buffer = ReadBuf::new(&mut scratch);
            match ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buffer)) {
                Ok(()) if !buffer.filled().is_empty() => {}
                _ => return Poll::Ready(()),
            }
        }
        // A fast sender must not keep the task from its limit, nor other tasks from the thread.
        cx.waker().wake_by_ref();
        Poll::Pending
    }
}

/// Starts the limit if it does not run yet; ready, with an error, when it is over.
fn expired<T>(limit: &mut Option<Pin<Box<Sleep>>>, length: Duration, cx: &mut Context<'_>) -> Poll<io::Result<T>> {
    let sleeping = limit.get_or_insert_with(|| Box::pin(sleep(length)));
    sleeping.as_mut().poll(cx).map(|()| Err(io::ErrorKind::TimedOut.into()))
}

impl<S: AsyncRead + Unpin> AsyncRead for TimedStream<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if buffer.filled().len() > before {
            // The first bytes after an answer begin the next head.
            if this.phase.now.compare_exchange(IDLE, HEAD, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
                this.head_limit = None;
            }
        } else if result.is_pending() && this.phase.now.load(Ordering::Relaxed) == HEAD {
            return expired(&mut this.head_limit, this.timeouts.header_read, cx);
        }
        result
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for TimedStream<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buffer);
        this.limit_write(cx, result)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffers: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, buffers);
        this.limit_write(cx, result)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.limit_write(cx, result)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger_limit.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        if this.phase.had_body.load(Ordering::Relaxed) {
            ready!(this.poll_linger(cx));
        }
        Poll::Ready(Ok(()))
    }
}

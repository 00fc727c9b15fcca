//! One connection: hyper's HTTP/1 over any socket, until it ends or is told to end.
//!
//! Runs on a task of one event loop. Time limits are kept by the connection's [`Link`](crate::link::Link), to which
//! [`Stream`] reports what it sees; `connections` ends those that are overdue, and sends those that have nothing to do to
//! rest: a connection that waits for its next request keeps its socket and nothing else.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::connections::Existence;
use crate::host::Host;
use crate::link::{self, Link};
use crate::pipeline::{self, Chain, NetSession, Presence};
use crate::site;
use crate::stream::{Socket, Stream};

/// The two ends of a connection.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Peers {
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// The most bytes of a request's head.
const MAX_HEAD: usize = 64 * 1024;

/// Serves requests on `socket` until it ends.
pub(crate) async fn serve(socket: impl Socket, peers: Peers, existence: Existence) {
    match existence.host().filters() {
        None => serve_requests(socket, peers, &existence).await,
        // Apart, so that a connection without filters takes no room for them.
        Some(chain) => Box::pin(serve_filtered(socket, peers, &existence, chain)).await,
    }
}

/// As [`serve`], past the filters of `chain`.
pub(crate) async fn serve_filtered(socket: impl Socket, peers: Peers, existence: &Existence, chain: &Arc<Chain>) {
    let session = NetSession::begin(existence.host(), chain, peers, &existence.link);
    let _presence = Presence(Arc::clone(&session));
    existence.link.filter_by(Arc::clone(&session));
    if session.raw().is_some() {
        let (filtered, carrying) = pipeline::stand_between(socket, &session);
        let serving = async {
            serve_requests(filtered, peers, existence).await;
            session.serving_ended(existence.link.is_cut());
            existence.link.ended();
        };
        tokio::join!(serving, carrying);
    } else {
        serve_requests(socket, peers, existence).await;
        existence.link.ended();
    }
    session.end().await;
}

async fn serve_requests(socket: impl Socket, peers: Peers, existence: &Existence) {
    let mut stream = Stream::new(socket, Arc::clone(&existence.link));
    while bytes_come(&mut stream, &existence.link).await {
        match serve_until_rest(stream, peers, existence).await {
            Some(rested) => stream = rested,
            None => return,
        }
    }
}

/// Waits for the next request with nothing but the socket in hand; `false` when none is to come.
async fn bytes_come(stream: &mut Stream<impl Socket>, link: &Link) -> bool {
    link.rest();
    poll_fn(|cx| match link.asked(cx) {
        Some(link::Request::Cut | link::Request::Last) => Poll::Ready(false),
        _ => stream.poll_readable(cx).map(|()| true),
    })
    .await
}

/// Serves requests until the connection ends, or has been idle for so long that its buffers are better given back.
async fn serve_until_rest<S: Socket>(stream: Stream<S>, peers: Peers, existence: &Existence) -> Option<Stream<S>> {
    let (host, link) = (existence.host(), &existence.link);
    link.wake_up();
    let (turn_link, service_host) = (Arc::clone(link), Arc::clone(host));
    let service = service_fn(move |request: Request<Incoming>| {
        let turn = Turn::begin(&turn_link, &request);
        site::answer(&service_host, peers, turn, request)
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    // Not a part of the task, which is there while the connection rests, too.
    let mut connection = Box::new(connection);
    let (mut told, mut resting) = (false, false);
    let ended = poll_fn(|cx: &mut Context<'_>| {
        match link.asked(cx) {
            Some(link::Request::Cut) => return Poll::Ready(Ok(false)),
            Some(asked) if !told => {
                (told, resting) = (true, asked == link::Request::Rest);
                Pin::new(&mut *connection).graceful_shutdown();
            }
            _ => {}
        }
        if resting {
            return connection.poll_without_shutdown(cx).map_ok(|()| true);
        }
        Pin::new(&mut *connection).poll(cx).map_ok(|()| false)
    });
    match ended.await {
        Ok(true) => {
            let parts = connection.into_parts();
            let mut stream = parts.io.into_inner();
            stream.rewind(parts.read_buf);
            return Some(stream).filter(|_| !link.is_closing());
        }
        Ok(false) => {}
        Err(error) => refused(&error, host, peers),
    }
    None
}

/// A client that goes away or sends nonsense is everyday business; hyper has answered what it could.
fn refused(error: &hyper::Error, host: &Arc<Host>, peers: Peers) {
    tracing::debug!("the connection from {} ended: {error}", peers.remote);
    if error.is_parse() {
        let status = if error.is_parse_too_large() { 431 } else { 400 };
        site::log_refused_by_parser(host, peers, status);
    }
}

/// Held while a request is answered, until its response has been sent or given up.
pub(crate) struct Turn {
    link: Arc<Link>,
    /// It is a request inside of another, whose turn goes on.
    is_child: bool,
}

impl Turn {
    fn begin(link: &Arc<Link>, request: &Request<Incoming>) -> Self {
        link.request_came(!request.body().is_end_stream());
        #[cfg(feature = "fuzzing")]
        crate::lock::LockAnyway::lock_anyway(&link.methods).push(request.method().clone());
        Turn { link: Arc::clone(link), is_child: false }
    }

    /// The turn of a child request, whose `link` is one inside of its parent's.
    pub(crate) fn of_child(link: &Arc<Link>) -> Self {
        Turn { link: Arc::clone(link), is_child: true }
    }

    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.link
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        if !self.is_child {
            self.link.request_ended();
        }
    }
}

//! One connection: hyper's HTTP/1 over any socket, until it ends or is told to end.
//!
//! Runs on a task of one event loop. Time limits are kept by the connection's [`Link`](crate::link::Link), to which
//! [`Stream`] reports what it sees; `connections` ends those that are overdue.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::Request;
use hyper::body::{Body, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;

use crate::connections::Existence;
use crate::link::{self, Link};
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
    let host = existence.host();
    let stream = Stream::new(socket, Arc::clone(&existence.link));
    let (link, service_host) = (Arc::clone(&existence.link), Arc::clone(host));
    let service = service_fn(move |request: Request<Incoming>| {
        let turn = Turn::begin(&link, &request);
        site::answer(&service_host, peers, turn, request)
    });
    let connection = http1::Builder::new()
        .header_read_timeout(None)
        .max_header_size(MAX_HEAD)
        .title_case_headers(true)
        .serve_connection(TokioIo::new(stream), service);
    let mut connection = pin!(connection);
    let mut told = false;
    let ended = poll_fn(|cx: &mut Context<'_>| {
        match existence.link.asked(cx) {
            Some(link::Request::Cut) => return Poll::Ready(Ok(())),
            Some(link::Request::Last) if !told => {
                told = true;
                connection.as_mut().graceful_shutdown();
            }
            _ => {}
        }
        connection.as_mut().poll(cx)
    });
    if let Err(error) = ended.await {
        // A client that goes away or sends nonsense is everyday business; hyper has answered what it could.
        tracing::debug!("the connection from {} ended: {error}", peers.remote);
        if error.is_parse() {
            let status = if error.is_parse_too_large() { 431 } else { 400 };
            site::log_refused_by_parser(host, peers, status);
        }
    }
}

/// Held while a request is answered, until its response has been sent or given up.
pub(crate) struct Turn(Arc<Link>);

impl Turn {
    fn begin(link: &Arc<Link>, request: &Request<Incoming>) -> Self {
        link.request_came(!request.body().is_end_stream());
        #[cfg(feature = "fuzzing")]
        crate::lock::LockAnyway::lock_anyway(&link.methods).push(request.method().clone());
        Turn(Arc::clone(link))
    }

    /// The connection.
    pub(crate) fn link(&self) -> &Arc<Link> {
        &self.0
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.0.request_ended();
    }
}

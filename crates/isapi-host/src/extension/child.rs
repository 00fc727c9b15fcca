//! A child request (EXEC_URL) on its way: asked of the site like a request from the network, and its response passed
//! on as its parent's.
//!
//! A task on the event loop of the parent's connection. It reads the child's response as the connection would, and
//! writes it as the parent would, no faster than the client takes it. It ends with the child's response, with the
//! parent's operation, or with the client, whichever comes first; the child learns of an early end as it would learn
//! of a client that goes away. It touches the parent's response only while the operation is in the parent's books.

use std::future::poll_fn;
use std::sync::Arc;

use bytes::Bytes;
use http::response::Parts;
use http::{Method, StatusCode, header, request};
use http_body_util::BodyExt;
use hyper::ext::ReasonPhrase;
use tokio::sync::oneshot;

use super::completion::Ticket;
use super::request_body::Entity;
use super::response_head::{BodyFraming, ResponseHead};
use super::session::{ChildStatus, Session};
use crate::access_log::AccessRecord;
use crate::body::ResponseBody;
use crate::exchange::Exchange;
use crate::lineage::Lineage;
use crate::link::Link;
use crate::site;
use crate::stream::Chunk;
use crate::win32::Win32Error;

/// See the module.
pub(crate) struct Child {
    parent: Arc<Session>,
    ticket: Ticket,
    /// Tells that the operation is to end with an error, or has ended.
    stopped: oneshot::Receiver<Win32Error>,
    /// What the child takes for its connection.
    link: Arc<Link>,
    record: Arc<AccessRecord>,
    /// The head of its response is wanted.
    with_head: bool,
    /// Something of its response has been passed on.
    begun: bool,
    ended: bool,
}

/// Why a child's response is not passed on to its end.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Break {
    /// The operation has ended, and been reported.
    Over,
    /// The parent has asked for its end.
    Stopped(Win32Error),
    /// The parent's response does not take it.
    Refused(Win32Error),
    /// The child broke it off.
    Broken,
}

impl Child {
    /// A child of `parent`, whose operation is `ticket`.
    pub(crate) fn new(
        parent: Arc<Session>,
        ticket: Ticket,
        stopped: oneshot::Receiver<Win32Error>,
        with_head: bool,
    ) -> Self {
        let link = Arc::new(Link::inside(parent.response().link()));
        let record = AccessRecord::of_child(parent.host(), parent.facts().peers);
        Child { parent, ticket, stopped, link, record, with_head, begun: false, ended: false }
    }

    /// Asks for the answer to a request and passes it on.
    pub(crate) async fn run(mut self, head: request::Parts, lineage: Lineage, body: Entity) {
        let result = self.pass_on(head, lineage, body).await;
        self.end(result);
    }

    async fn pass_on(&mut self, head: request::Parts, lineage: Lineage, body: Entity) -> Result<(), Break> {
        // To a client that expects a body, a length must not be promised that does not come.
        let lengths_count = head.method != Method::HEAD || self.parent.facts().head.method == Method::HEAD;
        let host = Arc::clone(self.parent.host());
        let exchange = Exchange::of_child(&host, head, lineage, self.parent.facts(), &self.record, &self.link);
        let answer = self.unless_stopped(site::answer_child(&host, exchange, body)).await?;
        let (parts, body) = answer.map_err(|_| Break::Broken)?.into_parts();
        if self.with_head {
            self.send_head(head_of(parts, lengths_count))?;
        }
        self.pass_on_body(body).await
    }

    async fn pass_on_body(&mut self, mut body: ResponseBody) -> Result<(), Break> {
        while let Some(frame) = self.unless_stopped(body.frame()).await? {
            let data = frame.map_err(|_| Break::Broken)?.into_data();
            match data {
                Ok(Chunk::Bytes(bytes)) => self.send(&bytes).await?,
                // Only a connection's own stream can send a file as such.
                Ok(Chunk::File(_)) => return Err(Break::Broken),
                Err(_) => {}
            }
        }
        Ok(())
    }

    fn send_head(&mut self, head: ResponseHead) -> Result<(), Break> {
        self.begun = true;
        self.write(|parent| {
            parent.response().set_head(Box::new(head))?;
            parent.response().flush_head();
            Ok(())
        })
    }

    /// Writes body bytes and waits until there is room for more.
    async fn send(&mut self, bytes: &Bytes) -> Result<(), Break> {
        self.begun = true;
        let (taken, is_taken) = oneshot::channel();
        self.write(|parent| {
            let response = parent.response();
            if !response.has_begun() {
                // The bytes are body, whatever they look like.
                response.set_head(Box::new(ResponseHead::ok()))?;
            }
            let when_taken = move |result| {
                // Nobody waits any more when the operation has ended.
                let _ = taken.send(result);
            };
            response.write_async(bytes, Box::new(when_taken))
        })?;
        match self.unless_stopped(is_taken).await? {
            Ok(result) => result.map_err(|failure| Break::Refused(failure.into())),
            Err(_) => Err(Break::Broken),
        }
    }

    /// Does something to the parent's response while the operation is outstanding.
    fn write(&self, work: impl FnOnce(&Session) -> Result<(), Win32Error>) -> Result<(), Break> {
        let done = self.parent.while_outstanding(self.ticket, || work(&self.parent));
        done.ok_or(Break::Over)?.map_err(Break::Refused)
    }

    /// Waits for `work`, but no longer than the operation goes on and the client is there.
    async fn unless_stopped<T>(&mut self, work: impl Future<Output = T>) -> Result<T, Break> {
        let response = self.parent.response();
        tokio::select! {
            biased;
            asked = &mut self.stopped => Err(asked.map_or(Break::Over, Break::Stopped)),
            () = poll_fn(|cx| response.poll_gone(cx)) => Err(Break::Refused(Win32Error::RESET)),
            done = work => Ok(done),
        }
    }

    /// Ends the operation, unless it has ended.
    fn end(&mut self, result: Result<(), Break>) {
        self.ended = true;
        let error = match result {
            Ok(()) => Win32Error::NONE,
            Err(Break::Over) => return,
            Err(Break::Stopped(error) | Break::Refused(error)) => error,
            Err(Break::Broken) => Win32Error::CUT,
        };
        self.parent.settle(self.ticket, || self.end_response(result));
        let (status, sub_status, log_text) = self.record.take_outcome();
        if self.with_head && sub_status != 0 {
            self.parent.log_sub_status(sub_status);
        }
        self.parent.child_ended(ChildStatus { status, sub_status, error: error.of_completion() }, &log_text);
        self.parent.complete(self.ticket, if result.is_ok() { Ok(0) } else { Err(error) });
    }

    /// Lets the parent's response, and its connection, fare as the child wanted or as a broken response must.
    fn end_response(&self, result: Result<(), Break>) {
        let response = self.parent.response();
        if self.link.resets() {
            response.reset_on_close();
        }
        match result {
            // The child has closed its connection, which is its parent's.
            _ if self.link.is_cut() => response.abort(),
            Ok(()) if self.link.is_closing() => response.close_behind(),
            Ok(()) => {}
            Err(Break::Broken) => response.cut(),
            Err(_) if self.begun => response.cut(),
            Err(_) => {}
        }
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        if !self.ended {
            self.end(Err(Break::Stopped(Win32Error::ABORTED)));
        }
        self.link.ended();
    }
}

/// The head of a child's response as its parent's. With `lengths_count` a length in it is a promise.
fn head_of(mut parts: Parts, lengths_count: bool) -> ResponseHead {
    let mut head = ResponseHead::with_status(parts.status);
    head.reason = parts.extensions.remove::<ReasonPhrase>();
    // Ours is the only value that this header can have here.
    head.close = parts.headers.remove(header::CONNECTION).is_some();
    parts.headers.remove(header::TRANSFER_ENCODING);
    let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if bodiless || !lengths_count {
        parts.headers.remove(header::CONTENT_LENGTH);
    }
    let length = parts.headers.get(header::CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse().ok());
    head.framing = length.map_or(BodyFraming::UntilDone, BodyFraming::Length);
    head.headers = parts.headers;
    head
}

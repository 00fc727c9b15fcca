//! The body of every response of this server, whatever made it, with its entry in the access log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{HeaderValue, Response, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use crate::access_log::AccessRecord;
use crate::connection::Turn;
use crate::extension::pipe::PipeBody;
use crate::file_body::FileBody;
use crate::stream::{Account, Chunk};

/// What is sent.
pub(crate) enum Source {
    /// A page of ours.
    Page(Full<Bytes>),
    /// What an extension writes.
    Pipe(PipeBody),
    /// A file.
    File(FileBody),
}

impl Source {
    /// A page of ours, or what filters have sent.
    pub(crate) fn page(page: Bytes) -> Self {
        Source::Page(Full::new(page))
    }
}

/// A source, and what ends with it.
pub(crate) struct ResponseBody {
    source: Source,
    /// There until the body is dropped.
    holding: Option<Holding>,
    sent: u64,
    /// Bytes that the response must have to be complete, when that is known; 0 for one without a body.
    due: Option<u64>,
    ended: bool,
    /// How long the body is, is not to be said in advance.
    hides_length: bool,
}

/// What is held until the response has been sent: its log entry, and the connection.
struct Held {
    access: Option<Arc<AccessRecord>>,
    sent: AtomicU64,
    complete: AtomicBool,
    /// The connection is this response's until then.
    turn: Turn,
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(session) = self.turn.link().filtered() {
            session.response_ended();
        }
        if let Some(access) = &self.access {
            access.ended(*self.sent.get_mut(), *self.complete.get_mut());
        }
    }
}

impl Account for Held {
    fn unsent(&self, bytes: u64) {
        self.sent.fetch_sub(bytes, Ordering::Relaxed);
        self.complete.store(false, Ordering::Relaxed);
    }
}

/// Who holds it: the body alone, or files as well, which are on their way when the body has ended.
enum Holding {
    Alone(Held),
    Shared(Arc<Held>),
}

impl Holding {
    fn held(&self) -> &Held {
        match self {
            Holding::Alone(held) => held,
            Holding::Shared(held) => held,
        }
    }

    fn share(self) -> (Self, Arc<Held>) {
        let held = match self {
            Holding::Alone(held) => Arc::new(held),
            Holding::Shared(held) => held,
        };
        (Holding::Shared(Arc::clone(&held)), held)
    }
}

impl ResponseBody {
    /// Puts `source`, of this length if it is known, under the head `parts`, and notes the status.
    pub(crate) fn respond(
        parts: http::response::Parts,
        source: Source,
        length: Option<u64>,
        access: Option<Arc<AccessRecord>>,
        turn: Turn,
    ) -> Response<ResponseBody> {
        if let Some(access) = &access {
            access.status(parts.status.as_u16());
        }
        let bodiless = matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let due = if bodiless { Some(0) } else { length };
        let held = Held { access, sent: AtomicU64::new(0), complete: AtomicBool::new(false), turn };
        let body = ResponseBody {
            source,
            holding: Some(Holding::Alone(held)),
            sent: 0,
            due,
            ended: false,
            hides_length: false,
        };
        Response::from_parts(parts, body)
    }

    /// Whether an extension writes it.
    pub(crate) fn is_by_extension(&self) -> bool {
        matches!(self.source, Source::Pipe(_))
    }

    /// Puts the length into the head, where it is known and would be added on the way out.
    pub(crate) fn announce_length(&self, parts: &mut http::response::Parts) {
        let headers = &mut parts.headers;
        let is_told = headers.contains_key(header::CONTENT_LENGTH) || headers.contains_key(header::TRANSFER_ENCODING);
        if let (Some(length), false) = (self.size_hint().exact(), is_told || self.due == Some(0)) {
            headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
        }
    }

    /// The response is delimited otherwise than by a length.
    pub(crate) fn hide_length(&mut self) {
        self.hides_length = true;
    }

    /// Sends this page instead.
    pub(crate) fn replace(&mut self, page: Bytes, is_to_head: bool) {
        self.due = Some(if is_to_head { 0 } else { page.len() as u64 });
        self.source = Source::page(page);
    }

    /// The response has become one without a body, whatever was to be in it.
    pub(crate) fn leave_out(&mut self) {
        self.due = Some(0);
    }

    /// The status is another than when the response was made.
    pub(crate) fn note_status(&self, status: StatusCode) {
        if let Some(access) = self.holding.as_ref().and_then(|holding| holding.held().access.as_ref()) {
            access.status(status.as_u16());
        }
    }

    /// A file has been handed over: it is sent when the body has long ended, and counts until then.
    fn account_for_file(&mut self) {
        if let Some((holding, held)) = self.holding.take().map(Holding::share) {
            held.turn.link().files().account(Arc::clone(&held) as Arc<dyn Account>);
            self.holding = Some(holding);
        }
    }
}

impl Body for ResponseBody {
    type Data = Chunk;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunk>>>> {
        let polled = match &mut self.source {
            Source::Page(body) => {
                let polled = Pin::new(body).poll_frame(cx).map_err(|never| match never {});
                polled.map(|next| next.map(|frame| frame.map(|frame| frame.map_data(Chunk::Bytes))))
            }
            Source::Pipe(body) => Pin::new(body).poll_frame(cx),
            Source::File(body) => Pin::new(body).poll_frame(cx),
        };
        match &polled {
            Poll::Ready(Some(Ok(frame))) => {
                self.sent += frame.data_ref().map_or(0, |data| data.remaining() as u64);
                if matches!(frame.data_ref(), Some(Chunk::File(_))) {
                    self.account_for_file();
                }
            }
            Poll::Ready(None) => self.ended = true,
            _ => {}
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        match &self.source {
            Source::Page(body) => body.is_end_stream(),
            Source::Pipe(body) => body.is_end_stream(),
            Source::File(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.source {
            _ if self.hides_length => SizeHint::default(),
            Source::Page(body) => body.size_hint(),
            Source::Pipe(body) => body.size_hint(),
            Source::File(body) => body.size_hint(),
        }
    }
}

impl Drop for ResponseBody {
    fn drop(&mut self) {
        let all_sent = self.due.is_some_and(|due| self.sent >= due);
        if all_sent && let Source::Pipe(body) = &mut self.source {
            body.satisfy();
        }
        let complete = self.ended || self.is_end_stream() || all_sent;
        if let Some(holding) = &self.holding {
            let held = holding.held();
            held.sent.store(self.sent, Ordering::Relaxed);
            held.complete.store(complete, Ordering::Relaxed);
        }
    }
}

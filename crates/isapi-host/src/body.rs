//! The body of every response of this server, whatever made it, with its entry in the access log.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::{Buf, Bytes};
use http::{Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Full;

use crate::access_log::AccessRecord;
use crate::connection::Turn;
use crate::extension::pipe::PipeBody;
use crate::file_body::FileBody;
use crate::stream::Chunk;

/// What is sent.
pub(crate) enum Source {
    /// A page of ours.
    Page(Full<Bytes>),
    /// What an extension writes.
    Pipe(PipeBody),
    /// A file.
    File(FileBody),
}

/// A source, and the record that it ends.
pub(crate) struct ResponseBody {
    source: Source,
    access: Option<Arc<AccessRecord>>,
    sent: u64,
    /// Bytes that the response must have to be complete, when that is known; 0 for one without a body.
    due: Option<u64>,
    ended: bool,
    /// The connection is this response's until the body is dropped.
    _turn: Turn,
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
        Response::from_parts(parts, ResponseBody { source, access, sent: 0, due, ended: false, _turn: turn })
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
            Poll::Ready(Some(Ok(frame))) => self.sent += frame.data_ref().map_or(0, |data| data.remaining() as u64),
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
        if let Some(access) = &self.access {
            access.ended(self.sent, complete);
        }
    }
}

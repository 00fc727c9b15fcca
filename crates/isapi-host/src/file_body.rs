//! The body of an answer that sends a file: by the system itself where that is possible (`stream`), else read in pieces.
//!
//! Ranges, conditions and types are tower-http's business; what may be sent at all is decided in `static_file`.

use std::fs::File;
use std::io;
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use bytes::Bytes;
use http::request::Parts;
use http::{Method, Request, StatusCode, header};
use http_body::{Body, Frame, SizeHint};
use http_body_util::Empty;
use tower_http::services::ServeFile;
use tower_http::services::fs::ServeFileSystemResponseBody;
use tower_service::Service;

use crate::link::Link;
use crate::stream::{Chunk, FileToSend};

/// The head and the body of the answer that sends `file`, or the part of it that the request asks for.
pub(crate) async fn send(file: &Path, head: &Parts, link: &Arc<Link>) -> (http::response::Parts, FileBody) {
    let mut request = Request::new(Empty::<Bytes>::new());
    *request.method_mut() = head.method.clone();
    *request.headers_mut() = head.headers.clone();
    let Ok(response) = ServeFile::new(file).call(request).await;
    let (parts, body) = response.into_parts();
    // A child's response goes through its parent's, which takes bytes only.
    let is_read = head.method == Method::HEAD || link.is_inner();
    let range = if is_read { None } else { sent_range(&parts) };
    if let Some((position, length, size)) = range
        && let Ok(file) = tokio::fs::File::open(file).await
    {
        let file = file.into_std().await;
        // One that has changed meanwhile is left to whoever opened it first.
        if file.metadata().is_ok_and(|found| found.len() == size) {
            let whole = WholeFile { link: Arc::clone(link), file: Some(Arc::new(file)), position, length };
            return (parts, FileBody::Whole(whole));
        }
    }
    (parts, FileBody::Read(body))
}

/// Where the part of the file begins that a head announces, how long it is, and the file's size.
fn sent_range(parts: &http::response::Parts) -> Option<(u64, u64, u64)> {
    let text = |name| parts.headers.get(name).and_then(|value: &http::HeaderValue| value.to_str().ok());
    let length = text(header::CONTENT_LENGTH)?.parse().ok().filter(|length| *length > 0)?;
    match parts.status {
        StatusCode::OK => Some((0, length, length)),
        StatusCode::PARTIAL_CONTENT => {
            let (range, size) = text(header::CONTENT_RANGE)?.strip_prefix("bytes ")?.split_once('/')?;
            Some((range.split_once('-')?.0.parse().ok()?, length, size.parse().ok()?))
        }
        _ => None,
    }
}

/// The body of an answer that sends a file.
pub(crate) enum FileBody {
    /// The system sends it.
    Whole(WholeFile),
    /// It is read piece by piece, or there is none.
    Read(ServeFileSystemResponseBody),
}

/// A part of a file, as one chunk.
pub(crate) struct WholeFile {
    link: Arc<Link>,
    /// Until it is on its way.
    file: Option<Arc<File>>,
    position: u64,
    length: u64,
}

impl Body for FileBody {
    type Data = Chunk;
    type Error = io::Error;

    fn poll_frame(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<io::Result<Frame<Chunk>>>> {
        match self.get_mut() {
            FileBody::Whole(WholeFile { link, file, position, length }) => Poll::Ready(file.take().map(|file| {
                let file = FileToSend::new(file, *position, *length, None);
                Ok(Frame::data(link.files().push(file)))
            })),
            FileBody::Read(body) => {
                let polled = Pin::new(body).poll_frame(cx);
                polled.map(|next| next.map(|frame| frame.map(|frame| frame.map_data(Chunk::Bytes))))
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            FileBody::Whole(whole) => whole.file.is_none(),
            FileBody::Read(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            FileBody::Whole(whole) if whole.file.is_some() => SizeHint::with_exact(whole.length),
            FileBody::Whole(_) => SizeHint::with_exact(0),
            FileBody::Read(body) => body.size_hint(),
        }
    }
}

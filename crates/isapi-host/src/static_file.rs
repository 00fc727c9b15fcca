//! Static files: the file at the mapped path, or a folder's default document.
//!
//! Ranges, conditions and types are tower-http's business; what may be seen is decided here. Programs and
//! configuration that lie beside their site are never sent, nor anything under a name that starts with a dot.

use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
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
use crate::stream::Chunk;

/// Endings of files that are never sent.
const HIDDEN: [&str; 8] = ["py", "pyc", "pyd", "so", "dll", "exe", "cfg", "config"];

/// What a path below a static handler leads to.
pub(crate) enum Found {
    /// A file to send.
    File(PathBuf),
    /// A folder asked for without its slash, so that relative links would go wrong.
    FolderWithoutSlash,
    /// Nothing that may be seen.
    Nothing,
}

/// Looks what `physical` is, which `url_path` was mapped to.
pub(crate) async fn find(url_path: &str, physical: &Path, default_documents: &[String]) -> Found {
    if !may_be_seen(url_path) {
        return Found::Nothing;
    }
    match tokio::fs::metadata(physical).await {
        // A path with a slash at its end is a folder's.
        Ok(found) if found.is_file() && !url_path.ends_with('/') => Found::File(physical.to_owned()),
        Ok(found) if found.is_dir() && !url_path.ends_with('/') => Found::FolderWithoutSlash,
        Ok(found) if found.is_dir() => default_document(physical, default_documents).await,
        _ => Found::Nothing,
    }
}

async fn default_document(folder: &Path, names: &[String]) -> Found {
    for name in names {
        let document = folder.join(name);
        if tokio::fs::metadata(&document).await.is_ok_and(|found| found.is_file()) {
            return Found::File(document);
        }
    }
    Found::Nothing
}

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
            FileBody::Whole(WholeFile { link, file, position, length }) => {
                Poll::Ready(file.take().map(|file| Ok(Frame::data(link.files().push(file, *position, *length)))))
            }
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

/// Whether the names in a path allow it to be seen.
fn may_be_seen(url_path: &str) -> bool {
    let mut segments = url_path.split('/').filter(|segment| !segment.is_empty());
    // A colon names a drive or a stream on Windows, where blanks and dots at the end of a name count for nothing.
    let is_trick = |segment: &str| cfg!(windows) && (segment.contains(':') || segment.ends_with(['.', ' ']));
    segments.all(|segment| {
        let ending = segment.rsplit_once('.').map_or("", |(_, ending)| ending);
        !segment.starts_with('.')
            && !is_trick(segment)
            && !HIDDEN.iter().any(|hidden| ending.eq_ignore_ascii_case(hidden))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_configuration_are_hidden() {
        for seen in ["/", "/index.html", "/a.b/c", "/app.js", "/cfg", "/my.py.txt"] {
            assert!(may_be_seen(seen), "{seen}");
        }
        for hidden in
            ["/.git/config", "/x.py", "/X.PY", "/_x.so", "/_x.DLL", "/x.cfg", "/a/.env", "/web.config", "/x.py/y"]
        {
            assert!(!may_be_seen(hidden), "{hidden}");
        }
    }
}

//! From a request for an extension to its response: load the library, read ahead, make a session, let it run, and
//! wait for the head. Runs on the connection's I/O task; when the client goes away the task's future is dropped, and
//! with it the reading end of the pipe, which tells the extension.

use std::path::PathBuf;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Request, Response, StatusCode, header};
use hyper::body::Incoming;
use isapi_config::{Resolution, Selection};
use tokio::sync::oneshot;

use super::pipe::{Pipe, PipeBody};
use super::request_body::{BodyError, BodyLimits, RequestBody};
use super::request_facts::{Place, RequestFacts};
use super::response::Start;
use super::response_head::{BodyFraming, ResponseHead};
use super::session::{Parts, Session};
use crate::body::{ResponseBody, Source};
use crate::error::HostError;
use crate::host::Host;
use crate::request_path;
use crate::server_variables::path_bytes;
use crate::site::{ConnectionCut, Exchange, Refusal};

/// Which extension answers, and by which handler.
pub(crate) struct Target<'a> {
    /// The decoded path.
    pub(crate) path: &'a [u8],
    pub(crate) resolution: &'a Resolution<'a>,
    pub(crate) selection: &'a Selection<'a>,
    pub(crate) library: PathBuf,
}

const BUSY: Refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 2, "The server is too busy. Please try again.");
const FAILED: Refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 0, "The application failed to answer.");

/// Answers a request with an extension.
///
/// # Errors
/// When the extension broke the connection before it answered.
pub(crate) async fn answer(
    exchange: Exchange,
    target: Target<'_>,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ConnectionCut> {
    let host = &exchange.host;
    let extension = match host.extensions.get(&target.library, &host.executor).await {
        Ok(extension) => extension,
        Err(error) => return Ok(exchange.cannot_load(&error)),
    };
    let Some(seat) = host.admit() else {
        let (library, method, path) = (target.library.display(), &exchange.method, request.uri().path());
        tracing::warn!(
            "ISAPI0312 too many requests are in progress; {library} for {method} {path} is answered with 503"
        );
        return Ok(exchange.busy());
    };
    let (parts, incoming) = request.into_parts();
    let limits = BodyLimits::new(host.site.limits().max_allowed_content_length, &host.timeouts);
    let body = match RequestBody::read_ahead(incoming, limits).await {
        Ok(body) => body,
        Err(error) => return Ok(exchange.refuse(refusal(error))),
    };
    let facts = facts(&exchange, &target, parts, body.length());
    let (hand_over, start) = oneshot::channel();
    let pipe = Arc::new(Pipe::default());
    let reader = PipeBody::new(Arc::clone(&pipe));
    let access = Arc::clone(&exchange.access);
    let link = Arc::clone(exchange.link());
    let parts = Parts { host: Arc::clone(host), extension, facts, body, pipe, link, hand_over, access, seat };
    if !run(host, Session::enter(parts)) {
        return Ok(exchange.busy());
    }
    match start.await {
        Ok(Start::Head(head)) => {
            if !reader.has_ended() {
                // Most answers end right behind their first write, and then go out in one piece, with a length.
                tokio::task::yield_now().await;
            }
            Ok(respond(exchange, *head, reader))
        }
        Ok(Start::Close) => Err(ConnectionCut),
        Err(_) => Ok(exchange.refuse(FAILED)),
    }
}

/// Lets the executor run a session; `false` when there is no room.
fn run(host: &Host, session: Arc<Session>) -> bool {
    let job = Arc::clone(&session);
    let accepted = host.executor.run(move || job.run()).is_ok();
    if !accepted {
        tracing::warn!("ISAPI0312 too many requests wait for a thread; {} is answered with 503", session.describe());
        session.discard();
    }
    accepted
}

fn refusal(error: BodyError) -> Refusal {
    match error {
        BodyError::TooLarge => Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, 1, "The request is too large."),
        BodyError::TimedOut => Refusal::new(StatusCode::REQUEST_TIMEOUT, 0, "The request took too long."),
        BodyError::Broken => Refusal::new(StatusCode::BAD_REQUEST, 0, "The request is malformed."),
    }
    .closing()
}

fn respond(exchange: Exchange, head: ResponseHead, reader: PipeBody) -> Response<ResponseBody> {
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.headers) = (head.status, head.headers);
    if head.close {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    if head.framing == BodyFraming::OwnChunks {
        // Said in the head, chunks stay chunks however short the body; where there can be none, hyper leaves it out.
        parts.headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked"));
    }
    if let Some(reason) = head.reason {
        parts.extensions.insert(reason);
    }
    exchange.respond(parts, Source::Pipe(reader))
}

/// Gathers the facts of a request, with the path variables of contract 4.2.
fn facts(exchange: &Exchange, target: &Target<'_>, parts: http::request::Parts, length: Option<u64>) -> RequestFacts {
    let Target { path, resolution, selection, .. } = target;
    let host = &exchange.host;
    let text = String::from_utf8_lossy(path);
    let split = request_path::same_segment_end(path, &text, selection.script_path.len());
    let (script_name, extra) = path.split_at(split);
    let (path_info, translated) = if selection.handler.allow_path_info {
        (extra.to_vec(), host.physical_path(selection.extra_path))
    } else {
        (path.to_vec(), resolution.physical_path.clone())
    };
    RequestFacts {
        raw_path: parts.uri.path().to_owned(),
        raw_url: parts.uri.path_and_query().map_or_else(String::new, |url| url.as_str().to_owned()),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: headers_as_read(parts.headers, length),
        method: parts.method,
        version: parts.version,
        url: path.to_vec(),
        script_name: script_name.to_vec(),
        path_info,
        path_translated: path_bytes(&translated),
        script_translated: script_translated(selection),
        content_length: length,
        place: place(host, resolution),
        local: exchange.peers.local,
        remote: exchange.peers.remote,
    }
}

/// A chunked body of known length is presented as if it had been announced (contract 2.2).
fn headers_as_read(mut headers: HeaderMap, length: Option<u64>) -> HeaderMap {
    if let (Some(length), true) = (length, headers.contains_key(header::TRANSFER_ENCODING)) {
        headers.remove(header::TRANSFER_ENCODING);
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length));
    }
    headers
}

/// IIS gives this one with the prefix that lifts the limit on the length of paths.
fn script_translated(selection: &Selection<'_>) -> Vec<u8> {
    let prefix = if cfg!(windows) { r"\\?\" } else { "" };
    let mut path = prefix.as_bytes().to_vec();
    path.extend(path_bytes(&selection.script_physical_path));
    path
}

fn place(host: &Host, resolution: &Resolution<'_>) -> Place {
    let (site, application) = (&host.site, resolution.application);
    Place {
        site_id: site.id(),
        site_name: site.name().to_owned(),
        application: application.path().to_owned(),
        application_folder: application.physical_path().to_owned(),
        pool: application.pool().to_owned(),
        document_root: host.physical_path("/"),
    }
}

impl Exchange {
    /// The page for a library that cannot be loaded. It names the code; the log has the rest.
    fn cannot_load(self, error: &HostError) -> Response<ResponseBody> {
        if matches!(error, HostError::Busy) {
            return self.busy();
        }
        let detail = format!("The application could not be loaded ({}). The server's log says why.", error.code());
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        self.page(status, crate::error_page::error(status, &detail))
    }

    fn busy(self) -> Response<ResponseBody> {
        let mut response = self.refuse(BUSY);
        response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        response
    }
}

//! From a request for an extension to its response: load the library, read ahead, make a session, let it run, and
//! wait for the head. Runs on the connection's I/O task; when the client goes away the task's future is dropped, and
//! with it the reading end of the pipe, which tells the extension.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Response, StatusCode, header};
use isapi_config::{Resolution, Selection};

use super::library::Extension;
use super::pipe::{Pipe, PipeBody, Start};
use super::request_body::{BodyError, BodyLimits, Entity, RequestBody};
use super::request_facts::RequestFacts;
use super::response_head::{BodyFraming, ResponseHead};
use super::session::{Parts, Session};
use crate::body::{ResponseBody, Source};
use crate::error::HostError;
use crate::exchange::{Answered, ConnectionCut, Exchange, Refusal};
use crate::executor::EventLoop;
use crate::host::Host;
use crate::place::Place;
use crate::request_path;
use crate::server_variables::into_path_bytes;
use crate::site::Answer;

/// Which extension answers, and what its request's path means to it.
pub(crate) struct Target {
    place: Arc<Place>,
    /// The handler's position in its application.
    position: usize,
    /// The handler names the library, which is therefore the same for all its requests.
    is_named: bool,
    /// The library, unless it is loaded.
    library: Option<PathBuf>,
    script_length: usize,
    only_extra_path: bool,
    path_translated: Vec<u8>,
}

impl Target {
    /// The target of a request for the decoded `path`, with the path variables of contract 4.2.
    pub(crate) fn new(
        host: &Host,
        path: &[u8],
        resolution: Resolution<'_>,
        selection: &Selection<'_>,
        library: Cow<'_, Path>,
    ) -> Self {
        let place = Arc::clone(host.place(resolution.application));
        let is_named = selection.handler.names_library();
        let is_loaded = is_named && place.extension(selection.position).get().is_some();
        let whole = selection.extra_path.is_empty();
        let only_extra_path = selection.handler.allow_path_info;
        let translated =
            if only_extra_path { host.physical_path(selection.extra_path) } else { resolution.physical_path };
        Target {
            place,
            position: selection.position,
            is_named,
            library: (!is_loaded).then(|| library.into_owned()),
            script_length: if whole { path.len() } else { script_length(path, selection) },
            only_extra_path,
            path_translated: into_path_bytes(translated),
        }
    }

    fn into_facts(self, exchange: &Exchange, path: Vec<u8>) -> RequestFacts {
        RequestFacts {
            head: Arc::clone(&exchange.head),
            url: path,
            script_length: self.script_length,
            only_extra_path: self.only_extra_path,
            path_translated: self.path_translated,
            content_length: None,
            place: self.place,
            handler: self.position,
            lineage: exchange.lineage.clone(),
            peers: exchange.peers,
            filtered: exchange.filtered.clone(),
            identity: exchange.identity.clone(),
        }
    }
}

const BUSY: Refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 2, "The server is too busy. Please try again.");
const FAILED: Refusal = Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 0, "The application failed to answer.");

/// Answers a request for the decoded `path` with an extension. One that is loaded is at work when this returns, unless
/// there is a body to be read first.
pub(crate) fn answer(exchange: Exchange, mut target: Target, path: Vec<u8>, body: Entity) -> Answer {
    let (library, position, is_named) = (target.library.take(), target.position, target.is_named);
    let facts = target.into_facts(&exchange, path);
    let Some(library) = library else {
        let extension = facts.place.extension(position).get().cloned().expect("it was loaded when the target was made");
        if body.is_empty() {
            return match start(exchange, extension, facts, RequestBody::empty()) {
                Ok(waiting) => Answer::Waiting(Box::new(waiting)),
                Err(refused) => (*refused).into(),
            };
        }
        return Answer::Later(Box::pin(read_and_start(exchange, extension, facts, body)));
    };
    Answer::Later(Box::pin(prepare(exchange, facts, library, is_named.then_some(position), body)))
}

/// Loads the library, which the handler at `position` will find loaded, and lets the extension answer.
async fn prepare(
    exchange: Exchange,
    facts: RequestFacts,
    library: PathBuf,
    position: Option<usize>,
    body: Entity,
) -> Answered {
    let host = &exchange.host;
    let extension = match host.extensions.get(&library, &host.executor).await {
        Ok(extension) => extension,
        Err(error) => return Ok(exchange.cannot_load(&error)),
    };
    if let Some(position) = position {
        // Another request may have been faster.
        facts.place.extension(position).get_or_init(|| Arc::clone(&extension));
    }
    read_and_start(exchange, extension, facts, body).await
}

/// Reads the first bytes of the body and sets the extension to work.
async fn read_and_start(exchange: Exchange, extension: Arc<Extension>, facts: RequestFacts, body: Entity) -> Answered {
    let host = &exchange.host;
    let limits = BodyLimits::new(host.site.limits().max_allowed_content_length, &host.timeouts);
    let body = match RequestBody::read_ahead(body, limits).await {
        Ok(body) => body,
        Err(error) => return Ok(exchange.refuse(refusal(error))),
    };
    match start(exchange, extension, facts, body) {
        Ok(mut waiting) => std::future::poll_fn(|cx| waiting.poll_answer(cx)).await,
        Err(refused) => Ok(*refused),
    }
}

/// Sets the extension to work.
fn start(
    exchange: Exchange,
    extension: Arc<Extension>,
    mut facts: RequestFacts,
    body: RequestBody,
) -> Result<Waiting, Box<Response<ResponseBody>>> {
    let Some(seat) = exchange.host.admit() else {
        let (library, method, path) = (extension.path().display(), &exchange.head.method, exchange.head.uri.path());
        tracing::warn!(
            "ISAPI0312 too many requests are in progress; {library} for {method} {path} is answered with 503"
        );
        return Err(Box::new(exchange.busy()));
    };
    facts.content_length = body.length();
    let event_loop = EventLoop::current();
    let pipe = Arc::new(Pipe::new(event_loop.clone()));
    let reader = PipeBody::new(Arc::clone(&pipe), Arc::clone(exchange.link()));
    let (host, access, link) = (Arc::clone(&exchange.host), exchange.access.clone(), Arc::clone(exchange.link()));
    let session = Session::enter(Parts { host, extension, facts, body, pipe, link, event_loop, access, seat });
    if run(&exchange.host, session) {
        Ok(Waiting { exchange: Some(exchange), reader: Some(reader), head: None })
    } else {
        Err(Box::new(exchange.busy()))
    }
}

/// An answer that an extension is at work on.
pub(crate) struct Waiting {
    exchange: Option<Exchange>,
    reader: Option<PipeBody>,
    /// It is here, but more may come at once.
    head: Option<Box<ResponseHead>>,
}

impl Waiting {
    /// The answer, once it begins.
    pub(crate) fn poll_answer(&mut self, cx: &mut Context<'_>) -> Poll<Answered> {
        let reader = self.reader.as_ref().expect("a future is not polled after its end");
        let head = match self.head.take() {
            Some(head) => head,
            None => match std::task::ready!(reader.poll_start(cx)) {
                Start::Head(head) if reader.has_ended() => head,
                Start::Head(head) => {
                    // Most answers end right behind their first write, and then go out in one piece, with a length.
                    self.head = Some(head);
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Start::Close => return Poll::Ready(Err(ConnectionCut)),
                Start::Failed => {
                    let exchange = self.exchange.take().expect("as above");
                    return Poll::Ready(Ok(exchange.refuse(FAILED)));
                }
            },
        };
        let (exchange, reader) = self.exchange.take().zip(self.reader.take()).expect("as above");
        Poll::Ready(Ok(respond(exchange, *head, reader)))
    }
}

/// Lets the executor run a session; `false` when there is no room.
fn run(host: &Host, session: Arc<Session>) -> bool {
    let job = Arc::clone(&session);
    let accepted = host.executor.run(session.extension().pace(), move || job.run()).is_ok();
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
    let length = if let BodyFraming::Length(length) = head.framing { Some(length) } else { None };
    exchange.respond(parts, Source::Pipe(reader), length)
}

/// Where the script's name ends in the path as bytes.
pub(crate) fn script_length(path: &[u8], selection: &Selection<'_>) -> usize {
    let text = format!("{}{}", selection.script_path, selection.extra_path);
    request_path::same_segment_end(path, &text, selection.script_path.len())
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

//! From a request to whatever answers it: limits, path, application, handler.
//!
//! Runs on the connection's I/O task. What is refused here never reaches native code.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use http::{HeaderValue, Method, Request, Response, StatusCode, Uri, header};
use http_body::Body;
use hyper::body::Incoming;
use isapi_config::{Handler, HandlerModule, Resource, Selection};

use crate::access_log::AccessRecord;
use crate::body::{ResponseBody, Source};
use crate::connection::{Peers, Turn};
use crate::exchange::{Answered, ConnectionCut, Exchange, Refusal};
use crate::extension::request_body::Entity;
use crate::extension::{self, Waiting};
use crate::file_body;
use crate::host::Host;
use crate::pipeline;
use crate::request_host;
use crate::request_path;
use crate::static_file::{self, Found};

/// The longest method; those that exist are a third of it.
const MAX_METHOD: usize = 64;
const NOT_FOUND: Refusal = Refusal::new(StatusCode::NOT_FOUND, 0, "There is nothing at this address.");
pub(crate) const BAD_PATH: Refusal = Refusal::new(StatusCode::BAD_REQUEST, 0, "The address is not valid.").closing();
const ENDLESS: Refusal =
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 0, "The application went on asking itself for an answer.");

/// The answer to a request, sooner or later.
pub(crate) enum Answer {
    /// Now. Empty once it has been taken.
    Ready(Option<Box<Answered>>),
    /// When an extension that is at work says so.
    Waiting(Box<Waiting>),
    /// When this has come to its end.
    Later(Pin<Box<dyn Future<Output = Answered> + Send>>),
}

impl From<Response<ResponseBody>> for Answer {
    fn from(response: Response<ResponseBody>) -> Self {
        Answer::Ready(Some(Box::new(Ok(response))))
    }
}

impl Future for Answer {
    type Output = Answered;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Answered> {
        match self.get_mut() {
            Answer::Ready(answered) => Poll::Ready(*answered.take().expect("a future is not polled after its end")),
            Answer::Waiting(waiting) => waiting.poll_answer(cx),
            Answer::Later(later) => later.as_mut().poll(cx),
        }
    }
}

/// Answers one request.
pub(crate) fn answer(host: &Arc<Host>, peers: Peers, turn: Turn, request: Request<Incoming>) -> Answer {
    if turn.link().is_closing() {
        // It came right behind a response that ends the connection.
        return Answer::Ready(Some(Box::new(Err(ConnectionCut))));
    }
    if let Some(session) = turn.link().filtered() {
        return Answer::Later(Box::pin(pipeline::answer(Arc::clone(session), turn, request)));
    }
    let (mut head, body) = request.into_parts();
    let host_named = request_host::settle(&mut head);
    let exchange = Exchange::new(host, peers, head, turn);
    match host_named.and_then(|()| check(host, &exchange.head, body.size_hint().exact())) {
        Ok(path) => hand_over(host, exchange, path, None, Entity::Client(body)),
        Err(refusal) => exchange.refuse(refusal).into(),
    }
}

/// Answers a request that an extension makes inside of its own. What `check` asks of a client is not asked of it, but
/// for the limits of an address.
pub(crate) fn answer_child(host: &Arc<Host>, exchange: Exchange, body: Entity) -> Answer {
    match check_address(host, &exchange.head.uri) {
        Ok(path) => match exchange.filtered.clone().filter(|filtered| filtered.maps_urls()) {
            Some(filtered) => Answer::Later(Box::pin(pipeline::answer_child(filtered, exchange, path, body))),
            None => hand_over(host, exchange, path, None, body),
        },
        Err(refusal) => exchange.refuse(refusal).into(),
    }
}

/// Gives a request to the handler of `path`, its decoded path. A filter may have said which file that is.
pub(crate) fn hand_over(
    host: &Arc<Host>,
    exchange: Exchange,
    path: Vec<u8>,
    mapped: Option<PathBuf>,
    body: Entity,
) -> Answer {
    let text = String::from_utf8_lossy(&path);
    let mut resolution = host.site.resolve(&text);
    let unmapped = mapped.map(|mapped| std::mem::replace(&mut resolution.physical_path, mapped));
    let wanted = |handler: &Handler| exchange.lineage.as_ref().is_none_or(|lineage| lineage.allows(handler));
    // What a filter has said holds for the file that the whole path names.
    let look_there = |path: &Path| match &unmapped {
        Some(unmapped) if path == unmapped => look(&resolution.physical_path),
        _ => look(path),
    };
    let Some(selection) = resolution.select_among(wanted, exchange.head.method.as_str(), look_there) else {
        let takes_get = resolution.select_among(wanted, "GET", look_there).is_some();
        return no_handler(exchange, takes_get).into();
    };
    if let Some(lineage) = &exchange.lineage
        && !lineage.may_go_on(selection.handler, &exchange.head.uri)
    {
        return exchange.refuse(ENDLESS).into();
    }
    match &selection.handler.module {
        HandlerModule::StaticFile => {
            let asked = static_file::Asked::new(&text, &resolution, unmapped.is_some());
            Answer::Later(Box::pin(send_file(exchange, asked)))
        }
        HandlerModule::Isapi { script_processor } => {
            let is_mapped = unmapped.is_some() && selection.extra_path.is_empty();
            let mapped = is_mapped.then(|| resolution.physical_path.clone());
            let Some(library) = library(script_processor.as_deref(), &selection, mapped) else {
                return exchange.refuse(NOT_FOUND).into();
            };
            let target = extension::Target::new(host, &path, resolution, &selection, library);
            extension::answer(exchange, target, path, body)
        }
    }
}

/// Logs a request whose head could not be read, which was answered without us.
pub(crate) fn log_refused_by_parser(host: &Arc<Host>, peers: Peers, status: u16) {
    if let Some(access) = AccessRecord::new(host, None, peers) {
        access.status(status);
        access.ended(0, true);
    }
}

/// Checks the limits of a request whose body has this length, if it is known, and returns its decoded path.
pub(crate) fn check(host: &Host, head: &http::request::Parts, length: Option<u64>) -> Result<Vec<u8>, Refusal> {
    if head.method == Method::CONNECT {
        return Err(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, 0, "This server is no proxy.").closing());
    }
    let path = check_address(host, &head.uri)?;
    if head.method.as_str().len() > MAX_METHOD {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, 0, "There is no such method.").closing());
    }
    if !is_only_chunked(head) {
        return Err(Refusal::new(StatusCode::NOT_IMPLEMENTED, 0, "The transfer coding is not supported.").closing());
    }
    let too_large = |length: u64| length > host.site.limits().max_allowed_content_length;
    if length.is_some_and(too_large) {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, 1, "The request is too large.").closing());
    }
    Ok(path)
}

/// Checks the limits of an address and returns its decoded path.
fn check_address(host: &Host, uri: &Uri) -> Result<Vec<u8>, Refusal> {
    let limits = host.site.limits();
    if uri.path().len() > limits.max_url {
        return Err(Refusal::new(StatusCode::NOT_FOUND, 14, "The address is too long."));
    }
    if uri.query().is_some_and(|query| query.len() > limits.max_query_string) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, 15, "The query is too long."));
    }
    request_path::decode(uri.path()).ok_or(BAD_PATH)
}

/// Whether the body comes as it is or in chunks; any other coding would reach the extension undecoded.
fn is_only_chunked(head: &http::request::Parts) -> bool {
    let codings = head.headers.get_all(header::TRANSFER_ENCODING).iter();
    let mut codings = codings.flat_map(|value| value.as_bytes().split(|byte| *byte == b',')).map(<[u8]>::trim_ascii);
    codings.all(|coding| coding.eq_ignore_ascii_case(b"chunked") || coding.eq_ignore_ascii_case(b"identity"))
}

/// What exists at a path. Only handlers with a resource type ask, and a local file system answers at once.
fn look(path: &Path) -> Resource {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Resource::Directory,
        Ok(_) => Resource::File,
        Err(_) => Resource::Missing,
    }
}

/// The library of a selection: configured, or the requested file itself, wherever a filter has mapped it, if it is there.
fn library<'a>(
    script_processor: Option<&'a Path>,
    selection: &Selection<'_>,
    mapped: Option<PathBuf>,
) -> Option<Cow<'a, Path>> {
    match script_processor {
        Some(library) => Some(Cow::Borrowed(library)),
        None => Some(mapped.unwrap_or_else(|| selection.script_physical_path()))
            .filter(|file| look(file) == Resource::File)
            .map(Cow::Owned),
    }
}

/// No handler takes this path with this method; perhaps one takes it with GET.
fn no_handler(exchange: Exchange, takes_get: bool) -> Response<ResponseBody> {
    if !takes_get {
        return exchange.refuse(Refusal { sub_status: 4, ..NOT_FOUND });
    }
    let mut response =
        exchange.refuse(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, 0, "This method is not allowed here."));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

async fn send_file(exchange: Exchange, asked: static_file::Asked) -> Answered {
    Ok(match asked.find().await {
        Found::File(file) => {
            let (parts, body) = file_body::send(&file, &exchange.head, exchange.link()).await;
            let length = body.size_hint().exact();
            exchange.respond(parts, Source::File(body), length)
        }
        Found::FolderWithoutSlash => exchange.add_slash(),
        Found::Nothing => exchange.refuse(NOT_FOUND),
    })
}

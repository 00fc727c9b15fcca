//! From a request to whatever answers it: limits, path, application, handler.
//!
//! Runs on the connection's I/O task. What is refused here never reaches native code.

use std::borrow::Cow;
use std::path::{Path, PathBuf};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use http::{HeaderValue, Request, Response, StatusCode, Uri, Version, header};
use hyper::body::{Body, Incoming};
use isapi_config::{Handler, HandlerModule, Resource, Selection};

use crate::access_log::AccessRecord;
use crate::body::{ResponseBody, Source};
use crate::connection::{Peers, Turn};
use crate::exchange::{Answered, ConnectionCut, Exchange, Refusal};
use crate::extension::request_body::Entity;
use crate::extension::{self, Waiting};
use crate::host::Host;
use crate::request_path;
use crate::static_file::{self, Found};

const NOT_FOUND: Refusal = Refusal::new(StatusCode::NOT_FOUND, 0, "There is nothing at this address.");
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
    let (head, body) = request.into_parts();
    let exchange = Exchange::new(host, peers, head, turn);
    match check(host, &exchange.head, &body) {
        Ok(path) => hand_over(host, exchange, &path, Entity::Client(body)),
        Err(refusal) => exchange.refuse(refusal).into(),
    }
}

/// Answers a request that an extension makes inside of its own. What `check` asks of a client is not asked of it, but
/// for the limits of an address.
pub(crate) fn answer_child(host: &Arc<Host>, exchange: Exchange, body: Entity) -> Answer {
    match check_address(host, &exchange.head.uri) {
        Ok(path) => hand_over(host, exchange, &path, body),
        Err(refusal) => exchange.refuse(refusal).into(),
    }
}

/// Gives a request to the handler of `path`, its decoded path.
fn hand_over(host: &Arc<Host>, exchange: Exchange, path: &[u8], body: Entity) -> Answer {
    let text = String::from_utf8_lossy(path);
    let resolution = host.site.resolve(&text);
    let wanted = |handler: &Handler| exchange.lineage.as_ref().is_none_or(|lineage| lineage.allows(handler));
    let Some(selection) = resolution.select_among(wanted, exchange.head.method.as_str(), look) else {
        let takes_get = resolution.select_among(wanted, "GET", look).is_some();
        return no_handler(exchange, takes_get).into();
    };
    if let Some(lineage) = &exchange.lineage
        && !lineage.may_go_on(selection.handler, &exchange.head.uri)
    {
        return exchange.refuse(ENDLESS).into();
    }
    match &selection.handler.module {
        HandlerModule::StaticFile => {
            let documents = resolution.application.default_documents().to_vec();
            Answer::Later(Box::pin(send_file(exchange, text.clone().into_owned(), resolution.physical_path, documents)))
        }
        HandlerModule::Isapi { script_processor } => {
            let Some(library) = library(script_processor.as_deref(), &selection) else {
                return exchange.refuse(NOT_FOUND).into();
            };
            extension::answer(exchange, extension::Target { path, resolution, selection, library }, body)
        }
    }
}

/// Logs a request whose head could not be read, which was answered without us.
pub(crate) fn log_refused_by_parser(host: &Arc<Host>, peers: Peers, status: u16) {
    if let Some(access) = AccessRecord::new(host, None, peers, Instant::now()) {
        access.status(status);
        access.ended(0, true);
    }
}

/// Checks the request's limits and returns its decoded path.
fn check(host: &Host, head: &http::request::Parts, body: &Incoming) -> Result<Vec<u8>, Refusal> {
    let path = check_address(host, &head.uri)?;
    if !names_its_host(head) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, 0, "The request must name its host once.").closing());
    }
    let too_large = |length: u64| length > host.site.limits().max_allowed_content_length;
    if body.size_hint().exact().is_some_and(too_large) {
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
    let bad_path = Refusal::new(StatusCode::BAD_REQUEST, 0, "The address is not valid.").closing();
    request_path::decode(uri.path()).ok_or(bad_path)
}

/// HTTP/1.1 demands exactly one Host (RFC 9112, 3.2); before it, none was needed.
fn names_its_host(head: &http::request::Parts) -> bool {
    let hosts = head.headers.get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && head.version < Version::HTTP_11)
}

/// What exists at a path. Only handlers with a resource type ask, and a local file system answers at once.
fn look(path: &Path) -> Resource {
    match std::fs::metadata(path) {
        Ok(found) if found.is_dir() => Resource::Directory,
        Ok(_) => Resource::File,
        Err(_) => Resource::Missing,
    }
}

/// The library of a selection: configured, or the requested file itself if it is there.
fn library<'a>(script_processor: Option<&'a Path>, selection: &Selection<'_>) -> Option<Cow<'a, Path>> {
    match script_processor {
        Some(library) => Some(Cow::Borrowed(library)),
        None => Some(selection.script_physical_path()).filter(|file| look(file) == Resource::File).map(Cow::Owned),
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

async fn send_file(exchange: Exchange, url_path: String, physical_path: PathBuf, documents: Vec<String>) -> Answered {
    Ok(match static_file::find(&url_path, &physical_path, &documents).await {
        Found::File(file) => {
            let (parts, body) = static_file::send(&file, &exchange.head, exchange.link()).await;
            exchange.respond(parts, Source::File(body))
        }
        Found::FolderWithoutSlash => exchange.add_slash(),
        Found::Nothing => exchange.refuse(NOT_FOUND),
    })
}

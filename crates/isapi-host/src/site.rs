//! From a request to whatever answers it: limits, path, application, handler.
//!
//! Runs on the connection's I/O task. What is refused here never reaches native code.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode, Version, header};
use http_body_util::Full;
use hyper::body::Incoming;
use isapi_config::{HandlerModule, Resolution, Resource, Selection};

use crate::access_log::{AccessRecord, RequestLine};
use crate::body::{ResponseBody, Source};
use crate::connection::{Peers, Turn};
use crate::extension;
use crate::host::Host;
use crate::link::Link;
use crate::server_variables::SERVER_SOFTWARE;
use crate::static_file::{self, Found};
use crate::{error_page, request_path};

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct ConnectionCut;

impl fmt::Display for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut without an answer")
    }
}

impl std::error::Error for ConnectionCut {}

/// One request while it is being answered.
pub(crate) struct Exchange {
    pub(crate) host: Arc<Host>,
    pub(crate) peers: Peers,
    pub(crate) method: Method,
    pub(crate) access: Arc<AccessRecord>,
    turn: Turn,
}

/// Why the host itself answers a request with an error.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Refusal {
    pub(crate) status: StatusCode,
    pub(crate) sub_status: u16,
    pub(crate) detail: &'static str,
    /// The rest of the request is of no use, so the connection must end.
    pub(crate) close: bool,
}

impl Refusal {
    pub(crate) const fn new(status: StatusCode, sub_status: u16, detail: &'static str) -> Self {
        Refusal { status, sub_status, detail, close: false }
    }

    pub(crate) const fn closing(self) -> Self {
        Refusal { close: true, ..self }
    }
}

const NOT_FOUND: Refusal = Refusal::new(StatusCode::NOT_FOUND, 0, "There is nothing at this address.");

/// Answers one request.
///
/// # Errors
/// When the connection is to be cut.
pub(crate) async fn answer(
    host: Arc<Host>,
    peers: Peers,
    turn: Turn,
    request: Request<Incoming>,
) -> Result<Response<ResponseBody>, ConnectionCut> {
    if turn.link().is_closing() {
        // It came right behind a response that ends the connection.
        return Err(ConnectionCut);
    }
    let access = Arc::new(AccessRecord::new(Arc::clone(&host), request_line(&request, peers)));
    let exchange = Exchange { host: Arc::clone(&host), peers, method: request.method().clone(), access, turn };
    let path = match check(&host, &request) {
        Ok(path) => path,
        Err(refusal) => return Ok(exchange.refuse(refusal)),
    };
    let text = String::from_utf8_lossy(&path);
    let resolution = host.site.resolve(&text);
    let Some(selection) = resolution.select(exchange.method.as_str(), look) else {
        return Ok(no_handler(exchange, &resolution));
    };
    match &selection.handler.module {
        HandlerModule::StaticFile => Ok(send_file(exchange, &text, &resolution, request).await),
        HandlerModule::Isapi { script_processor } => {
            let Some(library) = library(script_processor.as_deref(), &selection) else {
                return Ok(exchange.refuse(NOT_FOUND));
            };
            let target = extension::Target { path: &path, resolution: &resolution, selection: &selection, library };
            extension::answer(exchange, target, request).await
        }
    }
}

fn request_line(request: &Request<Incoming>, peers: Peers) -> RequestLine {
    let header = |name| {
        let value: Option<&HeaderValue> = request.headers().get(name);
        value.map_or_else(String::new, |value| String::from_utf8_lossy(value.as_bytes()).into_owned())
    };
    RequestLine {
        method: request.method().to_string(),
        path: request.uri().path().to_owned(),
        query: request.uri().query().unwrap_or_default().to_owned(),
        local: peers.local,
        remote: peers.remote,
        user_agent: header(header::USER_AGENT),
        referer: header(header::REFERER),
    }
}

/// Logs a request whose head could not be read, which was answered without us.
pub(crate) fn log_refused_by_parser(host: Arc<Host>, peers: Peers, status: u16) {
    let unknown = String::new;
    let Peers { local, remote } = peers;
    let line = RequestLine {
        method: unknown(),
        path: unknown(),
        query: unknown(),
        local,
        remote,
        user_agent: unknown(),
        referer: unknown(),
    };
    let access = AccessRecord::new(host, line);
    access.status(status);
    access.ended(0, true);
}

/// Checks the request's limits and returns its decoded path.
fn check(host: &Host, request: &Request<Incoming>) -> Result<Vec<u8>, Refusal> {
    let limits = host.site.limits();
    let uri = request.uri();
    if uri.path().len() > limits.max_url {
        return Err(Refusal::new(StatusCode::NOT_FOUND, 14, "The address is too long."));
    }
    if uri.query().is_some_and(|query| query.len() > limits.max_query_string) {
        return Err(Refusal::new(StatusCode::NOT_FOUND, 15, "The query is too long."));
    }
    if !names_its_host(request) {
        return Err(Refusal::new(StatusCode::BAD_REQUEST, 0, "The request must name its host once.").closing());
    }
    let too_large = |length: u64| length > limits.max_allowed_content_length;
    if hyper::body::Body::size_hint(request.body()).exact().is_some_and(too_large) {
        return Err(Refusal::new(StatusCode::PAYLOAD_TOO_LARGE, 1, "The request is too large.").closing());
    }
    let bad_path = Refusal::new(StatusCode::BAD_REQUEST, 0, "The address is not valid.").closing();
    request_path::decode(uri.path()).ok_or(bad_path)
}

/// HTTP/1.1 demands exactly one Host (RFC 9112, 3.2); before it, none was needed.
fn names_its_host(request: &Request<Incoming>) -> bool {
    let hosts = request.headers().get_all(header::HOST).iter().count();
    hosts == 1 || (hosts == 0 && request.version() < Version::HTTP_11)
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
fn library(script_processor: Option<&Path>, selection: &Selection<'_>) -> Option<PathBuf> {
    match script_processor {
        Some(library) => Some(library.to_owned()),
        None => Some(selection.script_physical_path.clone()).filter(|file| look(file) == Resource::File),
    }
}

/// No handler takes this path with this method; perhaps one takes it with GET.
fn no_handler(exchange: Exchange, resolution: &Resolution<'_>) -> Response<ResponseBody> {
    if resolution.select("GET", look).is_none() {
        return exchange.refuse(Refusal { sub_status: 4, ..NOT_FOUND });
    }
    let mut response =
        exchange.refuse(Refusal::new(StatusCode::METHOD_NOT_ALLOWED, 0, "This method is not allowed here."));
    response.headers_mut().insert(header::ALLOW, HeaderValue::from_static("GET, HEAD"));
    response
}

async fn send_file(
    exchange: Exchange,
    url_path: &str,
    resolution: &Resolution<'_>,
    request: Request<Incoming>,
) -> Response<ResponseBody> {
    match static_file::find(url_path, resolution).await {
        Found::File(file) => {
            let (parts, body) = static_file::send(&file, request).await.into_parts();
            exchange.respond(parts, Source::File(body))
        }
        Found::FolderWithoutSlash => exchange.add_slash(request.uri()),
        Found::Nothing => exchange.refuse(NOT_FOUND),
    }
}

impl Exchange {
    /// Answers with a head and what follows it.
    pub(crate) fn respond(self, mut parts: http::response::Parts, source: Source) -> Response<ResponseBody> {
        let server = HeaderValue::from_static(SERVER_SOFTWARE);
        parts.headers.entry(header::SERVER).or_insert(server);
        ResponseBody::respond(parts, source, &self.method, self.access, self.turn)
    }

    /// The connection that the request came over.
    pub(crate) fn link(&self) -> &Arc<Link> {
        self.turn.link()
    }

    /// Answers with a page that says why not.
    pub(crate) fn refuse(self, refusal: Refusal) -> Response<ResponseBody> {
        self.access.sub_status(refusal.sub_status);
        let mut response = self.page(refusal.status, error_page::error(refusal.status, refusal.detail));
        if refusal.close {
            response.headers_mut().insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    /// Answers with a page of ours.
    pub(crate) fn page(self, status: StatusCode, page: String) -> Response<ResponseBody> {
        let mut headers = HeaderMap::new();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(error_page::CONTENT_TYPE));
        headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
        let (mut parts, ()) = Response::new(()).into_parts();
        (parts.status, parts.headers) = (status, headers);
        self.respond(parts, Source::Page(Full::new(Bytes::from(page))))
    }

    /// Sends the client to the same address with a slash behind the path.
    fn add_slash(self, uri: &http::Uri) -> Response<ResponseBody> {
        // Two slashes in front would name another server.
        let path = uri.path().trim_start_matches('/');
        let query = uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let location = format!("/{path}/{query}");
        let mut response = self.page(StatusCode::MOVED_PERMANENTLY, error_page::moved(&location));
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

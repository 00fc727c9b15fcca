//! One request while it is being answered, and the answers that the host gives itself.

use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, Response, StatusCode, header};

use crate::access_log::AccessRecord;
use crate::authentication::Identity;
use crate::body::{ResponseBody, Source};
use crate::connection::{Peers, Turn};
use crate::error_page;
use crate::extension::request_facts::RequestFacts;
use crate::host::Host;
use crate::lineage::Lineage;
use crate::link::Link;
use crate::pipeline::FilteredRequest;
use crate::server_variables::SERVER_SOFTWARE;

/// The connection is to be closed without an answer.
#[derive(Debug)]
pub(crate) struct ConnectionCut;

impl fmt::Display for ConnectionCut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the connection was cut without an answer")
    }
}

impl std::error::Error for ConnectionCut {}

/// The answer to a request, or that there is none.
pub(crate) type Answered = Result<Response<ResponseBody>, ConnectionCut>;

/// The head of a request, shared by all that outlive the exchange.
#[derive(Debug)]
pub(crate) struct RequestHead(pub(crate) http::request::Parts);

impl Deref for RequestHead {
    type Target = http::request::Parts;

    fn deref(&self) -> &http::request::Parts {
        &self.0
    }
}

/// See the module.
pub(crate) struct Exchange {
    pub(crate) host: Arc<Host>,
    pub(crate) peers: Peers,
    pub(crate) head: Arc<RequestHead>,
    /// The log entry, if one is wanted; written when the last holder lets go of it.
    pub(crate) access: Option<Arc<AccessRecord>>,
    /// Where a child request comes from; `None` for a request from the network.
    pub(crate) lineage: Option<Arc<Lineage>>,
    /// The request as filters see it, if there are any.
    pub(crate) filtered: Option<Arc<FilteredRequest>>,
    /// The client, if it has been authenticated.
    pub(crate) identity: Option<Arc<Identity>>,
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

    /// The page that says so, with its head.
    pub(crate) fn page(&self) -> (http::response::Parts, Bytes) {
        let (mut parts, page) = page_of(self.status, error_page::error(self.status, self.detail));
        if self.close {
            parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
        }
        (parts, page)
    }
}

/// A page of ours, with its head.
fn page_of(status: StatusCode, page: String) -> (http::response::Parts, Bytes) {
    let mut headers = HeaderMap::new();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(error_page::CONTENT_TYPE));
    headers.insert(header::CONTENT_LENGTH, HeaderValue::from(page.len()));
    let (mut parts, ()) = Response::new(()).into_parts();
    (parts.status, parts.headers) = (status, headers);
    (parts, Bytes::from(page))
}

impl Exchange {
    /// The exchange over a request whose head has come.
    pub(crate) fn new(host: &Arc<Host>, peers: Peers, head: http::request::Parts, turn: Turn) -> Self {
        let head = Arc::new(RequestHead(head));
        let access = AccessRecord::new(host, Some(&head), peers);
        Exchange { host: Arc::clone(host), peers, head, access, lineage: None, filtered: None, identity: None, turn }
    }

    /// The exchange over a request that filters have seen.
    pub(crate) fn of_filtered(
        host: &Arc<Host>,
        peers: Peers,
        head: Arc<RequestHead>,
        turn: Turn,
        access: &Arc<AccessRecord>,
        filtered: &Arc<FilteredRequest>,
        identity: Option<Arc<Identity>>,
    ) -> Self {
        let (host, access) = (Arc::clone(host), Some(Arc::clone(access)));
        Exchange { host, peers, head, access, lineage: None, filtered: Some(Arc::clone(filtered)), identity, turn }
    }

    /// The exchange over a request that an extension makes inside of its own, whose log is `access`.
    pub(crate) fn of_child(
        host: &Arc<Host>,
        head: http::request::Parts,
        lineage: Lineage,
        parent: &RequestFacts,
        access: &Arc<AccessRecord>,
        link: &Arc<Link>,
    ) -> Self {
        let (host, access) = (Arc::clone(host), Some(Arc::clone(access)));
        let (head, lineage) = (Arc::new(RequestHead(head)), Some(Arc::new(lineage)));
        let (peers, filtered, identity) = (parent.peers, parent.filtered.clone(), parent.identity.clone());
        Exchange { host, peers, head, access, lineage, filtered, identity, turn: Turn::of_child(link) }
    }

    /// Whether the response has no body because of the request's method.
    pub(crate) fn is_to_head(&self) -> bool {
        self.head.method == Method::HEAD
    }

    /// Answers with a head and what follows it: so many bytes, if that is known.
    pub(crate) fn respond(
        self,
        mut parts: http::response::Parts,
        source: Source,
        length: Option<u64>,
    ) -> Response<ResponseBody> {
        // That of an extension has it already.
        if !parts.headers.contains_key(header::SERVER) {
            parts.headers.insert(header::SERVER, const { HeaderValue::from_static(SERVER_SOFTWARE) });
        }
        let length = if self.is_to_head() { Some(0) } else { length };
        ResponseBody::respond(parts, source, length, self.access, self.turn)
    }

    /// The connection that the request came over.
    pub(crate) fn link(&self) -> &Arc<Link> {
        self.turn.link()
    }

    /// Answers with a page that says why not.
    pub(crate) fn refuse(self, refusal: Refusal) -> Response<ResponseBody> {
        if let Some(access) = &self.access {
            access.sub_status(refusal.sub_status);
        }
        let (parts, page) = refusal.page();
        let length = page.len() as u64;
        self.respond(parts, Source::page(page), Some(length))
    }

    /// Answers with a page of ours.
    pub(crate) fn page(self, status: StatusCode, page: String) -> Response<ResponseBody> {
        let (parts, page) = page_of(status, page);
        let length = page.len() as u64;
        self.respond(parts, Source::page(page), Some(length))
    }

    /// Sends the client to the same address with a slash behind the path.
    pub(crate) fn add_slash(self) -> Response<ResponseBody> {
        // Two slashes in front would name another server.
        let path = self.head.uri.path().trim_start_matches('/');
        let query = self.head.uri.query().map_or_else(String::new, |query| format!("?{query}"));
        let location = format!("/{path}/{query}");
        let mut response = self.page(StatusCode::MOVED_PERMANENTLY, error_page::moved(&location));
        if let Ok(location) = HeaderValue::try_from(location) {
            response.headers_mut().insert(header::LOCATION, location);
        }
        response
    }
}

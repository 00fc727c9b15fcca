//! One request as filters see it: its head and its response as they have made them, and what they have sent instead.
//!
//! Begins when the head has come, and is over behind END_OF_REQUEST and LOG. Filters reach it through callbacks, from
//! inside of their notifications; the host reads it between two of these.

use std::sync::{Arc, Mutex, OnceLock, Weak};
use std::time::Instant;

use http::{HeaderMap, Method, Version, request, response};
use isapi_config::Resource;
use tokio::sync::watch;

use super::net_session::NetSession;
use super::notification::Notification;
use super::own_answer::OwnAnswer;
use super::trace::Step;
use crate::access_log::AccessRecord;
use crate::authentication::Identity;
use crate::exchange::RequestHead;
use crate::extension::request_facts::RequestFacts;
use crate::extension::script_length;
use crate::lock::LockAnyway;
use crate::request_path;
use crate::server_variables::into_path_bytes;
use crate::win32::Win32Error;

/// See the module.
pub(crate) struct FilteredRequest {
    session: Arc<NetSession>,
    /// Its place among the requests of the connection, from 1 on.
    number: u64,
    /// The request is over when the last holder of this lets go of it.
    record: OnceLock<Weak<AccessRecord>>,
    pub(super) started: Instant,
    pub(super) state: Mutex<State>,
    /// Dropped when the request is over.
    pub(super) over: Mutex<Option<watch::Sender<()>>>,
}

/// What filters see and change.
pub(super) struct State {
    head: request::Parts,
    /// The head as the handler has got it, which then is here and not there; filters change it no more.
    settled: Option<Arc<RequestHead>>,
    /// The address was changed since this was last asked.
    url_changed: bool,
    /// While SEND_RESPONSE is raised.
    pub(super) response: Option<response::Parts>,
    /// For the response, whatever it will be.
    pub(super) response_headers: HeaderMap,
    /// For the response, if the host denies access.
    pub(super) denial_headers: HeaderMap,
    /// What filters have sent in place of a response.
    pub(super) own: OwnAnswer,
    /// Filters may answer by themselves.
    pub(super) takes_answers: bool,
    /// The response has gone out, or is about to.
    pub(super) answered: bool,
    /// The client, once it has been authenticated.
    pub(super) identity: Option<Arc<Identity>>,
    /// The length of the body, if it is known.
    pub(super) body_length: Option<u64>,
    /// From the head as it is now, for variables.
    facts: Option<Arc<RequestFacts>>,
    steps: Vec<Step>,
}

impl FilteredRequest {
    /// The request that begins with `head`.
    pub(super) fn begin(session: &Arc<NetSession>, head: request::Parts, body_length: Option<u64>) -> Arc<Self> {
        let state = State {
            head,
            settled: None,
            url_changed: false,
            response: None,
            response_headers: HeaderMap::new(),
            denial_headers: HeaderMap::new(),
            own: OwnAnswer::default(),
            takes_answers: true,
            answered: false,
            identity: None,
            body_length,
            facts: None,
            steps: session.take_steps(),
        };
        let (number, over) = session.request_begins();
        let request = Arc::new(FilteredRequest {
            session: Arc::clone(session),
            number,
            record: OnceLock::new(),
            started: Instant::now(),
            state: Mutex::new(state),
            over: Mutex::new(Some(over)),
        });
        session.enter(&request);
        request
    }

    /// Its place among the requests of the connection, from 1 on.
    pub(super) fn number(&self) -> u64 {
        self.number
    }

    /// The request is over when the last holder of `record` lets go of it.
    pub(super) fn ends_with(&self, record: &Arc<AccessRecord>) {
        // Said once, when it begins.
        let _ = self.record.set(Arc::downgrade(record));
    }

    /// Keeps the request from being over as long as the result lives; `None` when it is.
    pub(super) fn hold(&self) -> Option<Arc<AccessRecord>> {
        self.record.get()?.upgrade()
    }

    /// The head as far as it is known, for the log of a request that was given up early.
    pub(crate) fn head_for_log(&self) -> Arc<RequestHead> {
        let state = self.state.lock_anyway();
        state.settled.clone().unwrap_or_else(|| Arc::new(RequestHead(state.head.clone())))
    }

    /// Method and path, for the log.
    pub(super) fn describe(&self) -> String {
        let state = self.state.lock_anyway();
        format!("{} {}", state.head().method, state.head().uri.path())
    }

    /// The name of the client, if it has been authenticated.
    pub(crate) fn user(&self) -> String {
        let state = self.state.lock_anyway();
        let user = state.identity.as_ref().map(|identity| identity.credentials.user.as_slice());
        String::from_utf8_lossy(user.unwrap_or_default()).into_owned()
    }

    /// The connection.
    pub(crate) fn session(&self) -> &Arc<NetSession> {
        &self.session
    }

    /// Adds to the trace.
    pub(super) fn note(&self, step: Step) {
        self.state.lock_anyway().steps.push(step);
    }

    /// The trace so far.
    pub(super) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut self.state.lock_anyway().steps)
    }

    /// Changes the head, or the response, whichever `notification` is about, and forgets what was derived from it.
    ///
    /// # Errors
    /// 87 when it is about neither; what `change` says.
    pub(super) fn change<R>(
        &self,
        notification: Notification,
        change: impl FnOnce(&mut Message<'_>) -> Result<R, Win32Error>,
    ) -> Result<R, Win32Error> {
        let mut state = self.state.lock_anyway();
        state.facts = None;
        let State { head, response, url_changed, .. } = &mut *state;
        match (notification, response) {
            (Notification::PreprocHeaders | Notification::AuthComplete, _) => {
                change(&mut Message::Request { head, url_changed })
            }
            (Notification::SendResponse, Some(response)) => change(&mut Message::Response(response)),
            _ => Err(Win32Error::INVALID_PARAMETER),
        }
    }

    /// As [`FilteredRequest::change`], without a change.
    ///
    /// # Errors
    /// As there.
    pub(super) fn look<R>(
        &self,
        notification: Notification,
        look: impl FnOnce(&Message<'_>) -> Result<R, Win32Error>,
    ) -> Result<R, Win32Error> {
        let mut state = self.state.lock_anyway();
        let State { head, response, url_changed, .. } = &mut *state;
        match (notification, response) {
            (Notification::PreprocHeaders | Notification::AuthComplete, _) => {
                look(&Message::Request { head, url_changed })
            }
            (Notification::SendResponse, Some(response)) => look(&Message::Response(response)),
            _ => Err(Win32Error::INVALID_PARAMETER),
        }
    }

    /// The head and the client as the handler is to get them; filters do not change them any more.
    pub(super) fn settled_head(&self) -> (Arc<RequestHead>, Option<Arc<Identity>>) {
        let mut state = self.state.lock_anyway();
        let (empty, ()) = http::Request::new(()).into_parts();
        let head = Arc::new(RequestHead(std::mem::replace(&mut state.head, empty)));
        (state.settled, state.facts, state.takes_answers) = (Some(Arc::clone(&head)), None, false);
        (head, state.identity.clone())
    }

    /// The client has been authenticated, or is nobody.
    pub(super) fn identify(&self, identity: Option<Arc<Identity>>) {
        let mut state = self.state.lock_anyway();
        (state.identity, state.facts) = (identity, None);
    }

    /// Whether the client asked for a head alone.
    pub(super) fn is_to_head(&self) -> bool {
        self.state.lock_anyway().head().method == Method::HEAD
    }

    /// Forgets what filters have sent: they do not answer after all.
    pub(super) fn forget_own_answer(&self) {
        self.state.lock_anyway().own = OwnAnswer::default();
    }

    /// Whether the address was changed since this was last asked.
    pub(super) fn url_changed(&self) -> bool {
        std::mem::take(&mut self.state.lock_anyway().url_changed)
    }

    /// The facts that variables come from: those of the head as it is now.
    pub(super) fn facts(&self) -> Arc<RequestFacts> {
        let mut state = self.state.lock_anyway();
        if let Some(facts) = &state.facts {
            return Arc::clone(facts);
        }
        let facts = Arc::new(facts_of(&self.session, &state));
        state.facts = Some(Arc::clone(&facts));
        facts
    }
}

impl State {
    /// The head, wherever it is.
    pub(super) fn head(&self) -> &request::Parts {
        self.settled.as_deref().map_or(&self.head, |head| &head.0)
    }
}

/// What GetHeader and its kin are about.
pub(super) enum Message<'a> {
    Request { head: &'a mut request::Parts, url_changed: &'a mut bool },
    Response(&'a mut response::Parts),
}

impl Message<'_> {
    /// The headers.
    pub(super) fn headers(&self) -> &HeaderMap {
        match self {
            Message::Request { head, .. } => &head.headers,
            Message::Response(parts) => &parts.headers,
        }
    }

    /// The headers.
    pub(super) fn headers_mut(&mut self) -> &mut HeaderMap {
        match self {
            Message::Request { head, .. } => &mut head.headers,
            Message::Response(parts) => &mut parts.headers,
        }
    }
}

/// The facts of a request that no handler has got yet, or ever gets.
fn facts_of(session: &NetSession, state: &State) -> RequestFacts {
    let host = session.host();
    // What is no address is refused later; until then it leads to the root.
    let url = request_path::decode(state.head().uri.path()).unwrap_or_else(|| b"/".to_vec());
    let text = String::from_utf8_lossy(&url).into_owned();
    let resolution = host.site.resolve(&text);
    let place = Arc::clone(host.place(resolution.application));
    let selection = resolution.select(state.head().method.as_str(), |_| Resource::File);
    let script_length = selection
        .filter(|selection| !selection.extra_path.is_empty())
        .map_or(url.len(), |selection| script_length(&url, &selection));
    RequestFacts {
        head: state.settled.clone().unwrap_or_else(|| Arc::new(RequestHead(state.head.clone()))),
        script_length,
        only_extra_path: false,
        path_translated: into_path_bytes(resolution.physical_path),
        url,
        content_length: state.body_length,
        place,
        handler: 0,
        lineage: None,
        peers: session.peers(),
        identity: state.identity.clone(),
        filtered: None,
    }
}

/// `HTTP/1.0` or `HTTP/1.1`.
pub(super) fn version_text(version: Version) -> &'static [u8] {
    if version == Version::HTTP_10 { b"HTTP/1.0" } else { b"HTTP/1.1" }
}

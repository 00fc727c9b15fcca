//! A child request (EXEC_URL) as its parent sees it: an asynchronous operation that has the response for itself, and
//! afterwards a status. What the child's request consists of is put together here, on the thread that asks for it.

use std::sync::Arc;

use bytes::Bytes;
use http::uri::PathAndQuery;
use http::{HeaderMap, HeaderValue, Method, Request, Uri, header, request};
use isapi_abi::httpext as hse;
use tokio::sync::oneshot;

use super::Session;
use crate::extension::child::Child;
use crate::extension::completion::Operation;
use crate::extension::request_body::{Entity, RequestBody};
use crate::lineage::Lineage;
use crate::lock::LockAnyway;
use crate::win32::Win32Error;

/// What EXEC_URL asks for, checked. `None` stands for the parent's own.
pub(crate) struct Order {
    pub(crate) url: Option<PathAndQuery>,
    pub(crate) method: Option<Method>,
    pub(crate) headers: Option<HeaderMap>,
    pub(crate) entity: Option<Bytes>,
    /// `HSE_EXEC_URL_*`.
    pub(crate) flags: u32,
}

/// How a child request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct ChildStatus {
    /// 0 when the child had not begun its response.
    pub(crate) status: u16,
    pub(crate) sub_status: u16,
    /// Why the response did not reach the client whole; 0 when it did.
    pub(crate) error: u32,
}

/// What a child answers differently for, when it is to answer whole.
const CONDITIONS: [header::HeaderName; 6] = [
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    header::IF_MODIFIED_SINCE,
    header::IF_UNMODIFIED_SINCE,
    header::IF_RANGE,
    header::RANGE,
];

impl Order {
    fn has(&self, flag: u32) -> bool {
        self.flags & flag != 0
    }
}

impl Session {
    /// Starts a child request; the completion says that it has ended.
    ///
    /// # Errors
    /// 87 when there is no callback, another operation is outstanding, nothing more can be sent, the response has a
    /// head already and the child's is wanted too, or another thread is inside ReadClient.
    pub(crate) fn run_child(self: &Arc<Self>, order: Order) -> Result<(), Win32Error> {
        let with_head = !order.has(hse::HSE_EXEC_URL_NO_HEADERS);
        let has_head = self.open_response()?.has_begun();
        if with_head && has_head {
            return Err(Win32Error::INVALID_PARAMETER);
        }
        let runtime = self.runtime()?;
        let (stop, stopped) = oneshot::channel();
        let operation = Operation { partial: true, stop: Some(stop), owns_response: true, ..Operation::default() };
        let ticket = self.begin(operation)?;
        let body = match order.entity.clone() {
            Some(bytes) => RequestBody::of(bytes),
            None => match self.unread_body() {
                Ok(body) => body,
                Err(error) => return self.withdraw(ticket, error),
            },
        };
        let lineage = Lineage::below(&self.origin.facts, order.has(hse::HSE_EXEC_URL_IGNORE_CURRENT_INTERCEPTOR));
        let head = self.head_of_child(order, body.length());
        *self.child_status.lock_anyway() = None;
        let child = Child::new(Arc::clone(self), ticket, stopped, with_head);
        // A runtime that shuts down drops the task instead of running it; that completes the operation, too.
        runtime.spawn(child.run(head, lineage, Entity::Parent(body)));
        Ok(())
    }

    /// How the last child request ended.
    ///
    /// # Errors
    /// 232 when none has, because there was none or it is still going on: the question is good, but has no answer yet.
    pub(crate) fn child_status(&self) -> Result<ChildStatus, Win32Error> {
        self.child_status.lock_anyway().ok_or(Win32Error::NO_DATA)
    }

    /// Notes how the child request ended, and what of it belongs into the parent's line of the log.
    pub(crate) fn child_ended(&self, ended: ChildStatus, log_text: &[u8]) {
        self.append_log(log_text);
        *self.child_status.lock_anyway() = Some(ended);
    }

    /// What is left of the body. The extension itself finds it at its end from now on.
    fn unread_body(&self) -> Result<RequestBody, Win32Error> {
        let body = self.take_body()?;
        self.bring_body_back(RequestBody::empty());
        Ok(body.unread())
    }

    fn head_of_child(&self, order: Order, length: Option<u64>) -> request::Parts {
        let ignores_conditions = order.has(hse::HSE_EXEC_URL_IGNORE_VALIDATION_AND_RANGE);
        let own = &self.origin.facts.head;
        let (mut head, ()) = Request::new(()).into_parts();
        head.version = own.version;
        head.method = order.method.unwrap_or_else(|| own.method.clone());
        let url = order.url.or_else(|| own.uri.path_and_query().cloned());
        head.uri = url.map(Uri::from).unwrap_or_default();
        head.headers = order.headers.unwrap_or_else(|| own.headers.clone());
        if ignores_conditions {
            for name in CONDITIONS {
                head.headers.remove(name);
            }
        }
        frame(&mut head.headers, length);
        head
    }
}

/// Makes the headers say how long the body is, whatever they said.
fn frame(headers: &mut HeaderMap, length: Option<u64>) {
    let said = [headers.remove(header::CONTENT_LENGTH), headers.remove(header::TRANSFER_ENCODING)];
    match length {
        None => headers.insert(header::TRANSFER_ENCODING, HeaderValue::from_static("chunked")),
        // Requests that have no body need not say so.
        Some(0) if said.iter().all(Option::is_none) => None,
        Some(length) => headers.insert(header::CONTENT_LENGTH, HeaderValue::from(length)),
    };
}

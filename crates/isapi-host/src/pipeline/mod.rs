//! The filters' side of a server: every request and response, and every byte if need be, on its way past them.
//!
//! `chain` holds the loaded `filter`s; `net_session` is one connection in their eyes, with a `context` for each of them,
//! and `request` one request; `turn` runs their calls one after the other. `admission`, `mapping`, `responding` and
//! `ending` are a request's stages, each of which raises its notifications in one go on a native thread; `raw_data`
//! carries the bytes and `offering` shows them. `callbacks`, `headers`, `support`, `sending` and `memory` are what
//! filters call. What no filter asked for is passed over, and without filters nothing here runs.
//! Unsafe code is in the modules that say so and nowhere else.

mod admission;
mod callbacks;
mod chain;
mod context;
mod ending;
mod filter;
mod headers;
mod mapping;
mod memory;
mod net_session;
mod notification;
mod offering;
mod own_answer;
mod raise;
mod raw_data;
mod request;
mod responding;
mod sending;
mod support;
mod trace;
mod turn;

use std::sync::Arc;

use http::{HeaderValue, Response, StatusCode, header};
use http_body::Body;
use hyper::body::Incoming;
use isapi_config::Site;

use self::admission::{Admission, failed, failure};
use self::responding::{Maker, Responded};
use self::turn::Unasked;
use crate::access_log::AccessRecord;
use crate::body::{ResponseBody, Source};
use crate::connection::Turn;
use crate::error::HostError;
use crate::exchange::{Answered, ConnectionCut, Exchange, Refusal};
use crate::extension::request_body::Entity;
use crate::options::FilterProfile;
use crate::request_host;
use crate::site;

pub(crate) use self::chain::Chain;
#[cfg(feature = "fuzzing")]
pub(crate) use self::filter::Filter;
pub(crate) use self::net_session::{NetSession, Presence};
pub(crate) use self::raw_data::stand_between;
pub(crate) use self::request::FilteredRequest;
pub use self::trace::{Step, Trace, TraceSink};

const BUSY: Refusal = Refusal::new(StatusCode::SERVICE_UNAVAILABLE, 2, "The server is too busy. Please try again.");

/// Loads the filters of `site`; `None` when requests need not pass here. Blocks; called on a native thread.
///
/// # Errors
/// When one of them cannot be loaded: the site is not to be served then.
pub(crate) fn load(site: &Site, profile: FilterProfile) -> Result<Option<Arc<Chain>>, HostError> {
    let everybody = site.authentication().anonymous && site.authentication().basic_realm.is_none();
    if site.filters().is_empty() && everybody {
        return Ok(None);
    }
    Chain::load(site, profile).map(|chain| Some(Arc::new(chain)))
}

/// Answers one request of a connection that has filters, or whose clients have to say who they are.
pub(crate) async fn answer(session: Arc<NetSession>, turn: Turn, request: http::Request<Incoming>) -> Answered {
    if session.last_request_over().await && turn.link().is_closing() {
        // It came behind a response that ends the connection.
        return Err(ConnectionCut);
    }
    let (mut head, body) = request.into_parts();
    let host_named = request_host::settle(&mut head);
    let filtered = FilteredRequest::begin(&session, head, body.size_hint().exact());
    let access = AccessRecord::of_filtered(&filtered);
    filtered.ends_with(&access);
    let admission = match host_named {
        Ok(()) => admit(&session, &filtered, &access).await,
        Err(refusal) => Admission::Refused(refusal),
    };
    let exchange = filtered.settle(turn, &access);
    let (maker, answered) = hand_over(exchange, admission, Entity::Client(body)).await;
    respond(&filtered, access, maker, answered?).await
}

/// Answers a request that an extension makes inside of its own: filters are asked where it leads, and nothing else.
pub(crate) async fn answer_child(
    filtered: Arc<FilteredRequest>,
    exchange: Exchange,
    path: Vec<u8>,
    body: Entity,
) -> Answered {
    let Some(record) = filtered.hold() else { return Err(ConnectionCut) };
    let session = Arc::clone(filtered.session());
    let job = move || {
        let _record = record;
        let mapped = filtered.map_path(&path);
        (path, mapped)
    };
    match session.call(job).await {
        Ok((path, Ok(mapped))) => {
            let host = Arc::clone(&exchange.host);
            site::hand_over(&host, exchange, path, mapped, body).await
        }
        Ok((_, Err(code))) => Ok(exchange.refuse(failure(code))),
        Err(_) => Ok(exchange.refuse(failure("ISAPI0337"))),
    }
}

/// Lets the filters see the head.
async fn admit(session: &Arc<NetSession>, filtered: &Arc<FilteredRequest>, access: &Arc<AccessRecord>) -> Admission {
    let (filtered, access) = (Arc::clone(filtered), Arc::clone(access));
    let admitted = session.call_first(move || {
        // Held so that the request is not over as long as filters see it.
        let _access = access;
        filtered.admit()
    });
    match admitted.await {
        Ok(admission) => admission,
        Err(Unasked::Stuck) => failed("ISAPI0337"),
        Err(Unasked::Busy) => Admission::Refused(BUSY),
    }
}

/// Has the request answered by whoever is to.
async fn hand_over(exchange: Exchange, admission: Admission, body: Entity) -> (Maker, Answered) {
    match admission {
        Admission::Handler { path, mapped } => {
            let host = Arc::clone(&exchange.host);
            let answered = site::hand_over(&host, exchange, path, mapped, body).await;
            let is_by_extension = answered.as_ref().is_ok_and(|response| response.body().is_by_extension());
            (if is_by_extension { Maker::Extension } else { Maker::Host }, answered)
        }
        Admission::Own { answer, keep } => {
            let maker = if answer.is_raw { Maker::RawFilter } else { Maker::Filter };
            (maker, Ok(exchange.send(*answer, keep)))
        }
        Admission::Refused(refusal) => (Maker::Host, Ok(exchange.refuse(refusal))),
        Admission::Nobody => (Maker::Host, Err(ConnectionCut)),
    }
}

/// Lets the filters see the head of the response.
async fn respond(
    filtered: &Arc<FilteredRequest>,
    access: Arc<AccessRecord>,
    maker: Maker,
    response: Response<ResponseBody>,
) -> Answered {
    let (mut parts, mut body) = response.into_parts();
    body.announce_length(&mut parts);
    let is_to_head = filtered.is_to_head();
    let had_length = parts.headers.contains_key(header::CONTENT_LENGTH);
    let asks = filtered.asks_about(&parts, maker);
    let responded = if asks {
        let job = Arc::clone(filtered);
        let responded = filtered.session().call(move || {
            let _access = access;
            job.respond(parts, maker)
        });
        responded.await.unwrap_or_else(|_| Responded::Instead(failed("ISAPI0337")))
    } else {
        filtered.respond(parts, maker)
    };
    let mut parts = match responded {
        Responded::Head(parts) => *parts,
        Responded::Instead(Admission::Own { answer, keep }) => {
            body.replace(answer.body, is_to_head);
            announced(closing_unless(keep, answer.parts), &body)
        }
        Responded::Instead(Admission::Refused(refusal)) => {
            let (parts, page) = refusal.page();
            body.replace(page, is_to_head);
            announced(closing_unless(false, parts), &body)
        }
        Responded::Instead(Admission::Handler { .. } | Admission::Nobody) => return Err(ConnectionCut),
    };
    if matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED) {
        parts.headers.remove(header::CONTENT_LENGTH);
        body.leave_out();
    } else if (had_length || asks) && !parts.headers.contains_key(header::CONTENT_LENGTH) {
        // Also when it becomes known by the time the head is written: filters have seen one without.
        body.hide_length();
    }
    let closes = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"close");
    if !parts.headers.get(header::CONNECTION).is_none_or(closes) {
        parts.headers.remove(header::CONNECTION);
    }
    body.note_status(parts.status);
    Ok(Response::from_parts(parts, body))
}

fn announced(mut parts: http::response::Parts, body: &ResponseBody) -> http::response::Parts {
    body.announce_length(&mut parts);
    parts
}

fn closing_unless(keep: bool, mut parts: http::response::Parts) -> http::response::Parts {
    if !keep {
        parts.headers.insert(header::CONNECTION, HeaderValue::from_static("close"));
    }
    parts
}

impl Exchange {
    /// Answers with what a filter has sent.
    fn send(self, answer: own_answer::Finished, keep: bool) -> Response<ResponseBody> {
        let length = answer.body.len() as u64;
        let parts = closing_unless(keep, answer.parts);
        self.respond(parts, Source::page(answer.body), Some(length))
    }
}

impl FilteredRequest {
    /// The request as its handler gets it.
    fn settle(self: &Arc<Self>, turn: Turn, access: &Arc<AccessRecord>) -> Exchange {
        let session = self.session();
        let (head, identity) = self.settled_head();
        access.set_head(&head);
        Exchange::of_filtered(session.host(), session.peers(), head, turn, access, self, identity)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_to_be_kept_is_not_closed() {
        let parts = || Response::builder().status(StatusCode::OK).body(()).expect("valid").into_parts().0;
        assert!(!closing_unless(true, parts()).headers.contains_key(header::CONNECTION));
        assert_eq!(closing_unless(false, parts()).headers[header::CONNECTION], "close");
    }
}

//! What filters see and change of a response's head: ACCESS_DENIED for a 401 of an extension, the headers that they have
//! added before, and SEND_RESPONSE.
#![expect(unsafe_code, reason = "the struct of the notification is foreign code's")]

use std::sync::Arc;

use http::response::Parts;
use http::{HeaderValue, StatusCode, header};
use isapi_abi::httpfilt as sf;

use super::admission::{Admission, failed};
use super::callbacks::{add_header, get_header, set_header};
use super::headers::merge;
use super::notification::Notification;
use super::raise::Raised;
use super::request::FilteredRequest;
use crate::lock::LockAnyway;

/// Who made a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Maker {
    /// The host, as an error or a file.
    Host,
    /// An extension.
    Extension,
    /// A filter, by SEND_RESPONSE_HEADER.
    Filter,
    /// A filter, down to the last byte of the head.
    RawFilter,
}

/// What goes out.
pub(super) enum Responded {
    /// This head, with the body that belongs to it.
    Head(Box<Parts>),
    /// Something else.
    Instead(Admission),
}

impl FilteredRequest {
    /// Whether filters have to be asked about a response, which takes a native thread.
    pub(super) fn asks_about(&self, parts: &Parts, maker: Maker) -> bool {
        let wants = |notification| self.session().wants(notification);
        let denied = maker == Maker::Extension && parts.status == StatusCode::UNAUTHORIZED;
        maker != Maker::RawFilter
            && (wants(Notification::SendResponse) || (denied && wants(Notification::AccessDenied)))
    }

    /// The head as filters leave it. Called in turn, unless no filter is to be asked.
    pub(super) fn respond(self: &Arc<Self>, parts: Parts, maker: Maker) -> Responded {
        self.state.lock_anyway().takes_answers = true;
        let responded = self.try_respond(parts, maker);
        let mut state = self.state.lock_anyway();
        (state.takes_answers, state.answered) = (false, true);
        drop(state);
        responded
    }

    fn try_respond(self: &Arc<Self>, mut parts: Parts, maker: Maker) -> Responded {
        if maker == Maker::Extension && parts.status == StatusCode::UNAUTHORIZED {
            let raised = self.raise_access_denied(None, sf::SF_DENIED_APPLICATION);
            if let Some(instead) = raised {
                return Responded::Instead(instead);
            }
        }
        self.add_headers(&mut parts, maker);
        if maker == Maker::RawFilter || !self.session().wants(Notification::SendResponse) {
            return Responded::Head(Box::new(parts));
        }
        self.raise_send_response(parts)
    }

    /// Adds what filters have asked for before.
    fn add_headers(&self, parts: &mut Parts, maker: Maker) {
        let mut state = self.state.lock_anyway();
        if maker == Maker::RawFilter {
            return;
        }
        merge(&mut parts.headers, &std::mem::take(&mut state.response_headers));
        if maker == Maker::Host && parts.status == StatusCode::UNAUTHORIZED {
            merge(&mut parts.headers, &std::mem::take(&mut state.denial_headers));
            let realm = self.session().host().site.authentication().basic_realm.as_deref();
            if let Some(challenge) = realm.and_then(challenge) {
                parts.headers.append(header::WWW_AUTHENTICATE, challenge);
            }
        }
    }

    fn raise_send_response(self: &Arc<Self>, parts: Parts) -> Responded {
        let mut data = sf::HTTP_FILTER_SEND_RESPONSE {
            GetHeader: Some(get_header),
            SetHeader: Some(set_header),
            AddHeader: Some(add_header),
            HttpStatus: u32::from(parts.status.as_u16()),
            dwReserved: 0,
        };
        self.state.lock_anyway().response = Some(parts);
        // SAFETY: this is the struct of SEND_RESPONSE.
        let raised = unsafe { self.raise(Notification::SendResponse, (&raw mut data).cast(), || true) };
        let mut state = self.state.lock_anyway();
        let parts = state.response.take().expect("put there above, and taken nowhere else");
        let own_is_empty = state.own.is_empty();
        drop(state);
        match raised {
            Raised::GoOn if own_is_empty => Responded::Head(Box::new(parts)),
            Raised::GoOn => Responded::Instead(self.own_answer(Notification::SendResponse, None, true)),
            Raised::Finished { position, keep } => {
                Responded::Instead(self.own_answer(Notification::SendResponse, Some(position), keep))
            }
            Raised::Failed { .. } | Raised::Broken { .. } => {
                self.forget_own_answer();
                Responded::Instead(failed(self.report(Notification::SendResponse, raised)))
            }
        }
    }
}

/// The challenge of Basic authentication.
fn challenge(realm: &str) -> Option<HeaderValue> {
    let realm = realm.replace('\\', "\\\\").replace('"', "\\\"");
    HeaderValue::from_str(&format!("Basic realm=\"{realm}\", charset=\"UTF-8\"")).ok()
}

//! From a request's head to the decision who answers it: PREPROC_HEADERS, URL_MAP, AUTHENTICATION, AUTH_COMPLETE and,
//! where access is denied, ACCESS_DENIED.
//!
//! All in one go on a native thread, in turn.
#![expect(unsafe_code, reason = "the structs of the notifications are foreign code's")]

use std::ffi::c_char;
use std::path::PathBuf;
use std::sync::Arc;

use http::{Method, StatusCode};
use isapi_abi::FALSE;
use isapi_abi::httpfilt as sf;
use isapi_abi::win32::ERROR_ACCESS_DENIED;

use super::callbacks::{add_header, get_header, get_user_token, set_header};
use super::mapping::c_string;
use super::memory::Lent;
use super::notification::Notification;
use super::own_answer::Finished;
use super::raise::Raised;
use super::request::FilteredRequest;
use crate::authentication::{Credentials, Identity};
use crate::exchange::Refusal;
use crate::lock::LockAnyway;
use crate::server_variables::path_bytes;
use crate::site;
use crate::url_map::Mapped;

/// How often a filter may have a request looked at anew in AUTH_COMPLETE.
const MAX_ROUNDS: usize = 3;

/// Who answers the request.
pub(super) enum Admission {
    /// The handler of this decoded path; a filter may have said which file it is.
    Handler { path: Vec<u8>, mapped: Option<PathBuf> },
    /// A filter has.
    Own { answer: Box<Finished>, keep: bool },
    /// The host, with an error.
    Refused(Refusal),
    /// Nobody: the connection is closed.
    Nobody,
}

/// Why a client is not let in.
struct Denial {
    /// `SF_DENIED_*`.
    reason: u32,
    sub_status: u16,
}

/// The decision has been taken before its end.
type Decided<T> = Result<T, Admission>;

impl FilteredRequest {
    /// Decides who answers.
    pub(super) fn admit(self: &Arc<Self>) -> Admission {
        self.try_admit().unwrap_or_else(|decided| decided)
    }

    fn try_admit(self: &Arc<Self>) -> Decided<Admission> {
        self.preprocess()?;
        let mut place = self.find_place()?;
        self.authenticate(&place)?;
        let mut rounds = 0;
        while let Some(resets) = self.complete_authentication(&place)? {
            place = self.find_place()?;
            if !resets {
                break;
            }
            self.authenticate(&place)?;
            rounds += 1;
            if rounds == MAX_ROUNDS {
                let path = self.state.lock_anyway().head().uri.path().escape_debug().to_string();
                tracing::error!(
                    "ISAPI0333 filters have asked in AUTH_COMPLETE {MAX_ROUNDS} times for another logon to {path}"
                );
                return Err(failed("ISAPI0333"));
            }
        }
        Ok(Admission::Handler { path: place.path, mapped: place.changed.then_some(place.mapped.path) })
    }

    fn wants(&self, notification: Notification) -> bool {
        self.session().wants(notification)
    }

    fn preprocess(self: &Arc<Self>) -> Decided<()> {
        if !self.wants(Notification::PreprocHeaders) {
            return Ok(());
        }
        let mut data = sf::HTTP_FILTER_PREPROC_HEADERS {
            GetHeader: Some(get_header),
            SetHeader: Some(set_header),
            AddHeader: Some(add_header),
            HttpStatus: 0,
            dwReserved: 0,
        };
        // SAFETY: this is the struct of PREPROC_HEADERS.
        let raised = unsafe { self.raise(Notification::PreprocHeaders, (&raw mut data).cast(), || true) };
        self.decide(Notification::PreprocHeaders, raised, None)
    }

    /// Where the address leads.
    fn find_place(self: &Arc<Self>) -> Decided<Place> {
        let host = self.session().host();
        let path = {
            let state = self.state.lock_anyway();
            site::check(host, state.head(), state.body_length).map_err(Admission::Refused)?
        };
        self.url_changed();
        let text = String::from_utf8_lossy(&path).into_owned();
        let mut mapped = Mapped::of_path(host, &text);
        let mut changed = false;
        if self.wants(Notification::UrlMap) {
            let (raised, to) = self.map(&text, &mapped);
            self.decide(Notification::UrlMap, raised, None)?;
            changed = to != mapped.path;
            mapped.path = to;
        }
        Ok(Place { path, mapped, changed })
    }

    /// Finds out who the client is, and whether it may ask.
    fn authenticate(self: &Arc<Self>, place: &Place) -> Decided<()> {
        let host = self.session().host();
        let authentication = host.site.authentication();
        let presented = Credentials::presented(&self.state.lock_anyway().head().headers);
        let mut credentials = presented.clone().unwrap_or_default();
        if self.wants(Notification::Authentication) {
            credentials = self.ask_filters(place, credentials)?;
        }
        let by_filter = presented.is_none_or(|presented| presented != credentials);
        // What a client sends for Basic counts for nothing where that is not enabled.
        let is_anonymous = credentials.user.is_empty() || (authentication.basic_realm.is_none() && !by_filter);
        let (logged_on, reason, sub_status) = match (is_anonymous, authentication.anonymous) {
            (true, true) => {
                self.identify(None);
                return Ok(());
            }
            (true, false) => (false, sf::SF_DENIED_LOGON | sf::SF_DENIED_BY_CONFIG, 2),
            (false, _) => (host.logon.accepts(&credentials), sf::SF_DENIED_LOGON, 1),
        };
        if !logged_on {
            return Err(self.deny(Some(place), &Denial { reason, sub_status }));
        }
        self.identify(Some(Arc::new(Identity { credentials, kind: "Basic" })));
        Ok(())
    }

    /// AUTHENTICATION: filters may say who the client is.
    fn ask_filters(self: &Arc<Self>, place: &Place, credentials: Credentials) -> Decided<Credentials> {
        let mut user = Lent::text(&credentials.user, sf::SF_MAX_USERNAME as usize);
        let mut password = Lent::text(&credentials.password, sf::SF_MAX_PASSWORD as usize);
        let mut data = sf::HTTP_FILTER_AUTHENT {
            pszUser: user.as_mut_ptr().cast::<c_char>(),
            cbUserBuff: user.size(),
            pszPassword: password.as_mut_ptr().cast::<c_char>(),
            cbPasswordBuff: password.size(),
        };
        let is_intact = || user.as_text().is_some() && password.as_text().is_some();
        // SAFETY: this is the struct of AUTHENTICATION, and its buffers live until the filters have been notified.
        let raised = unsafe { self.raise(Notification::Authentication, (&raw mut data).cast(), is_intact) };
        self.decide(Notification::Authentication, raised, Some(place))?;
        let text = |lent: &Lent| lent.as_text().unwrap_or_default().to_vec();
        Ok(Credentials { user: text(&user), password: text(&password) })
    }

    /// AUTH_COMPLETE; `Some` when the address was changed, with whether the client is to be authenticated again.
    fn complete_authentication(self: &Arc<Self>, place: &Place) -> Decided<Option<bool>> {
        if !self.wants(Notification::AuthComplete) {
            return Ok(None);
        }
        let mut data = sf::HTTP_FILTER_AUTH_COMPLETE_INFO {
            GetHeader: Some(get_header),
            SetHeader: Some(set_header),
            AddHeader: Some(add_header),
            GetUserToken: Some(get_user_token),
            HttpStatus: 0,
            fResetAuth: FALSE,
            dwReserved: 0,
        };
        // SAFETY: this is the struct of AUTH_COMPLETE.
        let raised = unsafe { self.raise(Notification::AuthComplete, (&raw mut data).cast(), || true) };
        self.decide(Notification::AuthComplete, raised, Some(place))?;
        Ok(self.url_changed().then_some(data.fResetAuth != FALSE))
    }

    /// What follows from how a notification ended. With a place, a filter can deny access to it.
    fn decide(self: &Arc<Self>, notification: Notification, raised: Raised, place: Option<&Place>) -> Decided<()> {
        match raised {
            Raised::GoOn if self.state.lock_anyway().own.is_empty() => Ok(()),
            // A filter that goes on has answered nevertheless: what the client reads first is its answer.
            Raised::GoOn => Err(self.own_answer(notification, None, true)),
            Raised::Finished { position, keep } => Err(self.own_answer(notification, Some(position), keep)),
            Raised::Failed { error: ERROR_ACCESS_DENIED, .. } => {
                self.forget_own_answer();
                Err(self.deny(place, &Denial { reason: sf::SF_DENIED_FILTER, sub_status: 4 }))
            }
            Raised::Failed { .. } | Raised::Broken { .. } => {
                self.forget_own_answer();
                Err(failed(self.report(notification, raised)))
            }
        }
    }

    /// What a filter has sent, as the answer.
    pub(super) fn own_answer(&self, notification: Notification, position: Option<usize>, keep: bool) -> Admission {
        let mut state = self.state.lock_anyway();
        let (own, is_to_head) = (std::mem::take(&mut state.own), state.head().method == Method::HEAD);
        drop(state);
        let filter = position.map_or("that went on", |position| self.session().chain().filters()[position].name());
        match own.finish(is_to_head) {
            Ok(Some(answer)) => Admission::Own { answer: Box::new(answer), keep },
            Ok(None) => {
                tracing::warn!(
                    "ISAPI0338 the filter {filter} finished the request in {} without an answer; the connection is closed",
                    notification.name()
                );
                Admission::Nobody
            }
            Err(reason) => {
                tracing::error!(
                    "ISAPI0338 what the filter {filter} sent in {} is no response: {reason}",
                    notification.name()
                );
                failed("ISAPI0338")
            }
        }
    }

    /// ACCESS_DENIED, behind which the client gets a 401.
    fn deny(self: &Arc<Self>, place: Option<&Place>, denial: &Denial) -> Admission {
        if let Some(decided) = self.raise_access_denied(place, denial.reason) {
            return decided;
        }
        Admission::Refused(Refusal::new(
            StatusCode::UNAUTHORIZED,
            denial.sub_status,
            "You are not allowed to see this.",
        ))
    }

    /// Notifies filters that access is denied; `Some` when one of them decides what happens then.
    pub(super) fn raise_access_denied(self: &Arc<Self>, place: Option<&Place>, reason: u32) -> Option<Admission> {
        if !self.wants(Notification::AccessDenied) {
            return None;
        }
        let url = c_string(self.state.lock_anyway().head().uri.path().as_bytes());
        let path = c_string(&place.map_or_else(Vec::new, |place| path_bytes(&place.mapped.path)));
        let mut data =
            sf::HTTP_FILTER_ACCESS_DENIED { pszURL: url.as_ptr(), pszPhysicalPath: path.as_ptr(), dwReason: reason };
        // SAFETY: this is the struct of ACCESS_DENIED, and its texts live until the filters have been notified.
        let raised = unsafe { self.raise(Notification::AccessDenied, (&raw mut data).cast(), || true) };
        match raised {
            // There is nothing left to deny.
            Raised::Failed { error: ERROR_ACCESS_DENIED, .. } => None,
            raised => self.decide(Notification::AccessDenied, raised, None).err(),
        }
    }
}

/// Where an address leads.
pub(super) struct Place {
    /// The decoded path.
    path: Vec<u8>,
    mapped: Mapped,
    /// A filter has said that it leads elsewhere.
    changed: bool,
}

/// A filter's fault, which decides the request.
pub(super) fn failed(code: &'static str) -> Admission {
    Admission::Refused(failure(code))
}

/// A filter's fault; the page names the code, the log has the rest.
pub(super) fn failure(code: &'static str) -> Refusal {
    let detail = match code {
        "ISAPI0334" => "A filter of this server failed (ISAPI0334). The server's log says why.",
        "ISAPI0337" => "A filter of this server did not return (ISAPI0337). The server's log says which.",
        "ISAPI0338" => "A filter of this server sent what is no answer (ISAPI0338). The server's log says why.",
        _ => "A filter of this server failed (ISAPI0333). The server's log says why.",
    };
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, 0, detail)
}

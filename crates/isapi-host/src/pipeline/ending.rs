//! The end of a request: END_OF_REQUEST, LOG and the log line.
//!
//! Begins when the last holder of the request's [`AccessRecord`](crate::access_log::AccessRecord) lets go of it: neither
//! its response nor its extension will do anything any more.
#![expect(unsafe_code, reason = "the struct of the notification is foreign code's")]

use std::ffi::{CString, c_char};
use std::ptr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use isapi_abi::httpfilt::HTTP_FILTER_LOG;

use super::mapping::c_string;
use super::notification::Notification;
use super::raise::Raised;
use super::request::FilteredRequest;
use super::trace::Trace;
use crate::access_log::LogEntry;
use crate::lock::LockAnyway;
use crate::raw;

impl FilteredRequest {
    /// Whether the line is of use here.
    pub(crate) fn wants_entry(&self) -> bool {
        self.session().host().trace.is_some() || self.session().wants(Notification::Log)
    }

    /// The request is over; `entry` is its line, if anybody wants it. Never waits: what takes time happens on the
    /// connection's event loop.
    pub(crate) fn end(self: Arc<Self>, entry: Option<LogEntry>) {
        let session = Arc::clone(self.session());
        let wants = |notification| session.wants(notification);
        let is_passed_over = !wants(Notification::EndOfRequest) && !wants(Notification::Log) && session.raw().is_none();
        if is_passed_over || session.is_stuck() {
            session.forget_request_in_turn(self.number());
            return self.close(entry);
        }
        // Kept here for when a filter does not return.
        let entry = Arc::new(Mutex::new(entry));
        session.clone().spawn(async move {
            if let Some(raw) = session.raw() {
                raw.response_is_through().await;
            }
            let (request, entry_of_job) = (Arc::clone(&self), Arc::clone(&entry));
            let told = session.call(move || {
                request.raise_end_of_request();
                let entry = entry_of_job.lock_anyway().clone();
                let entry = entry.map(|entry| request.raise_log(entry));
                drop(entry_of_job.lock_anyway().take());
                request.session().forget_request(request.number());
                request.close(entry);
            });
            if told.await.is_err() {
                // Unless it has just been written after all.
                self.close(entry.lock_anyway().take());
            }
        });
    }

    fn raise_end_of_request(self: &Arc<Self>) {
        if !self.session().wants(Notification::EndOfRequest) {
            return;
        }
        // SAFETY: the event has no data.
        let raised = unsafe { self.raise(Notification::EndOfRequest, ptr::null_mut(), || true) };
        match raised {
            Raised::Finished { keep: false, .. } => {
                if let Some(link) = self.session().link() {
                    link.close_behind_response();
                }
            }
            Raised::Failed { .. } => {
                self.report(Notification::EndOfRequest, raised);
            }
            _ => {}
        }
    }

    /// LOG: the line as filters leave it.
    fn raise_log(self: &Arc<Self>, mut entry: LogEntry) -> LogEntry {
        if !self.session().wants(Notification::Log) {
            return entry;
        }
        let texts: Vec<CString> = entry.texts().map(|text| c_string(text.as_bytes())).into();
        let text = |index: usize| texts[index].as_ptr();
        let mut data = HTTP_FILTER_LOG {
            pszClientHostName: text(0),
            pszClientUserName: text(1),
            pszServerName: text(2),
            pszOperation: text(3),
            pszTarget: text(4),
            pszParameters: text(5),
            dwHttpStatus: u32::from(entry.status),
            dwWin32Status: entry.win32_status,
            dwBytesSent: u32::try_from(entry.bytes_sent).unwrap_or(u32::MAX),
            dwBytesRecvd: u32::try_from(entry.bytes_received).unwrap_or(u32::MAX),
            msTimeForProcessing: u32::try_from(entry.taken.as_millis()).unwrap_or(u32::MAX),
        };
        // SAFETY: this is the struct of LOG, and its texts live until the filters have been notified.
        let raised = unsafe { self.raise(Notification::Log, (&raw mut data).cast(), || true) };
        if let Raised::Failed { .. } = raised {
            self.report(Notification::Log, raised);
        }
        let pointers = [
            data.pszClientHostName,
            data.pszClientUserName,
            data.pszServerName,
            data.pszOperation,
            data.pszTarget,
            data.pszParameters,
        ];
        // SAFETY: the contract makes these NUL-terminated strings that live until the next notification.
        let changed = pointers.map(|pointer| unsafe { text_at(pointer) });
        entry.set_texts(changed);
        entry.status = u16::try_from(data.dwHttpStatus).unwrap_or(entry.status);
        entry.win32_status = data.dwWin32Status;
        entry.bytes_sent = changed_number(data.dwBytesSent, entry.bytes_sent);
        entry.bytes_received = changed_number(data.dwBytesRecvd, entry.bytes_received);
        entry.taken = Duration::from_millis(data.msTimeForProcessing.into());
        entry
    }

    /// Writes the line and the trace, and lets the next request begin.
    fn close(&self, entry: Option<LogEntry>) {
        let host = self.session().host();
        if let Some(entry) = &entry {
            if let Some(trace) = &host.trace {
                let (steps, taken) = (self.take_steps(), self.started.elapsed());
                let query = self.head_for_log().uri.query().unwrap_or_default().to_owned();
                trace.request_ended(Trace::new(self.session().peers().remote, entry, &query, steps, taken));
            }
            entry.write(host);
        }
        drop(self.over.lock_anyway().take());
    }
}

/// A number as a filter left it; one that does not fit the struct was shown as its greatest.
fn changed_number(left: u32, shown: u64) -> u64 {
    if left == u32::MAX { shown } else { left.into() }
}

/// The text at `pointer`; empty for null, and for one without an end.
///
/// # Safety
/// * Unless null, `pointer` points to a text that ends with a NUL.
unsafe fn text_at(pointer: *const c_char) -> String {
    // SAFETY: the caller vouches for it.
    let text = unsafe { raw::text(pointer, raw::MAX_TEXT) }.ok().flatten().unwrap_or_default();
    String::from_utf8_lossy(text).into_owned()
}

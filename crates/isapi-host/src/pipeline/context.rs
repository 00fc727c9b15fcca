//! The contexts of a connection's filters, and the notifications that these are in.
//!
//! A filter names its context by an address, which is looked up and never followed: a stale one is an error.
#![expect(unsafe_code, reason = "the contexts are shared with foreign code through raw pointers")]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;

use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_REVISION};
use isapi_abi::{BOOL, FALSE, TRUE};

use super::callbacks;
use super::net_session::NetSession;
use super::notification::Notification;
use super::request::FilteredRequest;
use crate::executor;
use crate::lock::LockAnyway;
use crate::repeated;
use crate::win32::Win32Error;

/// One filter's `HTTP_FILTER_CONTEXT` for one connection, with what the host knows of it. It must not be moved.
pub(super) struct Context {
    shared: UnsafeCell<HTTP_FILTER_CONTEXT>,
    /// The notifications that the filter is in, the innermost last.
    visits: Mutex<Vec<Arc<Visit>>>,
    /// The notifications that it does not want to hear of in this request.
    disabled: AtomicU32,
}

// SAFETY: the struct is written by the filter alone, which is notified by one thread at a time; the host reads
// `pFilterContext` only when no filter of the connection is being notified.
unsafe impl Send for Context {}
// SAFETY: as above.
unsafe impl Sync for Context {}

/// One notification of one filter, while it lasts.
pub(super) struct Visit {
    pub(super) notification: Notification,
    /// The filter's position in the chain.
    pub(super) position: usize,
    /// The request that it is about, if there is one yet.
    pub(super) request: Option<Arc<FilteredRequest>>,
    /// What the filter writes to the client at this point of the connection's bytes.
    pub(super) output: Mutex<Vec<u8>>,
}

/// Whose context it is, and the filter's position.
type Place = (Arc<NetSession>, usize);

const SHARDS: usize = 16;

/// The sessions by the addresses of their contexts.
static PLACES: [Mutex<Option<HashMap<usize, Place>>>; SHARDS] = [const { Mutex::new(None) }; SHARDS];

fn shard(address: usize) -> &'static Mutex<Option<HashMap<usize, Place>>> {
    // The lowest bits are the same in all of them.
    &PLACES[(address >> 7) % SHARDS]
}

/// The session whose context `context` is, and the notification that its filter is in.
///
/// # Errors
/// 87 when there is no such context, or its filter is in no notification.
pub(super) fn find(context: *mut HTTP_FILTER_CONTEXT) -> Result<(Arc<NetSession>, Arc<Visit>), Win32Error> {
    let place = shard(context.addr()).lock_anyway().as_ref().and_then(|places| places.get(&context.addr()).cloned());
    let found = place.and_then(|(session, position)| {
        let visit = session.context(position).visit();
        visit.map(|visit| (session, visit))
    });
    found.ok_or_else(|| {
        repeated::warn("ISAPI0336", || {
            let address = context.addr();
            format!("ISAPI0336 a filter used the context {address:#x} outside of a notification; the call is refused")
        });
        Win32Error::INVALID_PARAMETER
    })
}

impl Context {
    pub(super) fn new(is_secure: bool) -> Self {
        let context = HTTP_FILTER_CONTEXT {
            cbSize: u32::try_from(size_of::<HTTP_FILTER_CONTEXT>()).expect("the struct is less than a hundred bytes"),
            Revision: HTTP_FILTER_REVISION,
            ServerContext: ptr::null_mut(),
            ulReserved: 0,
            fIsSecurePort: bool_of(is_secure),
            pFilterContext: ptr::null_mut(),
            GetServerVariable: Some(callbacks::get_server_variable),
            AddResponseHeaders: Some(callbacks::add_response_headers),
            WriteClient: Some(callbacks::write_client),
            AllocMem: Some(callbacks::alloc_mem),
            ServerSupportFunction: Some(callbacks::server_support_function),
        };
        Context { shared: UnsafeCell::new(context), visits: Mutex::default(), disabled: AtomicU32::new(0) }
    }

    /// The address that the filter gets.
    pub(super) fn as_ptr(&self) -> *mut HTTP_FILTER_CONTEXT {
        self.shared.get()
    }

    /// `pFilterContext`. For when the filter is not being notified.
    pub(super) fn filter_context(&self) -> *mut c_void {
        // SAFETY: the struct lives as long as self, and the caller says that the filter does not write to it.
        unsafe { (*self.as_ptr()).pFilterContext }
    }

    /// From now on its address means the filter at `position` of `session`.
    pub(super) fn enter(&self, session: &Arc<NetSession>, position: usize) {
        let address = self.as_ptr().addr();
        let place = (Arc::clone(session), position);
        shard(address).lock_anyway().get_or_insert_default().insert(address, place);
    }

    /// From now on its address means nothing.
    pub(super) fn leave(&self) {
        let address = self.as_ptr().addr();
        let place = shard(address).lock_anyway().as_mut().and_then(|places| places.remove(&address));
        // Dropped behind the lock: it may be the last owner.
        drop(place);
    }

    /// The notification that the filter is in, the innermost if there are several.
    pub(super) fn visit(&self) -> Option<Arc<Visit>> {
        self.visits.lock_anyway().last().cloned()
    }

    /// Begins a notification.
    pub(super) fn begin(&self, visit: &Arc<Visit>) {
        self.visits.lock_anyway().push(Arc::clone(visit));
    }

    /// Ends a notification: no call of its filter is served any more, and none is under way.
    ///
    /// Threads of the filter's own may call, too. One that has not returned could still be notifying other filters.
    pub(super) fn end(&self, visit: &mut Arc<Visit>) {
        // Not always the last: what such a thread has caused is above it.
        self.visits.lock_anyway().retain(|other| !Arc::ptr_eq(other, visit));
        if Arc::get_mut(visit).is_some() {
            return;
        }
        executor::about_to_block();
        while Arc::get_mut(visit).is_none() {
            thread::yield_now();
        }
    }

    /// Whether the filter wants to hear of this in the present request.
    pub(super) fn hears(&self, notification: Notification) -> bool {
        self.disabled.load(Ordering::Relaxed) & notification.bit() == 0
    }

    /// The filter does not want to hear of these in this request.
    pub(super) fn disable(&self, notifications: u32) {
        self.disabled.fetch_or(notifications, Ordering::Relaxed);
    }

    /// What was disabled was so for one request.
    pub(super) fn hear_all(&self) {
        self.disabled.store(0, Ordering::Relaxed);
    }
}

fn bool_of(value: bool) -> BOOL {
    if value { TRUE } else { FALSE }
}

//! One connection as its filters see it: their contexts, one notification at a time, and what they hold.
//!
//! Begins with the connection and ends with END_OF_NET_SESSION, behind its last request. A filter names it by the
//! address of its `HTTP_FILTER_CONTEXT`, which is looked up and never followed: a stale address is an error.
#![expect(unsafe_code, reason = "the contexts are shared with foreign code through raw pointers")]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_REVISION};
use isapi_abi::{BOOL, FALSE, TRUE};
use tokio::sync::{oneshot, watch};

use super::callbacks;
use super::chain::Chain;
use super::memory::Memory;
use super::notification::{Notification, Status};
use super::raw_data::RawSide;
use super::request::FilteredRequest;
use super::trace::Step;
use crate::connection::Peers;
use crate::executor::{self, EventLoop};
use crate::host::Host;
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::repeated;
use crate::win32::Win32Error;

/// See the module.
pub(crate) struct NetSession {
    host: Arc<Host>,
    chain: Arc<Chain>,
    peers: Peers,
    is_secure: bool,
    link: Weak<Link>,
    /// Where the connection lives.
    event_loop: Option<Arc<EventLoop>>,
    /// One for each filter of the chain.
    seats: Box<[Seat]>,
    /// Held while filters are notified, so that none sees two events of one connection at once.
    turn: Mutex<()>,
    pub(super) memory: Mutex<Memory>,
    /// Resolves when the last request that has begun is over.
    last_request: Mutex<Option<watch::Receiver<()>>>,
    /// The request that has begun last and is not over.
    present_request: Mutex<Weak<FilteredRequest>>,
    /// What the connection's bytes go through, when filters want to see them.
    raw: Option<RawSide>,
    /// What filters have been notified of outside of a request, for the trace of the next.
    steps: Mutex<Vec<Step>>,
    /// A filter has not returned in time; there is nobody to notify any more.
    is_stuck: AtomicBool,
    /// The connection has ended, behind which filters hear of nothing. Set in turn.
    is_over: AtomicBool,
}

/// The place of one filter.
struct Seat {
    context: UnsafeCell<HTTP_FILTER_CONTEXT>,
    /// The notifications that it is in, the innermost last.
    visits: Mutex<Vec<Arc<Visit>>>,
    /// The notifications that it does not want to hear of in this request.
    disabled: AtomicU32,
}

// SAFETY: the context is written by the filter alone, which is notified by one thread at a time; the host reads
// `pFilterContext` only under the lock `turn`, when no filter is being notified.
unsafe impl Send for Seat {}
// SAFETY: as above.
unsafe impl Sync for Seat {}

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

/// What a filter answered, and what it wrote.
pub(super) struct Called {
    pub(super) status: Status,
    pub(super) output: Vec<u8>,
}

/// A filter has not returned in time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Stuck;

const SHARDS: usize = 16;

/// The sessions by the addresses of their filters' contexts.
static SESSIONS: [Mutex<Option<HashMap<usize, Place>>>; SHARDS] = [const { Mutex::new(None) }; SHARDS];

/// Whose context it is, and the filter's position.
type Place = (Arc<NetSession>, usize);

fn shard(address: usize) -> &'static Mutex<Option<HashMap<usize, Place>>> {
    // The lowest bits are the same in all of them.
    &SESSIONS[(address >> 7) % SHARDS]
}

/// The session whose context `context` is, and the notification that its filter is in.
///
/// # Errors
/// 87 when there is no such context, or its filter is in no notification.
pub(super) fn find(context: *mut HTTP_FILTER_CONTEXT) -> Result<(Arc<NetSession>, Arc<Visit>), Win32Error> {
    let place = shard(context.addr()).lock_anyway().as_ref().and_then(|places| places.get(&context.addr()).cloned());
    let visit = place.and_then(|(session, position)| {
        let visit = session.seats[position].visits.lock_anyway().last().cloned();
        visit.map(|visit| (session, visit))
    });
    visit.ok_or_else(|| {
        repeated::warn("ISAPI0336", || {
            let address = context.addr();
            format!("ISAPI0336 a filter used the context {address:#x} outside of a notification; the call is refused")
        });
        Win32Error::INVALID_PARAMETER
    })
}

impl NetSession {
    /// The session of a connection that begins now, on its event loop.
    pub(crate) fn begin(host: &Arc<Host>, chain: &Arc<Chain>, peers: Peers, link: &Arc<Link>) -> Arc<Self> {
        let is_secure = false;
        let wants = |notification| chain.wants(notification, is_secure);
        let raw = (wants(Notification::ReadRawData) || wants(Notification::SendRawData))
            .then(|| RawSide::new(chain.filters().len()));
        let session = Arc::new(NetSession {
            host: Arc::clone(host),
            chain: Arc::clone(chain),
            peers,
            is_secure,
            link: Arc::downgrade(link),
            event_loop: EventLoop::current(),
            seats: chain.filters().iter().map(|_| Seat::new(is_secure)).collect(),
            turn: Mutex::default(),
            memory: Mutex::default(),
            last_request: Mutex::default(),
            present_request: Mutex::default(),
            raw,
            steps: Mutex::default(),
            is_stuck: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
        });
        for (position, seat) in session.seats.iter().enumerate() {
            let address = seat.context.get().addr();
            let place = (Arc::clone(&session), position);
            shard(address).lock_anyway().get_or_insert_default().insert(address, place);
        }
        session
    }

    /// The host.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }

    /// The filters.
    pub(crate) fn chain(&self) -> &Chain {
        &self.chain
    }

    /// The two ends of the connection.
    pub(crate) fn peers(&self) -> Peers {
        self.peers
    }

    /// The connection, as long as there is one.
    pub(super) fn link(&self) -> Option<Arc<Link>> {
        self.link.upgrade()
    }

    /// What the connection's bytes go through, when filters want to see them.
    pub(crate) fn raw(&self) -> Option<&RawSide> {
        self.raw.as_ref()
    }

    /// Whether any filter wants to hear of this.
    pub(super) fn wants(&self, notification: Notification) -> bool {
        !self.is_stuck.load(Ordering::Relaxed) && self.chain.wants(notification, self.is_secure)
    }

    /// Notes that a request begins; it is over when the result is dropped.
    pub(super) fn request_begins(&self) -> watch::Sender<()> {
        let (over, is_over) = watch::channel(());
        *self.last_request.lock_anyway() = Some(is_over);
        over
    }

    /// The bytes on the connection belong to `request` from now on.
    pub(super) fn enter(&self, request: &Arc<FilteredRequest>) {
        *self.present_request.lock_anyway() = Arc::downgrade(request);
    }

    /// The request that has begun last and is not over.
    pub(super) fn present_request(&self) -> Option<Arc<FilteredRequest>> {
        self.present_request.lock_anyway().upgrade()
    }

    /// Waits until the last request that has begun is over; for the first there is nothing to wait for.
    pub(super) async fn last_request_over(&self) {
        let last = self.last_request.lock_anyway().clone();
        if let Some(mut last) = last {
            // Nothing is ever sent: it ends with the sender.
            let _ = last.changed().await;
        }
    }

    /// Runs `work`, which notifies filters, on a native thread.
    ///
    /// # Errors
    /// When it takes longer than filters may. It then goes on by itself, and the connection is cut.
    pub(super) async fn call<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Stuck> {
        let (sender, receiver) = oneshot::channel();
        let session = Arc::clone(self);
        self.host.executor.go_on(self.chain.pace(), move || {
            let result = {
                let _turn = session.wait_for_turn();
                work()
            };
            // Whoever waited may have lost patience.
            let _ = sender.send(result);
        });
        match tokio::time::timeout(self.host.filter_limit, receiver).await {
            Ok(Ok(result)) => Ok(result),
            _ => Err(self.give_up()),
        }
    }

    /// Notifies filters on this native thread, in turn with what else happens on the connection.
    pub(super) fn in_turn<R>(&self, work: impl FnOnce() -> R) -> R {
        let _turn = self.wait_for_turn();
        work()
    }

    fn wait_for_turn(&self) -> std::sync::MutexGuard<'_, ()> {
        if let Ok(turn) = self.turn.try_lock() {
            return turn;
        }
        executor::about_to_block();
        self.turn.lock_anyway()
    }

    fn give_up(&self) -> Stuck {
        if !self.is_stuck.swap(true, Ordering::AcqRel) {
            let limit = self.host.filter_limit.as_secs_f32();
            match self.present() {
                Some((filter, notification)) => tracing::error!(
                    "ISAPI0337 the filter {filter} has not returned from {notification} for {limit} s; its connection \
                     is closed"
                ),
                None => tracing::error!("ISAPI0337 no thread was free for the filters of a request for {limit} s"),
            }
        }
        if let Some(link) = self.link() {
            link.close_behind_response();
        }
        Stuck
    }

    /// The filter that is being notified, and of what.
    fn present(&self) -> Option<(&str, &'static str)> {
        let inside = |seat: &Seat| seat.visits.lock_anyway().last().map(|visit| visit.notification.name());
        let mut seats = self.seats.iter().zip(self.chain.filters());
        seats.find_map(|(seat, filter)| Some((filter.name(), inside(seat)?)))
    }

    /// The positions of the filters that are to be notified, in order.
    pub(super) fn order(&self, notification: Notification) -> Vec<usize> {
        if self.is_over.load(Ordering::Relaxed) {
            // A read may still have waited for its thread when the connection ended.
            return Vec::new();
        }
        let mut order = self.chain.order(notification, self.is_secure);
        order.retain(|position| self.seats[*position].disabled.load(Ordering::Relaxed) & notification.bit() == 0);
        order
    }

    /// Notifies one filter.
    ///
    /// # Safety
    /// * `data` is what `notification` brings with it.
    pub(super) unsafe fn notify_one(
        self: &Arc<Self>,
        position: usize,
        notification: Notification,
        request: Option<&Arc<FilteredRequest>>,
        data: *mut c_void,
    ) -> Called {
        let (seat, filter) = (&self.seats[position], &self.chain.filters()[position]);
        let (request, output) = (request.cloned(), Mutex::default());
        let mut visit = Arc::new(Visit { notification, position, request, output });
        seat.visits.lock_anyway().push(Arc::clone(&visit));
        let begin = self.host.trace.is_some().then(Instant::now);
        // SAFETY: the context lives as long as the session; the caller vouches for the data.
        let (status, error) = unsafe { filter.call(seat.context.get(), notification, data) };
        let taken = begin.map(|begin| begin.elapsed());
        seat.leave(&mut visit);
        let known = Status::of(notification, status, error);
        if known.is_none() {
            let (filter, notification) = (filter.name(), notification.name());
            repeated::warn(("ISAPI0332", filter), || {
                format!(
                    "ISAPI0332 the filter {filter} answered {notification} with {status:#x}, which is no status for it; taken as SF_STATUS_REQ_NEXT_NOTIFICATION"
                )
            });
        }
        let status = known.unwrap_or(Status::Next);
        if let Some(taken) = taken {
            self.note(&visit, status, taken);
        }
        let output = std::mem::take(&mut *visit.output.lock_anyway());
        Called { status, output }
    }

    fn note(&self, visit: &Visit, status: Status, taken: Duration) {
        let filter = self.chain.filters()[visit.position].name();
        let step = Step::new(filter, visit.notification, status, taken);
        match &visit.request {
            Some(request) => request.note(step),
            None => self.steps.lock_anyway().push(step),
        }
    }

    /// What filters have been notified of outside of a request since this was last asked.
    pub(super) fn take_steps(&self) -> Vec<Step> {
        std::mem::take(&mut *self.steps.lock_anyway())
    }

    /// The filter at `position` does not want to hear of these in this request.
    pub(super) fn disable(&self, position: usize, notifications: u32) {
        self.seats[position].disabled.fetch_or(notifications, Ordering::Relaxed);
    }

    /// Forgets what was for one request only. Called in turn.
    pub(super) fn forget_request(&self) {
        *self.present_request.lock_anyway() = Weak::new();
        for seat in &self.seats {
            seat.disabled.store(0, Ordering::Relaxed);
        }
        // SAFETY: in turn, so no filter is being notified that could write to its context.
        let kept: Vec<_> = self.seats.iter().map(|seat| unsafe { (*seat.context.get()).pFilterContext }).collect();
        self.memory.lock_anyway().free_but(&kept);
    }

    /// Runs a future on the connection's event loop.
    pub(super) fn spawn(&self, work: impl Future<Output = ()> + Send + 'static) {
        if let Some(event_loop) = &self.event_loop {
            event_loop.handle().spawn(work);
        }
    }

    /// Tells the filters that the connection has ended, behind its last request.
    pub(crate) async fn end(self: Arc<Self>) {
        self.last_request_over().await;
        // In any case behind a read that may be under way.
        if self.wants(Notification::EndOfNetSession) || self.wants(Notification::ReadRawData) {
            let session = Arc::clone(&self);
            let told = self.call(move || {
                let order = session.order(Notification::EndOfNetSession);
                session.is_over.store(true, Ordering::Relaxed);
                for position in order {
                    // SAFETY: the event has no data.
                    let _ =
                        unsafe { session.notify_one(position, Notification::EndOfNetSession, None, ptr::null_mut()) };
                }
            });
            // What is stuck has been reported.
            let _ = told.await;
        }
        if let Some(trace) = &self.host.trace {
            trace.connection_ended(self.peers.remote, self.take_steps());
        }
        self.leave();
    }

    /// Makes the addresses of the contexts mean nothing.
    fn leave(&self) {
        for seat in &self.seats {
            let address = seat.context.get().addr();
            let place = shard(address).lock_anyway().as_mut().and_then(|places| places.remove(&address));
            // Dropped behind the lock: it may be the last owner.
            drop(place);
        }
    }
}

/// Ends a session's names when its connection's task is dropped.
pub(crate) struct Presence(pub(crate) Arc<NetSession>);

impl Drop for Presence {
    fn drop(&mut self) {
        self.0.leave();
    }
}

impl Seat {
    fn new(is_secure: bool) -> Self {
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
        Seat { context: UnsafeCell::new(context), visits: Mutex::default(), disabled: AtomicU32::new(0) }
    }

    /// Ends a notification: no call of its filter is served any more, and none is under way.
    ///
    /// Threads of the filter's own may call, too. One that has not returned could still be notifying other filters.
    fn leave(&self, visit: &mut Arc<Visit>) {
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
}

fn bool_of(value: bool) -> BOOL {
    if value { TRUE } else { FALSE }
}

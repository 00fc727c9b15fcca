//! One connection as its filters see it: their contexts, one notification at a time, and what they hold.
//!
//! Begins with the connection and ends with END_OF_NET_SESSION, behind its last request. A filter names it by the
//! address of its `HTTP_FILTER_CONTEXT`, which is looked up and never followed: a stale address is an error.
#![expect(unsafe_code, reason = "the contexts are shared with foreign code through raw pointers")]

use std::cell::UnsafeCell;
use std::collections::HashMap;
use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, Weak};
use std::thread;
use std::time::{Duration, Instant};

use isapi_abi::httpfilt::{HTTP_FILTER_CONTEXT, HTTP_FILTER_REVISION, SF_STATUS_REQ_NEXT_NOTIFICATION};
use isapi_abi::{BOOL, FALSE, TRUE};
use tokio::sync::{oneshot, watch};

use super::callbacks;
use super::chain::Chain;
use super::memory::Memory;
use super::notification::{Notification, Status};
use super::raw_data::RawSide;
use super::request::FilteredRequest;
use super::trace::Step;
use crate::access_log::AccessRecord;
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
    /// Requests that have begun.
    requests: AtomicU64,
    /// A filter has not returned in time; nobody is notified until it does.
    is_stuck: AtomicBool,
    /// END_OF_NET_SESSION has been raised, or need not be: nobody is notified any more.
    is_over: AtomicBool,
    /// END_OF_NET_SESSION is to be raised by whoever is stuck.
    owes_end: AtomicBool,
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

/// Filters cannot be asked: one has not returned in time, or there was no thread.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unasked {
    /// A filter has not returned in time.
    Stuck,
    /// There is no thread for them.
    Busy,
}

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
            requests: AtomicU64::new(0),
            is_stuck: AtomicBool::new(false),
            is_over: AtomicBool::new(false),
            owes_end: AtomicBool::new(false),
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
        self.chain.wants(notification, self.is_secure)
    }

    /// Whether a filter has not returned in time.
    pub(super) fn is_stuck(&self) -> bool {
        self.is_stuck.load(Ordering::Acquire)
    }

    /// Notes that a request begins; it is over when the result is dropped. Also gives its number, which is not 0.
    pub(super) fn request_begins(&self) -> (u64, watch::Sender<()>) {
        let (over, is_over) = watch::channel(());
        *self.last_request.lock_anyway() = Some(is_over);
        self.notify_of_all();
        (self.requests.fetch_add(1, Ordering::Relaxed) + 1, over)
    }

    /// The bytes on the connection belong to `request` from now on.
    pub(super) fn enter(&self, request: &Arc<FilteredRequest>) {
        *self.present_request.lock_anyway() = Arc::downgrade(request);
    }

    /// The request that has begun last and is not over.
    pub(super) fn present_request(&self) -> Option<Arc<FilteredRequest>> {
        self.present_request.lock_anyway().upgrade()
    }

    /// Keeps the request that has begun last from being over, as long as the result lives.
    pub(super) fn hold_present_request(&self) -> Option<Arc<AccessRecord>> {
        self.present_request()?.hold()
    }

    /// hyper is done with the connection, which may have been cut.
    pub(crate) fn serving_ended(&self, was_cut: bool) {
        if let (Some(raw), true) = (&self.raw, was_cut) {
            raw.cut();
        }
    }

    /// The body of a response has ended.
    pub(crate) fn response_ended(&self) {
        if let Some(raw) = &self.raw {
            raw.response_ended();
        }
        // Filters that do not ask for the end of a request need not be waited for: its extension may go on for long.
        if self.raw.is_none() && !self.wants(Notification::EndOfRequest) && !self.wants(Notification::Log) {
            drop(self.present_request().and_then(|request| request.over.lock_anyway().take()));
        }
    }

    /// Waits until the last request that has begun is over; says whether there has been one.
    pub(super) async fn last_request_over(&self) -> bool {
        let last = self.last_request.lock_anyway().clone();
        let Some(mut last) = last else { return false };
        // Nothing is ever sent: it ends with the sender.
        let _ = last.changed().await;
        true
    }

    /// Runs `work`, which notifies filters, on a native thread.
    ///
    /// # Errors
    /// When it takes longer than filters may, or one has before. It then goes on by itself.
    pub(super) async fn call<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        self.host.executor.go_on(self.chain.pace(), job);
        self.in_time(result).await
    }

    /// As [`NetSession::call`], for the first stage of a request.
    ///
    /// # Errors
    /// As there, and when too many requests wait already.
    pub(super) async fn call_first<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        self.host.executor.begin(self.chain.pace(), job).map_err(|_| Unasked::Busy)?;
        self.in_time(result).await
    }

    /// As [`NetSession::call`], for a native thread, which waits.
    ///
    /// # Errors
    /// As there.
    pub(super) fn call_and_wait<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<R, Unasked> {
        let (job, result) = self.job(work)?;
        let event_loop = self.event_loop.as_ref().ok_or(Unasked::Busy)?;
        executor::about_to_block();
        event_loop.handle().spawn_blocking(job);
        let (sender, receiver) = std::sync::mpsc::channel();
        let session = Arc::clone(self);
        event_loop.handle().spawn(async move {
            // The thread waits for exactly this.
            let _ = sender.send(session.in_time(result).await);
        });
        receiver.recv().unwrap_or(Err(Unasked::Busy))
    }

    /// A job that runs `work` in turn, and what it will give.
    fn job<R: Send + 'static>(
        self: &Arc<Self>,
        work: impl FnOnce() -> R + Send + 'static,
    ) -> Result<(impl FnOnce() + Send + 'static, oneshot::Receiver<R>), Unasked> {
        if self.is_stuck() {
            return Err(Unasked::Stuck);
        }
        let (sender, receiver) = oneshot::channel();
        let session = Arc::clone(self);
        let job = move || {
            let turn = session.wait_for_turn();
            if session.is_stuck() || session.is_over.load(Ordering::Acquire) {
                // Nobody waits for it any more.
                return;
            }
            let result = work();
            session.returned_late();
            drop(turn);
            // Whoever waited may have lost patience.
            let _ = sender.send(result);
        };
        Ok((job, receiver))
    }

    async fn in_time<R>(&self, result: oneshot::Receiver<R>) -> Result<R, Unasked> {
        match tokio::time::timeout(self.host.filter_limit, result).await {
            Ok(Ok(result)) => Ok(result),
            // Only a panic drops the other end, and has been reported.
            Ok(Err(_)) => Err(Unasked::Busy),
            Err(_) => Err(self.give_up()),
        }
    }

    fn wait_for_turn(&self) -> MutexGuard<'_, ()> {
        if let Ok(turn) = self.turn.try_lock() {
            return turn;
        }
        executor::about_to_block();
        self.turn.lock_anyway()
    }

    fn give_up(&self) -> Unasked {
        let limit = self.host.filter_limit.as_secs_f32();
        let Some((filter, notification)) = self.present() else {
            tracing::error!("ISAPI0337 no thread was free for the filters of a request for {limit} s");
            return Unasked::Busy;
        };
        if !self.is_stuck.swap(true, Ordering::AcqRel) {
            tracing::error!(
                "ISAPI0337 the filter {filter} has not returned from {notification} for {limit} s; its connection is \
                 closed"
            );
        }
        if let Some(link) = self.link() {
            link.close_behind_response();
        }
        Unasked::Stuck
    }

    /// Filters have returned; if one had been given up, what is owed to them is made good. Called in turn.
    fn returned_late(self: &Arc<Self>) {
        if self.is_stuck.swap(false, Ordering::AcqRel) && self.owes_end.load(Ordering::Acquire) {
            self.raise_end();
            self.leave();
        }
    }

    /// The filter that is being notified, and of what.
    fn present(&self) -> Option<(&str, &'static str)> {
        let inside = |seat: &Seat| seat.visits.lock_anyway().last().map(|visit| visit.notification.name());
        let mut seats = self.seats.iter().zip(self.chain.filters());
        seats.find_map(|(seat, filter)| Some((filter.name(), inside(seat)?)))
    }

    /// The positions of the filters that are to be notified, in order.
    pub(super) fn order(&self, notification: Notification) -> Vec<usize> {
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
        let call = || unsafe { filter.call(seat.context.get(), notification, data) };
        let (status, error) = self.chain.enter(call).unwrap_or((SF_STATUS_REQ_NEXT_NOTIFICATION, 0));
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

    /// What was disabled was so for one request.
    fn notify_of_all(&self) {
        for seat in &self.seats {
            seat.disabled.store(0, Ordering::Relaxed);
        }
    }

    /// As [`NetSession::forget_request`], as soon as no filter is being notified.
    pub(super) fn forget_request_in_turn(self: &Arc<Self>, request: u64) {
        if let Ok(_turn) = self.turn.try_lock() {
            return self.forget_request(request);
        }
        let session = Arc::clone(self);
        self.spawn(async move {
            let forgetting = Arc::clone(&session);
            // What cannot be freed now is freed with the connection.
            let _ = session.call(move || forgetting.forget_request(request)).await;
        });
    }

    /// Frees what was for one request only, unless a filter of it is still at work. Called in turn.
    pub(super) fn forget_request(&self, request: u64) {
        if self.is_stuck() {
            return;
        }
        self.memory.lock_anyway().free_request(request, &self.filter_contexts());
        if self.requests.load(Ordering::Relaxed) == request {
            self.notify_of_all();
        }
    }

    /// The pointers that the filters keep. For when no filter of the connection is being notified.
    pub(super) fn filter_contexts(&self) -> Vec<*mut c_void> {
        // SAFETY: the contexts live as long as the session, and the caller says that nobody writes to them.
        self.seats.iter().map(|seat| unsafe { (*seat.context.get()).pFilterContext }).collect()
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
        self.owes_end.store(true, Ordering::Release);
        let session = Arc::clone(&self);
        // In any case behind a read that may be under way.
        let told = self.wants(Notification::EndOfNetSession) || self.wants(Notification::ReadRawData);
        let raise = move || {
            session.raise_end();
            session.leave();
        };
        if told && self.call(raise).await.is_err() {
            // It is made good when the filter returns, or a thread is free.
            return;
        }
        self.is_over.store(true, Ordering::Release);
        if let Some(trace) = &self.host.trace {
            trace.connection_ended(self.peers.remote, self.take_steps());
        }
        self.leave();
    }

    /// END_OF_NET_SESSION, once. Called in turn.
    fn raise_end(self: &Arc<Self>) {
        if self.is_over.swap(true, Ordering::AcqRel) {
            return;
        }
        for position in self.chain.order(Notification::EndOfNetSession, self.is_secure) {
            // SAFETY: the event has no data.
            let _ = unsafe { self.notify_one(position, Notification::EndOfNetSession, None, ptr::null_mut()) };
        }
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

/// Ends a session's names when its connection's task is dropped, unless a filter still owes its end.
pub(crate) struct Presence(pub(crate) Arc<NetSession>);

impl Drop for Presence {
    fn drop(&mut self) {
        if !self.0.is_stuck() {
            self.0.leave();
        }
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

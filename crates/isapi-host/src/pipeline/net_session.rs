//! One connection as its filters see it: whose turn it is, who is notified, and what they hold.
//!
//! Begins with the connection and ends with END_OF_NET_SESSION, behind its last request. Filters of one connection are
//! notified in turn, on native threads; one that does not return in time holds the turn, and nobody waits for it.
#![expect(unsafe_code, reason = "filters are called with raw pointers")]

use std::ffi::c_void;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, Weak};
use std::time::{Duration, Instant};

use isapi_abi::httpfilt::SF_STATUS_REQ_NEXT_NOTIFICATION;
use tokio::sync::watch;

use super::chain::Chain;
use super::context::{Context, Visit};
use super::memory::Memory;
use super::notification::{Notification, Status};
use super::raw_data::RawSide;
use super::request::FilteredRequest;
use super::trace::Step;
use crate::access_log::AccessRecord;
use crate::connection::Peers;
use crate::executor::EventLoop;
use crate::host::Host;
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::repeated;

/// See the module.
pub(crate) struct NetSession {
    host: Arc<Host>,
    chain: Arc<Chain>,
    peers: Peers,
    is_secure: bool,
    link: Weak<Link>,
    /// Where the connection lives.
    pub(super) event_loop: Option<Arc<EventLoop>>,
    /// One for each filter of the chain.
    pub(super) contexts: Box<[Context]>,
    /// Held while filters are notified, so that none sees two events of one connection at once.
    pub(super) turn: Mutex<()>,
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
    pub(super) is_stuck: AtomicBool,
    /// END_OF_NET_SESSION has been raised, or need not be: nobody is notified any more.
    pub(super) is_over: AtomicBool,
    /// END_OF_NET_SESSION is to be raised by whoever is stuck.
    pub(super) owes_end: AtomicBool,
}

/// What a filter answered, and what it wrote.
pub(super) struct Called {
    pub(super) status: Status,
    pub(super) output: Vec<u8>,
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
            contexts: chain.filters().iter().map(|_| Context::new(is_secure)).collect(),
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
        for (position, context) in session.contexts.iter().enumerate() {
            context.enter(&session, position);
        }
        session
    }

    /// The context of the filter at `position`.
    pub(super) fn context(&self, position: usize) -> &Context {
        &self.contexts[position]
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

    /// The positions of the filters that are to be notified, in order.
    pub(super) fn order(&self, notification: Notification) -> Vec<usize> {
        let mut order = self.chain.order(notification, self.is_secure);
        order.retain(|position| self.contexts[*position].hears(notification));
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
        let (context, filter) = (&self.contexts[position], &self.chain.filters()[position]);
        let (request, output) = (request.cloned(), Mutex::default());
        let mut visit = Arc::new(Visit { notification, position, request, output });
        context.begin(&visit);
        let begin = self.host.trace.is_some().then(Instant::now);
        // SAFETY: the context lives as long as the session; the caller vouches for the data.
        let call = || unsafe { filter.call(context.as_ptr(), notification, data) };
        let (status, error) = self.chain.enter(call).unwrap_or((SF_STATUS_REQ_NEXT_NOTIFICATION, 0));
        let taken = begin.map(|begin| begin.elapsed());
        context.end(&mut visit);
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
        self.contexts[position].disable(notifications);
    }

    /// What was disabled was so for one request.
    fn notify_of_all(&self) {
        self.contexts.iter().for_each(Context::hear_all);
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
        self.contexts.iter().map(Context::filter_context).collect()
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
    pub(super) fn raise_end(self: &Arc<Self>) {
        if self.is_over.swap(true, Ordering::AcqRel) {
            return;
        }
        for position in self.chain.order(Notification::EndOfNetSession, self.is_secure) {
            // SAFETY: the event has no data.
            let _ = unsafe { self.notify_one(position, Notification::EndOfNetSession, None, ptr::null_mut()) };
        }
    }

    /// Makes the addresses of the contexts mean nothing.
    pub(super) fn leave(&self) {
        self.contexts.iter().for_each(Context::leave);
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

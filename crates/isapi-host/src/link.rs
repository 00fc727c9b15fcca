//! One connection as others see it: what it is doing, what is asked of it, and whether it still exists.
//!
//! A [`Link`] is shared by the connection's I/O task, which obeys it; the requests that came over the connection, which
//! may outlive it (an extension can still hold a request whose client left long ago); and the list of all
//! connections, which ends those that take too long. Any thread may look and ask.

use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};
use std::task::{Context, Waker};
use std::time::Duration;

use crate::clock;
use crate::lock::LockAnyway;
use crate::options::Timeouts;
use crate::pipeline::NetSession;
use crate::stream::Files;

/// Nothing has been asked.
const OPEN: u8 = 0;
/// The connection ends behind the response in progress.
const LAST: u8 = 1;
/// The connection ends now.
const CUT: u8 = 2;
/// The connection has ended.
const GONE: u8 = 3;

/// Between two requests.
const IDLE: u8 = 0;
/// A head has begun to come.
const HEAD: u8 = 1;
/// A request is being answered.
const REQUEST: u8 = 2;

/// The connection has its buffers.
const AWAKE: u8 = 0;
/// It is to give them back.
const TIRED: u8 = 1;
/// It has given them back.
const RESTING: u8 = 2;
/// How long a connection is idle before it rests.
const REST_AFTER: Duration = Duration::from_millis(200);

/// See the module.
#[derive(Default)]
pub(crate) struct Link {
    /// What is asked; it only ever goes up.
    state: AtomicU8,
    /// The connection's task.
    task: Mutex<Option<Waker>>,
    phase: AtomicU8,
    /// When the phase began.
    since: AtomicU32,
    /// When a write began to wait for the client; 0 while none does.
    write_since: AtomicU32,
    /// How long writes of the present response have waited before, in milliseconds, and the bytes that got out.
    write_waited: AtomicU32,
    written: AtomicU64,
    /// The last request came while the answer before it waited for the client.
    came_behind_write: AtomicBool,
    /// The last request had a body, of which some may be on its way.
    had_body: AtomicBool,
    /// There has been a request.
    served: AtomicBool,
    /// The connection is to end with a reset.
    reset: AtomicBool,
    rest: AtomicU8,
    files: Files,
    /// The connection as its filters see it.
    filtered: OnceLock<Arc<NetSession>>,
    /// For a child request: the link of its parent.
    outer: Option<Arc<Link>>,
    /// The methods of all requests, in order.
    #[cfg(feature = "fuzzing")]
    pub(crate) methods: Mutex<Vec<http::Method>>,
}

/// What the connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Give back what is not needed until the next request comes.
    Rest,
    /// Close behind the response in progress.
    Last,
    /// Close at once, whatever is on its way.
    Cut,
}

impl Link {
    /// The link of a connection that begins now.
    pub(crate) fn new() -> Self {
        Link { since: AtomicU32::new(clock::now()), ..Link::default() }
    }

    /// The link of a child request. What is asked of it reaches the connection of `outer` only by whoever passes the
    /// child's response on: the child may outlive its parent's turn.
    pub(crate) fn inside(outer: &Arc<Link>) -> Self {
        Link { outer: Some(Arc::clone(outer)), ..Link::default() }
    }

    /// The connection as its filters see it, if it has any; never that of a child request.
    pub(crate) fn filtered(&self) -> Option<&Arc<NetSession>> {
        self.filtered.get()
    }

    /// The connection has filters.
    pub(crate) fn filter_by(&self, session: Arc<NetSession>) {
        // Said once, when the connection begins.
        let _ = self.filtered.set(session);
    }

    /// Whether it is that of a child request, behind which there is no stream of its own.
    pub(crate) fn is_inner(&self) -> bool {
        self.outer.is_some()
    }

    /// Closes the connection behind the response in progress, whatever its head said; at once if there is none.
    pub(crate) fn close_behind_response(&self) {
        self.raise(LAST);
    }

    /// Closes the connection at once, also when the client does not read.
    pub(crate) fn cut(&self) {
        self.raise(CUT);
    }

    /// Lets the connection end with a reset, whenever it ends; what the client has not got by then is lost.
    pub(crate) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Whether the connection is to end with a reset.
    pub(crate) fn resets(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    /// Whether the response in progress is the last, or the connection has ended already.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.load(Ordering::Acquire) >= LAST
    }

    /// The parts of files that are on their way to the client.
    pub(crate) fn files(&self) -> &Files {
        &self.files
    }

    /// Whether the connection has ended or is about to.
    pub(crate) fn is_gone(&self) -> bool {
        self.is_cut() || self.outer.as_ref().is_some_and(|outer| outer.is_gone())
    }

    /// Whether it has been asked here to end at once, or has ended.
    pub(crate) fn is_cut(&self) -> bool {
        self.state.load(Ordering::Acquire) >= CUT
    }

    /// Whether a request is being answered.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn is_in_request(&self) -> bool {
        self.phase.load(Ordering::Relaxed) == REQUEST
    }

    /// Notes that the connection has ended.
    pub(crate) fn ended(&self) {
        self.raise(GONE);
        drop(self.task.lock_anyway().take());
        self.files.clear();
    }

    fn raise(&self, state: u8) {
        if self.state.fetch_max(state, Ordering::AcqRel) < state {
            self.wake();
        }
    }

    fn wake(&self) {
        if let Some(task) = self.task.lock_anyway().as_ref() {
            task.wake_by_ref();
        }
    }

    /// What is asked; if there is to be more, the task of `cx` will be woken. For the connection's task alone.
    pub(crate) fn asked(&self, cx: &Context<'_>) -> Option<Request> {
        {
            let mut task = self.task.lock_anyway();
            if task.as_ref().is_none_or(|task| !task.will_wake(cx.waker())) {
                *task = Some(cx.waker().clone());
            }
        }
        match self.state.load(Ordering::Acquire) {
            OPEN => self.is_tired().then_some(Request::Rest),
            LAST => Some(Request::Last),
            _ => Some(Request::Cut),
        }
    }

    /// Bytes have come; the first behind an answer begin the next head.
    pub(crate) fn bytes_came(&self) {
        if self.phase.load(Ordering::Relaxed) == IDLE {
            self.enter(HEAD);
        }
    }

    /// A request has come whole, but for its body.
    pub(crate) fn request_came(&self, has_body: bool) {
        self.had_body.store(has_body, Ordering::Relaxed);
        self.rest.store(AWAKE, Ordering::Relaxed);
        self.served.store(true, Ordering::Relaxed);
        self.write_waited.store(0, Ordering::Relaxed);
        self.written.store(0, Ordering::Relaxed);
        self.came_behind_write.store(self.write_since.load(Ordering::Relaxed) != 0, Ordering::Relaxed);
        self.enter(REQUEST);
    }

    /// The request has been answered or given up.
    pub(crate) fn request_ended(&self) {
        self.enter(IDLE);
        // A client that is played by the socket may have waited for the end of the request.
        #[cfg(feature = "fuzzing")]
        self.wake();
    }

    /// The connection rests until bytes come.
    pub(crate) fn rest(&self) {
        self.rest.store(RESTING, Ordering::Relaxed);
    }

    /// The connection has its buffers again.
    pub(crate) fn wake_up(&self) {
        self.since.store(clock::now(), Ordering::Relaxed);
        self.rest.store(AWAKE, Ordering::Relaxed);
    }

    fn enter(&self, phase: u8) {
        self.since.store(clock::now(), Ordering::Relaxed);
        self.phase.store(phase, Ordering::Relaxed);
    }

    /// A write waits for the client, or no longer. `true` when it has waited until now, and a request came meanwhile.
    pub(crate) fn write_waits(&self, waits: bool) -> bool {
        let since = self.write_since.load(Ordering::Relaxed);
        if waits == (since != 0) {
            return false;
        }
        self.write_since.store(if waits { clock::now() } else { 0 }, Ordering::Relaxed);
        if !waits {
            self.write_waited.fetch_add(clock::now().wrapping_sub(since), Ordering::Relaxed);
        }
        !waits && self.came_behind_write.load(Ordering::Relaxed)
    }

    /// So many bytes have got out.
    pub(crate) fn wrote(&self, bytes: usize) {
        self.written.fetch_add(bytes as u64, Ordering::Relaxed);
    }

    /// Whether the last request had a body, of which some may be on its way.
    pub(crate) fn had_body(&self) -> bool {
        self.had_body.load(Ordering::Relaxed)
    }

    /// Whether there has been a request.
    pub(crate) fn has_served(&self) -> bool {
        self.served.load(Ordering::Relaxed)
    }

    /// Whether the client takes a response at less than the least rate, after the time that it has in any case.
    fn reads_too_slowly(&self, write_since: u32, timeouts: &Timeouts) -> bool {
        if timeouts.min_rate == 0 {
            return false;
        }
        let waiting = clock::now().wrapping_sub(write_since).saturating_add(self.write_waited.load(Ordering::Relaxed));
        let earned = self.written.load(Ordering::Relaxed).saturating_mul(1000) / u64::from(timeouts.min_rate);
        u128::from(waiting) > timeouts.rate_after.as_millis() + u128::from(earned)
    }

    /// Whether the connection is to rest. A request that has come since it was told so is served first.
    fn is_tired(&self) -> bool {
        self.rest.load(Ordering::Relaxed) == TIRED && self.phase.load(Ordering::Relaxed) == IDLE
    }

    fn tire(&self) {
        if self.rest.compare_exchange(AWAKE, TIRED, Ordering::Relaxed, Ordering::Relaxed).is_ok() {
            self.wake();
        }
    }

    /// Ends the connection if it has taken longer than `timeouts` allow; lets one that has nothing to do rest.
    pub(crate) fn end_if_overdue(&self, timeouts: &Timeouts) {
        let over = |since: u32, limit: Duration| u128::from(clock::now().wrapping_sub(since)) > limit.as_millis();
        let since = self.since.load(Ordering::Relaxed);
        let write_since = self.write_since.load(Ordering::Relaxed);
        if write_since != 0 && (over(write_since, timeouts.send_idle) || self.reads_too_slowly(write_since, timeouts)) {
            return self.cut();
        }
        match self.phase.load(Ordering::Relaxed) {
            IDLE if over(since, timeouts.keep_alive) => self.close_behind_response(),
            IDLE if over(since, REST_AFTER) => self.tire(),
            HEAD if over(since, timeouts.header_read) => self.cut(),
            _ => {}
        }
    }
}

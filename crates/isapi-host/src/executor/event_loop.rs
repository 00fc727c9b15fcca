//! One event loop: connections, and the requests that its leader runs between two rounds of I/O.
//!
//! The loop belongs to no thread. A thread of the crew leads it for as long as nothing blocks; then the lead is passed
//! on (by the thread itself, or by the crew's watch), and the thread finishes what it was doing without it. Only
//! one thread leads at a time: a batch of requests has a number, and whoever changes that number to 0 has the lead.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::io;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, Weak};
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use tokio::runtime::{Builder, Handle, Runtime};

use super::crew::{Crew, Job};
use crate::lock::LockAnyway;

/// How long requests are run before the network is looked at again.
const BATCH: Duration = Duration::from_millis(1);
/// The least number of threads for what blocks and needs no seat.
const LEAST_BLOCKING: usize = 4;
/// How many ready tasks are polled before what they have brought is worked off: few, so that memory is still warm.
const ROUND: u32 = 16;

/// See the module.
pub(crate) struct EventLoop {
    /// There until the loop is dropped.
    runtime: Option<Runtime>,
    inbox: Mutex<Inbox>,
    /// The number of the batch that the leader runs; 0 while it drives the network, or while there is no leader.
    batch: AtomicU64,
    last_batch: AtomicU64,
    /// Waking the leader has been put off.
    wants_watch: AtomicBool,
    /// Whose watch this loop relies on.
    crew: OnceLock<Weak<Crew>>,
}

/// What waits for the leader.
#[derive(Default)]
struct Inbox {
    jobs: VecDeque<Job>,
    /// Tasks of the loop that have something to do.
    woken: Vec<Waker>,
    /// Wakes the leader.
    leader: Option<Waker>,
    /// The leader has been woken and has not looked yet.
    told: bool,
    /// A thread has put off waking the leader.
    put_off: bool,
    stopped: bool,
}

thread_local! {
    /// The loop that this thread leads, or led when its batch began, and the number of the batch.
    static LEADING: Cell<(*const EventLoop, u64)> = const { Cell::new((ptr::null(), 0)) };
    /// The loops whose leaders this thread is still to wake; `None` while it wakes them at once.
    static PUT_OFF: RefCell<Option<Vec<Arc<EventLoop>>>> = const { RefCell::new(None) };
    static CURRENT: RefCell<Option<Arc<EventLoop>>> = const { RefCell::new(None) };
}

impl EventLoop {
    /// A loop without a leader, with as many threads of its own for what blocks and needs no seat.
    ///
    /// # Errors
    /// When the system has no resources for it.
    pub(crate) fn new(max_threads: usize) -> io::Result<Self> {
        let mut runtime = Builder::new_current_thread();
        let runtime = runtime.enable_all().event_interval(ROUND);
        let runtime = runtime.max_blocking_threads(max_threads.max(LEAST_BLOCKING)).build()?;
        let (batch, last_batch) = (AtomicU64::new(0), AtomicU64::new(0));
        Ok(EventLoop {
            runtime: Some(runtime),
            inbox: Mutex::default(),
            batch,
            last_batch,
            wants_watch: AtomicBool::new(false),
            crew: OnceLock::new(),
        })
    }

    /// Relies on the watch of `crew`.
    pub(super) fn is_watched_by(&self, crew: &Arc<Crew>) {
        // Said once, when the executor starts.
        let _ = self.crew.set(Arc::downgrade(crew));
    }

    /// The loop that the current thread leads or led last.
    pub(crate) fn current() -> Option<Arc<EventLoop>> {
        CURRENT.with_borrow(Clone::clone)
    }

    /// For spawning tasks, and for native threads that wait for the network.
    pub(crate) fn handle(&self) -> &Handle {
        self.runtime().handle()
    }

    fn runtime(&self) -> &Runtime {
        self.runtime.as_ref().expect("taken when the loop is dropped, and not before")
    }

    /// Has the leader run `job`. Called by tasks of this loop.
    pub(super) fn push(&self, job: Job) {
        let mut inbox = self.inbox.lock_anyway();
        inbox.jobs.push_back(job);
        self.tell(inbox);
    }

    /// Wakes a task of this loop, from any thread. The leader is disturbed once for all that come before it looks.
    pub(crate) fn wake(self: &Arc<Self>, waker: Waker) {
        let mut inbox = self.inbox.lock_anyway();
        inbox.woken.push(waker);
        if inbox.told || !self.put_off(&mut inbox) {
            return self.tell(inbox);
        }
        drop(inbox);
        if let Some(crew) = self.crew.get().and_then(Weak::upgrade) {
            crew.keep_watch();
        }
    }

    /// As [`EventLoop::wants_watch`], without forgetting it.
    pub(super) fn is_put_off(&self) -> bool {
        self.wants_watch.load(Ordering::SeqCst)
    }

    /// Whether waking the leader may have been put off since this was last asked.
    pub(super) fn wants_watch(&self) -> bool {
        self.wants_watch.swap(false, Ordering::SeqCst)
    }

    /// Leaves waking the leader for later, if this thread is to finish more; the watch does not let it wait for long.
    fn put_off(self: &Arc<Self>, inbox: &mut Inbox) -> bool {
        PUT_OFF.with_borrow_mut(|loops| match loops {
            Some(loops) if inbox.woken.len() < ROUND as usize => {
                if !std::mem::replace(&mut inbox.put_off, true) {
                    loops.push(Arc::clone(self));
                    self.wants_watch.store(true, Ordering::SeqCst);
                }
                true
            }
            _ => false,
        })
    }

    /// Wakes the leader if that has been put off.
    pub(super) fn catch_up(&self) {
        let inbox = self.inbox.lock_anyway();
        if inbox.put_off {
            self.tell(inbox);
        }
    }

    /// Ends the loop: its leader leaves it.
    pub(super) fn stop(&self) {
        let mut inbox = self.inbox.lock_anyway();
        inbox.stopped = true;
        self.tell(inbox);
    }

    fn tell(&self, mut inbox: MutexGuard<'_, Inbox>) {
        inbox.put_off = false;
        if std::mem::replace(&mut inbox.told, true) {
            return;
        }
        let leader = inbox.leader.clone();
        drop(inbox);
        // A leader in a batch looks when the batch is over. If the lead is passed on, the next leader looks first.
        if !self.is_in_batch_here()
            && let Some(leader) = leader
        {
            leader.wake();
        }
    }

    fn is_in_batch_here(&self) -> bool {
        let (leading, batch) = LEADING.get();
        ptr::eq(leading, self) && batch != 0 && self.batch.load(Ordering::SeqCst) == batch
    }

    /// Drives the network and runs requests, until the lead is passed on or the loop is stopped.
    pub(super) fn lead(self: &Arc<Self>, crew: &Arc<Crew>) {
        CURRENT.with_borrow_mut(|current| *current = Some(Arc::clone(self)));
        let (mut yielding, mut woken) = (false, Vec::new());
        while self.runtime().block_on(self.has_jobs(yielding, &mut woken)) {
            match self.run_batch(crew) {
                Batch::Over => yielding = false,
                Batch::Interrupted => yielding = true,
                Batch::LeadLost => break,
            }
        }
        CURRENT.with_borrow_mut(|current| current.take());
    }

    /// Waits for a job, waking tasks meanwhile; `false` when the loop is stopped. A loop that is `yielding` serves the
    /// network first.
    async fn has_jobs(&self, mut yielding: bool, woken: &mut Vec<Waker>) -> bool {
        poll_fn(|cx| {
            let (result, jobs_left) = self.look(cx, woken);
            for waker in woken.drain(..) {
                waker.wake();
            }
            if jobs_left && std::mem::take(&mut yielding) {
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            result
        })
        .await
    }

    fn look(&self, cx: &Context<'_>, woken: &mut Vec<Waker>) -> (Poll<bool>, bool) {
        let mut inbox = self.inbox.lock_anyway();
        (inbox.told, inbox.put_off) = (false, false);
        if inbox.leader.is_none() {
            inbox.leader = Some(cx.waker().clone());
        }
        std::mem::swap(&mut inbox.woken, woken);
        match (inbox.stopped, inbox.jobs.is_empty()) {
            (true, _) => (Poll::Ready(false), false),
            (false, true) => (Poll::Pending, false),
            (false, false) => (Poll::Ready(true), true),
        }
    }

    fn run_batch(self: &Arc<Self>, crew: &Arc<Crew>) -> Batch {
        let seat = crew.take_seat();
        if seat.is_none() && !self.put_off_jobs(crew) {
            return Batch::Over;
        }
        let batch = self.begin_batch(crew);
        let mut outcome = Batch::Over;
        let begin = Instant::now();
        let mut now = begin;
        while self.batch.load(Ordering::SeqCst) == batch {
            if now - begin > BATCH {
                outcome = Batch::Interrupted;
                break;
            }
            let next = self.inbox.lock_anyway().jobs.pop_front();
            let Some(job) = next else { break };
            now = super::run(job, now);
        }
        let kept = self.end_batch(batch);
        drop(seat);
        if kept { outcome } else { Batch::LeadLost }
    }

    /// Every thread that may be inside native code is: leaves to the crew what needs a seat, and says whether anything is
    /// left that does not.
    fn put_off_jobs(&self, crew: &Arc<Crew>) -> bool {
        let mut inbox = self.inbox.lock_anyway();
        let (put_off, left): (VecDeque<Job>, VecDeque<Job>) = inbox.jobs.drain(..).partition(Job::needs_seat);
        let is_any_left = !left.is_empty();
        inbox.jobs = left;
        drop(inbox);
        crew.put_off(put_off);
        is_any_left
    }

    fn begin_batch(&self, crew: &Crew) -> u64 {
        // Only leaders count, one after the other.
        let batch = self.last_batch.fetch_add(1, Ordering::Relaxed) + 1;
        self.batch.store(batch, Ordering::SeqCst);
        LEADING.set((self, batch));
        crew.keep_watch();
        batch
    }

    /// Whether this thread still has the lead.
    fn end_batch(&self, batch: u64) -> bool {
        LEADING.set((ptr::null(), 0));
        self.take_lead_from(batch)
    }

    /// The number of the batch that the leader is in, if it is in one.
    pub(super) fn batch(&self) -> u64 {
        self.batch.load(Ordering::SeqCst)
    }

    /// Takes the lead from the thread that is in `batch`; `false` when that is over, or somebody else was faster.
    pub(super) fn take_lead_from(&self, batch: u64) -> bool {
        batch != 0 && self.batch.compare_exchange(batch, 0, Ordering::SeqCst, Ordering::SeqCst).is_ok()
    }

    /// Takes the lead from the current thread, if it has one and is in a batch.
    pub(super) fn give_up_lead() -> Option<Arc<EventLoop>> {
        let (_, batch) = LEADING.replace((ptr::null(), 0));
        EventLoop::current().filter(|event_loop| event_loop.take_lead_from(batch))
    }
}

/// The current thread finishes requests one behind the other, or no longer.
pub(crate) fn finishing_more(more: bool) {
    let before = PUT_OFF.replace(more.then(Vec::new));
    for event_loop in before.into_iter().flatten() {
        event_loop.catch_up();
    }
}

impl Drop for EventLoop {
    fn drop(&mut self) {
        // Dropping a runtime may block, which is forbidden to tasks; this way out is not.
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

/// How a batch ended.
enum Batch {
    /// No job is left.
    Over,
    /// Jobs are left, but the network has waited long enough.
    Interrupted,
    /// Another thread leads now.
    LeadLost,
}

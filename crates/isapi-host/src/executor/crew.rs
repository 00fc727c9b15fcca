//! The threads for native code (`isapi-1` …): those that lead event loops, and those that run what may be slow.
//!
//! The thread that became idle last takes the next duty, so that few, warm threads do most of it. As many threads as
//! processors start at once; more, up to the maximum, start when a job has waited for [`PATIENCE`], which is what
//! handlers that block look like. A thread is kept until the process ends, idle or not, because a module may keep
//! state per thread (Python does). A seat is the right to be inside native code: there are as many as the
//! maximum of threads, and a leader needs one for each of its batches too.
//!
//! The watch is one more thread, awake only while there is something to watch: it takes the lead from leaders that are
//! in one batch for longer than a tick, and starts threads for jobs that wait too long.

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use super::event_loop::EventLoop;
use super::{ExecutorOptions, Pace, Refused};
use crate::lock::{LockAnyway, wait_anyway};
use crate::repeated;

/// How often the watch looks.
const TICK: Duration = Duration::from_millis(2);
/// How long a job waits before a thread beyond the number of processors is started for it.
const PATIENCE: Duration = Duration::from_millis(2);
/// How many ticks without anything to watch send the watch to sleep.
const QUIET_TICKS: u32 = 50;

/// A piece of work.
pub(super) struct Job {
    pub(super) work: Box<dyn FnOnce() + Send>,
    /// Whose call it is.
    pub(super) pace: Option<Arc<Pace>>,
    /// When it began to wait for a thread.
    since: Option<Instant>,
    needs_seat: bool,
}

impl Job {
    pub(super) fn new(pace: Option<Arc<Pace>>, work: impl FnOnce() + Send + 'static) -> Self {
        Job { work: Box::new(work), pace, since: None, needs_seat: true }
    }

    /// The same, for whoever may be waited for by those that have seats.
    pub(super) fn without_seat(self) -> Self {
        Job { needs_seat: false, ..self }
    }

    /// Whether it may only run when a seat is free.
    pub(super) fn needs_seat(&self) -> bool {
        self.needs_seat
    }

    fn waits(self) -> Self {
        Job { since: Some(Instant::now()), ..self }
    }
}

/// See the module.
pub(super) struct Crew {
    options: ExecutorOptions,
    /// Threads for jobs that start without waiting.
    eager: usize,
    /// Seats taken.
    seats: AtomicUsize,
    /// Jobs that wait for a thread of the crew.
    waiting: AtomicUsize,
    state: Mutex<State>,
    watch: Condvar,
    /// The watch sleeps, and must be woken when there is something to watch.
    watch_sleeps: AtomicBool,
}

#[derive(Default)]
struct State {
    /// Event loops that nobody leads.
    leaderless: Vec<Arc<EventLoop>>,
    /// Parts of requests already admitted; they go first, since they end something.
    continued: VecDeque<Job>,
    /// New requests.
    admitted: VecDeque<Job>,
    /// The idle threads, the one that became idle last at the end.
    idle: Vec<thread::Thread>,
    threads: usize,
    /// Threads that lead.
    leading: usize,
    /// A thread has been woken and has not looked for a duty yet. It will find what comes meanwhile.
    waking: bool,
    /// Jobs taken by threads since the watch last looked.
    taken: usize,
    watch_started: bool,
    stopped: bool,
}

/// The right to be inside native code.
pub(super) struct Seat(Arc<Crew>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.seats.fetch_sub(1, Ordering::SeqCst);
        // Somebody may have found all seats taken.
        if self.0.waiting.load(Ordering::SeqCst) > 0 {
            drop(self.0.find_thread(self.0.state.lock_anyway()));
        }
    }
}

/// What a thread does next.
enum Duty {
    Lead(Arc<EventLoop>),
    Run(Job, Seat),
}

thread_local! {
    /// The crew that this thread is of.
    static CREW: OnceCell<Arc<Crew>> = const { OnceCell::new() };
}

/// To be called on a native thread before it waits for the network or for a client: if it leads an event loop, another
/// thread takes the lead.
pub(crate) fn about_to_block() {
    if let Some(event_loop) = EventLoop::give_up_lead() {
        CREW.with(|crew| crew.get().map(|crew| crew.offer_lead(event_loop)));
    }
}

impl Crew {
    pub(super) fn new(options: ExecutorOptions, processors: usize) -> Self {
        Crew {
            options,
            eager: processors,
            seats: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            state: Mutex::default(),
            watch: Condvar::new(),
            watch_sleeps: AtomicBool::new(false),
        }
    }

    /// Queues a new request.
    ///
    /// # Errors
    /// When the queue is full; the job is dropped unrun.
    pub(super) fn admit(self: &Arc<Self>, job: Job) -> Result<(), Refused> {
        let mut state = self.state.lock_anyway();
        let free = self.options.max_threads.saturating_sub(self.seats.load(Ordering::SeqCst));
        if state.admitted.len() >= free + self.options.max_queue {
            return Err(Refused);
        }
        state.admitted.push_back(job.waits());
        self.waiting.fetch_add(1, Ordering::SeqCst);
        let mut state = self.find_thread(state);
        if state.threads == 0 {
            // The system gives no thread at all, so nobody would ever take the job.
            state.admitted.pop_back();
            self.waiting.fetch_sub(1, Ordering::SeqCst);
            return Err(Refused);
        }
        Ok(())
    }

    /// Queues the continuation of a request.
    pub(super) fn resume(self: &Arc<Self>, job: Job) {
        let mut state = self.state.lock_anyway();
        state.continued.push_back(job.waits());
        self.waiting.fetch_add(1, Ordering::SeqCst);
        drop(self.find_thread(state));
    }

    /// Queues jobs that were accepted to be run by a leader.
    pub(super) fn put_off(self: &Arc<Self>, jobs: VecDeque<Job>) {
        let mut state = self.state.lock_anyway();
        self.waiting.fetch_add(jobs.len(), Ordering::SeqCst);
        state.admitted.extend(jobs.into_iter().map(Job::waits));
        drop(self.find_thread(state));
    }

    /// Finds a thread that leads `event_loop`, a new one if need be.
    pub(super) fn offer_lead(self: &Arc<Self>, event_loop: Arc<EventLoop>) {
        let mut state = self.state.lock_anyway();
        state.leaderless.push(event_loop);
        match state.idle.pop() {
            Some(idle) => idle.unpark(),
            // Beyond the maximum by as many as there are event loops: those that lost their lead hold seats.
            None => self.start_thread(&mut state),
        }
    }

    /// A seat, if one is free.
    pub(super) fn take_seat(self: &Arc<Self>) -> Option<Seat> {
        let taken = self.seats.fetch_add(1, Ordering::SeqCst);
        if taken < self.options.max_threads {
            return Some(Seat(Arc::clone(self)));
        }
        self.seats.fetch_sub(1, Ordering::SeqCst);
        None
    }

    /// Whether a seat is free at the moment.
    pub(super) fn has_free_seat(&self) -> bool {
        self.seats.load(Ordering::SeqCst) < self.options.max_threads
    }

    /// Finds a thread for a job that waits: an idle one, a new one, or whichever is ready first.
    fn find_thread<'a>(self: &Arc<Self>, mut state: MutexGuard<'a, State>) -> MutexGuard<'a, State> {
        if state.waking || !self.has_free_seat() {
            // Whoever is woken, or leaves native code, looks for what waits.
            return state;
        }
        if let Some(idle) = state.idle.pop() {
            state.waking = true;
            idle.unpark();
        } else if state.runners() < self.eager {
            self.start_thread(&mut state);
        } else if state.runners() < self.options.max_threads {
            self.wake_watch(&state);
        }
        state
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let crew = Arc::clone(self);
        let name = format!("isapi-{}", state.threads + 1);
        match thread::Builder::new().name(name).spawn(move || crew.work()) {
            Ok(_) => state.threads += 1,
            Err(error) => {
                repeated::warn("ISAPI0313", || format!("ISAPI0313 cannot start a thread for extensions: {error}"));
            }
        }
    }

    /// The life of one thread.
    fn work(self: &Arc<Self>) {
        // Set once, here.
        CREW.with(|crew| drop(crew.set(Arc::clone(self))));
        loop {
            match self.take_duty() {
                Duty::Lead(event_loop) => {
                    event_loop.lead(self);
                    drop(event_loop);
                    self.state.lock_anyway().leading -= 1;
                }
                Duty::Run(job, seat) => {
                    super::run(job, Instant::now());
                    drop(seat);
                }
            }
        }
    }

    fn take_duty(self: &Arc<Self>) -> Duty {
        let mut state = self.state.lock_anyway();
        loop {
            if let Some(event_loop) = state.leaderless.pop() {
                state.leading += 1;
                if state.waiting() > 0 {
                    drop(self.find_thread(state));
                }
                return Duty::Lead(event_loop);
            }
            if let Some((job, seat)) = self.take_job(&mut state) {
                if state.waiting() > 0 {
                    // Whoever queued it may have counted on this thread.
                    drop(self.find_thread(state));
                }
                return Duty::Run(job, seat);
            }
            state.idle.push(thread::current());
            drop(state);
            thread::park();
            state = self.state.lock_anyway();
            state.waking = false;
            // Parking may end for no reason; then this thread is still listed as idle.
            let me = thread::current().id();
            state.idle.retain(|idle| idle.id() != me);
        }
    }

    fn take_job(self: &Arc<Self>, state: &mut State) -> Option<(Job, Seat)> {
        if state.waiting() == 0 {
            return None;
        }
        let seat = self.take_seat()?;
        let job = state.continued.pop_front().or_else(|| state.admitted.pop_front())?;
        self.waiting.fetch_sub(1, Ordering::SeqCst);
        state.taken += 1;
        Some((job, seat))
    }

    /// Makes sure that the watch is awake: a leader has begun a batch.
    pub(super) fn keep_watch(&self) {
        if self.watch_sleeps.load(Ordering::SeqCst) {
            self.wake_watch(&self.state.lock_anyway());
        }
    }

    /// As [`Crew::keep_watch`], with the lock that the watch sleeps with in hand.
    fn wake_watch(&self, _state: &State) {
        if self.watch_sleeps.swap(false, Ordering::SeqCst) {
            self.watch.notify_one();
        }
    }

    /// Starts the watch.
    pub(super) fn watch_over(self: &Arc<Self>, loops: &[Arc<EventLoop>]) {
        let mut state = self.state.lock_anyway();
        if std::mem::replace(&mut state.watch_started, true) {
            return;
        }
        loops.iter().for_each(|event_loop| event_loop.is_watched_by(self));
        let (crew, loops) = (Arc::clone(self), loops.to_vec());
        if let Err(error) = thread::Builder::new().name("isapi-watch".to_owned()).spawn(move || crew.watch(&loops)) {
            tracing::warn!("ISAPI0313 cannot start a thread for extensions: {error}");
        }
    }

    /// Ends the watch.
    pub(super) fn stop_watching(&self) {
        self.state.lock_anyway().stopped = true;
        self.watch.notify_one();
    }

    /// The life of the watch.
    fn watch(self: &Arc<Self>, loops: &[Arc<EventLoop>]) {
        let mut seen = vec![0; loops.len()];
        let (mut quiet, mut work) = (0, Work::default());
        while !self.state.lock_anyway().stopped {
            thread::sleep(TICK);
            let mut active = self.hurry(&mut work);
            for (event_loop, seen) in loops.iter().zip(&mut seen) {
                if event_loop.wants_watch() {
                    active = true;
                    event_loop.catch_up();
                }
                let batch = event_loop.batch();
                if batch == *seen && event_loop.take_lead_from(batch) {
                    self.offer_lead(Arc::clone(event_loop));
                }
                active |= batch != *seen;
                *seen = batch;
            }
            quiet = if active { 0 } else { quiet + 1 };
            if quiet > QUIET_TICKS {
                self.sleep(loops);
                quiet = 0;
            }
        }
    }

    /// Starts threads for jobs that have waited too long; says whether any job waits.
    fn hurry(self: &Arc<Self>, work: &mut Work) -> bool {
        let mut state = self.state.lock_anyway();
        // Threads that work, job after job, do not block, and more of them would only be in each other's way.
        let blocked = std::mem::take(&mut state.taken) < state.runners().max(1) || work.is_little();
        if blocked && state.longest_wait().is_some_and(|wait| wait >= PATIENCE) {
            let room = self.options.max_threads.saturating_sub(state.runners());
            for _ in 0..state.waiting().min(room).min(state.runners().max(1)) {
                self.start_thread(&mut state);
            }
        }
        state.waiting() > 0 && state.runners() < self.options.max_threads
    }

    /// Sleeps until there is something to watch.
    fn sleep(&self, loops: &[Arc<EventLoop>]) {
        let mut state = self.state.lock_anyway();
        self.watch_sleeps.store(true, Ordering::SeqCst);
        // Whoever began before the mark was set did not see it; so look once more.
        let begun =
            loops.iter().any(|event_loop| event_loop.batch() != 0 || event_loop.is_put_off()) || state.waiting() > 0;
        while !begun && self.watch_sleeps.load(Ordering::SeqCst) && !state.stopped {
            state = wait_anyway(&self.watch, state);
        }
        self.watch_sleeps.store(false, Ordering::SeqCst);
    }
}

/// How much the whole process works, from tick to tick.
#[derive(Default)]
struct Work(Option<(Instant, Duration)>);

impl Work {
    /// Whether all threads together have worked for less than half of the time since this was last asked: then those
    /// that have a job wait for something.
    fn is_little(&mut self) -> bool {
        let Some(processor) = processor_time() else { return false };
        let now = Instant::now();
        let last = self.0.replace((now, processor));
        last.is_some_and(|(then, before)| processor.saturating_sub(before) * 2 < now - then)
    }
}

/// What the process has used of all processors, where the system says it.
#[cfg(unix)]
fn processor_time() -> Option<Duration> {
    rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime).try_into().ok()
}

/// What the process has used of all processors, where the system says it.
#[cfg(not(unix))]
fn processor_time() -> Option<Duration> {
    None
}

impl State {
    fn waiting(&self) -> usize {
        self.continued.len() + self.admitted.len()
    }

    /// Threads that can run jobs.
    fn runners(&self) -> usize {
        // A loop without a leader takes a thread away.
        self.threads.saturating_sub(self.leading + self.leaderless.len())
    }

    /// How long the job that waits longest has waited.
    fn longest_wait(&self) -> Option<Duration> {
        let oldest =
            [self.continued.front(), self.admitted.front()].into_iter().flatten().filter_map(|job| job.since).min();
        oldest.map(|since| since.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    fn crew(max_threads: usize, max_queue: usize) -> Arc<Crew> {
        let crew = Arc::new(Crew::new(ExecutorOptions { max_threads, max_queue }, 1));
        crew.watch_over(&[]);
        crew
    }

    fn job(work: impl FnOnce() + Send + 'static) -> Job {
        Job::new(None, work)
    }

    #[test]
    fn jobs_beyond_threads_and_queue_are_refused() {
        let crew = crew(1, 1);
        let (release, gate) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel();
        let block = move || {
            started.send(()).expect("the test waits");
            gate.recv().expect("the test releases");
        };
        assert_eq!(crew.admit(job(block)), Ok(()));
        running.recv().expect("the job starts");
        let (done, finished) = mpsc::channel();
        let mark = done.clone();
        assert_eq!(crew.admit(job(move || mark.send("new").expect("the test waits"))), Ok(()));
        assert_eq!(crew.admit(job(|| ())), Err(Refused));
        crew.resume(job(move || done.send("continued").expect("the test waits")));
        release.send(()).expect("the job waits");
        assert_eq!(finished.recv(), Ok("continued"));
        assert_eq!(finished.recv(), Ok("new"));
    }

    #[test]
    fn jobs_that_block_get_more_threads() {
        let crew = crew(40, 0);
        let all_at_once = Arc::new(std::sync::Barrier::new(41));
        for _ in 0..40 {
            let barrier = Arc::clone(&all_at_once);
            let wait = move || {
                barrier.wait();
            };
            crew.admit(job(wait)).expect("a thread is free or can be started");
        }
        all_at_once.wait();
    }

    #[test]
    fn a_panic_does_not_cost_the_thread() {
        let crew = crew(1, 10);
        crew.admit(job(|| panic!("a job"))).expect("room");
        let (done, finished) = mpsc::channel();
        crew.admit(job(move || done.send(()).expect("the test waits"))).expect("room");
        assert_eq!(finished.recv(), Ok(()));
    }
}

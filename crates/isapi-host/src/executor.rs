//! The seam: on which thread native code runs while the server serves. Nothing else in the host knows.
//!
//! Today's one policy is a pool of named threads (`isapi-1` …). The thread that became idle last takes the next job, so
//! that fast handlers stay on few, warm threads. As many threads as processors start at once; more, up to the maximum,
//! start when a job has waited for [`PATIENCE`], which is what handlers that block look like. A thread is kept until the
//! process ends, idle or not, because a module may keep state per thread (Python does). Another policy, such as running
//! fast handlers inline on the I/O thread, is a matter of [`Executor::run`] alone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::{Duration, Instant};

use isapi_abi::fence::fence;

use crate::lock::{LockAnyway, wait_anyway};
use crate::repeated;

/// How long a job waits before a thread beyond the number of processors is started for it.
const PATIENCE: Duration = Duration::from_millis(2);

/// How many threads run native code, and how many requests may wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorOptions {
    /// The most threads; at least one is used.
    pub max_threads: usize,
    /// The most requests that wait for a thread; one more is refused with 503.
    pub max_queue: usize,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        ExecutorOptions { max_threads: 64, max_queue: 1000 }
    }
}

struct Job {
    run: Box<dyn FnOnce() + Send>,
    since: Instant,
}

/// The queue is full, or no thread can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// Runs native code on threads of its own.
#[derive(Clone)]
pub(crate) struct Executor {
    pool: Arc<Pool>,
}

struct Pool {
    options: ExecutorOptions,
    /// Threads that start without waiting.
    eager: usize,
    state: Mutex<State>,
    /// Wakes the thread that watches for jobs that wait too long.
    watch: Condvar,
}

#[derive(Default)]
struct State {
    /// Parts of requests already admitted; they go first, since they end something.
    continued: VecDeque<Job>,
    /// New requests.
    admitted: VecDeque<Job>,
    /// The idle threads, the one that became idle last at the end.
    idle: Vec<thread::Thread>,
    threads: usize,
    /// Threads that run a job.
    busy: usize,
    /// A thread has been woken and has not looked for a job yet. It will find what comes meanwhile.
    waking: bool,
    /// Jobs taken by threads since the watcher last looked.
    taken: usize,
    watcher: Watcher,
}

/// The thread that starts further threads.
#[derive(Default, PartialEq, Eq)]
enum Watcher {
    #[default]
    NotStarted,
    /// No job waits, or no thread can be started any more.
    Asleep,
    Awake,
}

impl State {
    fn waiting(&self) -> usize {
        self.continued.len() + self.admitted.len()
    }

    fn next(&mut self) -> Option<Job> {
        self.continued.pop_front().or_else(|| self.admitted.pop_front())
    }

    /// Wakes an idle thread, one at a time: under load a running thread is often there first.
    fn wake_idle(&mut self) {
        if !self.waking
            && let Some(idle) = self.idle.pop()
        {
            self.waking = true;
            idle.unpark();
        }
    }

    /// How long the job that waits longest has waited.
    fn longest_wait(&self) -> Option<Duration> {
        let oldest = [self.continued.front(), self.admitted.front()].into_iter().flatten().map(|job| job.since).min();
        oldest.map(|since| since.elapsed())
    }
}

impl Executor {
    pub(crate) fn new(options: ExecutorOptions) -> Self {
        let options = ExecutorOptions { max_threads: options.max_threads.max(1), ..options };
        let eager = thread::available_parallelism().map_or(1, usize::from).min(options.max_threads);
        let pool = Pool { options, eager, state: Mutex::default(), watch: Condvar::new() };
        Executor { pool: Arc::new(pool) }
    }

    /// Runs `job`, a new request, unless too many wait already.
    ///
    /// # Errors
    /// When the queue is full; the job is dropped unrun.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let mut state = self.pool.state.lock_anyway();
        let threads_free = self.pool.options.max_threads - state.busy;
        if state.admitted.len() >= threads_free + self.pool.options.max_queue {
            return Err(Refused);
        }
        state.admitted.push_back(Job { run: Box::new(job), since: Instant::now() });
        self.pool.find_thread(&mut state);
        if state.threads == 0 {
            // The system gives no thread at all, so nobody would ever take the job.
            state.admitted.pop_back();
            return Err(Refused);
        }
        Ok(())
    }

    /// Runs `job`, the continuation of a request already admitted; it is never refused and goes before new ones.
    pub(crate) fn resume(&self, job: impl FnOnce() + Send + 'static) {
        let mut state = self.pool.state.lock_anyway();
        state.continued.push_back(Job { run: Box::new(job), since: Instant::now() });
        self.pool.find_thread(&mut state);
    }
}

impl Pool {
    /// Finds a thread for a job that waits: an idle one, a new one, or whichever is ready first.
    fn find_thread(self: &Arc<Self>, state: &mut State) {
        if !state.idle.is_empty() {
            state.wake_idle();
        } else if state.threads < self.eager {
            self.start_thread(state);
        } else if state.threads < self.options.max_threads {
            self.wake_watcher(state);
        }
    }

    fn start_thread(self: &Arc<Self>, state: &mut State) {
        let pool = Arc::clone(self);
        let name = format!("isapi-{}", state.threads + 1);
        match thread::Builder::new().name(name).spawn(move || pool.work()) {
            Ok(_) => state.threads += 1,
            Err(error) => {
                repeated::warn("ISAPI0313", || format!("ISAPI0313 cannot start a thread for extensions: {error}"))
            }
        }
    }

    fn wake_watcher(self: &Arc<Self>, state: &mut State) {
        match state.watcher {
            Watcher::Awake => {}
            Watcher::Asleep => self.watch.notify_one(),
            Watcher::NotStarted => {
                let pool = Arc::clone(self);
                let started = thread::Builder::new().name("isapi-watch".to_owned()).spawn(move || pool.watch());
                match started {
                    Ok(_) => state.watcher = Watcher::Awake,
                    Err(_) => self.start_thread(state),
                }
            }
        }
    }

    /// The life of the watching thread: starts threads for jobs that have waited too long.
    fn watch(self: &Arc<Self>) {
        loop {
            thread::sleep(PATIENCE);
            let mut state = self.state.lock_anyway();
            // Threads that take job after job do not block, and more of them would only be in each other's way.
            let blocked = std::mem::take(&mut state.taken) < state.threads;
            if blocked && state.longest_wait().is_some_and(|wait| wait >= PATIENCE) {
                let room = self.options.max_threads - state.threads;
                for _ in 0..state.waiting().min(room).min(state.threads) {
                    self.start_thread(&mut state);
                }
            }
            while state.waiting() == 0 || state.threads >= self.options.max_threads {
                state.watcher = Watcher::Asleep;
                state = wait_anyway(&self.watch, state);
            }
            state.watcher = Watcher::Awake;
        }
    }

    /// The life of one thread.
    fn work(self: &Arc<Self>) {
        loop {
            let job = self.take();
            // A panic ends the job, not the thread: its request sees its ends dropped.
            fence((), job.run);
            self.state.lock_anyway().busy -= 1;
        }
    }

    fn take(self: &Arc<Self>) -> Job {
        let mut state = self.state.lock_anyway();
        loop {
            if let Some(job) = state.next() {
                state.busy += 1;
                state.taken += 1;
                if state.waiting() > 0 {
                    // Whoever queued it may have counted on this thread.
                    self.find_thread(&mut state);
                }
                return job;
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
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[test]
    fn jobs_beyond_threads_and_queue_are_refused() {
        let executor = Executor::new(ExecutorOptions { max_threads: 1, max_queue: 1 });
        let (release, gate) = mpsc::channel::<()>();
        let (started, running) = mpsc::channel();
        let block = move || {
            started.send(()).expect("the test waits");
            gate.recv().expect("the test releases");
        };
        assert_eq!(executor.run(block), Ok(()));
        running.recv().expect("the job starts");
        let (done, finished) = mpsc::channel();
        let mark = done.clone();
        assert_eq!(executor.run(move || mark.send("new").expect("the test waits")), Ok(()));
        assert_eq!(executor.run(|| ()), Err(Refused));
        executor.resume(move || done.send("continued").expect("the test waits"));
        release.send(()).expect("the job waits");
        assert_eq!(finished.recv(), Ok("continued"));
        assert_eq!(finished.recv(), Ok("new"));
    }

    #[test]
    fn jobs_that_block_get_more_threads() {
        let executor = Executor::new(ExecutorOptions { max_threads: 40, max_queue: 0 });
        let all_at_once = Arc::new(std::sync::Barrier::new(41));
        for _ in 0..40 {
            let barrier = Arc::clone(&all_at_once);
            let job = move || {
                barrier.wait();
            };
            executor.run(job).expect("a thread is free or can be started");
        }
        all_at_once.wait();
    }

    #[test]
    fn a_panic_does_not_cost_the_thread() {
        let executor = Executor::new(ExecutorOptions { max_threads: 1, max_queue: 10 });
        executor.run(|| panic!("a job")).expect("room");
        let (done, finished) = mpsc::channel();
        executor.run(move || done.send(()).expect("the test waits")).expect("room");
        assert_eq!(finished.recv(), Ok(()));
    }
}

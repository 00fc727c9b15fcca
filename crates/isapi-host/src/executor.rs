//! The seam: on which thread native code runs. Nothing else in the host knows.
//!
//! Today's one policy is a pool of named threads (`isapi-1` …) that grows on demand up to a maximum. A thread once
//! started is kept until the process ends, idle or not, because a module may keep state per thread (Python does).
//! Another policy, such as running fast handlers inline on the I/O thread, is a matter of [`Executor::run`] alone.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex};
use std::thread;

use isapi_abi::fence::fence;

use crate::lock::{LockAnyway, wait_anyway};

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

type Job = Box<dyn FnOnce() + Send>;

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
    state: Mutex<State>,
    work: Condvar,
}

#[derive(Default)]
struct State {
    /// Parts of requests already admitted; they go first, since they end something.
    continued: VecDeque<Job>,
    /// New requests, at most `max_queue` beyond what the threads can take.
    admitted: VecDeque<Job>,
    idle: usize,
    threads: usize,
}

impl Executor {
    pub(crate) fn new(options: ExecutorOptions) -> Self {
        let options = ExecutorOptions { max_threads: options.max_threads.max(1), ..options };
        let pool = Pool { options, state: Mutex::default(), work: Condvar::new() };
        Executor { pool: Arc::new(pool) }
    }

    /// Runs `job`, a new request, unless too many wait already.
    ///
    /// # Errors
    /// When the queue is full; the job is dropped unrun.
    pub(crate) fn run(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let mut state = self.pool.state.lock_anyway();
        let threads_free = state.idle + (self.pool.options.max_threads - state.threads);
        if state.admitted.len() >= threads_free + self.pool.options.max_queue {
            return Err(Refused);
        }
        state.admitted.push_back(Box::new(job));
        self.find_thread(&mut state);
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
        state.continued.push_back(Box::new(job));
        self.find_thread(&mut state);
    }

    /// Wakes an idle thread for the job just queued, or starts one.
    fn find_thread(&self, state: &mut State) {
        let waiting = state.continued.len() + state.admitted.len();
        if waiting > state.idle && state.threads < self.pool.options.max_threads {
            let pool = Arc::clone(&self.pool);
            let name = format!("isapi-{}", state.threads + 1);
            match thread::Builder::new().name(name).spawn(move || pool.work()) {
                Ok(_) => state.threads += 1,
                Err(error) => tracing::warn!("ISAPI0313: cannot start a thread for extensions: {error}"),
            }
        }
        if state.idle > 0 {
            self.pool.work.notify_one();
        }
    }
}

impl Pool {
    /// The life of one thread.
    fn work(&self) {
        loop {
            let job = self.next();
            // A panic ends the job, not the thread: its request sees its ends dropped.
            fence((), job);
        }
    }

    fn next(&self) -> Job {
        let mut state = self.state.lock_anyway();
        loop {
            if let Some(job) = state.continued.pop_front() {
                return job;
            }
            if let Some(job) = state.admitted.pop_front() {
                return job;
            }
            state.idle += 1;
            state = wait_anyway(&self.work, state);
            state.idle -= 1;
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
    fn a_panic_does_not_cost_the_thread() {
        let executor = Executor::new(ExecutorOptions { max_threads: 1, max_queue: 10 });
        executor.run(|| panic!("a job")).expect("room");
        let (done, finished) = mpsc::channel();
        executor.run(move || done.send(()).expect("the test waits")).expect("room");
        assert_eq!(finished.recv(), Ok(()));
    }
}

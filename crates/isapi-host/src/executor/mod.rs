//! The seam: on which thread native code runs while the server serves. Nothing else in the host knows.
//!
//! Every processor gets an [`EventLoop`], which one thread at a time leads: it drives the network, and between two
//! rounds of that it runs, on the spot, the requests of handlers that have shown themselves fast ([`Pace`]). When one
//! of them takes long after all, or is about to block, the lead passes to another thread, so that no connection waits
//! for it. Handlers that are slow, or not yet known, run on the threads that do not lead ([`Crew`]).
//!
//! ```text
//!  a request ─► fast handler? ─ yes ─► the event loop's leader, between two rounds of I/O
//!                    └───────── no ──► the crew's queue ─► a thread of the crew
//! ```

mod crew;
mod event_loop;
mod pace;
mod thread_usage;

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

pub(crate) use self::crew::about_to_block;
use self::crew::{Crew, Job};
pub(crate) use self::event_loop::{EventLoop, finishing_more};
pub(crate) use self::pace::Pace;
use self::thread_usage::ThreadUsage;

/// How many threads run native code, and how many requests may wait for one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ExecutorOptions {
    /// The most threads that are inside native code at a time; at least one is used.
    pub max_threads: usize,
    /// The most requests that wait for a thread; one more is refused with 503.
    pub max_queue: usize,
}

impl Default for ExecutorOptions {
    fn default() -> Self {
        ExecutorOptions { max_threads: 64, max_queue: 1000 }
    }
}

/// The queue is full, or no thread can be started.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refused;

/// The event loops and the crew.
pub(crate) struct Executor {
    crew: Arc<Crew>,
    loops: Vec<Arc<EventLoop>>,
    /// Connections are dealt out in turn.
    next: AtomicUsize,
    /// Stages of requests that run, or wait, beside the crew.
    apart: Arc<AtomicUsize>,
    max_queue: usize,
}

impl Executor {
    /// An event loop for each processor; nothing runs yet but what [`Executor::run`] is given.
    ///
    /// # Errors
    /// When the system has no resources for an event loop.
    pub(crate) fn new(options: ExecutorOptions) -> io::Result<Self> {
        let options = ExecutorOptions { max_threads: options.max_threads.max(1), ..options };
        let processors = std::thread::available_parallelism().map_or(1, usize::from).min(options.max_threads);
        let loops = (0..processors)
            .map(|_| EventLoop::new(options.max_threads).map(Arc::new))
            .collect::<io::Result<Vec<_>>>()?;
        let (crew, max_queue) = (Arc::new(Crew::new(options, processors)), options.max_queue);
        Ok(Executor { crew, loops, next: AtomicUsize::new(0), apart: Arc::default(), max_queue })
    }

    /// Has every event loop led from now on.
    pub(crate) fn start(&self) {
        self.crew.watch_over(&self.loops);
        for event_loop in &self.loops {
            self.crew.offer_lead(Arc::clone(event_loop));
        }
    }

    /// Ends the event loops: what is left on them goes no further. Threads inside native code go on until they leave it.
    pub(crate) fn stop(&self) {
        self.crew.stop_watching();
        for event_loop in &self.loops {
            event_loop.stop();
        }
    }

    /// The event loop whose turn it is to get a connection.
    pub(crate) fn next_loop(&self) -> &Arc<EventLoop> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed);
        &self.loops[turn % self.loops.len()]
    }

    /// Runs `job`, a new request for a handler of this pace, unless too many wait already.
    ///
    /// # Errors
    /// When the queue is full; the job is dropped unrun.
    pub(crate) fn run(&self, pace: &Arc<Pace>, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        let job = Job::new(Some(Arc::clone(pace)), job);
        if pace.is_fast()
            && self.crew.has_free_seat()
            && let Some(event_loop) = EventLoop::current()
        {
            event_loop.push(job);
            return Ok(());
        }
        self.crew.admit(job)
    }

    /// Runs `job` on a thread of the crew, unless too many wait already.
    ///
    /// # Errors
    /// When the queue is full; the job is dropped unrun.
    pub(crate) fn run_apart(&self, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        self.crew.admit(Job::new(None, job))
    }

    /// Runs `job`, a stage of a request already admitted, with code of this pace; it is never refused. Called on an
    /// event loop.
    ///
    /// It needs no seat: whoever holds one may be waiting for what this job lets go on.
    pub(crate) fn go_on(&self, pace: &Arc<Pace>, job: impl FnOnce() + Send + 'static) {
        let job = Job::new(Some(Arc::clone(pace)), job).without_seat();
        match EventLoop::current() {
            Some(event_loop) if pace.is_fast() => event_loop.push(job),
            Some(event_loop) => {
                let apart = Arc::clone(&self.apart);
                apart.fetch_add(1, Ordering::Relaxed);
                event_loop.handle().spawn_blocking(move || {
                    run(job, Instant::now());
                    apart.fetch_sub(1, Ordering::Relaxed);
                });
            }
            // Only tasks of an event loop ask.
            None => self.crew.resume(job),
        }
    }

    /// As [`Executor::go_on`], for the first stage of a request.
    ///
    /// # Errors
    /// When too many wait already; the job is dropped unrun.
    pub(crate) fn begin(&self, pace: &Arc<Pace>, job: impl FnOnce() + Send + 'static) -> Result<(), Refused> {
        if self.apart.load(Ordering::Relaxed) > self.max_queue {
            return Err(Refused);
        }
        self.go_on(pace, job);
        Ok(())
    }

    /// Runs `job`, the continuation of a request already admitted; it is never refused and goes before new ones.
    pub(crate) fn resume(&self, job: impl FnOnce() + Send + 'static) {
        self.crew.resume(Job::new(None, job));
    }
}

impl Drop for Executor {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Runs a job behind the fence and notes how long it took; a panic ends the job, not the thread.
fn run(job: Job, begin: Instant) -> Instant {
    let suspected = job.pace.as_ref().is_some_and(|pace| pace.is_suspected());
    let usage = suspected.then(ThreadUsage::now);
    isapi_abi::fence::fence((), job.work);
    let end = Instant::now();
    if let Some(pace) = job.pace {
        pace.note(end - begin, usage);
    }
    end
}

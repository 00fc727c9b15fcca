//! The queue of a thread pool: which of its workers is awake, and when another is needed.
//!
//! Workers that run Python take turns anyway, so one that goes from message to message beats several that wake each
//! other for every one. So no more workers are active than have shown to be needed: when messages wait, and for a
//! [`TICK`] the process has hardly worked, or for longer none has been taken, the active ones must be blocked, and one
//! more is allowed; calm times take it back. One
//! idle worker at a time, the standby, looks at the clock while messages wait. Nothing here needs the interpreter.

use std::collections::VecDeque;
use std::sync::{Condvar, LazyLock, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long messages may wait without progress before another worker becomes active.
const TICK: Duration = Duration::from_millis(1);
/// How long none is taken before another becomes active although the process is busy. Longer than a worker waits for its
/// turn on a processor.
const LONG: Duration = Duration::from_millis(5);
/// How often workers look whether all processors are busy.
const REVIEW: Duration = Duration::from_millis(2);
static PROCESSORS: LazyLock<u32> =
    LazyLock::new(|| thread::available_parallelism().map_or(1, |count| u32::try_from(count.get()).unwrap_or(u32::MAX)));
/// So many signs of calm make one active worker less.
const CALM: u32 = 64;

/// See the module.
pub struct Queue<T> {
    waiting: Mutex<Waiting<T>>,
    arrived: Condvar,
}

struct Waiting<T> {
    messages: VecDeque<T>,
    closed: bool,
    /// Workers that sleep.
    idle: usize,
    /// A worker has been woken and has not looked yet.
    waking: bool,
    /// An idle worker looks at the clock.
    standby: bool,
    /// Workers that handle a message.
    active: usize,
    /// As many may be active.
    allowed: usize,
    /// Messages taken, ever.
    taken: u64,
    /// Signs that fewer workers would do, since the last sign that they would not.
    calm: u32,
    /// How things stood when a worker looked last whether all processors are busy.
    reviewed: Option<Seen>,
}

/// How things stood when the standby looked last.
struct Seen {
    taken: u64,
    when: Instant,
    processor: Option<Duration>,
}

impl Seen {
    fn now(taken: u64) -> Self {
        Self { taken, when: Instant::now(), processor: processor_time() }
    }

    /// Whether the process has kept all processors busy since, for not too long a time.
    fn is_saturated(&self) -> bool {
        let elapsed = self.when.elapsed();
        let worked = processor_time().zip(self.processor).map(|(now, before)| now.saturating_sub(before));
        elapsed < REVIEW * 10 && worked.is_some_and(|worked| worked * 10 >= elapsed * 9 * *PROCESSORS)
    }

    /// Whether the active workers wait for something: the process as a whole has hardly worked, or, if something else
    /// keeps it busy, none has taken a message for long.
    fn is_stalled(&self, taken: u64) -> bool {
        let elapsed = self.when.elapsed();
        let worked = processor_time().zip(self.processor).map(|(now, before)| now.saturating_sub(before));
        elapsed >= TICK && worked.is_none_or(|worked| worked * 2 < elapsed) || (self.taken == taken && elapsed >= LONG)
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

impl<T> Default for Queue<T> {
    fn default() -> Self {
        let waiting = Waiting {
            messages: VecDeque::new(),
            closed: false,
            idle: 0,
            waking: false,
            standby: false,
            active: 0,
            allowed: 1,
            taken: 0,
            calm: 0,
            reviewed: None,
        };
        Self { waiting: Mutex::new(waiting), arrived: Condvar::new() }
    }
}

impl<T> Waiting<T> {
    fn pop(&mut self) -> Option<T> {
        let message = self.messages.pop_front()?;
        self.taken += 1;
        Some(message)
    }

    fn calms_down(&mut self) {
        self.calm += 1;
        if self.calm >= CALM {
            (self.calm, self.allowed) = (0, (self.allowed - 1).max(1));
        }
    }

    /// Takes an active worker back while all processors are busy: one more to take turns with helps nobody.
    fn review(&mut self) {
        if self.allowed == 1 || self.reviewed.as_ref().is_some_and(|seen| seen.when.elapsed() < REVIEW) {
            return;
        }
        let last = self.reviewed.replace(Seen::now(self.taken));
        if last.is_some_and(|last| last.is_saturated()) {
            self.allowed -= 1;
        }
    }

    /// Whether somebody must be woken: for a message that may be taken now, or to look at the clock.
    fn needs_another(&self) -> bool {
        let worker_wanted = self.active < self.allowed || !self.standby;
        !self.messages.is_empty() && self.idle > 0 && !self.waking && worker_wanted
    }
}

impl<T> Queue<T> {
    /// Queues a message.
    ///
    /// # Errors
    /// Gives it back when the queue is closed.
    pub fn post(&self, message: T) -> Result<(), T> {
        let mut waiting = self.waiting();
        if waiting.closed {
            return Err(message);
        }
        waiting.messages.push_back(message);
        self.wake_another(waiting);
        Ok(())
    }

    /// The next message, for whoever asks.
    pub fn try_take(&self) -> Option<T> {
        self.waiting().pop()
    }

    /// Waits for a message as a thread that is none of the workers; `None` at the deadline, or when the queue is closed
    /// and empty.
    pub fn take_by(&self, deadline: Option<Instant>) -> Option<T> {
        let mut waiting = self.waiting();
        loop {
            if let Some(message) = waiting.pop() {
                return Some(message);
            }
            if waiting.closed {
                return None;
            }
            let left = deadline.map(|deadline| deadline.checked_duration_since(Instant::now()));
            match left {
                Some(None) => return None,
                Some(Some(left)) => waiting = self.sleep(waiting, Some(left)),
                None => waiting = self.sleep(waiting, None),
            }
        }
    }

    /// A worker begins.
    pub fn enter(&self) {
        self.waiting().active += 1;
    }

    /// A worker ends.
    pub fn leave(&self) {
        self.waiting().active -= 1;
    }

    /// The next message for a worker that has handled one, if it may go on at once.
    pub fn try_next(&self) -> Option<T> {
        let mut waiting = self.waiting();
        waiting.review();
        if waiting.active > waiting.allowed {
            return None;
        }
        let message = waiting.pop();
        if message.is_some() {
            self.wake_another(waiting);
        }
        message
    }

    /// Waits for the next message for a worker that has handled one; `None` when the queue is closed and empty.
    pub fn next(&self) -> Option<T> {
        // Whoever fills the queue may share our processor, and have more to put in.
        thread::yield_now();
        let mut waiting = self.waiting();
        waiting.active -= 1;
        let mut seen: Option<Seen> = None;
        loop {
            let stalled = seen.as_ref().is_some_and(|seen| seen.is_stalled(waiting.taken));
            if stalled && !waiting.messages.is_empty() {
                (waiting.allowed, waiting.calm) = (waiting.allowed.max(waiting.active) + 1, 0);
            }
            if waiting.active < waiting.allowed || waiting.closed {
                if let Some(message) = waiting.pop() {
                    waiting.active += 1;
                    self.wake_another(waiting);
                    return Some(message);
                }
                if waiting.closed {
                    waiting.active += 1;
                    return None;
                }
            }
            waiting.calms_down();
            if waiting.messages.is_empty() || waiting.standby {
                waiting = self.sleep(waiting, None);
                seen = None;
            } else {
                // Counted from the last progress on.
                if stalled || seen.as_ref().is_none_or(|seen| seen.taken != waiting.taken) {
                    seen = Some(Seen::now(waiting.taken));
                }
                waiting.standby = true;
                waiting = self.sleep(waiting, Some(TICK));
                waiting.standby = false;
            }
        }
    }

    /// Refuses further messages and wakes everybody.
    pub fn close(&self) {
        self.waiting().closed = true;
        self.arrived.notify_all();
    }

    fn sleep<'a>(
        &self,
        mut waiting: MutexGuard<'a, Waiting<T>>,
        at_most: Option<Duration>,
    ) -> MutexGuard<'a, Waiting<T>> {
        waiting.idle += 1;
        let mut waiting = match at_most {
            None => self.arrived.wait(waiting).unwrap_or_else(PoisonError::into_inner),
            Some(limit) => self.arrived.wait_timeout(waiting, limit).unwrap_or_else(PoisonError::into_inner).0,
        };
        waiting.idle -= 1;
        waiting.waking = false;
        waiting
    }

    fn wake_another(&self, mut waiting: MutexGuard<'_, Waiting<T>>) {
        if waiting.needs_another() {
            waiting.waking = true;
            drop(waiting);
            self.arrived.notify_one();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<T>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicUsize, Ordering};
    use std::sync::{Arc, Barrier};

    /// Workers that do what each message says, until the queue is closed.
    fn workers(queue: &Arc<Queue<Box<dyn FnOnce() + Send>>>, count: usize) -> Vec<thread::JoinHandle<()>> {
        let start = || {
            let queue = Arc::clone(queue);
            thread::spawn(move || {
                queue.enter();
                while let Some(work) = queue.try_next().or_else(|| queue.next()) {
                    work();
                }
                queue.leave();
            })
        };
        (0..count).map(|_| start()).collect()
    }

    fn end(queue: &Queue<Box<dyn FnOnce() + Send>>, workers: Vec<thread::JoinHandle<()>>) {
        queue.close();
        for worker in workers {
            worker.join().expect("a worker does not panic");
        }
    }

    #[test]
    fn blocked_workers_are_joined_by_others() {
        let queue = Arc::default();
        let workers = workers(&queue, 8);
        let all_at_once = Arc::new(Barrier::new(9));
        for _ in 0..8 {
            let barrier = Arc::clone(&all_at_once);
            let wait: Box<dyn FnOnce() + Send> = Box::new(move || {
                barrier.wait();
            });
            assert!(queue.post(wait).is_ok());
        }
        all_at_once.wait();
        end(&queue, workers);
    }

    #[test]
    fn workers_that_wait_a_little_each_time_are_joined_too() {
        let queue = Arc::default();
        let workers = workers(&queue, 20);
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let handled = Arc::new(AtomicUsize::new(0));
        for _ in 0..2000 {
            let (now, most, handled) = (Arc::clone(&now), Arc::clone(&most), Arc::clone(&handled));
            let wait: Box<dyn FnOnce() + Send> = Box::new(move || {
                most.fetch_max(now.fetch_add(1, Ordering::Relaxed) + 1, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(1));
                now.fetch_sub(1, Ordering::Relaxed);
                handled.fetch_add(1, Ordering::Relaxed);
            });
            assert!(queue.post(wait).is_ok());
        }
        // Closing would let all of them work.
        let begin = Instant::now();
        while handled.load(Ordering::Relaxed) < 2000 && begin.elapsed() < Duration::from_secs(20) {
            thread::sleep(Duration::from_millis(1));
        }
        end(&queue, workers);
        assert!(most.load(Ordering::Relaxed) >= 5, "{most:?} at a time");
    }

    #[test]
    fn every_message_is_handled_whoever_posts() {
        let queue: Arc<Queue<Box<dyn FnOnce() + Send>>> = Arc::default();
        let workers = workers(&queue, 4);
        let handled = Arc::new(AtomicUsize::new(0));
        let posters = (0..4).map(|_| {
            let (queue, handled) = (Arc::clone(&queue), Arc::clone(&handled));
            thread::spawn(move || {
                for _ in 0..10_000 {
                    let handled = Arc::clone(&handled);
                    assert!(
                        queue
                            .post(Box::new(move || {
                                handled.fetch_add(1, Ordering::Relaxed);
                            }))
                            .is_ok()
                    );
                }
            })
        });
        posters.collect::<Vec<_>>().into_iter().for_each(|poster| poster.join().expect("no panic"));
        end(&queue, workers);
        assert_eq!(handled.load(Ordering::Relaxed), 40_000);
    }

    #[test]
    fn a_closed_queue_gives_messages_back_and_what_it_has_left() {
        let queue = Queue::default();
        assert!(queue.post(1).is_ok());
        queue.close();
        assert_eq!(queue.post(2), Err(2));
        assert_eq!((queue.take_by(None), queue.take_by(None)), (Some(1), None));
    }

    #[test]
    fn a_wait_ends_at_its_deadline() {
        let queue: Queue<()> = Queue::default();
        assert_eq!(queue.take_by(Some(Instant::now() + Duration::from_millis(1))), None);
    }
}

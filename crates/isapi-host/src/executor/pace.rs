//! How fast a handler has shown itself, which decides where its next request runs.
//!
//! A handler is fast after a run of quick calls. Each call that takes long ends the run, and one that surprises us
//! while the handler passes for fast makes the run longer that it must show next time. A call that other programs held up
//! counts for nothing. Any thread may note calls.

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::thread_usage::{Spent, ThreadUsage};

/// A call that takes no longer is quick, whatever it does.
const QUICK: Duration = Duration::from_micros(100);
/// A call that works for longer is slow. One that waits is slow already when it is not quick: others could run meanwhile.
const SLOW: Duration = Duration::from_millis(1);
/// A call that takes longer is slow, whatever it does.
const CERTAIN: Duration = Duration::from_millis(10);
/// How many calls are looked at closely behind one that was not quick.
const SUSPICION: u32 = 64;
/// The run of quick calls that a new handler must show, and the longest that is ever asked for.
const FIRST_RUN: u32 = 32;
const LONGEST_RUN: u32 = 1 << 14;
/// So many times the run without a slow call halves what is asked for.
const FORGIVEN_AFTER: u32 = 8;

/// The pace of one handler.
pub(crate) struct Pace {
    /// Quick calls since the last slow one.
    quick: AtomicU32,
    /// The run that makes it fast.
    wanted: AtomicU32,
    /// So many of the next calls are looked at closely.
    suspicion: AtomicU32,
}

impl Default for Pace {
    fn default() -> Self {
        Pace { quick: AtomicU32::new(0), wanted: AtomicU32::new(FIRST_RUN), suspicion: AtomicU32::new(0) }
    }
}

impl Pace {
    /// Whether the next call is expected to be quick.
    pub(crate) fn is_fast(&self) -> bool {
        self.quick.load(Ordering::Relaxed) >= self.wanted.load(Ordering::Relaxed)
    }

    /// Whether the next call is to be looked at closely: what its thread has used is taken before it.
    pub(super) fn is_suspected(&self) -> bool {
        self.suspicion.load(Ordering::Relaxed) > 0
    }

    /// Notes a call; `usage` is what its thread had used before it, if that was looked at.
    pub(super) fn note(&self, taken: Duration, usage: Option<ThreadUsage>) {
        if taken <= QUICK {
            self.suspicion.store(self.suspicion.load(Ordering::Relaxed).saturating_sub(1), Ordering::Relaxed);
            return self.count(true);
        }
        match usage.map(|usage| usage.spent_on(taken)) {
            // Asking the system costs too much to do it each time.
            None if taken <= CERTAIN => self.suspicion.store(SUSPICION, Ordering::Relaxed),
            None | Some(Spent::Waiting) => self.count(false),
            Some(Spent::Working) => self.count(taken <= SLOW),
            // Other programs held it up, which says nothing.
            Some(Spent::Idle) => {}
        }
    }

    /// Two threads at once may lose one of their counts, which does no harm.
    fn count(&self, is_quick: bool) {
        let (quick, wanted) = (self.quick.load(Ordering::Relaxed), self.wanted.load(Ordering::Relaxed));
        if is_quick {
            let forgiven = quick >= wanted.saturating_mul(FORGIVEN_AFTER);
            if forgiven && wanted > FIRST_RUN {
                self.wanted.store(wanted / 2, Ordering::Relaxed);
            }
            self.quick.store(quick.saturating_add(1), Ordering::Relaxed);
            return;
        }
        if quick >= wanted {
            self.wanted.store((wanted * 2).min(LONGEST_RUN), Ordering::Relaxed);
        }
        self.quick.store(0, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn quick_calls_until_fast(pace: &Pace) -> u32 {
        (0..)
            .find(|_| {
                let fast = pace.is_fast();
                pace.count(true);
                fast
            })
            .expect("a handler that is quick for long enough is fast")
    }

    #[test]
    fn a_new_handler_is_not_fast_before_it_has_shown_it() {
        let pace = Pace::default();
        assert!(!pace.is_fast());
        assert_eq!(quick_calls_until_fast(&pace), FIRST_RUN);
    }

    #[test]
    fn a_slow_call_ends_it_and_a_surprise_asks_for_more() {
        let pace = Pace::default();
        quick_calls_until_fast(&pace);
        pace.count(false);
        assert!(!pace.is_fast());
        pace.count(false);
        assert_eq!(quick_calls_until_fast(&pace), FIRST_RUN * 2, "only the first of the two was a surprise");
    }

    #[test]
    fn surprises_are_forgiven_in_time() {
        let pace = Pace::default();
        quick_calls_until_fast(&pace);
        pace.count(false);
        for _ in 0..=FIRST_RUN * 2 * FORGIVEN_AFTER {
            pace.count(true);
        }
        pace.count(false);
        assert_eq!(quick_calls_until_fast(&pace), FIRST_RUN * 2);
    }
}

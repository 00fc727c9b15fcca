//! Whether the current thread has worked or waited, as the system counts it.
//!
//! A call that took long by the clock may have been held up by other programs on a busy machine. The system tells the
//! difference: a thread that is pushed aside does not leave the processor of its own will.
#![cfg_attr(target_os = "linux", expect(unsafe_code, reason = "getrusage has no safe interface"))]

use std::time::Duration;

/// What the current thread has used up to now.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct ThreadUsage {
    processor: Duration,
    /// How often it gave the processor away to wait for something.
    waits: i64,
}

impl ThreadUsage {
    /// That of the current thread; nothing where the system does not say.
    #[cfg(target_os = "linux")]
    pub(super) fn now() -> Self {
        let mut usage = std::mem::MaybeUninit::<libc::rusage>::uninit();
        // SAFETY: the call fills the struct that it is given, unless it fails, which is looked at.
        let usage = unsafe {
            if libc::getrusage(libc::RUSAGE_THREAD, usage.as_mut_ptr()) != 0 {
                return ThreadUsage::default();
            }
            usage.assume_init()
        };
        let duration = |time: libc::timeval| {
            Duration::from_secs(time.tv_sec.unsigned_abs()) + Duration::from_micros(time.tv_usec.unsigned_abs())
        };
        ThreadUsage { processor: duration(usage.ru_utime) + duration(usage.ru_stime), waits: usage.ru_nvcsw }
    }

    /// That of the current thread; nothing where the system does not say.
    #[cfg(not(target_os = "linux"))]
    pub(super) fn now() -> Self {
        ThreadUsage::default()
    }

    /// On what the thread has spent the time of a call that took `taken`, which began when `self` was taken. Where the
    /// system does not say, it waited.
    pub(super) fn spent_on(self, taken: Duration) -> Spent {
        let now = ThreadUsage::now();
        let worked = now.processor.saturating_sub(self.processor);
        match () {
            () if !cfg!(target_os = "linux") || now.waits != self.waits => Spent::Waiting,
            () if worked * 2 > taken => Spent::Working,
            () => Spent::Idle,
        }
    }
}

/// On what a thread spends its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Spent {
    /// It left the processor of its own will.
    Waiting,
    /// It was on the processor.
    Working,
    /// It was pushed aside.
    Idle,
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_working_are_told_apart() {
        let usage = ThreadUsage::now();
        std::thread::sleep(Duration::from_millis(5));
        assert_eq!(usage.spent_on(Duration::from_millis(5)), Spent::Waiting);
        // Another program may make a thread wait that only works, for instance for a page of memory; not each time.
        let worked = (0..20).any(|_| {
            let begin = ThreadUsage::now();
            while ThreadUsage::now().processor - begin.processor < Duration::from_millis(2) {}
            begin.spent_on(Duration::from_millis(2)) == Spent::Working
        });
        assert!(worked);
    }
}

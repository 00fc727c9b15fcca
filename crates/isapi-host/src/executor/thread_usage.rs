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

    /// Whether the time since `self` was taken, in which a call took `taken`, is the call's own doing: it waited, or it
    /// worked for long. Where the system does not say, it is.
    pub(super) fn explains(self, taken: Duration) -> bool {
        let now = ThreadUsage::now();
        !cfg!(target_os = "linux")
            || now.waits != self.waits
            || now.processor.saturating_sub(self.processor) * 2 > taken
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn waiting_and_working_explain_the_time_that_they_take() {
        let before = ThreadUsage::now();
        std::thread::sleep(Duration::from_millis(5));
        assert!(before.explains(Duration::from_millis(5)), "waiting");
        let (before, begin) = (ThreadUsage::now(), std::time::Instant::now());
        while ThreadUsage::now().processor - before.processor < Duration::from_millis(5) {}
        assert!(before.explains(begin.elapsed().min(Duration::from_millis(5))), "working");
    }
}

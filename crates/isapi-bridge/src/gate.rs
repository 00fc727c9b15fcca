//! Who may touch what the server lends for one call: anybody before the end, nobody after it.
//!
//! Cheaper than a lease: one word while nobody waits, since a notification may come several times for each request.
//! A thread that is inside when the call ends is waited for.

use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Condvar, Mutex, PoisonError};

use pyo3::Python;

/// Set once the call is over; the lower bits count the threads inside.
const CLOSED: u32 = 1 << 31;

/// See the module.
#[derive(Default)]
pub struct Gate {
    state: AtomicU32,
    leaving: Mutex<()>,
    all_left: Condvar,
}

/// Proof that the call lasts, for as long as it exists.
pub struct Inside<'a>(&'a Gate);

impl Gate {
    /// Keeps the call from ending while the result exists; `None` after its end.
    pub fn enter(&self) -> Option<Inside<'_>> {
        let step_in = |state: u32| (state & CLOSED == 0).then(|| state + 1);
        self.state.fetch_update(Ordering::Acquire, Ordering::Relaxed, step_in).ok().map(|_| Inside(self))
    }

    /// Ends the call: lets nobody in any more and waits for those inside, who may need the interpreter.
    pub fn close(&self, py: Python<'_>) {
        if self.state.fetch_or(CLOSED, Ordering::AcqRel) & !CLOSED != 0 {
            py.detach(|| self.wait());
        }
    }

    fn wait(&self) {
        let mut leaving = self.leaving.lock().unwrap_or_else(PoisonError::into_inner);
        while self.state.load(Ordering::Acquire) != CLOSED {
            leaving = self.all_left.wait(leaving).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

impl Drop for Inside<'_> {
    fn drop(&mut self) {
        if self.0.state.fetch_sub(1, Ordering::Release) == CLOSED | 1 {
            let _leaving = self.0.leaving.lock().unwrap_or_else(PoisonError::into_inner);
            self.0.all_left.notify_all();
        }
    }
}

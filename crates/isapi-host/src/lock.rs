//! Locks that outlive a panic.
//!
//! A panic in one request must not poison what the others share. Every state behind a lock of this crate is valid
//! at every step, so the poison mark of the standard library says nothing here and is passed over in this one place.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// Locks a mutex whether or not a thread panicked while it held it.
pub(crate) trait LockAnyway<T> {
    /// Waits for the lock.
    fn lock_anyway(&self) -> MutexGuard<'_, T>;
}

impl<T> LockAnyway<T> for Mutex<T> {
    fn lock_anyway(&self) -> MutexGuard<'_, T> {
        self.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits for `signal`.
pub(crate) fn wait_anyway<'a, T>(signal: &Condvar, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
    signal.wait(guard).unwrap_or_else(PoisonError::into_inner)
}

/// Waits for `signal` at most `limit`; the flag says that the time ran out.
pub(crate) fn wait_at_most<'a, T>(
    signal: &Condvar,
    guard: MutexGuard<'a, T>,
    limit: Duration,
) -> (MutexGuard<'a, T>, bool) {
    let (guard, result) = signal.wait_timeout(guard, limit).unwrap_or_else(PoisonError::into_inner);
    (guard, result.timed_out())
}

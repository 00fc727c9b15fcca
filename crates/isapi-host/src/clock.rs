//! A clock that costs nothing to read: milliseconds since the process began to use it, as of the last tick.
//!
//! Whoever watches connections ticks it; time limits of connections are as coarse as the ticks.

use std::sync::LazyLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Instant;

static BEGIN: LazyLock<Instant> = LazyLock::new(Instant::now);
/// Begins at 1, since users take 0 for "never".
static NOW: AtomicU32 = AtomicU32::new(1);

/// Milliseconds as of the last tick, at least 1. They begin anew after 49 days, so take differences.
pub(crate) fn now() -> u32 {
    NOW.load(Ordering::Relaxed)
}

/// Brings the clock up to date.
pub(crate) fn tick() {
    // Cut to 32 bits on purpose: only differences count.
    let elapsed = BEGIN.elapsed().as_millis() as u32;
    NOW.store(elapsed.max(1), Ordering::Relaxed);
}

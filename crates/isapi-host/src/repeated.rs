//! Warnings that a broken extension can cause as often as it likes: each is logged at once, and then at most once per
//! [`INTERVAL`], with the number of those left out.
//!
//! The only state is one small table for the process, under a lock that is held for a look-up. Any thread may warn.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{LazyLock, Mutex};
use std::time::{Duration, Instant};

use crate::lock::LockAnyway;

/// How long a warning keeps others of its kind from the log.
const INTERVAL: Duration = Duration::from_secs(10);

/// The most kinds of warnings that are remembered.
const MAX_KINDS: usize = 1024;

static WARNINGS: LazyLock<Mutex<Repeats>> = LazyLock::new(Mutex::default);

/// Logs what `text` says, unless a warning of the same kind has been logged a moment ago.
pub(crate) fn warn(kind: impl Hash, text: impl FnOnce() -> String) {
    // Not under the lock: what receives log records may be slow.
    let admitted = WARNINGS.lock_anyway().admit(kind, Instant::now());
    match admitted {
        None => {}
        Some(0) => tracing::warn!("{}", text()),
        Some(left_out) => tracing::warn!("{} ({left_out} more like this since the last)", text()),
    }
}

/// When each kind of warning was logged last, and how many have been left out since.
#[derive(Default)]
struct Repeats {
    kinds: HashMap<u64, (Instant, u64)>,
}

impl Repeats {
    /// How many were left out before this one; `None` when it is to be left out too.
    fn admit(&mut self, kind: impl Hash, now: Instant) -> Option<u64> {
        let mut hasher = DefaultHasher::new();
        kind.hash(&mut hasher);
        let kind = hasher.finish();
        if self.kinds.len() >= MAX_KINDS && !self.kinds.contains_key(&kind) {
            self.kinds.retain(|_, (logged, _)| now.duration_since(*logged) < INTERVAL);
            if self.kinds.len() >= MAX_KINDS {
                return None;
            }
        }
        match self.kinds.get_mut(&kind) {
            Some((logged, left_out)) if now.duration_since(*logged) < INTERVAL => {
                *left_out += 1;
                None
            }
            before => {
                let left_out = before.map_or(0, |(_, left_out)| *left_out);
                self.kinds.insert(kind, (now, 0));
                Some(left_out)
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_warning_is_logged_once_per_interval_with_the_number_left_out() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        assert_eq!(repeats.admit("a", begin), Some(0));
        assert_eq!(repeats.admit("a", begin), None);
        assert_eq!(repeats.admit("b", begin), Some(0), "another kind has its own count");
        assert_eq!(repeats.admit("a", begin + INTERVAL / 2), None);
        assert_eq!(repeats.admit("a", begin + INTERVAL), Some(2));
        assert_eq!(repeats.admit("a", begin + INTERVAL * 2), Some(0));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_forgotten_in_time() {
        let (mut repeats, begin) = (Repeats::default(), Instant::now());
        for kind in 0..2 * MAX_KINDS {
            let expected = (kind < MAX_KINDS).then_some(0);
            assert_eq!(repeats.admit(kind, begin), expected, "{kind}");
        }
        assert_eq!(repeats.admit("new", begin + INTERVAL), Some(0));
        assert_eq!(repeats.kinds.len(), 1);
    }
}

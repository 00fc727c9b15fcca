//! The panic fence: every function that C code calls runs its body inside [`fence`].
//!
//! Unwinding out of an `extern "system"` function aborts the process, and with it the server. The fence
//! stops the panic at the boundary and answers the entry point's own failure value instead. The panic's
//! message has by then been printed by the panic hook.

use std::panic::{AssertUnwindSafe, catch_unwind};

/// Runs `body`; if it panics, returns `failure`, the value by which this entry point reports failure.
///
/// State that `body` was changing may be left half-changed: what outlives the call must be behind a lock
/// that poisons, or be valid at every step.
pub fn fence<R>(failure: R, body: impl FnOnce() -> R) -> R {
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(result) => result,
        Err(payload) => {
            // A payload whose drop panics would unwind past the fence.
            std::mem::forget(payload);
            failure
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_result_passes_through() {
        assert_eq!(fence(4, || 1), 1);
    }

    #[test]
    fn a_panic_becomes_the_failure_value() {
        assert_eq!(fence(4, || panic!("inside the fence")), 4);
    }

    #[test]
    fn a_payload_that_panics_when_dropped_is_stopped_too() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("dropped");
            }
        }
        assert_eq!(fence(4, || std::panic::panic_any(Bomb)), 4);
    }
}

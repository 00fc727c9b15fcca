//! One loader at a time: several `_x.so` in one process have no variable in common, yet only one may start Python.
//!
//! What they do have in common is their process. A lock on a file that stands for it, and that only its own
//! user can open, keeps the others waiting until Python runs; each open file holds its own lock, so this works
//! between threads too. It ends with the value, and at the latest with the process.

use std::fs::File;

/// The lock, while it exists.
pub struct StartLock {
    _file: Option<File>,
}

impl StartLock {
    /// Waits for the lock. A system without such a file or without locks is no reason not to serve.
    pub fn take() -> Self {
        let file = File::open("/proc/self/maps").ok();
        if let Some(file) = &file {
            file.lock().ok();
        }
        Self { _file: file }
    }
}

#[cfg(test)]
mod tests {
    use std::fs::TryLockError;

    use super::*;

    #[test]
    fn the_lock_keeps_out_others_of_the_process_until_it_is_dropped() {
        let first = StartLock::take();
        let other = File::open("/proc/self/maps").expect("Linux has it");
        assert!(matches!(other.try_lock(), Err(TryLockError::WouldBlock)));
        drop(first);
        assert!(other.try_lock().is_ok());
    }
}

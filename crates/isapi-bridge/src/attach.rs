//! Entering Python on the server's threads.
//!
//! A thread that Python did not create has no thread state. Making and ending one around each call costs a
//! hundred times as much as the call; [`attach`] makes it once and keeps it until the thread ends.

use std::cell::RefCell;

use pyo3::ffi;
use pyo3::prelude::*;

/// Runs `body` with the interpreter held.
pub fn attach<R>(body: impl FnOnce(Python<'_>) -> R) -> R {
    KEPT.with(|kept| {
        kept.borrow_mut().get_or_insert_with(KeptThreadState::make);
    });
    Python::attach(body)
}

thread_local! {
    static KEPT: RefCell<Option<KeptThreadState>> = const { RefCell::new(None) };
}

/// The thread state that this thread keeps; `None` inside when the thread had one of its own.
struct KeptThreadState(Option<*mut ffi::PyThreadState>);

impl KeptThreadState {
    fn make() -> Self {
        // SAFETY: the interpreter runs: it imported this module and is never finalised.
        if !unsafe { ffi::PyGILState_GetThisThreadState() }.is_null() {
            return Self(None);
        }
        // SAFETY: the thread has no state, so Ensure makes one and holds the interpreter; SaveThread lets go of
        // the interpreter and leaves the state, with its count at one, for every later Ensure to find.
        Self(Some(unsafe {
            ffi::PyGILState_Ensure();
            ffi::PyEval_SaveThread()
        }))
    }
}

impl Drop for KeptThreadState {
    fn drop(&mut self) {
        let Some(state) = self.0 else { return };
        // On Windows this runs under the loader lock, where waiting for the interpreter could deadlock.
        if cfg!(windows) {
            return;
        }
        // SAFETY: the state is this thread's own and not current; Release brings its count to zero and deletes it.
        unsafe {
            ffi::PyEval_RestoreThread(state);
            ffi::PyGILState_Release(ffi::PyGILState_STATE::PyGILState_UNLOCKED);
        }
    }
}

//! A struct that the server lends for one call, behind a Python object that may outlive the call.

use std::sync::{Mutex, PoisonError};

use pyo3::PyResult;

use crate::errors::expired;

/// The server's struct during the call; nothing afterwards.
pub struct Lent<T>(Mutex<Option<Pointer<T>>>);

struct Pointer<T>(*mut T);

// SAFETY: the pointer is used only under the mutex, and only while the server's call lasts.
unsafe impl<T> Send for Pointer<T> {}

impl<T> Lent<T> {
    /// Takes what the server lends.
    ///
    /// # Safety
    /// `lent` is valid until [`Lent::end`] has returned.
    pub unsafe fn new(lent: *mut T) -> Self {
        Self(Mutex::new(Some(Pointer(lent))))
    }

    /// Ends the loan: from now on [`Lent::with`] fails.
    pub fn end(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    /// Uses the struct, alone.
    ///
    /// # Errors
    /// `RuntimeError` when the call is over, and those of `use_it`.
    pub fn with<R>(&self, use_it: impl FnOnce(&mut T) -> PyResult<R>) -> PyResult<R> {
        let guard = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let lent = guard.as_ref().ok_or_else(expired)?;
        // SAFETY: not yet ended, so the server's call still lasts; the mutex makes the access exclusive.
        use_it(unsafe { &mut *lent.0 })
    }
}

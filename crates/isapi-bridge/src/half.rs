//! One half of a script: the life of the handler that its factory makes.
//!
//! The server's threads take the current [`Handler`] and call it, many at once. Only loading, reloading and
//! terminating change it, one at a time under `changing`. A reload replaces the handler while others may
//! still be inside the old one; a handler that was terminated is never called again.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

use isapi_abi::httpext::HSE_TERM_ADVISORY_UNLOAD;
use isapi_abi::win32::{ERROR_DLL_INIT_FAILED, ERROR_PROC_NOT_FOUND};
use isapi_abi::{BOOL, FALSE};
use pyo3::PyClass;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::attach::attach;
use crate::errors::set_last_error;
use crate::failure::{FACTORY_MISSING, Failure, NO_SUCH_HALF, RELOAD_FAILED};
use crate::handler::{Handler, Role, VersionObject, version_failed};
use crate::script::Script;

/// What the half can do with a call.
enum State<R: Role> {
    /// Not loaded, or terminated.
    Unloaded,
    Loaded(Arc<Handler<R>>),
    /// A reload failed; the next call tries to load again.
    Broken,
}

/// See the module.
pub struct Half<R: Role> {
    state: RwLock<State<R>>,
    changing: Mutex<()>,
    /// No handler came of the module as it is: the next attempt executes it anew.
    stale: AtomicBool,
}

/// Why a load ends without a handler's answer.
enum Refusal {
    /// The script has the other half only.
    Absent,
    /// The other half has just reported it.
    Known,
    Failed(Failure),
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self::Failed(failure)
    }
}

impl Refusal {
    /// Says what is to be said, and gives the last error for the server.
    fn report<R: Role>(self, py: Python<'_>, script: &Script) -> u32 {
        match self {
            Self::Absent => {
                // A server asks every script for both halves; only who looks for a mistake wants to hear of it.
                if std::env::var_os("ISAPI_DEBUG").is_some_and(|debug| debug == "1") {
                    let (script, factory, half) = (&script.name, R::FACTORY, R::NAME);
                    let text = format!("{script} defines no {factory}, so it is no {half}");
                    Failure::new(NO_SUCH_HALF, text, None).report(py);
                }
                ERROR_PROC_NOT_FOUND
            }
            Self::Known => ERROR_DLL_INIT_FAILED,
            Self::Failed(failure) => {
                failure.report(py);
                ERROR_DLL_INIT_FAILED
            }
        }
    }
}

/// The version object during its one call; afterwards, also after a panic, it raises.
struct EndOfCall<'py, V: VersionObject>(Bound<'py, V>);

impl<V: VersionObject> Drop for EndOfCall<'_, V> {
    fn drop(&mut self) {
        self.0.get().end();
    }
}

impl<R: Role> Half<R> {
    pub fn new() -> Self {
        Self { state: RwLock::new(State::Unloaded), changing: Mutex::new(()), stale: AtomicBool::new(false) }
    }

    /// The server's call of the version entry point: loads, and asks the handler with what `wrap` makes. With FALSE
    /// the last error is `ERROR_PROC_NOT_FOUND` for a script that has the other half only, else
    /// `ERROR_DLL_INIT_FAILED`.
    pub fn get_version(
        &self,
        script: &Script,
        wrap: impl FnOnce(Python<'_>) -> PyResult<Bound<'_, R::Version>>,
    ) -> BOOL {
        let answered = attach(|py| {
            let answered = wrap(py).map_err(|error| version_failed::<R>(error).into()).and_then(|info| {
                let info = EndOfCall(info);
                let _changing = self.changing(py);
                self.load(py, script, &info.0)
            });
            let is_refused = matches!(answered, Ok(FALSE) | Err(Refusal::Known | Refusal::Failed(_)));
            self.stale.fetch_or(is_refused, Ordering::Relaxed);
            answered.map_err(|refusal| refusal.report::<R>(py, script))
        });
        let result = answered.unwrap_or_else(|code| {
            set_last_error(code);
            FALSE
        });
        if result == FALSE && answered.is_ok() {
            set_last_error(ERROR_DLL_INIT_FAILED);
        }
        result
    }

    /// The server's call of the terminate entry point.
    pub fn terminate(&self, script: &Script, flags: u32) -> BOOL {
        attach(|py| {
            let _changing = self.changing(py);
            let Some(handler) = self.current() else { return FALSE };
            let result = match handler.terminate(py, flags) {
                Err(failure) if failure.asks_for_reload(py) => {
                    self.renew(py, script, Some(&handler)).and_then(|handler| handler.terminate(py, flags))
                }
                result => result,
            };
            let result = result.unwrap_or_else(|failure| {
                failure.report(py);
                FALSE
            });
            if result == FALSE && flags == HSE_TERM_ADVISORY_UNLOAD {
                return FALSE;
            }
            self.set_state(State::Unloaded);
            result
        })
    }

    /// Calls the handler, after a reload once more if it asks for one.
    pub fn call<T: PyClass>(&self, py: Python<'_>, script: &Script, argument: &Bound<'_, T>) -> Result<u32, Failure> {
        // Looked up with the interpreter held: a reload may have ended while this thread waited for it.
        let handler = self.current().map_or_else(|| self.replace(py, script, None), Ok)?;
        match handler.call(py, argument) {
            Err(failure) if failure.asks_for_reload(py) => self.replace(py, script, Some(&handler))?.call(py, argument),
            result => result,
        }
    }

    /// The handler that takes calls now.
    pub fn current(&self) -> Option<Arc<Handler<R>>> {
        match &*self.state.read().unwrap_or_else(PoisonError::into_inner) {
            State::Loaded(handler) => Some(Arc::clone(handler)),
            State::Unloaded | State::Broken => None,
        }
    }

    /// The handler that takes the place of `old`: another thread's if it was faster, else a new one.
    fn replace(
        &self,
        py: Python<'_>,
        script: &Script,
        old: Option<&Arc<Handler<R>>>,
    ) -> Result<Arc<Handler<R>>, Failure> {
        let _changing = self.changing(py);
        match (self.current(), old) {
            (Some(current), Some(old)) if Arc::ptr_eq(&current, old) => self.renew(py, script, Some(old)),
            (Some(current), _) => Ok(current),
            (None, _) if self.is_broken() => self.renew(py, script, None),
            (None, _) => {
                let text = format!("{} is not loaded as {} {}", script.name, article(R::NAME), R::NAME);
                Err(Failure::new(R::PROC_FAILED, text, None))
            }
        }
    }

    /// Ends the old handler, reloads the module and makes a new one. Called under `changing`.
    fn renew(&self, py: Python<'_>, script: &Script, old: Option<&Handler<R>>) -> Result<Arc<Handler<R>>, Failure> {
        self.set_state(State::Broken);
        if let Some(Err(failure)) = old.map(|old| old.terminate(py, 0)) {
            failure.report(py);
        }
        let renewed = script.reload(py).and_then(|module| Handler::make(&module, script));
        let handler = renewed.map_err(|failure| Failure {
            code: RELOAD_FAILED,
            headline: format!("the script could not be reloaded: {}", failure.headline),
            error: failure.error,
        })?;
        if let Err(failure) = handler.version(py, None) {
            failure.report(py);
        }
        Ok(self.install(py, handler))
    }

    /// Makes a handler and asks its version method, which may ask for a reload once.
    fn load(&self, py: Python<'_>, script: &Script, info: &Bound<'_, R::Version>) -> Result<BOOL, Refusal> {
        if let Some(earlier) = self.current() {
            self.set_state(State::Unloaded);
            earlier.abandon(py);
        }
        let handler = Handler::make(&self.module(py, script)?, script)?;
        let (handler, result) = match handler.version(py, Some(info)) {
            Err(failure) if failure.asks_for_reload(py) => {
                let renewed = self.renew(py, script, Some(&handler))?;
                let result = renewed.version(py, Some(info));
                (renewed, result)
            }
            Ok(result) if result != FALSE => (self.install(py, handler), Ok(result)),
            result => (Arc::new(handler), result),
        };
        if !matches!(result, Ok(result) if result != FALSE) {
            self.set_state(State::Unloaded);
            handler.abandon(py);
        }
        Ok(result?)
    }

    /// The module, if it has this half's factory.
    fn module<'py>(&self, py: Python<'py>, script: &Script) -> Result<Bound<'py, PyModule>, Refusal> {
        if script.take_failure(R::NAME) {
            return Err(Refusal::Known);
        }
        let is_stale = self.stale.swap(false, Ordering::Relaxed);
        let module = if is_stale { script.reload(py) } else { script.module(py) };
        let module = module.inspect_err(|_| script.remember_failure(R::NAME))?;
        // Anything but a plain absence is the factory's failure.
        if module.hasattr(R::FACTORY).unwrap_or(true) {
            return Ok(module);
        }
        if module.hasattr(R::OTHER_FACTORY).unwrap_or(true) {
            return Err(Refusal::Absent);
        }
        script.remember_failure(R::NAME);
        let text = format!("{} defines neither {} nor {}", script.name, R::FACTORY, R::OTHER_FACTORY);
        Err(Failure::new(FACTORY_MISSING, text, None).into())
    }

    /// Puts a handler in its place, once its version method has run.
    fn install(&self, py: Python<'_>, handler: Handler<R>) -> Arc<Handler<R>> {
        let handler = handler.settle(py);
        self.set_state(State::Loaded(Arc::clone(&handler)));
        handler
    }

    fn is_broken(&self) -> bool {
        matches!(*self.state.read().unwrap_or_else(PoisonError::into_inner), State::Broken)
    }

    fn set_state(&self, state: State<R>) {
        let old = std::mem::replace(&mut *self.state.write().unwrap_or_else(PoisonError::into_inner), state);
        // Dropped after the lock is open: the last reference to a handler can run Python code.
        drop(old);
    }

    fn changing<'a>(&'a self, py: Python<'_>) -> MutexGuard<'a, ()> {
        // Whoever holds it may wait for the interpreter, so it is never waited for with the interpreter held.
        loop {
            match self.changing.try_lock() {
                Ok(guard) => return guard,
                Err(TryLockError::Poisoned(poisoned)) => return poisoned.into_inner(),
                Err(TryLockError::WouldBlock) => {}
            }
            py.detach(|| drop(self.changing.lock().unwrap_or_else(PoisonError::into_inner)));
        }
    }
}

fn article(noun: &str) -> &'static str {
    if noun.starts_with(['a', 'e', 'i', 'o', 'u']) { "an" } else { "a" }
}

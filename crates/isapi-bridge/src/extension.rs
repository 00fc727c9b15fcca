//! The extension half of a script: the life of the object that `__ExtensionFactory__` makes.
//!
//! The server's threads take the current [`Handler`] and call it, many at once. Only loading, reloading and
//! terminating change it, one at a time under `changing`. A reload replaces the handler while others may
//! still be inside the old one; a handler that was terminated is never called again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, TryLockError};

use isapi_abi::httpext::{
    EXTENSION_CONTROL_BLOCK, HSE_STATUS_ERROR, HSE_STATUS_PENDING, HSE_TERM_ADVISORY_UNLOAD, HSE_VERSION,
    HSE_VERSION_INFO,
};
use isapi_abi::{BOOL, FALSE, TRUE};
use pyo3::prelude::*;
use pyo3::types::PyInt;

use crate::attach::attach;
use crate::control_block::ControlBlock;
use crate::errors::is_reload_request;
use crate::failure::{
    FACTORY_FAILED, FACTORY_MISSING, Failure, METHOD_MISSING, RELOAD_FAILED, REQUEST_FAILED, TERMINATE_FAILED,
    VERSION_FAILED, WRONG_RESULT,
};
use crate::lease::Lease;
use crate::port::{CompletionPort, Messages};
use crate::script::Script;
use crate::version_info::VersionInfo;

/// What the half can do with a request.
#[derive(Clone, Default)]
enum State {
    /// Not loaded, or terminated.
    #[default]
    Unloaded,
    Loaded(Arc<Handler>),
    /// A reload failed; the next request tries to load again.
    Broken,
}

/// The object of the script, with its bound methods.
struct Handler {
    object: Py<PyAny>,
    http_extension_proc: Option<Py<PyAny>>,
    /// Set when requests go straight to a thread pool, without the interpreter.
    queue: Option<Arc<Messages>>,
}

/// See the module.
#[derive(Default)]
pub struct ExtensionHalf {
    state: RwLock<State>,
    changing: Mutex<()>,
}

/// One call of `HttpExtensionProc`. Its end is the lease's end, also by a panic, unless the request is pending.
struct Call {
    lease: Arc<Lease>,
    pending: bool,
}

impl Drop for Call {
    fn drop(&mut self) {
        if !self.pending {
            self.lease.retire();
        }
    }
}

/// The version object during its one call; afterwards, also after a panic, it raises.
struct EndOfCall<'py>(Bound<'py, VersionInfo>);

impl Drop for EndOfCall<'_> {
    fn drop(&mut self) {
        self.0.get().end();
    }
}

impl ExtensionHalf {
    /// `GetExtensionVersion`.
    ///
    /// # Safety
    /// `info` is valid for the call.
    pub unsafe fn get_version(&self, script: &Script, info: *mut HSE_VERSION_INFO) -> BOOL {
        // SAFETY: the caller says that `info` is valid.
        unsafe { (*info).dwExtensionVersion = HSE_VERSION };
        // SAFETY: as above; `EndOfCall` ends the object before this function returns.
        let info = unsafe { VersionInfo::new(info) };
        attach(|py| {
            let answered = Bound::new(py, info).map_err(version_failed).and_then(|info| {
                let info = EndOfCall(info);
                let _changing = self.changing(py);
                self.load(py, script, &info.0)
            });
            let result = answered.unwrap_or_else(|failure| {
                failure.report(py);
                FALSE
            });
            if result == FALSE {
                script.mark_stale();
            }
            result
        })
    }

    /// `HttpExtensionProc`.
    ///
    /// # Safety
    /// `block` is the server's control block, valid as the contract says.
    pub unsafe fn request(&self, script: &Script, block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
        // SAFETY: the caller passes on the contract; `Call` retires the lease before a final status goes back.
        let lease = Arc::new(unsafe { Lease::new(block) });
        if let State::Loaded(handler) = self.state()
            && let Some(queue) = &handler.queue
            && queue.post_request(Arc::clone(&lease))
        {
            return HSE_STATUS_PENDING;
        }
        let mut call = Call { lease, pending: false };
        let status = attach(|py| self.answer(py, script, &call.lease));
        call.pending = status == HSE_STATUS_PENDING;
        status
    }

    /// `TerminateExtension`.
    pub fn terminate(&self, script: &Script, flags: u32) -> BOOL {
        attach(|py| {
            let _changing = self.changing(py);
            let State::Loaded(handler) = self.state() else { return FALSE };
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

    /// Calls the handler; every failure becomes an error page, a log entry and `HSE_STATUS_ERROR`.
    fn answer(&self, py: Python<'_>, script: &Script, lease: &Arc<Lease>) -> u32 {
        let block = match ControlBlock::again(py, lease).map(|block| block.into_bound(py)) {
            Ok(block) => block,
            Err(error) => {
                Failure::new(REQUEST_FAILED, "the request could not be wrapped", Some(error)).report(py);
                return HSE_STATUS_ERROR;
            }
        };
        self.try_answer(py, script, &block).unwrap_or_else(|failure| {
            failure.answer(py, &block);
            HSE_STATUS_ERROR
        })
    }

    fn try_answer(&self, py: Python<'_>, script: &Script, block: &Bound<'_, ControlBlock>) -> Result<u32, Failure> {
        // Looked up with the interpreter held: a reload may have ended while this thread waited for it.
        let handler = match self.state() {
            State::Loaded(handler) => handler,
            State::Broken | State::Unloaded => self.replace(py, script, None)?,
        };
        match handler.handle(py, block) {
            Err(failure) if failure.asks_for_reload(py) => self.replace(py, script, Some(&handler))?.handle(py, block),
            result => result,
        }
    }

    /// The handler that takes the place of `old`: another thread's if it was faster, else a new one.
    fn replace(&self, py: Python<'_>, script: &Script, old: Option<&Arc<Handler>>) -> Result<Arc<Handler>, Failure> {
        let _changing = self.changing(py);
        match (self.state(), old) {
            (State::Loaded(current), Some(old)) if Arc::ptr_eq(&current, old) => self.renew(py, script, Some(old)),
            (State::Loaded(current), _) => Ok(current),
            (State::Broken, _) => self.renew(py, script, None),
            (State::Unloaded, _) => Err(Failure::new(REQUEST_FAILED, format!("{} is not loaded", script.name), None)),
        }
    }

    /// Ends the old handler, reloads the module and makes a new one. Called under `changing`.
    fn renew(&self, py: Python<'_>, script: &Script, old: Option<&Handler>) -> Result<Arc<Handler>, Failure> {
        self.set_state(State::Broken);
        if let Some(Err(failure)) = old.map(|old| old.terminate(py, 0)) {
            failure.report(py);
        }
        let renewed = script.reload(py).and_then(|()| Handler::make(py, script));
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
    fn load(&self, py: Python<'_>, script: &Script, info: &Bound<'_, VersionInfo>) -> Result<BOOL, Failure> {
        if let State::Loaded(earlier) = self.state() {
            self.set_state(State::Unloaded);
            earlier.abandon(py);
        }
        let handler = Handler::make(py, script)?;
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
        result
    }

    /// Puts a handler in its place, once its version method has run.
    fn install(&self, py: Python<'_>, mut handler: Handler) -> Arc<Handler> {
        handler.settle(py);
        let handler = Arc::new(handler);
        self.set_state(State::Loaded(Arc::clone(&handler)));
        handler
    }

    fn state(&self) -> State {
        self.state.read().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn set_state(&self, state: State) {
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

impl Handler {
    /// Calls the factory.
    fn make(py: Python<'_>, script: &Script) -> Result<Self, Failure> {
        const FACTORY: &str = "__ExtensionFactory__";
        let module = script.module(py)?;
        let missing =
            |error| Failure::new(FACTORY_MISSING, format!("{} defines no {FACTORY}", script.name), Some(error));
        let failed = |error| Failure::new(FACTORY_FAILED, format!("{FACTORY} of {} failed", script.name), Some(error));
        let object = module.getattr(FACTORY).map_err(missing)?.call0().map_err(failed)?;
        Ok(Self { object: object.unbind(), http_extension_proc: None, queue: None })
    }

    /// Calls `GetExtensionVersion` with the server's struct, or with `None` after a reload.
    fn version(&self, py: Python<'_>, info: Option<&Bound<'_, VersionInfo>>) -> Result<BOOL, Failure> {
        const METHOD: &str = "GetExtensionVersion";
        let result = method(self.object.bind(py), METHOD)?.call1((info,)).map_err(version_failed)?;
        truth(&result).ok_or_else(|| Failure::wrong_result(VERSION_FAILED, METHOD, &result))
    }

    /// Binds what requests need, once the version method has run.
    fn settle(&mut self, py: Python<'_>) {
        let object = self.object.bind(py);
        self.http_extension_proc = object.getattr("HttpExtensionProc").ok().map(Bound::unbind);
        self.queue = pool_queue(object).ok().flatten();
    }

    fn handle(&self, py: Python<'_>, block: &Bound<'_, ControlBlock>) -> Result<u32, Failure> {
        const METHOD: &str = "HttpExtensionProc";
        let result = match &self.http_extension_proc {
            Some(bound) => bound.bind(py).call1((block,)),
            None => method(self.object.bind(py), METHOD)?.call1((block,)),
        };
        let result = result.map_err(|error| Failure::new(REQUEST_FAILED, format!("{METHOD} failed"), Some(error)))?;
        status(&result).ok_or_else(|| Failure::wrong_result(WRONG_RESULT, METHOD, &result))
    }

    /// Ends what a pool has started, for a handler that never came to be used.
    fn abandon(&self, py: Python<'_>) {
        if let Err(error) = end_pool(self.object.bind(py)) {
            Failure::new(TERMINATE_FAILED, "the thread pool could not be ended", Some(error)).report(py);
        }
    }

    fn terminate(&self, py: Python<'_>, flags: u32) -> Result<BOOL, Failure> {
        const METHOD: &str = "TerminateExtension";
        let failed = |error| Failure::new(TERMINATE_FAILED, format!("{METHOD} failed"), Some(error));
        let result = method(self.object.bind(py), METHOD)?.call1((flags,)).map_err(failed)?;
        truth(&result).ok_or_else(|| Failure::wrong_result(TERMINATE_FAILED, METHOD, &result))
    }
}

impl Failure {
    fn asks_for_reload(&self, py: Python<'_>) -> bool {
        self.error.as_ref().is_some_and(|error| is_reload_request(py, error))
    }
}

fn version_failed(error: PyErr) -> Failure {
    Failure::new(VERSION_FAILED, "GetExtensionVersion failed", Some(error))
}

fn method<'py>(object: &Bound<'py, PyAny>, name: &str) -> Result<Bound<'py, PyAny>, Failure> {
    object.getattr(name).map_err(|error| {
        let class = object.get_type().name().map_or_else(|_| "the handler".to_owned(), |name| name.to_string());
        Failure::new(METHOD_MISSING, format!("{class} has no {name}"), Some(error))
    })
}

/// `None` is TRUE and an int is its truth; anything else is no result.
fn truth(result: &Bound<'_, PyAny>) -> Option<BOOL> {
    if result.is_none() {
        return Some(TRUE);
    }
    status(result).map(|number| if number == 0 { FALSE } else { TRUE })
}

/// A signed 32-bit int, handed to the server as it is.
fn status(result: &Bound<'_, PyAny>) -> Option<u32> {
    let number: i64 = result.cast::<PyInt>().ok()?.extract().ok()?;
    i32::try_from(number).ok().map(|number| number as u32)
}

/// `pyisapi.threaded_extension`, for an object that is one of its pools.
fn pool_module<'py>(object: &Bound<'py, PyAny>) -> PyResult<Option<Bound<'py, PyAny>>> {
    let modules = object.py().import("sys")?.getattr("modules")?;
    let Ok(module) = modules.get_item("pyisapi.threaded_extension") else { return Ok(None) };
    Ok(object.is_instance(&module.getattr("ThreadPoolExtension")?)?.then_some(module))
}

/// The queue of a `ThreadPoolExtension` whose `HttpExtensionProc` is still the package's own.
fn pool_queue(object: &Bound<'_, PyAny>) -> PyResult<Option<Arc<Messages>>> {
    let Some(module) = pool_module(object)? else { return Ok(None) };
    let function = object.getattr("HttpExtensionProc")?.getattr("__func__")?;
    if !function.is(&module.getattr("_queueing_http_extension_proc")?) {
        return Ok(None);
    }
    let port = object.getattr("io_req_port")?.cast_into::<CompletionPort>()?;
    Ok(Some(Arc::clone(&port.get().queue)))
}

/// Calls the package's own `TerminateExtension`: the script's might expect more than has been set up.
fn end_pool(object: &Bound<'_, PyAny>) -> PyResult<()> {
    if let Some(module) = pool_module(object)?
        && object.hasattr("io_req_port")?
    {
        let terminate = module.getattr("ThreadPoolExtension")?.getattr("TerminateExtension")?;
        terminate.call1((object, 0))?;
    }
    Ok(())
}

//! The extension half of a script: the server's entry points for the object that `__ExtensionFactory__` makes.
//!
//! Requests are answered on the server's threads, or queued at once for the script's thread pool.

use std::sync::Arc;

use isapi_abi::BOOL;
use isapi_abi::httpext::{
    EXTENSION_CONTROL_BLOCK, HSE_STATUS_ERROR, HSE_STATUS_PENDING, HSE_VERSION, HSE_VERSION_INFO,
};
use pyo3::prelude::*;

use crate::attach::attach;
use crate::control_block::ControlBlock;
use crate::failure::{Code, Failure, REQUEST_FAILED, TERMINATE_FAILED, VERSION_FAILED, WRONG_RESULT};
use crate::half::Half;
use crate::handler::{Role, number};
use crate::lease::Lease;
use crate::port::{CompletionPort, Messages};
use crate::script::Script;
use crate::version_info::VersionInfo;

/// The extension's part in [`Half`].
pub struct Extension;

impl Role for Extension {
    const NAME: &'static str = "extension";
    const FACTORY: &'static str = "__ExtensionFactory__";
    const OTHER_FACTORY: &'static str = "__FilterFactory__";
    const VERSION: &'static str = "GetExtensionVersion";
    const PROC: &'static str = "HttpExtensionProc";
    const TERMINATE: &'static str = "TerminateExtension";
    const VERSION_FAILED: Code = VERSION_FAILED;
    const PROC_FAILED: Code = REQUEST_FAILED;
    const WRONG_RESULT: Code = WRONG_RESULT;
    const TERMINATE_FAILED: Code = TERMINATE_FAILED;

    type Version = VersionInfo;
    /// Set when requests go straight to a thread pool, without the interpreter.
    type Extra = Option<Arc<Messages>>;

    fn status(result: &Bound<'_, PyAny>) -> Option<u32> {
        number(result)
    }

    fn settle(object: &Bound<'_, PyAny>) -> Self::Extra {
        pool_queue(object).ok().flatten()
    }

    fn abandon(object: &Bound<'_, PyAny>) -> PyResult<()> {
        end_pool(object)
    }
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

impl Half<Extension> {
    /// `GetExtensionVersion`.
    ///
    /// # Safety
    /// `info` is valid for the call.
    pub unsafe fn get_extension_version(&self, script: &Script, info: *mut HSE_VERSION_INFO) -> BOOL {
        // SAFETY: the caller says that `info` is valid.
        unsafe { (*info).dwExtensionVersion = HSE_VERSION };
        // SAFETY: as above; the half ends the object before it returns.
        let info = unsafe { VersionInfo::new(info) };
        self.get_version(script, |py| Bound::new(py, info))
    }

    /// `HttpExtensionProc`.
    ///
    /// # Safety
    /// `block` is the server's control block, valid as the contract says.
    pub unsafe fn request(&self, script: &Script, block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
        // SAFETY: the caller passes on the contract; `Call` retires the lease before a final status goes back.
        let lease = Arc::new(unsafe { Lease::new(block) });
        if let Some(handler) = self.current()
            && let Some(queue) = &handler.extra
            && queue.post_request(Arc::clone(&lease))
        {
            return HSE_STATUS_PENDING;
        }
        let mut call = Call { lease, pending: false };
        let status = attach(|py| self.answer(py, script, &call.lease));
        call.pending = status == HSE_STATUS_PENDING;
        status
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
        self.call(py, script, &block).unwrap_or_else(|failure| {
            failure.answer(py, &block);
            HSE_STATUS_ERROR
        })
    }
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

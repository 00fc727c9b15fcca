//! `SendCustomError` (`HSE_REQ_SEND_CUSTOM_ERROR`): the server answers with its configured error page.

use std::ptr;
use std::sync::Arc;

use isapi_abi::httpext::{HSE_CUSTOM_ERROR_INFO, HSE_REQ_SEND_CUSTOM_ERROR};
use isapi_abi::{FALSE, TRUE};
use pyo3::prelude::*;

use crate::asynchronous::Callback;
use crate::control_block::ControlBlock;
use crate::lease::{CallError, Entered};
use crate::operation::{Kept, Operation};
use crate::terminated::Terminated;

/// What one `SendCustomError` gives to the server.
struct CustomError {
    /// Points into `status`.
    info: HSE_CUSTOM_ERROR_INFO,
    #[expect(dead_code, reason = "kept for `info`")]
    status: Terminated,
}

// SAFETY: the pointer of `info` leads into the other member, which stays as it is until the completion.
unsafe impl Send for CustomError {}
// SAFETY: as above; nothing changes the value once it is made.
unsafe impl Sync for CustomError {}

impl ControlBlock {
    pub(crate) fn send_custom_error(
        &self,
        py: Python<'_>,
        status: Terminated,
        sub_error: u16,
        asynchronous: bool,
        callback: Callback<'_, '_>,
    ) -> PyResult<()> {
        const FUNCTION: &str = "ServerSupportFunction(HSE_REQ_SEND_CUSTOM_ERROR)";
        let info = HSE_CUSTOM_ERROR_INFO {
            pszStatus: status.as_ptr(),
            uHttpSubError: sub_error,
            fAsync: if asynchronous { TRUE } else { FALSE },
        };
        let page = CustomError { info, status };
        if !asynchronous {
            callback.without_function()?;
            return self.call(py, FUNCTION, |entered| page.send(entered));
        }
        let target = self.recipient(py, "SendCustomError", callback)?;
        let page = Arc::new(page);
        let operation = Operation::new(target, Kept::Lent(page.clone()));
        self.start(py, FUNCTION, operation, |entered| page.send(entered))
    }
}

impl CustomError {
    fn send(&self, entered: &Entered<'_>) -> Result<(), CallError> {
        let info = ptr::from_ref(&self.info).cast_mut().cast();
        // SAFETY: the request reads this struct; it and its text are kept until the completion.
        unsafe { entered.support(HSE_REQ_SEND_CUSTOM_ERROR, info, ptr::null_mut(), ptr::null_mut()) }?;
        entered.mark_answered();
        Ok(())
    }
}

//! The client's connection: whether it is there, and how to end it or the operation that is under way on it.

use std::ptr;

use isapi_abi::httpext::{
    HSE_REQ_ABORTIVE_CLOSE, HSE_REQ_CANCEL_IO, HSE_REQ_CLOSE_CONNECTION, HSE_REQ_IS_CONNECTED, HSE_REQ_IS_KEEP_CONN,
};
use isapi_abi::{BOOL, FALSE};
use pyo3::prelude::*;

use crate::control_block::ControlBlock;

impl ControlBlock {
    pub(crate) fn is_keep_conn(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, "ServerSupportFunction(HSE_REQ_IS_KEEP_CONN)", HSE_REQ_IS_KEEP_CONN)
    }

    pub(crate) fn is_connected(&self, py: Python<'_>) -> PyResult<bool> {
        self.ask(py, "ServerSupportFunction(HSE_REQ_IS_CONNECTED)", HSE_REQ_IS_CONNECTED)
    }

    pub(crate) fn close_connection(&self, py: Python<'_>) -> PyResult<()> {
        self.tell(py, "ServerSupportFunction(HSE_REQ_CLOSE_CONNECTION)", HSE_REQ_CLOSE_CONNECTION)
    }

    pub(crate) fn abortive_close(&self, py: Python<'_>) -> PyResult<()> {
        self.tell(py, "ServerSupportFunction(HSE_REQ_ABORTIVE_CLOSE)", HSE_REQ_ABORTIVE_CLOSE)
    }

    pub(crate) fn cancel_io(&self, py: Python<'_>) -> PyResult<()> {
        self.tell(py, "ServerSupportFunction(HSE_REQ_CANCEL_IO)", HSE_REQ_CANCEL_IO)
    }

    /// A request that only answers yes or no.
    fn ask(&self, py: Python<'_>, function: &'static str, request: u32) -> PyResult<bool> {
        self.call(py, function, |entered| {
            let mut answer: BOOL = FALSE;
            let buffer = ptr::from_mut(&mut answer).cast();
            // SAFETY: the request writes one BOOL.
            unsafe { entered.support(request, buffer, ptr::null_mut(), ptr::null_mut()) }?;
            Ok(answer != FALSE)
        })
    }

    /// A request without arguments.
    fn tell(&self, py: Python<'_>, function: &'static str, request: u32) -> PyResult<()> {
        self.call(py, function, |entered| {
            // SAFETY: the request looks at none of the three.
            unsafe { entered.support(request, ptr::null_mut(), ptr::null_mut(), ptr::null_mut()) }
        })
    }
}

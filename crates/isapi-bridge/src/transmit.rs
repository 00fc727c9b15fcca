//! `TransmitFile` (`HSE_REQ_TRANSMIT_FILE`): the server sends a file.

use std::ptr;
use std::sync::Arc;

use isapi_abi::httpext::{HSE_IO_ASYNC, HSE_IO_SEND_HEADERS, HSE_REQ_TRANSMIT_FILE, HSE_TF_INFO};
use pyo3::prelude::*;

use crate::arguments::{Data, Text};
use crate::completion;
use crate::control_block::ControlBlock;
use crate::file_handle::file_handle;
use crate::lease::{CallError, Entered};
use crate::operation::{Kept, Operation};

/// What `TransmitFile` sends around and from the file.
pub struct Parts {
    pub status: Text,
    pub head: Option<Data>,
    pub tail: Option<Data>,
    /// Offset and length in bytes; length 0 means to the end.
    pub range: (u32, u32),
    pub flags: u32,
}

/// The memory and the file of one `TransmitFile`.
struct Transmission {
    /// Points into `parts`.
    info: HSE_TF_INFO,
    #[expect(dead_code, reason = "kept for `info`")]
    parts: Parts,
    /// The object given as file, so that it is not closed under the server.
    #[expect(dead_code, reason = "kept for `info`")]
    file: Py<PyAny>,
}

// SAFETY: the pointers of `info` lead into the other members, which stay as they are until the completion.
unsafe impl Send for Transmission {}
// SAFETY: as above; nothing changes a transmission once it is made.
unsafe impl Sync for Transmission {}

impl ControlBlock {
    pub(crate) fn transmit_file(
        &self,
        py: Python<'_>,
        callback: &Bound<'_, PyAny>,
        argument: Py<PyAny>,
        file: &Bound<'_, PyAny>,
        parts: Parts,
    ) -> PyResult<()> {
        const FUNCTION: &str = "ServerSupportFunction(HSE_REQ_TRANSMIT_FILE)";
        let asynchronous = parts.flags & HSE_IO_ASYNC != 0;
        let mut transmission = Transmission::new(parts, file)?;
        let target = self.target(py, "TransmitFile", callback, Some(argument))?;
        if !asynchronous {
            // No completion follows.
            return self.call(py, FUNCTION, |entered| transmission.start(entered));
        }
        transmission.info.pfnHseIO = Some(completion::completed);
        transmission.info.pContext = completion::context(self.lease.operations.key(&self.lease));
        let transmission = Arc::new(transmission);
        let operation = Operation::new(Some(target), Kept::Lent(transmission.clone()));
        self.start(py, FUNCTION, operation, |entered| transmission.start(entered))
    }
}

impl Transmission {
    fn new(parts: Parts, file: &Bound<'_, PyAny>) -> PyResult<Self> {
        let pointer =
            |data: &Option<Data>| data.as_ref().map_or(ptr::null_mut(), |data| data.as_ptr().cast_mut().cast());
        let len = |data: &Option<Data>| data.as_ref().map_or(0, |data| data.as_slice().len() as u32);
        let without_status = parts.flags & HSE_IO_SEND_HEADERS == 0 && parts.status.len() == 0;
        let info = HSE_TF_INFO {
            pfnHseIO: None,
            pContext: ptr::null_mut(),
            hFile: file_handle(file)?,
            pszStatusCode: if without_status { ptr::null() } else { parts.status.as_ptr() },
            BytesToWrite: parts.range.1,
            Offset: parts.range.0,
            pHead: pointer(&parts.head),
            HeadLength: len(&parts.head),
            pTail: pointer(&parts.tail),
            TailLength: len(&parts.tail),
            dwFlags: parts.flags,
        };
        Ok(Self { info, parts, file: file.clone().unbind() })
    }

    fn start(&self, entered: &Entered<'_>) -> Result<(), CallError> {
        let info = ptr::from_ref(&self.info).cast_mut().cast();
        // SAFETY: the request reads this struct; it and what it points to are kept until the completion.
        unsafe { entered.support(HSE_REQ_TRANSMIT_FILE, info, ptr::null_mut(), ptr::null_mut()) }?;
        entered.mark_answered();
        Ok(())
    }
}

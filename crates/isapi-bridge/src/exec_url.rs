//! `ExecURL` and its status (`HSE_REQ_EXEC_URL`, `HSE_REQ_EXEC_UNICODE_URL`, `HSE_REQ_GET_EXEC_URL_STATUS`).
//!
//! The two kinds of the request have structs of one shape; only the URL and the user's name differ, as bytes or as
//! UTF-16. The second kind is used when one of the two needs it.

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::ptr;
use std::sync::Arc;

use isapi_abi::httpext::{
    HSE_EXEC_UNICODE_URL_INFO, HSE_EXEC_UNICODE_URL_USER_INFO, HSE_EXEC_URL_ENTITY_INFO, HSE_EXEC_URL_INFO,
    HSE_EXEC_URL_STATUS, HSE_EXEC_URL_USER_INFO, HSE_REQ_EXEC_UNICODE_URL, HSE_REQ_EXEC_URL,
    HSE_REQ_GET_EXEC_URL_STATUS,
};
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;

use crate::arguments::{Data, Text};
use crate::control_block::ControlBlock;
use crate::lease::{CallError, Entered};
use crate::operation::{Kept, Operation};

const _: () = assert!(size_of::<HSE_EXEC_URL_INFO>() == size_of::<HSE_EXEC_UNICODE_URL_INFO>());
const _: () = assert!(size_of::<HSE_EXEC_URL_USER_INFO>() == size_of::<HSE_EXEC_UNICODE_URL_USER_INFO>());

/// What the script wants to be run.
pub struct Order {
    pub url: Option<Text>,
    pub method: Option<Text>,
    pub headers: Option<Text>,
    /// Token, name and authentication type.
    pub user: Option<(Option<usize>, Option<Text>, Option<Text>)>,
    pub entity: Option<Data>,
    pub flags: u32,
}

/// Text in the kind that the request takes.
enum Name {
    Narrow(Text),
    Wide(Vec<u16>),
}

impl Name {
    fn new(text: Text, wide: bool) -> Self {
        if !wide {
            return Self::Narrow(text);
        }
        Self::Wide(String::from_utf8_lossy(text.as_bytes()).encode_utf16().chain([0]).collect())
    }

    fn as_ptr(&self) -> *mut c_char {
        match self {
            Self::Narrow(text) => text.as_ptr().cast_mut(),
            Self::Wide(units) => units.as_ptr().cast_mut().cast(),
        }
    }
}

/// All that one `ExecURL` gives to the server.
struct Child {
    wide: bool,
    url: Option<Name>,
    name: Option<Name>,
    order: Order,
    // The structs point to each other and to the members above, once these have their final place.
    info: UnsafeCell<HSE_EXEC_URL_INFO>,
    user: UnsafeCell<HSE_EXEC_URL_USER_INFO>,
    entity: UnsafeCell<HSE_EXEC_URL_ENTITY_INFO>,
}

// SAFETY: the pointers lead into the value itself and into what it keeps.
unsafe impl Send for Child {}
// SAFETY: only the thread that starts the request writes, before the server gets to know the structs.
unsafe impl Sync for Child {}

impl ControlBlock {
    pub(crate) fn exec_url(&self, py: Python<'_>, order: Order) -> PyResult<()> {
        let child = Arc::new(Child::new(order)?);
        let function = if child.wide {
            "ServerSupportFunction(HSE_REQ_EXEC_UNICODE_URL)"
        } else {
            "ServerSupportFunction(HSE_REQ_EXEC_URL)"
        };
        let operation = Operation::new(None, Kept::Lent(child.clone()));
        self.start(py, function, operation, |entered| child.start(entered))
    }

    pub(crate) fn exec_url_status(&self, py: Python<'_>) -> PyResult<(u16, u16, u32)> {
        self.call(py, "ServerSupportFunction(HSE_REQ_GET_EXEC_URL_STATUS)", |entered| {
            let mut status = HSE_EXEC_URL_STATUS { uHttpStatusCode: 0, uHttpSubStatus: 0, dwWin32Error: 0 };
            let buffer = ptr::from_mut(&mut status).cast();
            // SAFETY: the request writes this struct.
            unsafe { entered.support(HSE_REQ_GET_EXEC_URL_STATUS, buffer, ptr::null_mut(), ptr::null_mut()) }?;
            Ok((status.uHttpStatusCode, status.uHttpSubStatus, status.dwWin32Error))
        })
    }
}

impl Child {
    fn new(mut order: Order) -> PyResult<Self> {
        let is_wide = |text: &Option<Text>| text.as_ref().is_some_and(|text| !text.as_bytes().is_ascii());
        let wide = is_wide(&order.url) || order.user.as_ref().is_some_and(|(_, name, _)| is_wide(name));
        let url = order.url.take().map(|url| Name::new(url, wide));
        let name = order.user.as_mut().and_then(|(_, name, _)| name.take()).map(|name| Name::new(name, wide));
        let size = order.entity.as_ref().map_or(0, |entity| entity.as_slice().len());
        let size = u32::try_from(size).map_err(|_| PyValueError::new_err("the entity must be smaller than 4 GiB"))?;
        let (info, user, entity) =
            (EMPTY_INFO, EMPTY_USER, HSE_EXEC_URL_ENTITY_INFO { cbAvailable: size, ..NO_ENTITY });
        Ok(Self { wide, url, name, order, info: info.into(), user: user.into(), entity: entity.into() })
    }

    fn start(&self, entered: &Entered<'_>) -> Result<(), CallError> {
        let request = if self.wide { HSE_REQ_EXEC_UNICODE_URL } else { HSE_REQ_EXEC_URL };
        self.connect();
        // SAFETY: the request reads this struct; it and what it points to are kept until the completion.
        unsafe { entered.support(request, self.info.get().cast(), ptr::null_mut(), ptr::null_mut()) }?;
        // The answer is the child's from here on.
        entered.mark_answered();
        Ok(())
    }

    /// Sets the pointers of the structs.
    fn connect(&self) {
        let text = |text: &Option<Text>| text.as_ref().map_or(ptr::null_mut(), |text| text.as_ptr().cast_mut());
        let name = |name: &Option<Name>| name.as_ref().map_or(ptr::null_mut(), Name::as_ptr);
        // SAFETY: called once, before the server gets to know the structs.
        let (info, user, entity) = unsafe { (&mut *self.info.get(), &mut *self.user.get(), &mut *self.entity.get()) };
        if let Some((token, _, authentication)) = &self.order.user {
            user.hImpersonationToken = ptr::without_provenance_mut(token.unwrap_or(0));
            user.pszCustomUserName = name(&self.name);
            user.pszCustomAuthType = text(authentication);
            info.pUserInfo = self.user.get();
        }
        if let Some(body) = &self.order.entity {
            entity.lpbData = body.as_ptr().cast_mut().cast();
            info.pEntity = self.entity.get();
        }
        info.pszUrl = name(&self.url);
        info.pszMethod = text(&self.order.method);
        info.pszChildHeaders = text(&self.order.headers);
        info.dwExecUrlFlags = self.order.flags;
    }
}

const EMPTY_INFO: HSE_EXEC_URL_INFO = HSE_EXEC_URL_INFO {
    pszUrl: ptr::null_mut(),
    pszMethod: ptr::null_mut(),
    pszChildHeaders: ptr::null_mut(),
    pUserInfo: ptr::null_mut(),
    pEntity: ptr::null_mut(),
    dwExecUrlFlags: 0,
};
const EMPTY_USER: HSE_EXEC_URL_USER_INFO = HSE_EXEC_URL_USER_INFO {
    hImpersonationToken: ptr::null_mut(),
    pszCustomUserName: ptr::null_mut(),
    pszCustomAuthType: ptr::null_mut(),
};
const NO_ENTITY: HSE_EXEC_URL_ENTITY_INFO = HSE_EXEC_URL_ENTITY_INFO { cbAvailable: 0, lpbData: ptr::null_mut() };

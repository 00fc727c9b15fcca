//! The extension control block of one session, and the memory it points to.
//!
//! [`ControlBlock`] owns both and lives as long as its session, so every pointer in it is valid until then. The
//! module gets a raw pointer and may write two members, the status and the log text; the host reads those two only
//! when the module is done, and nothing else after the block has been built.
#![expect(unsafe_code, reason = "the block is shared with foreign code through a raw pointer")]

use std::cell::UnsafeCell;
use std::ffi::c_char;
use std::ptr;

use bytes::Bytes;
use http::header::CONTENT_TYPE;
use isapi_abi::HCONN;
use isapi_abi::httpext::{EXTENSION_CONTROL_BLOCK, HSE_VERSION};

use super::callbacks;
use super::request_facts::RequestFacts;
use super::sessions::SessionId;
use crate::server_variables;

/// What `cbTotalBytes` says when the length is unknown or does not fit.
const UNKNOWN_LENGTH: u32 = u32::MAX;

/// A control block and all it points to.
pub(crate) struct ControlBlock {
    block: UnsafeCell<EXTENSION_CONTROL_BLOCK>,
    /// The strings and the body's first bytes, each followed by a NUL; the block points into it.
    _memory: Vec<u8>,
}

// SAFETY: the members never change after `new` except those that the module writes, and `outcome`, the only
// reader of these, is called when the module has given the block back.
unsafe impl Send for ControlBlock {}
// SAFETY: as above; sharing it gives out nothing but the address.
unsafe impl Sync for ControlBlock {}

/// What the module left in the block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Outcome {
    /// `dwHttpStatusCode`.
    pub(crate) status: u32,
    /// `lpszLogData`, up to its NUL and at most 80 bytes.
    pub(crate) log_data: Vec<u8>,
}

impl ControlBlock {
    /// The block of the session `id`, whose body begins with `first_bytes`.
    pub(crate) fn new(id: SessionId, facts: &RequestFacts, first_bytes: &[Bytes]) -> Self {
        let content_type = server_variables::joined(&facts.head.headers, &CONTENT_TYPE).unwrap_or_default();
        let texts = [
            facts.head.method.as_str().as_bytes(),
            facts.query().as_bytes(),
            facts.path_info(),
            &facts.path_translated,
            &content_type,
        ];
        let (memory, [method, query, path_info, path_translated, content_type], data) = lay_out(texts, first_bytes);
        let available = first_bytes.iter().map(Bytes::len).sum::<usize>();
        let total = facts.content_length.and_then(|length| u32::try_from(length).ok()).unwrap_or(UNKNOWN_LENGTH);
        let block = EXTENSION_CONTROL_BLOCK {
            cbSize: u32::try_from(size_of::<EXTENSION_CONTROL_BLOCK>()).expect("the struct is a few hundred bytes"),
            dwVersion: HSE_VERSION,
            ConnID: ptr::without_provenance_mut(id.to_address()) as HCONN,
            dwHttpStatusCode: 200,
            lpszLogData: [0; 80],
            lpszMethod: method.cast::<c_char>(),
            lpszQueryString: query.cast::<c_char>(),
            lpszPathInfo: path_info.cast::<c_char>(),
            lpszPathTranslated: path_translated.cast::<c_char>(),
            cbTotalBytes: total,
            cbAvailable: u32::try_from(available).expect("reading ahead is bounded"),
            lpbData: data,
            lpszContentType: content_type.cast::<c_char>(),
            GetServerVariable: Some(callbacks::get_server_variable),
            WriteClient: Some(callbacks::write_client),
            ReadClient: Some(callbacks::read_client),
            ServerSupportFunction: Some(callbacks::server_support_function),
        };
        ControlBlock { block: UnsafeCell::new(block), _memory: memory }
    }

    /// The address that the module gets. Valid as long as this value lives and is not moved.
    pub(crate) fn as_ptr(&self) -> *mut EXTENSION_CONTROL_BLOCK {
        self.block.get()
    }

    /// What the module left behind. Called once the module has given the block back; a module that still writes to
    /// it then breaks the contract, and can spoil its own log entry.
    pub(crate) fn outcome(&self) -> Outcome {
        let block = self.as_ptr();
        // SAFETY: the block lives as long as self, and both members are plain integers for which any bits are valid.
        let (status, log_data) = unsafe { ((*block).dwHttpStatusCode, (*block).lpszLogData) };
        let log_data = log_data.iter().map(|unit| unit.cast_unsigned()).take_while(|byte| *byte != 0).collect();
        Outcome { status, log_data }
    }
}

/// Copies of `texts` and then of the pieces of `data`, one behind the other, each text and the data with a NUL behind
/// it, and where each begins.
///
/// The vector is never changed again, so the addresses hold as long as it lives, wherever it is moved.
fn lay_out<const N: usize>(texts: [&[u8]; N], data: &[Bytes]) -> (Vec<u8>, [*mut u8; N], *mut u8) {
    let of_texts = texts.iter().map(|text| text.len() + 1).sum::<usize>();
    let of_data = data.iter().map(Bytes::len).sum::<usize>() + 1;
    let mut memory = Vec::with_capacity(of_texts + of_data);
    let offsets = texts.map(|text| {
        let offset = memory.len();
        memory.extend_from_slice(text);
        memory.push(0);
        offset
    });
    for piece in data {
        memory.extend_from_slice(piece);
    }
    memory.push(0);
    let start = memory.as_mut_ptr();
    (memory, offsets.map(|offset| start.wrapping_add(offset)), start.wrapping_add(of_texts))
}

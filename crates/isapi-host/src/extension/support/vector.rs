//! VECTOR_SEND (1037): sends a head, and pieces of memory and of files, in one call.

use std::collections::HashMap;
use std::fs::File;
use std::sync::Arc;

use isapi_abi::HANDLE;
use isapi_abi::httpext as hse;

use super::{Arguments, handle};
use crate::extension::file_range::FileRange;
use crate::extension::lent::LentBytes;
use crate::extension::sending::{Afterwards, Head, Part, Sending, send_head};
use crate::extension::session::Session;
use crate::raw;
use crate::win32::Win32Error;

/// The most elements of one call. More than that is taken for a struct that was never filled.
const MAX_ELEMENTS: u32 = 65536;

/// All flags that the contract gives this request.
const KNOWN_FLAGS: u32 = hse::HSE_IO_SYNC
    | hse::HSE_IO_ASYNC
    | hse::HSE_IO_DISCONNECT_AFTER_SEND
    | hse::HSE_IO_SEND_HEADERS
    | hse::HSE_IO_FINAL_SEND
    | hse::HSE_IO_CACHE_RESPONSE
    | hse::HSE_IO_TRY_SKIP_CUSTOM_ERRORS
    | hse::HSE_IO_NODELAY;

/// Sends as the struct in the buffer says. CACHE_RESPONSE, TRY_SKIP_CUSTOM_ERRORS and NODELAY ask for nothing that
/// this server would not do anyway, or for a cache that it has not.
///
/// # Safety
/// * As the contract says for request 1037.
pub(super) unsafe fn send(session: &Arc<Session>, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches for the struct and all in it.
    unsafe {
        let vector = raw::read(arguments.buffer.cast::<hse::HSE_RESPONSE_VECTOR>())?;
        let is_async = check_flags(&vector)?;
        let sending = prepare(&vector)?;
        let head = head(&vector)?;
        let disconnect = vector.dwFlags & hse::HSE_IO_DISCONNECT_AFTER_SEND != 0;
        let send_head = || send_head(session, head, disconnect);
        if is_async { sending.start(session, None, send_head) } else { sending.send(session, send_head) }
    }
}

/// Whether the vector is to be sent asynchronously.
fn check_flags(vector: &hse::HSE_RESPONSE_VECTOR) -> Result<bool, Win32Error> {
    let has = |flag| vector.dwFlags & flag != 0;
    let (sync, is_async) = (has(hse::HSE_IO_SYNC), has(hse::HSE_IO_ASYNC));
    let with_head = has(hse::HSE_IO_SEND_HEADERS);
    let heads_fit = with_head != vector.pszStatus.is_null() && with_head != vector.pszHeaders.is_null();
    if sync == is_async || !heads_fit || has(!KNOWN_FLAGS) {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    Ok(is_async)
}

/// All elements, checked before the first byte goes out.
///
/// # Safety
/// * The array has as many elements as the vector says, and handles in it are open.
unsafe fn prepare(vector: &hse::HSE_RESPONSE_VECTOR) -> Result<Sending, Win32Error> {
    if vector.nElementCount > MAX_ELEMENTS || (vector.nElementCount > 0 && vector.lpElementArray.is_null()) {
        return Err(Win32Error::INVALID_PARAMETER);
    }
    let mut sending = Sending::new(afterwards(vector.dwFlags));
    let mut files = HashMap::new();
    for index in 0..vector.nElementCount as usize {
        // SAFETY: inside the array that the caller vouches for.
        sending.push(unsafe { part(&raw::read(vector.lpElementArray.add(index))?, &mut files) }?);
    }
    Ok(sending)
}

fn afterwards(flags: u32) -> Afterwards {
    if flags & hse::HSE_IO_DISCONNECT_AFTER_SEND != 0 {
        Afterwards::Disconnected
    } else if flags & hse::HSE_IO_FINAL_SEND != 0 {
        Afterwards::Finished
    } else {
        Afterwards::Open
    }
}

/// One element. A file that several elements name is duplicated once, and kept in `files`.
///
/// # Safety
/// * A handle in it is open.
unsafe fn part(element: &hse::HSE_VECTOR_ELEMENT, files: &mut HashMap<HANDLE, Arc<File>>) -> Result<Part, Win32Error> {
    let hse::HSE_VECTOR_ELEMENT { ElementType: kind, pvContext: context, cbOffset: offset, cbSize: size } = *element;
    match kind {
        hse::HSE_VECTOR_ELEMENT_TYPE_MEMORY_BUFFER => Ok(Part::Memory(LentBytes::new(context, offset, size)?)),
        hse::HSE_VECTOR_ELEMENT_TYPE_FILE_HANDLE => {
            let file = match files.get(&context) {
                Some(file) => Arc::clone(file),
                // SAFETY: the caller vouches for the handle.
                None => Arc::clone(files.entry(context).or_insert(Arc::new(unsafe { handle::duplicate(context) }?))),
            };
            Ok(Part::File(FileRange::new(file, offset, size)?))
        }
        _ => Err(Win32Error::INVALID_PARAMETER),
    }
}

/// Copies of status and headers, if the vector has them.
///
/// # Safety
/// * Status and headers are null or end with a NUL.
unsafe fn head(vector: &hse::HSE_RESPONSE_VECTOR) -> Result<Option<Head>, Win32Error> {
    // SAFETY: the caller vouches for both.
    let (status, block) = unsafe {
        let status = raw::text(vector.pszStatus, raw::MAX_TEXT)?;
        (status, raw::text(vector.pszHeaders, raw::MAX_TEXT)?)
    };
    Ok(status.zip(block).map(|(status, block)| Head::copy(status, block)))
}

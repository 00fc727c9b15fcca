//! MAP_URL_TO_PATH (1001): from a URL to the file name that it stands for.

use std::ffi::c_char;

use super::Arguments;
use crate::extension::raw;
use crate::extension::session::Session;
use crate::extension::win32::Win32Error;
use crate::request_path;

/// The URL in the buffer is replaced by the path, as far as the buffer's size allows.
///
/// # Safety
/// * As the contract says for request 1001.
pub(super) unsafe fn map(session: &Session, arguments: Arguments) -> Result<(), Win32Error> {
    // SAFETY: the caller vouches that the size is that of the buffer, and that the URL in it ends with a NUL.
    let url = unsafe {
        let room = raw::read(arguments.size)?;
        raw::text(arguments.buffer.cast::<c_char>(), room as usize)?
    };
    let url = url.filter(|url| url.first() == Some(&b'/')).ok_or(Win32Error::INVALID_PARAMETER)?;
    let path = url.split(|byte| *byte == b'?').next().unwrap_or_default();
    let path = request_path::normalise(path.to_vec());
    let mut physical =
        session.host().physical_path(&String::from_utf8_lossy(&path)).into_os_string().into_encoded_bytes();
    physical.push(0);
    // SAFETY: as above; what we copy is our own.
    unsafe { raw::answer(&[&physical], arguments.buffer, arguments.size) }
}

//! A module that checks all that it is given, and sends the request's body back in one of several ways, which the query
//! names.
#![expect(unsafe_code, reason = "is called with a control block, and reads what it points to")]

use std::ffi::{CStr, c_char};
use std::sync::Mutex;

use isapi_abi::httpext::{self as hse, EXTENSION_CONTROL_BLOCK};
use isapi_abi::win32;

use super::calls::{Called, Calls};
use super::memory::Memory;
use super::replies::Reply;
use crate::lock::LockAnyway;

/// The bodies that were sent back, in order.
static ECHOED: Mutex<Vec<Vec<u8>>> = Mutex::new(Vec::new());

/// The header that says which of them an answer has.
const NUMBER: &str = "X-Echo";

/// How much is asked for at once.
const ROOMS: [usize; 5] = [100, 1, 4096, 0, 70_000];

/// Bytes that the host must not touch.
const UNTOUCHED: u8 = 0xA5;

/// As many of them as the largest room has.
static UNTOUCHED_ROOM: [u8; 70_000] = [UNTOUCHED; 70_000];

/// Variables that exist, and some that do not.
const VARIABLES: &str = "ALL_HTTP ALL_RAW APPL_MD_PATH APPL_PHYSICAL_PATH APP_POOL_ID AUTH_TYPE AUTH_USER CACHE_URL \
    CERT_FLAGS CONTENT_LENGTH CONTENT_TYPE DOCUMENT_ROOT GATEWAY_INTERFACE HTTPS HTTP_METHOD HTTP_URL HTTP_VERSION \
    INSTANCE_ID INSTANCE_META_PATH INSTANCE_NAME LOCAL_ADDR LOGON_USER PATH_INFO PATH_TRANSLATED QUERY_STRING \
    REMOTE_ADDR REMOTE_HOST REMOTE_PORT REMOTE_USER REQUEST_METHOD SCRIPT_NAME SCRIPT_TRANSLATED SERVER_NAME \
    SERVER_PORT SERVER_PORT_SECURE SERVER_PROTOCOL SERVER_SOFTWARE UNENCODED_URL URL HTTP_HOST HTTP_COOKIE \
    HTTP_ACCEPT HTTP_CONTENT_LENGTH HTTP_TRANSFER_ENCODING HEADER_Host UNICODE_URL UNICODE_PATH_TRANSLATED \
    UNICODE_SERVER_NAME UNICODE_HTTP_HOST HTTP_ HEADER_ UNICODE_ NO_SUCH_VARIABLE";

/// In how many parts the variables are asked for, since asking takes most of the time.
const PARTS: usize = 5;

/// Runs `serve` and returns the bodies that were sent back meanwhile, too.
pub(super) fn listen<R>(serve: impl FnOnce() -> R) -> (R, Vec<Vec<u8>>) {
    ECHOED.lock_anyway().clear();
    let result = serve();
    (result, std::mem::take(&mut *ECHOED.lock_anyway()))
}

/// Checks that each answer has the body that was sent back.
pub(super) fn check(replies: &[Reply], echoed: &[Vec<u8>]) {
    for reply in replies {
        let number = reply.header(NUMBER).and_then(|number| str::from_utf8(number).ok()?.parse::<usize>().ok());
        if let Some(number) = number {
            reply.check_body(&echoed[number]);
        }
    }
}

/// `HttpExtensionProc`.
pub(super) unsafe extern "system" fn proc(block: *mut EXTENSION_CONTROL_BLOCK) -> u32 {
    // SAFETY: the host gives a valid block, whose members stay what they are.
    let visit = unsafe { Visit::of(&*block) };
    visit.check_variables();
    let Ok(body) = visit.read_body() else { return hse::HSE_STATUS_ERROR };
    let number = keep(&body);
    match visit.answer(number, &body) {
        Ok(()) => hse::HSE_STATUS_SUCCESS_AND_KEEP_CONN,
        Err(_) => hse::HSE_STATUS_ERROR,
    }
}

fn keep(body: &[u8]) -> usize {
    let mut echoed = ECHOED.lock_anyway();
    echoed.push(body.to_vec());
    echoed.len() - 1
}

/// What the block says.
struct Visit<'a> {
    calls: Calls,
    method: &'a [u8],
    query: &'a [u8],
    path_info: &'a [u8],
    path_translated: &'a [u8],
    content_type: &'a [u8],
    total: u32,
    first_bytes: &'a [u8],
}

impl<'a> Visit<'a> {
    /// # Safety
    /// * What the block points to is valid for `'a`.
    unsafe fn of(block: &'a EXTENSION_CONTROL_BLOCK) -> Self {
        assert_eq!(block.cbSize as usize, size_of::<EXTENSION_CONTROL_BLOCK>());
        assert!(!block.ConnID.is_null() && !block.lpbData.is_null());
        assert_eq!((block.dwHttpStatusCode, block.lpszLogData), (200, [0; 80]));
        assert!(block.cbAvailable <= block.cbTotalBytes);
        // SAFETY: the caller vouches for the strings, and for the bytes, which are followed by a NUL.
        unsafe {
            let with_nul = std::slice::from_raw_parts(block.lpbData, block.cbAvailable as usize + 1);
            let (nul, first_bytes) = with_nul.split_last().expect("there is at least the NUL");
            assert_eq!(*nul, 0);
            Visit {
                calls: Calls::of(block),
                method: text(block.lpszMethod),
                query: text(block.lpszQueryString),
                path_info: text(block.lpszPathInfo),
                path_translated: text(block.lpszPathTranslated),
                content_type: text(block.lpszContentType),
                total: block.cbTotalBytes,
                first_bytes,
            }
        }
    }

    /// The length of the body, if it is known.
    fn length(&self) -> Option<u32> {
        (self.total != u32::MAX).then_some(self.total)
    }

    fn check_variables(&self) {
        // The rest when another path is asked for.
        for name in VARIABLES.split(' ').skip(self.path_info.len() % PARTS).step_by(PARTS) {
            self.variable(name.as_bytes());
        }
        let length = self.length().map_or_else(String::new, |length| length.to_string());
        for (name, value) in [
            ("REQUEST_METHOD", self.method),
            ("QUERY_STRING", self.query),
            ("PATH_INFO", self.path_info),
            ("PATH_TRANSLATED", self.path_translated),
            ("CONTENT_TYPE", self.content_type),
            ("CONTENT_LENGTH", length.as_bytes()),
        ] {
            let variable = self.variable(name.as_bytes());
            assert_eq!(variable.as_deref(), Some(value), "{name} is not what the block says");
        }
        let headers = self.variable(b"ALL_RAW").expect("it always exists");
        for line in headers.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let colon = line.iter().position(|byte| *byte == b':').expect("each line is a header");
            let name = [b"HEADER_", &line[..colon]].concat();
            assert!(self.variable(&name).is_some(), "{}", String::from_utf8_lossy(&name));
        }
    }

    /// The value of a variable without its terminator, asked for with buffers of all interesting sizes.
    fn variable(&self, name: &[u8]) -> Option<Vec<u8>> {
        let name = Memory::text(name);
        let mut size = 0;
        match self.calls.variable(Some(&name), None, Some(&mut size)) {
            Err(win32::ERROR_INVALID_INDEX) => return None,
            answer => assert_eq!(answer, Err(win32::ERROR_INSUFFICIENT_BUFFER)),
        }
        let needed = size as usize;
        let small = if needed <= 16 { 0..needed } else { needed - 1..needed };
        for length in small {
            assert_eq!(self.variable_into(&name, length, needed), Err(win32::ERROR_INSUFFICIENT_BUFFER));
        }
        self.variable_into(&name, needed + 3, needed).expect("there is more room than needed");
        let mut value = self.variable_into(&name, needed, needed).expect("there is just enough room");
        let wide = name.bytes().starts_with(b"UNICODE_");
        let terminator = value.split_off(needed - if wide { 2 } else { 1 });
        assert!(terminator.iter().all(|byte| *byte == 0));
        Some(value)
    }

    /// Asks with a buffer of `length` bytes for a value that has `needed`.
    fn variable_into(&self, name: &Memory, length: usize, needed: usize) -> Result<Vec<u8>, u32> {
        let room = Memory::filled(UNTOUCHED, length);
        let mut size = room.size();
        let answer = self.calls.variable(Some(name), Some(&room), Some(&mut size));
        assert_eq!(size as usize, needed, "a size that depends on the buffer's");
        let written = if answer.is_ok() { needed } else { 0 };
        assert!(is_untouched(&room.bytes()[written..]), "bytes beyond the value");
        answer.map(|()| room.bytes()[..written].to_vec())
    }

    /// The whole body.
    fn read_body(&self) -> Result<Vec<u8>, u32> {
        let mut body = self.first_bytes.to_vec();
        for room in ROOMS.iter().cycle() {
            match self.read(*room) {
                Ok(bytes) if bytes.is_empty() && *room > 0 => break,
                Ok(bytes) => body.extend(bytes),
                Err(error) => {
                    assert_eq!(self.read(1), Err(error), "a body that failed goes on");
                    return Err(error);
                }
            }
            assert!(body.len() <= self.total as usize, "more body than announced");
        }
        assert_eq!(self.read(1), Ok(Vec::new()), "a body goes on behind its end");
        if let Some(length) = self.length() {
            assert_eq!(body.len(), length as usize, "a body ends early");
        }
        Ok(body)
    }

    fn read(&self, room: usize) -> Result<Vec<u8>, u32> {
        let room = Memory::filled(UNTOUCHED, room);
        let mut size = room.size();
        self.calls.read(Some(&room), Some(&mut size))?;
        assert!(is_untouched(&room.bytes()[size as usize..]), "bytes beyond those that came");
        Ok(room.bytes()[..size as usize].to_vec())
    }

    /// Sends `body` as the query's first letter says.
    fn answer(&self, number: usize, body: &[u8]) -> Called {
        let length = body.len();
        let mark = format!("{NUMBER}: {number}\r\n");
        match self.query.first() {
            Some(b'r') => {
                self.write(format!("HTTP/1.1 200 OK\r\n{mark}Content-Length: {length}\r\n\r\n").as_bytes())?;
                self.write(body)
            }
            Some(b'l') => self.write(&[format!("{mark}Content-Length: {length}\r\n\r\n").as_bytes(), body].concat()),
            Some(b'c') => {
                self.head(&format!("{mark}Transfer-Encoding: chunked\r\n\r\n"), true)?;
                self.chunks(body)
            }
            Some(b'k') => {
                self.head(&format!("{mark}\r\n"), false)?;
                body.chunks(10_000).try_for_each(|part| self.write(part))
            }
            _ => {
                self.head(&format!("{mark}Content-Length: {length}\r\n\r\n"), true)?;
                self.write(body)
            }
        }
    }

    fn chunks(&self, body: &[u8]) -> Called {
        for part in body.chunks(5000) {
            self.write(format!("{:x}\r\n", part.len()).as_bytes())?;
            self.write(part)?;
            self.write(b"\r\n")?;
        }
        self.write(b"0\r\n\r\n")
    }

    fn head(&self, headers: &str, keep: bool) -> Called {
        let (status, headers) = (Memory::of(b"200 OK"), Memory::of(headers.as_bytes()));
        let mut info = hse::HSE_SEND_HEADER_EX_INFO {
            pszStatus: status.start().cast(),
            pszHeader: headers.start().cast(),
            cchStatus: status.size(),
            cchHeader: headers.size(),
            fKeepConn: keep.into(),
        };
        // SAFETY: the struct is valid, and both texts are as long as it says.
        unsafe { self.calls.ask(hse::HSE_REQ_SEND_RESPONSE_HEADER_EX, (&raw mut info).cast()) }
    }

    fn write(&self, data: &[u8]) -> Called {
        let data = Memory::of(data);
        // SAFETY: the size is that of the data.
        unsafe { self.calls.write(data.start(), Some(&mut data.size()), hse::HSE_IO_SYNC) }
    }
}

fn is_untouched(bytes: &[u8]) -> bool {
    // Compared as a whole: a loop is what an instrumented build is slow at.
    bytes == UNTOUCHED_ROOM.get(..bytes.len()).unwrap_or(b"")
}

/// The bytes before the NUL.
///
/// # Safety
/// * The string ends with a NUL and is valid for `'a`.
unsafe fn text<'a>(start: *const c_char) -> &'a [u8] {
    assert!(!start.is_null());
    // SAFETY: the caller vouches for it.
    unsafe { CStr::from_ptr(start) }.to_bytes()
}

//! What a module can be told to do: each operation and its arguments, as bytes name them.
//!
//! Everything here lies within what the contract lets a module do: pointers are valid for the size that they come with,
//! or null, and texts end with a NUL. What the bytes, the numbers and the order are is free.

use std::ops::{Deref, DerefMut};

use arbitrary::{Result, Unstructured};
use isapi_abi::httpext as hse;

/// The bytes of a program that are still to be read.
pub(super) struct Input<'a> {
    bytes: Unstructured<'a>,
    /// How many bytes the program may still have sent. A fuzzer that finds out that more is slower is no use.
    budget: usize,
}

impl<'a> Input<'a> {
    pub(super) fn new(bytes: &'a [u8]) -> Self {
        Input { bytes: Unstructured::new(bytes), budget: 1_000_000 }
    }

    fn grant(&mut self, wanted: usize) -> usize {
        let granted = wanted.min(self.budget);
        self.budget -= granted;
        granted
    }
}

impl<'a> Deref for Input<'a> {
    type Target = Unstructured<'a>;

    fn deref(&self) -> &Unstructured<'a> {
        &self.bytes
    }
}

impl<'a> DerefMut for Input<'a> {
    fn deref_mut(&mut self) -> &mut Unstructured<'a> {
        &mut self.bytes
    }
}

/// One step of a module.
#[derive(Debug, Clone)]
pub(super) enum Operation {
    Variable {
        name: Data,
        room: Room,
    },
    Write {
        data: Data,
        flags: u32,
        with_size: bool,
    },
    WriteAsync {
        data: Data,
        flags: u32,
    },
    Read {
        room: Room,
    },
    ReadAsync {
        room: Room,
        is_async: bool,
    },
    /// Registers the completion callback, or none.
    Register {
        callback: bool,
    },
    SendHead {
        status: Data,
        headers: Data,
    },
    SendHeadEx {
        status: Data,
        headers: Data,
        keep: bool,
    },
    /// A request whose buffer is a text, or null.
    Text {
        request: u32,
        text: Data,
    },
    Done {
        status: Option<u32>,
    },
    Transmit(Transmit),
    Vector(Vector),
    CustomError {
        status: Data,
        sub_status: u16,
        is_async: bool,
    },
    /// Maps a URL in place, in a buffer with some more room.
    Map {
        wide: bool,
        url: Data,
        room: usize,
    },
    /// Maps a URL into the struct of the data type, or into nothing.
    MapEx {
        wide: bool,
        url: Data,
        with_size: bool,
        with_struct: bool,
    },
    /// A request whose buffer is a small struct to be filled, or null.
    Fill {
        request: u32,
        with_room: bool,
    },
    /// A request whose buffer is a number by value, or means nothing.
    Bare {
        request: u32,
        number: usize,
    },
    /// EXEC_URL and its kin. They get null pointers, until the host serves them.
    ExecUrl {
        request: u32,
    },
    /// A request under a handle that names none.
    Stale {
        which: u8,
    },
    /// The file that others send becomes shorter.
    ShrinkFile {
        length: u64,
    },
    /// Lets the module's own thread begin.
    StartThread,
    /// Gives other threads their turn.
    Yield {
        turns: u8,
    },
    /// Waits a moment for the completion of what is outstanding.
    Await,
    /// The end of what is done at once.
    Stop,
}

/// Bytes.
#[derive(Debug, Clone)]
pub(super) enum Data {
    Null,
    Known(&'static [u8]),
    Filled(usize),
    Given(Vec<u8>),
}

/// Room for an answer.
#[derive(Debug, Clone, Copy)]
pub(super) enum Room {
    /// Null pointer, and this size.
    None(u32),
    Bytes(usize),
    /// Room, but no size.
    Unsized,
}

/// The arguments of TRANSMIT_FILE.
#[derive(Debug, Clone)]
pub(super) struct Transmit {
    pub(super) flags: u32,
    pub(super) own_callback: bool,
    pub(super) file: Handle,
    pub(super) status: Data,
    pub(super) offset: u32,
    pub(super) length: u32,
    pub(super) head: Data,
    pub(super) tail: Data,
}

/// The arguments of VECTOR_SEND.
#[derive(Debug, Clone)]
pub(super) struct Vector {
    pub(super) flags: u32,
    pub(super) status: Data,
    pub(super) headers: Data,
    pub(super) elements: Vec<Element>,
    /// The array is null, whatever its count.
    pub(super) without_array: bool,
}

/// An element of a vector.
#[derive(Debug, Clone)]
pub(super) enum Element {
    Memory {
        data: Data,
        offset: u8,
    },
    File {
        file: Handle,
        offset: u64,
        length: u64,
    },
    /// Of a type that does not exist.
    Unknown(u32),
}

/// What is given for a file.
#[derive(Debug, Clone, Copy)]
pub(super) enum Handle {
    File,
    Folder,
    Invalid,
    Null,
}

/// Texts that mean something somewhere.
const KNOWN: [&[u8]; 28] = [
    b"",
    b"200 OK",
    b"404 Not Found",
    b"204 No Content",
    b"304 Not Modified",
    b"403 Forbidden",
    b"500 Oops",
    b"100 Continue",
    b"Content-Length: 5\r\n\r\n",
    b"Content-Length: 100000\r\n\r\n",
    b"Content-Length: 0\r\n\r\n",
    b"Transfer-Encoding: chunked\r\n\r\n",
    b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n",
    b"Connection: close\r\nContent-Type: text/plain\r\n\r\nbody behind it",
    b"Content-Type: text/plain\r\n",
    b"X: y\n\n",
    b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello",
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 301 Moved\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhel",
    b"hello",
    b"5\r\nhello\r\n",
    b"5;x=y\r\nhe",
    b"0\r\n\r\n",
    b"\r\n",
    b"/a/../b%20c\\d?e",
    b"/all/x.app/y",
    b"ALL_RAW",
    b"UNICODE_URL",
];

/// How many bytes a filling has: around the limits of pipe and pieces.
const FILLINGS: [usize; 12] = [1, 10, 1000, 1025, 16_000, 65_535, 65_536, 65_537, 100_000, 262_144, 262_145, 300_000];

/// Requests that take a text, or text alone.
const TEXT_REQUESTS: [u32; 6] = [
    hse::HSE_REQ_SEND_URL_REDIRECT_RESP,
    hse::HSE_REQ_SEND_URL,
    hse::HSE_APPEND_LOG_PARAMETER,
    hse::HSE_REQ_REPORT_UNHEALTHY,
    hse::HSE_REQ_NORMALIZE_URL,
    hse::HSE_REQ_REFRESH_ISAPI_ACL,
];

/// Requests that fill a small struct.
const FILL_REQUESTS: [u32; 4] =
    [hse::HSE_REQ_IS_KEEP_CONN, hse::HSE_REQ_IS_CONNECTED, hse::HSE_REQ_IS_IN_PROCESS, hse::HSE_REQ_GET_TRACE_INFO];

const EXEC_URL_REQUESTS: [u32; 3] =
    [hse::HSE_REQ_EXEC_UNICODE_URL, hse::HSE_REQ_EXEC_URL, hse::HSE_REQ_GET_EXEC_URL_STATUS];

impl Operation {
    /// The operation of this code, with the arguments that `input` has for it.
    pub(super) fn decode(code: u8, input: &mut Input<'_>) -> Result<Operation> {
        Ok(match code {
            0 | 1 => Operation::Write { data: Data::decode(input)?, flags: write_flags(input)?, with_size: code == 0 },
            2 | 3 => Operation::WriteAsync { data: Data::decode(input)?, flags: write_flags(input)? },
            4 => Operation::Read { room: Room::decode(input)? },
            5 | 6 => Operation::ReadAsync { room: Room::decode(input)?, is_async: code == 5 },
            7 => Operation::Register { callback: true },
            8 => Operation::Register { callback: false },
            9 => Operation::SendHead { status: Data::decode(input)?, headers: Data::decode(input)? },
            10 | 11 => {
                let (status, headers) = (Data::decode(input)?, Data::decode(input)?);
                Operation::SendHeadEx { status, headers, keep: code == 10 }
            }
            12 => Operation::Done { status: None },
            13 => Operation::Done { status: Some(input.arbitrary::<u8>()?.into()) },
            14 | 15 => Operation::Transmit(Transmit::decode(code == 14, input)?),
            16 | 17 => Operation::Vector(Vector::decode(code == 17, input)?),
            18 | 19 => {
                let (status, sub_status) = (Data::decode(input)?, input.arbitrary::<u8>()?.into());
                Operation::CustomError { status, sub_status, is_async: code == 19 }
            }
            20 | 21 => {
                let (url, room) = (Data::decode(input)?, input.arbitrary::<u8>()?.into());
                Operation::Map { wide: code == 21, url, room }
            }
            22 | 23 => {
                let (url, flags) = (Data::decode(input)?, input.arbitrary::<u8>()?);
                Operation::MapEx { wide: code == 23, url, with_size: flags & 1 != 0, with_struct: flags & 2 == 0 }
            }
            24..=29 => Operation::Text { request: TEXT_REQUESTS[usize::from(code - 24)], text: Data::decode(input)? },
            30..=37 => {
                let request = FILL_REQUESTS[usize::from(code - 30) / 2];
                Operation::Fill { request, with_room: code.is_multiple_of(2) }
            }
            38 => Operation::Bare { request: hse::HSE_REQ_CLOSE_CONNECTION, number: 0 },
            39 => Operation::Bare { request: hse::HSE_REQ_ABORTIVE_CLOSE, number: 0 },
            40 => Operation::Bare { request: hse::HSE_REQ_CANCEL_IO, number: 0 },
            41 => Operation::Bare { request: hse::HSE_REQ_SET_FLUSH_FLAG, number: input.arbitrary::<u8>()?.into() },
            42..=44 => Operation::ExecUrl { request: EXEC_URL_REQUESTS[usize::from(code - 42)] },
            45 => Operation::Variable { name: Data::decode(input)?, room: Room::decode(input)? },
            46 => Operation::Stale { which: input.arbitrary()? },
            47 => Operation::ShrinkFile { length: u64::from(input.arbitrary::<u8>()?) * 1000 },
            48 => unknown_request(input)?,
            49..=51 => Operation::StartThread,
            52 => Operation::Yield { turns: input.arbitrary()? },
            53 => Operation::Await,
            _ => Operation::Stop,
        })
    }
}

/// A number that the host may or may not know, with arguments that are good for all that it does not serve.
fn unknown_request(input: &mut Input<'_>) -> Result<Operation> {
    let request = input.arbitrary::<u16>()?;
    // Served numbers have operations of their own, with the arguments that they need.
    let served = [1, 2, 3, 4, 1001, 1003, 1005, 1006, 1008, 1010, 1012, 1014, 1016, 1017, 1018];
    let is_served =
        served.contains(&request) || (1023..=1037).contains(&request) || [1042, 1043, 1049].contains(&request);
    let request = if is_served { hse::HSE_REQ_GET_SSPI_INFO } else { u32::from(request) };
    Ok(Operation::Fill { request, with_room: true })
}

fn write_flags(input: &mut Input<'_>) -> Result<u32> {
    let flags = input.arbitrary::<u8>()?;
    // The asynchronous flag is added where it belongs.
    Ok(u32::from(flags) & !hse::HSE_IO_ASYNC | if flags & 2 != 0 { hse::HSE_IO_NODELAY } else { 0 })
}

impl Data {
    /// Those that the next bytes name.
    pub(super) fn decode(input: &mut Input<'_>) -> Result<Data> {
        let code = input.arbitrary::<u8>()?;
        Ok(match code {
            0 => Data::Null,
            1..=28 => Data::Known(KNOWN[usize::from(code - 1)]),
            29..=40 => Data::Filled(input.grant(FILLINGS[usize::from(code - 29)])),
            _ => {
                let length = usize::from(code - 41).min(input.len());
                Data::Given(input.bytes(length)?.to_vec())
            }
        })
    }

    /// The bytes; `None` for null.
    pub(super) fn bytes(&self) -> Option<Vec<u8>> {
        match self {
            Data::Null => None,
            Data::Known(bytes) => Some(bytes.to_vec()),
            Data::Filled(length) => Some(vec![b'f'; *length]),
            Data::Given(bytes) => Some(bytes.clone()),
        }
    }
}

impl Room {
    /// That which the next byte names.
    pub(super) fn decode(input: &mut Input<'_>) -> Result<Room> {
        let code = input.arbitrary::<u8>()?;
        Ok(match code {
            0 => Room::None(0),
            1 => Room::None(100),
            2 => Room::Unsized,
            3..=14 => Room::Bytes(FILLINGS[usize::from(code - 3)]),
            _ => Room::Bytes(usize::from(code - 15)),
        })
    }
}

impl Transmit {
    fn decode(is_async: bool, input: &mut Input<'_>) -> Result<Transmit> {
        let [choices, offset, length] = input.arbitrary::<[u8; 3]>()?;
        let mut flags = u32::from(choices) & (hse::HSE_IO_DISCONNECT_AFTER_SEND | hse::HSE_IO_SEND_HEADERS);
        if is_async {
            flags |= hse::HSE_IO_ASYNC;
        }
        Ok(Transmit {
            flags,
            own_callback: choices & 16 != 0,
            file: Handle::of(choices >> 5),
            status: Data::decode(input)?,
            offset: far(offset),
            length: far(length),
            head: Data::decode(input)?,
            tail: Data::decode(input)?,
        })
    }
}

impl Vector {
    fn decode(is_async: bool, input: &mut Input<'_>) -> Result<Vector> {
        let [flags, choices] = input.arbitrary::<[u8; 2]>()?;
        let kind = if is_async { hse::HSE_IO_ASYNC } else { hse::HSE_IO_SYNC };
        // Mostly one that is allowed.
        let flags = if choices & 8 == 0 { u32::from(flags & 0x7c) | kind } else { u32::from(flags) << (choices >> 6) };
        let elements = (0..choices & 7).map(|_| Element::decode(input)).collect::<Result<_>>()?;
        let (status, headers) = (Data::decode(input)?, Data::decode(input)?);
        Ok(Vector { flags, status, headers, elements, without_array: choices & 0x30 == 0x30 })
    }
}

impl Element {
    fn decode(input: &mut Input<'_>) -> Result<Element> {
        let [kind, offset, length] = input.arbitrary::<[u8; 3]>()?;
        Ok(match kind {
            0..128 => Element::Memory { data: Data::decode(input)?, offset },
            128..250 => {
                Element::File { file: Handle::of(kind - 128), offset: far(offset).into(), length: far(length).into() }
            }
            _ => Element::Unknown(kind.into()),
        })
    }
}

impl Handle {
    /// The file itself, most often.
    fn of(choice: u8) -> Handle {
        match choice & 31 {
            5 => Handle::Folder,
            6 => Handle::Invalid,
            7 => Handle::Null,
            _ => Handle::File,
        }
    }
}

/// A place in a file, or far behind it.
fn far(byte: u8) -> u32 {
    if byte == 255 { u32::MAX } else { u32::from(byte) * u32::from(byte) * 8 }
}

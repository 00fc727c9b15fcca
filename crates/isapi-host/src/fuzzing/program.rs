//! An input of the target "calls": what a module does with a request, and what its client does.
//!
//! In order, a byte each unless said otherwise:
//!
//! 1. The requests. Bits 0–1: GET, POST, HEAD, or POST in chunks; 2: HTTP/1.0; 3: expects 100; 4: keeps or closes the
//!    connection against the version's custom; 5–6: so many requests to `plain` behind it; 7: the request comes twice.
//! 2. Bits 0–3: the body's length, of [`LENGTHS`]; 4–7: into how many pieces the requests are cut.
//! 3. Bits 0–1: the client's end; 2–4: how many steps of its reading follow; 5–7: what HttpExtensionProc returns, of
//!    [`STATUSES`].
//! 4. `dwHttpStatusCode`, from 195 on.
//! 5. For each piece but the last, bits 0–4: its length in steps of 97 bytes; 5–7: the turns before it, see [`turns`].
//! 6. For each step of reading, bits 0–1: takes, takes much, pauses, or (0xFF) leaves; 2–7: how much.
//! 7. All others are operations: a byte whose two high bits say where it is done and whose others say what, and its
//!    arguments; see [`super::operations`].

use std::collections::VecDeque;
use std::sync::LazyLock;

use super::operations::{Input, Operation};
use super::plain;
use super::wire::{End, Piece, Reading, Script};

/// Lengths of a request's body, most of them around what is read ahead.
const LENGTHS: [usize; 16] =
    [0, 1, 2, 10, 100, 1000, 16_000, 49_151, 49_152, 49_153, 60_000, 65_536, 98_304, 98_305, 100_000, 150_000];

/// No read asks for more.
const MAX_READ: usize = 300_000;

/// What HttpExtensionProc returns; 3 is PENDING.
const STATUSES: [u32; 8] = [3, 1, 2, 4, 3, 0, 3, 77];

/// The most operations of one program.
const MAX_OPERATIONS: usize = 100;

/// See the module.
#[derive(Debug)]
pub(super) struct Program {
    request: Request,
    twice: bool,
    plain_requests: u8,
    end: End,
    pieces: Vec<(usize, u32)>,
    reading: Vec<Reading>,
    pub(super) returned: u32,
    pub(super) logged_status: u32,
    /// Done by HttpExtensionProc.
    pub(super) inside: Vec<Operation>,
    /// Done by a thread of the module, once it has been started.
    pub(super) beside: Vec<Operation>,
    /// Done by completion callbacks, one part each.
    pub(super) completions: Vec<Operation>,
}

#[derive(Debug)]
struct Request {
    method: &'static str,
    chunked: bool,
    old: bool,
    expects: bool,
    unusual: bool,
    length: usize,
}

impl Program {
    /// The program of an input; `None` when it is too short to be one.
    pub(super) fn read(input: &[u8]) -> Option<Program> {
        Program::decode(&mut Input::new(input)).ok()
    }

    fn decode(input: &mut Input<'_>) -> arbitrary::Result<Program> {
        let [first, second, third, status] = input.arbitrary::<[u8; 4]>()?;
        let request = Request {
            method: ["GET", "POST", "HEAD", "POST"][usize::from(first & 3)],
            chunked: first & 3 == 3,
            old: first & 4 != 0,
            expects: first & 8 != 0,
            unusual: first & 16 != 0,
            length: LENGTHS[usize::from(second & 15)],
        };
        let pieces = (0..second >> 4).map(|_| piece(input)).collect::<arbitrary::Result<_>>()?;
        let reading = (0..third >> 2 & 7).map(|_| reading(input)).collect::<arbitrary::Result<_>>()?;
        let mut program = Program {
            request,
            twice: first & 128 != 0,
            plain_requests: first >> 5 & 3,
            end: [End::Waits, End::Closes, End::Leaves, End::Waits][usize::from(third & 3)],
            pieces,
            reading,
            returned: STATUSES[usize::from(third >> 5)],
            logged_status: u32::from(status) + 195,
            inside: Vec::new(),
            beside: Vec::new(),
            completions: Vec::new(),
        };
        program.decode_operations(input)?;
        Ok(program)
    }

    fn decode_operations(&mut self, input: &mut Input<'_>) -> arbitrary::Result<()> {
        for _ in 0..MAX_OPERATIONS {
            if input.is_empty() {
                break;
            }
            let code = input.arbitrary::<u8>()?;
            let operation = Operation::decode(code & 63, input)?;
            let place = match code >> 6 {
                0 | 1 => &mut self.inside,
                2 => &mut self.beside,
                _ => &mut self.completions,
            };
            place.push(operation);
        }
        Ok(())
    }

    /// What the client does.
    pub(super) fn script(&self) -> Script {
        let mut bytes = self.request.bytes();
        if self.twice {
            bytes.extend_from_within(..);
        }
        for _ in 0..self.plain_requests {
            bytes.extend_from_slice(format!("{} /plain HTTP/1.1\r\nHost: x\r\n\r\n", plain::METHOD).as_bytes());
        }
        let mut sending = VecDeque::new();
        for &(length, turns) in &self.pieces {
            let rest = bytes.split_off(bytes.len().min(length));
            sending.push_back(Piece { turns, bytes });
            bytes = rest;
        }
        sending.push_back(Piece { turns: 0, bytes });
        Script { sending, end: self.end, reading: self.reading.iter().copied().collect() }
    }
}

impl Request {
    fn bytes(&self) -> Vec<u8> {
        let version = if self.old { "1.0" } else { "1.1" };
        let mut text = format!("{} /calls?query HTTP/{version}\r\nHost: x\r\nX-Header: value\r\n", self.method);
        if self.unusual {
            text += if self.old { "Connection: keep-alive\r\n" } else { "Connection: close\r\n" };
        }
        if self.expects {
            text += "Expect: 100-continue\r\n";
        }
        let body = &BODY[..self.length];
        if self.method != "POST" {
            return [text.as_bytes(), b"\r\n"].concat();
        }
        if !self.chunked {
            return [text.as_bytes(), format!("Content-Length: {}\r\n\r\n", body.len()).as_bytes(), body].concat();
        }
        let mut bytes = [text.as_bytes(), b"Transfer-Encoding: chunked\r\n\r\n"].concat();
        for chunk in body.chunks(5000) {
            bytes.extend_from_slice(format!("{:x}\r\n", chunk.len()).as_bytes());
            bytes.extend_from_slice(chunk);
            bytes.extend_from_slice(b"\r\n");
        }
        bytes.extend_from_slice(b"0\r\n\r\n");
        bytes
    }
}

/// What every request's body is the beginning of: the numbers from 0 to 250, over and over.
static BODY: LazyLock<Vec<u8>> = LazyLock::new(|| (0..=250).cycle().take(MAX_READ + 251).collect());

/// Whether `bytes` can be a part of a request's body.
pub(super) fn is_part_of_body(bytes: &[u8]) -> bool {
    let first = bytes.first().map_or(0, |byte| usize::from(*byte));
    BODY.get(first..first + bytes.len()) == Some(bytes)
}

/// A piece of what the client sends: its length, and the turns before it.
pub(super) fn piece(input: &mut Input<'_>) -> arbitrary::Result<(usize, u32)> {
    let byte = input.arbitrary::<u8>()?;
    Ok((usize::from(byte & 31) * 97, turns(u32::from(byte >> 5))))
}

/// A step of what the client reads.
pub(super) fn reading(input: &mut Input<'_>) -> arbitrary::Result<Reading> {
    let byte = input.arbitrary::<u8>()?;
    let much = usize::from(byte >> 2);
    Ok(match byte & 3 {
        0 => Reading::Takes(much),
        1 => Reading::Takes(much * 4099),
        _ if byte == 0xff => Reading::Leaves,
        _ => Reading::Pauses(turns(u32::from(byte >> 2 & 7))),
    })
}

/// None for 0, 127 for 7.
fn turns(exponent: u32) -> u32 {
    (1 << exponent) - 1
}

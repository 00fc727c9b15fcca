//! What a filter can be told to do: each step and its arguments, as bytes name them.
//!
//! Everything here lies within what a server can live with: pointers are valid for the size that they come with, or null,
//! and texts end with a NUL. A filter may lie where the server can find out, and write as far beyond lent memory as the
//! server promises to notice.

use arbitrary::Result;
use isapi_abi::httpfilt as sf;

use super::super::operations::{Data, Input, Room};

/// One step of a filter. In a notification that it means nothing for, it is not taken.
#[derive(Debug)]
pub(super) enum Step {
    GetHeader {
        name: Data,
        room: Room,
    },
    SetHeader {
        name: Data,
        value: Data,
    },
    AddHeader {
        name: Data,
        value: Data,
    },
    AddResponseHeaders {
        lines: Data,
    },
    Write {
        data: Data,
        with_size: bool,
    },
    Allocate {
        size: u32,
    },
    SendHead {
        status: Data,
        block: Data,
    },
    /// ServerSupportFunction with a text or null, and a number.
    Support {
        request: u32,
        data: Data,
        number: usize,
    },
    Variable {
        name: Data,
        room: Room,
    },
    /// Changes the raw data.
    Raw(Raw),
    /// Writes to a lent buffer for a text, of which there may be two.
    Text {
        second: bool,
        text: Data,
        /// With a NUL behind it.
        ends: bool,
        /// So many bytes at most beyond the buffer's end.
        beyond: usize,
    },
    /// Replaces a text of the log's entry, and its numbers.
    Log {
        field: usize,
        text: Data,
        status: u32,
    },
    ResetAuthentication(i32),
    /// Sets `pFilterContext`, to memory of the server's or to nothing.
    Remember {
        size: Option<u32>,
    },
    /// A call with a context that is not the present one.
    Foreign {
        which: u8,
    },
    /// A call with the present context on a thread of the filter's own, whenever that comes to it.
    Beside {
        which: u8,
    },
    Yield {
        turns: u8,
    },
    /// The end of what is done at once.
    Return {
        status: u32,
        error: i32,
    },
}

/// A change of raw data.
#[derive(Debug)]
pub(super) enum Raw {
    /// Fewer bytes count.
    Shorter(u32),
    /// Others are written into the buffer, as many as there is room for.
    Other(Data),
    /// Memory of the server's takes their place, which is said to be longer than it is by so much.
    Allocated { data: Data, lie: u32 },
    /// Memory of the filter's own does.
    Own { data: Data, lie: u32 },
    /// So many bytes count, though the buffer has not as many.
    Lie(u32),
    /// So many bytes are written beyond the buffer's end.
    Beyond(usize),
    /// Nothing takes their place, of this length.
    Null(u32),
}

/// Texts that mean something to a server with filters.
const KNOWN: [&[u8]; 44] = [
    b"url",
    b"method",
    b"version",
    b"status",
    b"Host:",
    b"Content-Length:",
    b"Transfer-Encoding:",
    b"Connection:",
    b"Authorization:",
    b"Expect:",
    b"X-A:",
    b"Set-Cookie:",
    b"Content-Type:",
    b"X A:",
    b"/index.html",
    b"/plain",
    b"/denied",
    b"/x.app?l",
    b"/x.app/extra?c",
    b"/missing",
    b"/a/../b%20c\\d?e",
    b"/%ff\x80 <>",
    b"GET",
    b"HEAD",
    b"POST",
    b"CONNECT",
    b"HTTP/1.0",
    b"HTTP/1.1",
    b"close",
    b"keep-alive",
    b"0",
    b"5",
    b"chunked",
    b"100-continue",
    b"Basic bWFyeTpzZWNyZXQ=",
    b"mary",
    b"secret",
    b"404 Gone Fishing",
    b"204 No Content",
    b"304",
    b"101 Switching Protocols",
    b"X-C: d\r\n",
    b"X-C: d\r\nContent-Length: 3\r\n",
    b"a\r\nX-D: e",
];

const STATUSES: [u32; 8] = [
    sf::SF_STATUS_REQ_NEXT_NOTIFICATION,
    sf::SF_STATUS_REQ_HANDLED_NOTIFICATION,
    sf::SF_STATUS_REQ_FINISHED,
    sf::SF_STATUS_REQ_FINISHED_KEEP_CONN,
    sf::SF_STATUS_REQ_ERROR,
    sf::SF_STATUS_REQ_READ_NEXT,
    0,
    0x8000_0002,
];

/// Last errors: none, access denied, a usual one, and one that does not exist.
const ERRORS: [i32; 4] = [0, 5, 87, -1];

/// How much is asked for: around the size of a unit, small, large, and too much.
const SIZES: [u32; 10] = [0, 1, 15, 16, 17, 100, 4096, 65_536, 1_000_000, u32::MAX];

/// No filter writes further beyond lent memory; the server looks twice as far.
const MAX_BEYOND: usize = 512;

impl Step {
    pub(super) fn decode(input: &mut Input<'_>) -> Result<Step> {
        let code = input.arbitrary::<u8>()?;
        Ok(match code & 31 {
            0 | 1 => Step::GetHeader { name: text(input)?, room: Room::decode(input)? },
            2..=4 => Step::SetHeader { name: text(input)?, value: text(input)? },
            5 => Step::AddHeader { name: text(input)?, value: text(input)? },
            6 => Step::AddResponseHeaders { lines: text(input)? },
            7 | 8 => Step::Write { data: Data::decode(input)?, with_size: code & 96 != 96 },
            9 => Step::Allocate { size: size(input)? },
            10 | 11 => Step::SendHead { status: text(input)?, block: Data::decode(input)? },
            12 | 13 => Step::support(input)?,
            14 => Step::Variable { name: text(input)?, room: Room::decode(input)? },
            15..=18 => Step::Raw(Raw::decode(input)?),
            19 | 20 => {
                let (text, beyond) = (text(input)?, if code & 128 == 0 { 0 } else { beyond(input)? });
                Step::Text { second: code & 32 != 0, text, ends: code & 64 == 0, beyond }
            }
            21 => Step::Log { field: usize::from(code >> 5) % 6, text: text(input)?, status: number(input)? },
            22 => Step::ResetAuthentication((code >> 5).into()),
            23 => Step::Remember { size: if code & 32 == 0 { Some(size(input)?) } else { None } },
            24 => Step::Foreign { which: input.arbitrary()? },
            25 => Step::Beside { which: input.arbitrary()? },
            26 => Step::Yield { turns: input.arbitrary()? },
            _ => {
                let choice = input.arbitrary::<u8>()?;
                let (status, error) = (STATUSES[usize::from(choice & 7)], ERRORS[usize::from(choice >> 3 & 3)]);
                Step::Return { status, error }
            }
        })
    }

    fn support(input: &mut Input<'_>) -> Result<Step> {
        let code = input.arbitrary::<u8>()?;
        // Mostly one that exists. The head of a response has a step of its own, for the text in its number.
        let request = if code < 200 { u32::from(code % 9) } else { number(input)? };
        let number = if request == sf::SF_REQ_SEND_RESPONSE_HEADER { 0 } else { number(input)? };
        Ok(Step::Support { request, data: text(input)?, number: number as usize })
    }
}

impl Raw {
    fn decode(input: &mut Input<'_>) -> Result<Raw> {
        let code = input.arbitrary::<u8>()?;
        let lie = if code & 24 == 24 { u32::from(code >> 5) + 1 } else { 0 };
        Ok(match code & 7 {
            0 => Raw::Shorter(input.arbitrary::<u8>()?.into()),
            1 | 2 => Raw::Other(Data::decode(input)?),
            3 => Raw::Allocated { data: Data::decode(input)?, lie },
            4 => Raw::Own { data: Data::decode(input)?, lie },
            5 => Raw::Lie(number(input)?),
            6 => Raw::Beyond(beyond(input)?),
            _ => Raw::Null((code >> 3).into()),
        })
    }
}

fn text(input: &mut Input<'_>) -> Result<Data> {
    let code = usize::from(input.arbitrary::<u8>()?);
    if let Some(known) = KNOWN.get(code) { Ok(Data::Known(known)) } else { Data::decode(input) }
}

fn size(input: &mut Input<'_>) -> Result<u32> {
    Ok(SIZES[usize::from(input.arbitrary::<u8>()?) % SIZES.len()])
}

fn beyond(input: &mut Input<'_>) -> Result<usize> {
    Ok(usize::from(input.arbitrary::<u8>()?) * 2 + 1).map(|bytes| bytes.min(MAX_BEYOND))
}

/// A small number, or one with few bits.
fn number(input: &mut Input<'_>) -> Result<u32> {
    let [small, place] = input.arbitrary::<[u8; 2]>()?;
    Ok(u32::from(small) << (place & 31))
}

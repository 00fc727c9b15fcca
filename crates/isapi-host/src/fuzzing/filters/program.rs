//! An input of the target "filters": what a client sends past some filters, and what these do about it.
//!
//! In order, a byte each unless said otherwise:
//!
//! 1. Bits 0–1: the client's end; 2–4: how many steps of its reading follow; 5–6: how many filters there are, less one.
//! 2. Bits 0–3: into how many pieces the requests are cut; 4–5: how many requests there are, less one.
//! 3. For each request, which of [`REQUESTS`] it is.
//! 4. For each filter two bytes. Bits 0–10: the notifications that it asks for, of [`NOTIFICATIONS`]; 11–13: its
//!    priorities; 14–15: the kinds of port.
//! 5. For each piece but the last and for each step of reading, as in [`super::super::program`].
//! 6. All others are steps: a byte whose bits 0–1 say which filter does it and whose bits 2–5 say in which notification,
//!    a byte that says what, and its arguments; see [`super::steps`].

use std::collections::VecDeque;

use isapi_abi::httpfilt as sf;

use super::super::operations::Input;
use super::super::program::{piece, reading};
use super::super::wire::{End, Piece, Reading, Script};
use super::steps::Step;

/// The most filters.
pub(super) const MAX_FILTERS: usize = 3;

/// The most steps of one program.
const MAX_STEPS: usize = 100;

/// So often the client finds that nothing has happened before it believes that nothing will. Filters work on other
/// threads, and meanwhile no request is under way.
const PATIENCE: u32 = 40;

/// All notifications, in the order of their numbers in programs.
pub(super) const NOTIFICATIONS: [u32; 11] = [
    sf::SF_NOTIFY_READ_RAW_DATA,
    sf::SF_NOTIFY_PREPROC_HEADERS,
    sf::SF_NOTIFY_URL_MAP,
    sf::SF_NOTIFY_AUTHENTICATION,
    sf::SF_NOTIFY_AUTH_COMPLETE,
    sf::SF_NOTIFY_ACCESS_DENIED,
    sf::SF_NOTIFY_SEND_RESPONSE,
    sf::SF_NOTIFY_SEND_RAW_DATA,
    sf::SF_NOTIFY_END_OF_REQUEST,
    sf::SF_NOTIFY_LOG,
    sf::SF_NOTIFY_END_OF_NET_SESSION,
];

/// What bits 11 to 15 of a filter's flags stand for.
const WISHES: [u32; 5] = [
    sf::SF_NOTIFY_ORDER_LOW,
    sf::SF_NOTIFY_ORDER_MEDIUM,
    sf::SF_NOTIFY_ORDER_HIGH,
    sf::SF_NOTIFY_SECURE_PORT,
    sf::SF_NOTIFY_NONSECURE_PORT,
];

/// Requests to all kinds of handlers.
const REQUESTS: [&str; 16] = [
    "GET /index.html HTTP/1.1\r\nHost: x\r\n\r\n",
    "PLAIN /plain HTTP/1.1\r\nHost: x\r\nX-A: b\r\n\r\n",
    "POST /x.app?l HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
    "HEAD /index.html HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /x.app?c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
    "GET /denied HTTP/1.1\r\nHost: x\r\n\r\n",
    "GET /page.html HTTP/1.1\r\nHost: x\r\nAuthorization: Basic bWFyeTpzZWNyZXQ=\r\n\r\n",
    "GET /plain HTTP/1.1\r\nHost: x\r\nAuthorization: Basic bWFyeTp3cm9uZw==\r\n\r\n",
    "GET /plain HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    "GET /missing?a=b HTTP/1.1\r\nHost: x\r\n\r\n",
    "this is no request\r\n\r\n",
    "POST /x.app?r HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\nabc",
    "GET /all/some%20thing?k HTTP/1.1\r\nHost: x\r\n\r\n",
    "POST /x.cgi/extra/path?r HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nX-B: c\r\nX-B: d\r\n\r\nab",
    "PUT /index.html HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello",
];

/// See the module.
#[derive(Debug)]
pub(in crate::fuzzing) struct Program {
    requests: Vec<u8>,
    end: End,
    pieces: Vec<(usize, u32)>,
    reading: Vec<Reading>,
    /// What each filter asks for.
    pub(super) flags: Vec<u32>,
    steps: Vec<(Place, Step)>,
}

/// Who does something, and when: the filter, and the notification's number in [`NOTIFICATIONS`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    filter: usize,
    notification: usize,
}

impl Program {
    /// The program of an input; `None` when it is too short to be one.
    pub(in crate::fuzzing) fn read(input: &[u8]) -> Option<Program> {
        Program::decode(&mut Input::new(input)).ok()
    }

    fn decode(input: &mut Input<'_>) -> arbitrary::Result<Program> {
        let [first, second] = input.arbitrary::<[u8; 2]>()?;
        let requests = (0..=second >> 4 & 3).map(|_| input.arbitrary()).collect::<arbitrary::Result<_>>()?;
        let filters = [1, 2, MAX_FILTERS, 1][usize::from(first >> 5 & 3)];
        let flags = (0..filters).map(|_| input.arbitrary().map(flags)).collect::<arbitrary::Result<_>>()?;
        let pieces = (0..second & 15).map(|_| piece(input)).collect::<arbitrary::Result<_>>()?;
        let reading = (0..first >> 2 & 7).map(|_| reading(input)).collect::<arbitrary::Result<_>>()?;
        let end = [End::Waits, End::Closes, End::Leaves, End::Waits][usize::from(first & 3)];
        let mut program = Program { requests, end, pieces, reading, flags, steps: Vec::new() };
        while !input.is_empty() && program.steps.len() < MAX_STEPS {
            let place = input.arbitrary::<u8>()?;
            let filter = usize::from(place & 3) % filters;
            let notification = usize::from(place >> 2 & 15) % NOTIFICATIONS.len();
            program.steps.push((Place { filter, notification }, Step::decode(input)?));
        }
        Ok(program)
    }

    /// What a filter does when it hears of the notification of this number for the time `visit`, from 0 on.
    pub(super) fn part(&self, filter: usize, notification: usize, visit: usize) -> Vec<&Step> {
        let place = Place { filter, notification };
        let own: Vec<_> = self.steps.iter().filter(|(other, _)| *other == place).map(|(_, step)| step).collect();
        let mut parts = own.split_inclusive(|step| matches!(step, Step::Return { .. }));
        parts.nth(visit).unwrap_or_default().to_vec()
    }

    /// What the client does.
    pub(in crate::fuzzing) fn script(&self) -> Script {
        let requests = self.requests.iter().map(|request| REQUESTS[usize::from(request & 15)].as_bytes());
        let mut bytes = requests.collect::<Vec<_>>().concat();
        let mut sending = VecDeque::new();
        for &(length, turns) in &self.pieces {
            let rest = bytes.split_off(bytes.len().min(length));
            sending.push_back(Piece { turns, bytes });
            bytes = rest;
        }
        sending.push_back(Piece { turns: 0, bytes });
        sending.push_back(Piece { turns: PATIENCE, bytes: Vec::new() });
        Script { sending, end: self.end, reading: self.reading.iter().copied().collect() }
    }
}

fn flags(bits: u16) -> u32 {
    let meanings = NOTIFICATIONS.iter().chain(&WISHES).enumerate();
    meanings.filter(|(bit, _)| bits >> bit & 1 != 0).fold(0, |flags, (_, meaning)| flags | meaning)
}

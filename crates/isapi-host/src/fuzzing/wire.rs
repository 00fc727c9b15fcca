//! The client of a fuzzed connection, played by the socket itself: what it sends and when, when it reads, and when it
//! goes away.
//!
//! Time is counted in turns: a turn is one call of the connection's task that finds nothing to do and is asked to come
//! back. So an input means the same on a slow machine, and no client has to be a task of its own.

use std::collections::VecDeque;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll};

use http::Method;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::replies::{self, Reply};
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::stream::Socket;

/// What a client does.
#[derive(Debug, Default)]
pub(super) struct Script {
    pub(super) sending: VecDeque<Piece>,
    /// Behind the last piece.
    pub(super) end: End,
    /// Behind the last of these, everything is read at once.
    pub(super) reading: VecDeque<Reading>,
}

/// Bytes that are sent together, and the turns before them.
#[derive(Debug, Default)]
pub(super) struct Piece {
    pub(super) turns: u32,
    pub(super) bytes: Vec<u8>,
}

/// What the client does when it has sent everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) enum End {
    /// It waits for the answer, and sends nothing else if the server wants more.
    #[default]
    Waits,
    /// It says that nothing will come.
    Closes,
    /// It goes away.
    Leaves,
}

/// What the client does where bytes come to it.
#[derive(Debug, Clone, Copy)]
pub(super) enum Reading {
    Takes(usize),
    /// It reads nothing for so many turns.
    Pauses(u32),
    Leaves,
}

impl Script {
    /// An input of the target "request": a byte whose low four bits say into how many pieces the connection is cut and
    /// whose next two bits say how it ends, a byte for the length of each piece but the last (from 128 on in steps of
    /// 64), and the connection's bytes.
    pub(super) fn of_request(input: &[u8]) -> Script {
        let (&control, rest) = input.split_first().unwrap_or((&0, input));
        let (lengths, mut rest) = rest.split_at(rest.len().min(usize::from(control & 15)));
        let mut sending = VecDeque::new();
        for &length in lengths {
            let length = usize::from(length);
            let length = if length < 128 { length } else { (length - 127) * 64 };
            let (piece, behind) = rest.split_at(rest.len().min(length));
            sending.push_back(Piece { turns: 2, bytes: piece.to_vec() });
            rest = behind;
        }
        sending.push_back(Piece { turns: 0, bytes: rest.to_vec() });
        let end = match control >> 4 & 3 {
            0 | 3 => End::Waits,
            1 => End::Closes,
            _ => End::Leaves,
        };
        Script { sending, end, reading: VecDeque::new() }
    }
}

/// A connection while it is being played.
pub(super) struct Tape {
    script: Script,
    /// All that the server wrote.
    received: Vec<u8>,
    left: bool,
}

/// What a connection came to.
pub(super) struct Played {
    pub(super) received: Vec<u8>,
    /// Of the requests that the server saw.
    pub(super) methods: Vec<Method>,
}

impl Played {
    /// The answers, one for each request.
    pub(super) fn replies(&self) -> Vec<Reply> {
        replies::read(&self.received, &self.methods)
    }
}

/// The server's socket.
pub(super) struct Wire {
    tape: Arc<Mutex<Tape>>,
    link: Arc<Link>,
}

impl Wire {
    /// A socket that plays `script`, and what it writes down.
    pub(super) fn new(script: Script, link: Arc<Link>) -> (Self, Arc<Mutex<Tape>>) {
        let tape = Arc::new(Mutex::new(Tape { script, received: Vec::new(), left: false }));
        (Wire { tape: Arc::clone(&tape), link }, tape)
    }
}

impl Tape {
    /// What the server wrote so far.
    pub(super) fn take_received(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.received)
    }

    /// How far the client is.
    pub(super) fn describe(&self) -> String {
        let sent: Vec<_> = self.script.sending.iter().map(|piece| (piece.turns, piece.bytes.len())).collect();
        let Script { end, reading, .. } = &self.script;
        let (received, left) = (self.received.len(), self.left);
        format!("the client has {sent:?} to send, then {end:?}; read {received} bytes, then {reading:?}; left: {left}")
    }

    /// The next bytes for the server; none is the end.
    fn send(&mut self, room: usize, cx: &Context<'_>, link: &Link) -> Poll<io::Result<Vec<u8>>> {
        while let Some(piece) = self.script.sending.front_mut() {
            if take_turn(&mut piece.turns, cx) {
                return Poll::Pending;
            }
            let bytes: Vec<u8> = piece.bytes.drain(..piece.bytes.len().min(room)).collect();
            if piece.bytes.is_empty() {
                self.script.sending.pop_front();
            }
            if !bytes.is_empty() {
                return Poll::Ready(Ok(bytes));
            }
        }
        match self.script.end {
            // The task is woken when the request has been answered; meanwhile the server's own limits end it.
            End::Waits if link.is_in_request() => Poll::Pending,
            End::Waits | End::Closes => Poll::Ready(Ok(Vec::new())),
            End::Leaves => {
                self.left = true;
                Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()))
            }
        }
    }

    /// How many of `offered` bytes the client takes.
    fn receive(&mut self, offered: &[u8], cx: &Context<'_>) -> Poll<io::Result<usize>> {
        let length = match self.script.reading.front_mut() {
            Some(Reading::Pauses(0) | Reading::Takes(0)) => {
                self.script.reading.pop_front();
                return self.receive(offered, cx);
            }
            Some(Reading::Pauses(turns)) => {
                take_turn(turns, cx);
                return Poll::Pending;
            }
            Some(Reading::Leaves) => {
                self.left = true;
                return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
            }
            Some(Reading::Takes(left)) => {
                let length = offered.len().min(*left);
                *left -= length;
                length
            }
            None => offered.len(),
        };
        self.received.extend_from_slice(&offered[..length]);
        Poll::Ready(Ok(length))
    }
}

/// Uses one of `turns` up; `false` when none is left.
fn take_turn(turns: &mut u32, cx: &Context<'_>) -> bool {
    let goes_on = *turns > 0;
    if goes_on {
        *turns -= 1;
        cx.waker().wake_by_ref();
    }
    goes_on
}

impl Socket for Wire {}

impl AsyncRead for Wire {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buffer: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let mut tape = self.tape.lock_anyway();
        if tape.left {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        tape.send(buffer.remaining(), cx, &self.link).map_ok(|bytes| buffer.put_slice(&bytes))
    }
}

impl AsyncWrite for Wire {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, offered: &[u8]) -> Poll<io::Result<usize>> {
        let mut tape = self.tape.lock_anyway();
        if tape.left {
            return Poll::Ready(Err(io::ErrorKind::BrokenPipe.into()));
        }
        tape.receive(offered, cx)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

//! Asynchronous operations that are given up at any moment: each is completed once, and memory that the completion
//! gives back is never used again. The probe unmaps it, so that a mistake ends the process.

use std::io::{Read, Write};
use std::thread;

use crate::harness::{Client, Running};

const CLIENTS: u64 = 4;
const TURNS: u64 = 25;

fn give_up(server: &Running, kind: &str, how: &str, delay: u64) -> Client {
    let mut client = server.connect();
    let head = format!("X-Kind: {kind}\r\nX-How: {how}\r\nX-Delay: {delay}\r\nConnection: close\r\n");
    client.send(format!("POST /?storm HTTP/1.1\r\nHost: x\r\n{head}Content-Length: 200000\r\n\r\n").as_bytes());
    client
}

fn storm(kind: &str, how: &str) {
    let server = Running::of("storm");
    thread::scope(|scope| {
        for number in 0..CLIENTS {
            let server = &server;
            scope.spawn(move || {
                for turn in 0..TURNS {
                    let mut client = give_up(server, kind, how, (number + turn * CLIENTS) * 20);
                    // It may be over at any byte, on either side.
                    let _ = client.reader.get_mut().write_all(&[b'r'; 200_000]);
                    let _ = client.reader.read_to_end(&mut Vec::new());
                }
            });
        }
    });
    let all = (CLIENTS * TURNS).to_string();
    let counted = server.connect().get_with("count", &format!("X-Count: {all}\r\n")).text();
    assert_eq!(counted, all, "{kind} {how}");
}

#[test]
fn sends_may_be_cancelled_at_any_moment() {
    storm("send", "cancel");
}

#[test]
fn writes_may_be_cancelled_while_they_are_being_started() {
    storm("write", "cancel");
}

#[test]
fn heads_may_be_cancelled_while_they_are_being_read() {
    storm("head", "cancel");
}

#[test]
fn sends_may_be_overtaken_by_the_end_of_the_session() {
    storm("send", "done");
}

#[test]
fn sends_may_be_overtaken_by_the_end_of_the_connection() {
    storm("send", "close");
}

#[test]
fn reads_may_be_cancelled_at_any_moment() {
    storm("read", "cancel");
}

#[test]
fn reads_may_be_overtaken_by_the_end_of_the_session() {
    storm("read", "done");
}

#[test]
fn reads_may_be_overtaken_by_the_end_of_the_connection() {
    storm("read", "close");
}

#[test]
fn children_may_be_cancelled_at_any_moment() {
    storm("exec", "cancel");
}

#[test]
fn children_may_be_overtaken_by_the_end_of_the_session() {
    storm("exec", "done");
}

#[test]
fn children_may_be_overtaken_by_the_end_of_the_connection() {
    storm("exec", "close");
}

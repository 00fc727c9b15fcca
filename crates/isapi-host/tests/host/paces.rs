//! Handlers that have shown themselves fast, run on an event loop's own thread, and then are not: whoever else is
//! connected must not notice.

use std::io::ErrorKind;

use isapi_host::ServerOptions;

use crate::exec_url::notes;
use crate::harness::{Client, Running, probe_of, site};

/// More connections than event loops, so that each loop has some.
const OTHERS: usize = 6;

/// A server whose one handler has shown itself fast.
fn fast_server() -> Running {
    let server = Running::start(ServerOptions::new(site(&probe_of("paces"))));
    let mut client = server.connect();
    for _ in 0..100 {
        assert_eq!(client.get("quick").text(), "quick");
    }
    server
}

/// Asks on connections of every event loop, and that `busy` has not got a byte when all are answered.
fn others_are_answered_before(server: &Running, busy: &Client) {
    for _ in 0..OTHERS {
        assert_eq!(server.get("quick").text(), "quick");
    }
    let stream = busy.reader.get_ref();
    stream.set_nonblocking(true).expect("a valid option");
    let peeked = stream.peek(&mut [0]);
    stream.set_nonblocking(false).expect("a valid option");
    assert!(peeked.is_err_and(|error| error.kind() == ErrorKind::WouldBlock), "the slow request is still at work");
}

#[test]
fn a_fast_handler_that_sleeps_delays_nobody_else() {
    let server = fast_server();
    let mut sleeping = server.connect();
    sleeping.send(b"GET /?sleeper HTTP/1.1\r\nHost: x\r\n\r\n");
    others_are_answered_before(&server, &sleeping);
    assert_eq!(sleeping.reply().text(), "slept");
}

#[test]
fn a_fast_handler_that_waits_for_a_body_delays_nobody_else() {
    let server = fast_server();
    let mut uploading = server.connect();
    uploading.send(b"POST /?reader HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    uploading.send(&[b'x'; 100_000]);
    others_are_answered_before(&server, &uploading);
    uploading.send(&[b'x'; 400_000]);
    assert_eq!(uploading.reply().text(), "read");
}

#[test]
fn a_fast_handler_that_waits_for_its_reader_delays_nobody_else() {
    let server = fast_server();
    let mut downloading = server.connect();
    downloading.send(b"GET /?writer HTTP/1.1\r\nHost: x\r\n\r\n");
    for _ in 0..OTHERS {
        assert_eq!(server.get("quick").text(), "quick");
    }
    let reply = downloading.reply();
    assert!(reply.complete && reply.body.len() == 30_000_000);
}

#[test]
fn a_server_that_stops_lets_a_fast_handler_that_sleeps_finish() {
    let mut server = fast_server();
    let mut sleeping = server.connect();
    sleeping.send(b"GET /?sleeper HTTP/1.1\r\nHost: x\r\n\r\n");
    others_are_answered_before(&server, &sleeping);
    server.ask_to_stop();
    assert_eq!(sleeping.reply().text(), "slept");
    server.wait();
}

#[test]
fn a_write_that_must_not_wait_is_refused_when_it_would_have_to() {
    let server = Running::start(ServerOptions::new(site(&probe_of("paces"))));
    let mut client = server.connect();
    client.send(b"GET /?impatient HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(notes(&server, 2), "0 1,taken 10035");
    assert!(client.reply().complete);
}

//! Request bodies: read ahead, pulled by ReadClient, chunked, too large, broken off.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use isapi_config::RequestLimits;
use isapi_host::{ServerOptions, Timeouts};

use crate::harness::{Client, DEADLINE, Running, probe, site};

/// What the probe answers for a body: total, available, count, sum.
fn expected(total: u64, available: usize, body: &[u8]) -> String {
    let sum: u64 = body.iter().map(|byte| u64::from(*byte)).sum();
    format!("{total} {available} {} {sum}", body.len())
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).expect("below 251")).collect()
}

fn post_chunked(client: &mut Client, pieces: &[&[u8]]) {
    client.send(b"POST /?sum HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in pieces {
        client.send(format!("{:x}\r\n", piece.len()).as_bytes());
        client.send(piece);
        client.send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
}

#[test]
fn bodies_of_all_sizes_arrive_whole() {
    let server = Running::probe();
    let mut client = server.connect();
    for length in [0, 1, 1000, 49151, 49152, 49153, 200_000, 3_000_000] {
        let body = body(length);
        let reply = client.post("sum", &body);
        assert_eq!(reply.text(), expected(length as u64, length.min(49152), &body));
    }
}

#[test]
fn a_small_chunked_body_is_presented_with_its_length() {
    let server = Running::probe();
    let mut client = server.connect();
    let body = body(30_000);
    post_chunked(&mut client, &[&body[..10], &body[10..20_000], &body[20_000..]]);
    assert_eq!(client.reply().text(), expected(30_000, 30_000, &body));
}

#[test]
fn a_large_chunked_body_has_no_length() {
    let server = Running::probe();
    let mut client = server.connect();
    let body = body(150_000);
    post_chunked(&mut client, &[&body[..70_000], &body[70_000..]]);
    assert_eq!(client.reply().text(), expected(0xFFFF_FFFF, 49152, &body));
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn a_chunked_body_gets_a_length_header_when_it_fits() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(
        b"POST /?variable HTTP/1.1\r\nHost: x\r\nX-Name: HTTP_CONTENT_LENGTH\r\nTransfer-Encoding: chunked\r\n\r\n",
    );
    client.send(b"3\r\nabc\r\n0\r\n\r\n");
    assert!(client.reply().text().ends_with(":3\0"));
}

#[test]
fn a_body_beyond_the_limit_is_refused_before_the_extension_runs() {
    let server = Running::limited(RequestLimits { max_allowed_content_length: 100_000, ..RequestLimits::default() });
    let mut client = server.connect();
    client.send(b"POST /?sum HTTP/1.1\r\nHost: x\r\nContent-Length: 100001\r\n\r\n");
    let reply = client.reply();
    assert_eq!((reply.status(), reply.header("Connection")), (413, Some("close")));
    assert!(client.is_closed());
    assert_eq!(server.connect().post("sum", &body(100_000)).status(), 200);
}

#[test]
fn a_chunked_body_that_grows_beyond_the_limit_fails_the_read() {
    let server = Running::limited(RequestLimits { max_allowed_content_length: 100_000, ..RequestLimits::default() });
    let mut client = server.connect();
    let body = body(150_000);
    post_chunked(&mut client, &[&body[..60_000], &body[60_000..]]);
    assert!(client.reply().text().starts_with("error 13 after"));
}

#[test]
fn expect_continue_is_answered() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"POST /?sum HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
    assert_eq!(client.line().as_deref(), Some("HTTP/1.1 100 Continue"));
    assert_eq!(client.line().as_deref(), Some(""));
    client.send(b"abc");
    assert_eq!(client.reply().text(), expected(3, 3, b"abc"));
}

#[test]
fn a_client_that_breaks_off_its_body_is_seen_by_the_reader() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"POST /?read_until_gone HTTP/1.1\r\nHost: x\r\nContent-Length: 500000\r\n\r\n");
    client.send(&body(100_000));
    drop(client);
    assert_eq!(server.get("gone").text(), "10054");
}

#[test]
fn a_body_that_nobody_reads_does_no_harm() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"POST /?hello HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    client.send(&body(60_000));
    assert_eq!(client.reply().text(), "hello");
    assert_eq!(server.get("hello").text(), "hello");
}

#[test]
fn a_body_that_has_failed_stays_failed() {
    let mut options = ServerOptions::new(
        site(&probe()).with_limits(RequestLimits { max_allowed_content_length: 500_000, ..RequestLimits::default() }),
    );
    options.timeouts = Timeouts { body_idle: Duration::from_millis(50), ..Timeouts::default() };
    let server = Running::start(options);
    let mut client = server.connect();
    client.send(b"POST /?read_on HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    client.send(&body(60_000));
    assert_eq!(client.reply().text(), "1460 0 1460", "a client that stops sending");
    assert_eq!(server.get("gone").text(), "1460");

    let mut client = server.connect();
    client.send(b"POST /?read_on HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n7a121\r\n");
    client.send(&body(500_001));
    assert_eq!(client.reply().text(), "13 0 13", "a chunked body that is too large");
    assert_eq!(server.get("gone").text(), "13");

    let mut client = server.connect();
    client.send(b"POST /?read_on HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    client.send(&body(60_000));
    drop(client);
    assert_eq!(server.get("gone").text(), "10054", "a client that goes away");
}

/// Sends a byte now and then until the server closes or answers.
fn trickle(client: &mut Client) {
    client.reader.get_ref().set_nonblocking(true).expect("a socket");
    let begin = Instant::now();
    while begin.elapsed() < DEADLINE && client.reader.get_ref().peek(&mut [0]).is_err() {
        // The server may have closed already.
        let _ = client.reader.get_mut().write(b"x");
        thread::sleep(Duration::from_millis(10));
    }
    client.reader.get_ref().set_nonblocking(false).expect("a socket");
}

#[test]
fn a_body_that_comes_too_slowly_times_out() {
    let mut options = ServerOptions::new(site(&probe()));
    let (min_rate, rate_after) = (1_000_000, Duration::from_millis(300));
    options.timeouts = Timeouts { min_rate, rate_after, ..Timeouts::default() };
    let server = Running::start(options);
    let mut client = server.connect();
    client.send(b"POST /?read_on HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    trickle(&mut client);
    assert_eq!(client.reply().status(), 408, "while reading ahead");
    let mut client = server.connect();
    client.send(b"POST /?read_on HTTP/1.1\r\nHost: x\r\nContent-Length: 400000\r\n\r\n");
    client.send(&body(60_000));
    trickle(&mut client);
    assert_eq!(client.reply().text(), "1460 0 1460", "in ReadClient");
    let body = body(3_000_000);
    assert_eq!(server.connect().post("sum", &body).text(), expected(3_000_000, 49152, &body));
}

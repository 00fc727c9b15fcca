//! A connection's bytes past filters: changed, grown, swallowed, held back, and cut anywhere.

use std::fs;
use std::io::{Read, Write};

use isapi_host::ServerOptions;

use crate::filter_harness::{ALL, Filtered, acting, acting_as, acting_with, files, site};
use crate::harness::{Client, compile};

const REQUEST: &[u8] = b"GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n";

/// Numbers that look random and are the same in each run.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) as usize % limit
    }
}

fn xor(bytes: &[u8]) -> Vec<u8> {
    bytes.iter().map(|byte| byte ^ 0x5a).collect()
}

/// Sends bytes in pieces of 1 to `most`.
fn send_cut(client: &mut Client, mut bytes: &[u8], most: usize, dice: &mut Dice) {
    while !bytes.is_empty() {
        let (piece, rest) = bytes.split_at((1 + dice.below(most)).min(bytes.len()));
        client.send(piece);
        bytes = rest;
    }
}

#[test]
fn an_encrypted_request_is_decrypted_byte_for_byte_wherever_it_is_cut() {
    let filtered = Filtered::by(&[&acting("READ_RAW_DATA", "xor_bytes")]);
    let mut dice = Dice(7);
    for most in [1, 7, 300] {
        let mut client = filtered.server.connect();
        for _ in 0..3 {
            send_cut(&mut client, &xor(REQUEST), most, &mut dice);
            assert_eq!(client.reply().text(), "hello, file\n", "pieces of up to {most}");
        }
    }
    let body: Vec<u8> = (0..1_000_000_u32).map(|index| (index % 251) as u8).collect();
    let sum = body.iter().fold(0_u64, |sum, byte| sum + u64::from(*byte));
    let mut client = filtered.server.connect();
    let head = format!("POST /a.x?sum HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len());
    send_cut(&mut client, &xor(&[head.as_bytes(), &body].concat()), 40_000, &mut dice);
    let reply = client.reply();
    assert!(reply.text().contains(&sum.to_string()), "{} should have {sum}", reply.text());
}

#[test]
fn a_chunked_response_of_100_mb_is_changed_byte_for_byte() {
    const SIZE: usize = 100 * 1024 * 1024;
    let root = files();
    let line = b"the quick brown fox jumps over the lazy dog, 0123456789\n";
    let body: Vec<u8> = line.iter().copied().cycle().take(SIZE).collect();
    fs::write(root.join("large.txt"), &body).expect("the folder is writable");
    let flags = "SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_SEND_RESPONSE";
    let chunked = acting_with("SEND_RESPONSE", "set_header", "Content-Length:|");
    let upper = acting_as(flags, "SEND_RAW_DATA", "upper_case_bodies", "");
    let filtered = Filtered::of(ServerOptions::new(site(&[&chunked, &upper], &root)));
    let mut client = filtered.server.connect();
    client.send(b"GET /large.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut reply = client.head();
    assert_eq!(reply.header("transfer-encoding"), Some("chunked"));
    client.read_body(&mut reply);
    assert!(reply.complete && reply.body.len() == SIZE);
    let expected = body.to_ascii_uppercase();
    assert!(
        reply.body == expected,
        "the first difference is at {:?}",
        reply.body.iter().zip(&expected).position(|(a, b)| a != b)
    );
}

#[test]
fn what_is_sent_passes_the_filter_head_and_all() {
    let filtered = Filtered::by(&[&acting("SEND_RAW_DATA", "upper_case")]);
    let mut client = filtered.server.connect();
    for _ in 0..2 {
        client.send(REQUEST);
        let reply = client.reply();
        assert_eq!((reply.status_line.as_str(), reply.text().as_str()), ("HTTP/1.1 200 OK", "HELLO, FILE\n"));
        assert!(reply.headers.iter().any(|(name, _)| name == "CONTENT-LENGTH"));
    }
}

#[test]
fn a_filter_can_put_bytes_in_front_in_memory_of_the_servers() {
    let filtered = Filtered::by(&[&acting_with("SEND_RAW_DATA", "prepend", "in front\n")]);
    let mut client = filtered.server.connect();
    client.send(REQUEST);
    assert_eq!(client.line().as_deref(), Some("in front"));
    assert_eq!(client.line().as_deref(), Some("HTTP/1.1 200 OK"));
    let reads = Filtered::by(&[&acting_with("READ_RAW_DATA", "prepend", "GET /hello.txt HTTP/1.1\r\n")]);
    let mut client = reads.server.connect();
    client.send(b"Host: test\r\n\r\n");
    assert_eq!(client.reply().text(), "hello, file\n");
}

#[test]
fn what_a_filter_writes_passes_those_that_are_nearer_to_the_client() {
    let writes = acting_with("SEND_RAW_DATA", "write_and_go_on", "written\n");
    let upper = acting_as("SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_ORDER_HIGH", "SEND_RAW_DATA", "upper_case", "");
    let filtered = Filtered::by(&[&writes, &upper]);
    let mut client = filtered.server.connect();
    client.send(REQUEST);
    assert_eq!(client.line().as_deref(), Some("WRITTEN"));
    assert_eq!(client.line().as_deref(), Some("HTTP/1.1 200 OK"));
}

#[test]
fn what_a_filter_writes_at_the_end_of_a_request_comes_behind_its_response() {
    let flags = "SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_END_OF_REQUEST";
    let filtered = Filtered::by(&[&acting_as(flags, "END_OF_REQUEST", "write_and_go_on", "the end\n")]);
    let mut client = filtered.server.connect();
    client.send(&[REQUEST, REQUEST].concat());
    for _ in 0..2 {
        assert_eq!(client.reply().text(), "hello, file\n");
        assert_eq!(client.line().as_deref(), Some("the end"));
    }
    let mut client = filtered.server.connect();
    client.send(b"GET /hello.txt HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert_eq!(client.reply().text(), "hello, file\n");
    assert_eq!(client.line().as_deref(), Some("the end"), "also when the connection closes");
    assert!(client.is_closed());
}

#[test]
fn a_filter_that_swallows_everything_leaves_nothing_to_parse_or_to_read() {
    let filtered = Filtered::by(&[&acting("SEND_RAW_DATA", "swallow")]);
    let mut client = filtered.server.connect();
    client.send(b"GET /hello.txt HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
    assert!(client.is_closed());
    let filtered = Filtered::by(&[&acting("READ_RAW_DATA", "swallow")]);
    let mut client = filtered.server.connect();
    client.send(REQUEST);
    client.reader.get_mut().shutdown(std::net::Shutdown::Write).expect("open");
    assert!(client.is_closed());
}

#[test]
fn a_filter_can_ask_for_more_before_it_lets_go() {
    let filtered = Filtered::by(&[&acting("READ_RAW_DATA", "whole_heads")]);
    let mut dice = Dice(3);
    let mut client = filtered.server.connect();
    for _ in 0..3 {
        send_cut(&mut client, REQUEST, 5, &mut dice);
        assert_eq!(client.reply().text(), "hello, file\n");
    }
    // What it holds back when the client ends goes on as it is.
    let mut client = filtered.server.connect();
    client.send(b"GET /hello.txt HTTP/1.1\r\n");
    client.reader.get_mut().shutdown(std::net::Shutdown::Write).expect("open");
    assert!(client.is_closed());
}

#[test]
fn a_filter_that_finishes_ends_the_connection() {
    for stage in ["READ_RAW_DATA", "SEND_RAW_DATA"] {
        let filtered = Filtered::by(&[&acting(stage, "answer_finished")]);
        let mut client = filtered.server.connect();
        client.send(REQUEST);
        assert!(client.is_closed(), "{stage}");
        assert_eq!(filtered.seen.first(1).len(), 1);
    }
}

#[test]
fn a_filter_that_fails_or_lies_about_its_bytes_cuts_the_connection_and_the_server_goes_on() {
    for stage in ["READ_RAW_DATA", "SEND_RAW_DATA"] {
        for act in ["answer_error", "raw_too_long", "raw_past_the_end", "raw_lie_about_own"] {
            let filtered = Filtered::by(&[&acting(stage, act)]);
            for _ in 0..2 {
                let mut client = filtered.server.connect();
                client.send(REQUEST);
                assert!(client.is_closed(), "{stage} {act}");
            }
        }
    }
}

#[test]
fn slow_clients_and_fast_ones_get_their_bytes() {
    let library = compile("filter", &["FLAGS=SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_READ_RAW_DATA"]);
    let filtered = Filtered::by(&[&library]);
    let mut slow = filtered.server.connect();
    slow.send(b"GET /a.x?large HTTP/1.1\r\nHost: test\r\n\r\n");
    let mut fast = filtered.server.connect();
    for _ in 0..20 {
        fast.send(REQUEST);
        assert_eq!(fast.reply().text(), "hello, file\n");
    }
    let reply = slow.reply();
    assert!(reply.complete && !reply.body.is_empty());
}

#[test]
fn a_connection_that_rests_wakes_up_behind_its_filters() {
    let library = compile("filter", &["FLAGS=SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_READ_RAW_DATA"]);
    let filtered = Filtered::by(&[&library]);
    let mut client = filtered.server.connect();
    client.send(REQUEST);
    assert_eq!(client.reply().text(), "hello, file\n");
    // Longer than a connection is idle before it rests; the server's clock is what counts.
    std::thread::sleep(std::time::Duration::from_millis(700));
    client.reader.get_mut().write_all(&REQUEST[..1]).expect("open");
    client.send(&REQUEST[1..]);
    assert_eq!(client.reply().text(), "hello, file\n");
    drop(filtered);
    let mut rest = Vec::new();
    assert_eq!(client.reader.read_to_end(&mut rest).unwrap_or(0), 0);
}

#[test]
fn also_behind_an_extension_that_has_shown_itself_fast() {
    for flags in ["SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_END_OF_REQUEST", ALL] {
        let filtered = Filtered::by(&[&acting_as(flags, "END_OF_REQUEST", "write_and_go_on", "the end\n")]);
        for _ in 0..200 {
            let mut client = filtered.server.connect();
            client.send(b"GET /a.x?hello HTTP/1.1\r\nHost: test\r\n\r\n");
            client.send(b"GET /a.x?hello HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n");
            for _ in 0..2 {
                assert_eq!(client.reply().status_line, "HTTP/1.1 200 OK");
                assert_eq!(client.line().as_deref(), Some("the end"));
            }
        }
    }
}

#[test]
fn memory_that_takes_the_place_of_raw_data_is_given_back_at_once() {
    const SIZE: usize = 300 * 1024 * 1024;
    let root = files();
    fs::File::create(root.join("huge.bin")).and_then(|file| file.set_len(SIZE as u64)).expect("the folder is writable");
    let replaces = acting_with("SEND_RAW_DATA", "prepend", "");
    let filtered = Filtered::of(ServerOptions::new(site(&[&replaces], &root)));
    let mut client = filtered.server.connect();
    client.send(b"GET /huge.bin HTTP/1.1\r\nHost: test\r\n\r\n");
    let reply = client.reply();
    assert!(reply.complete && reply.body.len() == SIZE, "more than a connection may hold went through");
}

#[test]
fn what_is_held_back_at_the_end_passes_the_filters_behind() {
    let holds = acting("READ_RAW_DATA", "whole_heads");
    let decrypts = acting("READ_RAW_DATA", "xor_bytes");
    let filtered = Filtered::by(&[&holds, &decrypts]);
    let mut client = filtered.server.connect();
    client.send(&xor(REQUEST));
    client.reader.get_mut().shutdown(std::net::Shutdown::Write).expect("open");
    let seen = filtered.seen.first(1);
    assert!(seen[0].contains("f1 READ_RAW_DATA READ_NEXT"), "{}", seen[0]);
    assert!(seen[0].contains("f2 READ_RAW_DATA NEXT_NOTIFICATION"), "{}", seen[0]);
}

//! ASYNC_READ_CLIENT: whole bodies, what it refuses, and how an outstanding read ends.

use std::time::{Duration, Instant};

use isapi_config::RequestLimits;
use isapi_host::{ExecutorOptions, ServerOptions, Timeouts};

use crate::harness::{Client, DEADLINE, Running, probe_of, site};

fn server() -> Running {
    Running::of("reading")
}

fn notes(server: &Running, count: usize) -> String {
    server.connect().get_with("notes", &format!("X-Count: {count}\r\n")).text()
}

fn body(length: usize) -> Vec<u8> {
    (0..length).map(|index| u8::try_from(index % 251).expect("below 251")).collect()
}

/// What the probe answers for a whole body.
fn expected(body: &[u8]) -> String {
    format!("{} {}", body.len(), body.iter().map(|byte| u64::from(*byte)).sum::<u64>())
}

/// A POST of which the probe sees more than what is read ahead, but not all.
fn begin(server: &Running, behaviour: &str, length: usize, sent: &[u8]) -> Client {
    let mut client = server.connect();
    client.send(format!("POST /?{behaviour} HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n").as_bytes());
    client.send(sent);
    client
}

#[test]
fn bodies_of_all_sizes_arrive_whole() {
    let server = server();
    let mut client = server.connect();
    for length in [0, 1, 49152, 49153, 60_000, 3_000_000] {
        let body = body(length);
        assert_eq!(client.post("all", &body).text(), expected(&body), "{length}");
    }
    assert_eq!(client.get("notes").text(), "");
}

#[test]
fn a_chunked_body_ends_with_a_read_of_nothing() {
    let server = server();
    let mut client = server.connect();
    let body = body(150_000);
    client.send(b"POST /?all HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for piece in body.chunks(40_000) {
        client.send(format!("{:x}\r\n", piece.len()).as_bytes());
        client.send(piece);
        client.send(b"\r\n");
    }
    client.send(b"0\r\n\r\n");
    assert_eq!(client.reply().text(), expected(&body));
}

#[test]
fn what_the_contract_forbids_is_refused() {
    assert_eq!(server().connect().post("refused", &body(60_000)).text(), "87 87 87 87 87 87 87");
}

#[test]
fn a_read_that_waits_for_its_client_occupies_no_thread() {
    let mut options = ServerOptions::new(site(&probe_of("reading")));
    options.executor = ExecutorOptions { max_threads: 1, ..ExecutorOptions::default() };
    let server = Running::start(options);
    let whole = body(300_000);
    let mut client = begin(&server, "all", whole.len(), &whole[..60_000]);
    assert_eq!(notes(&server, 0), "", "another request is answered meanwhile");
    client.send(&whole[60_000..]);
    assert_eq!(client.reply().text(), expected(&whole));
}

#[test]
fn while_a_read_is_outstanding_no_other_reads_but_writes_go_on() {
    let server = server();
    let mut client = begin(&server, "both_kinds", 300_000, &body(49_152));
    assert_eq!(notes(&server, 1), "87 87 0");
    client.send(&[7; 100]);
    assert_eq!(client.reply().text(), "written");
    assert!(notes(&server, 2).starts_with("87 87 0,"));
}

#[test]
fn of_read_client_and_an_asynchronous_read_one_is_refused() {
    for wait in [0, 1] {
        let server = server();
        let mut client = server.connect();
        let head = format!("POST /?race HTTP/1.1\r\nHost: x\r\nX-Wait: {wait}\r\nContent-Length: 300000\r\n\r\n");
        client.send(head.as_bytes());
        client.send(&body(49_152));
        // The refused one notes at once, the other when its bytes come.
        let first = notes(&server, 1);
        assert!(["sync 87", "async 87"].contains(&first.as_str()), "{first}");
        client.send(&[7; 100]);
        assert_eq!(client.reply().text(), "over");
        let both = notes(&server, 2);
        assert!(both == "sync 87,async 0" || both == "async 87,sync 0", "{both}");
    }
}

#[test]
fn the_end_of_the_session_aborts_a_read_and_leaves_its_buffer_alone() {
    for behaviour in ["done_at_once", "returned"] {
        let server = server();
        let mut client = begin(&server, behaviour, 300_000, &body(49_152));
        assert_eq!(notes(&server, 1), "0 995", "{behaviour}");
        // What comes now must not land in a buffer that has been given back.
        let _ = std::io::Write::write_all(client.reader.get_mut(), &[7; 10_000]);
        assert_eq!(client.reply().status(), 200);
        assert_eq!(server.get("touched").text(), "0", "{behaviour}");
        assert_eq!(notes(&server, 1), "0 995", "{behaviour}: once");
    }
}

#[test]
fn an_unregistered_callback_is_not_called() {
    let server = server();
    let mut client = begin(&server, "unregistered", 300_000, &body(49_152));
    assert_eq!(client.reply().text(), "returned");
    assert_eq!(notes(&server, 0), "");
}

#[test]
fn closing_the_connection_completes_a_read_with_64() {
    let server = server();
    let mut client = begin(&server, "closed", 300_000, &body(49_152));
    assert_eq!(notes(&server, 1), "0 64");
    assert!(client.is_closed());
    assert_eq!(server.get("touched").text(), "0");
}

#[test]
fn a_client_that_goes_away_aborts_a_read() {
    let server = server();
    let client = begin(&server, "pending", 300_000, &body(49_152));
    assert_eq!(notes(&server, 1), "started");
    drop(client);
    assert_eq!(notes(&server, 2), "started,0 995");
}

#[test]
fn a_cancelled_read_completes_with_995_and_loses_nothing() {
    let server = server();
    let whole = body(300_000);
    let mut client = begin(&server, "cancelled", whole.len(), &whole[..49_152]);
    let cancelled = notes(&server, 2);
    assert!(cancelled == "1168 0 0,0 995" || cancelled == "0 995,1168 0 0", "{cancelled}");
    client.send(&whole[49_152..]);
    assert_eq!(client.reply().text(), expected(&whole));
}

#[test]
fn slow_and_oversized_bodies_fail_the_read() {
    let limits = RequestLimits { max_allowed_content_length: 500_000, ..RequestLimits::default() };
    let mut options = ServerOptions::new(site(&probe_of("reading")).with_limits(limits));
    options.timeouts = Timeouts { body_idle: Duration::from_millis(50), ..Timeouts::default() };
    let server = Running::start(options);
    let mut client = begin(&server, "all", 400_000, &body(60_000));
    assert_eq!(client.reply().text(), "error 1460");
    let mut client = server.connect();
    client.send(b"POST /?all HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n");
    for _ in 0..11 {
        client.send(b"c350\r\n");
        client.send(&body(50_000));
        client.send(b"\r\n");
    }
    assert_eq!(client.reply().text(), "error 13");
}

#[test]
fn a_server_stops_although_a_module_never_ends_its_read() {
    let mut options = ServerOptions::new(site(&probe_of("reading")));
    options.grace = Duration::from_millis(100);
    let mut server = Running::start(options);
    let mut client = begin(&server, "never_done", 300_000, &body(49_152));
    assert_eq!(notes(&server, 0), "");
    let begin = Instant::now();
    server.ask_to_stop();
    server.wait();
    assert!(begin.elapsed() < DEADLINE);
    assert!(client.is_closed());
}

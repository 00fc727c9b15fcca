//! VECTOR_SEND: memory and files, synchronously and asynchronously, what it refuses, and how it ends.

use std::fs::{self, File};
use std::os::unix::fs::FileExt;

use isapi_config::{ErrorAnswer, ErrorPage};
use isapi_host::{ExecutorOptions, ServerOptions};

use crate::harness::{Client, Reply, Running, folder, probe_of, site};

const SYNC: u32 = 1;
const ASYNC: u32 = 2;
const DISCONNECT: u32 = 4;
const SEND_HEADERS: u32 = 8;
const FINAL: u32 = 0x10;

/// What the large vectors of the probe hold.
const LARGE: usize = 30_000_000;

fn server() -> Running {
    Running::of("vector")
}

fn digits() -> String {
    let file = folder().join("digits");
    fs::write(&file, "0123456789").expect("a writable folder");
    file.display().to_string()
}

fn vector(client: &mut Client, behaviour: &str, flags: u32, head: &str, elements: &str) -> Reply {
    client.get_with(behaviour, &format!("X-Flags: {flags}\r\nX-Head: {head}\r\nX-Elements: {elements}\r\n"))
}

/// What the probe has noted, once it has noted so often.
fn notes(server: &Running, count: usize) -> String {
    server.connect().get_with("notes", &format!("X-Count: {count}\r\n")).text()
}

#[test]
fn memory_and_files_go_out_in_order() {
    let (server, file) = (server(), digits());
    let mut client = server.connect();
    let elements = format!("m,0,3,abc f,0,0,{file} m,2,2,__XY f,8,0,{file} f,3,4,{file} m,0,1,!");
    let expected = "abc0123456789XY893456!";
    assert_eq!(vector(&mut client, "vector", SYNC, "", &elements).text(), expected);
    assert_eq!(vector(&mut client, "vector", ASYNC, "", &elements).text(), expected);
    assert_eq!(notes(&server, 1), format!("{} 0", expected.len()));
}

#[test]
fn a_vector_can_bring_its_head() {
    let server = server();
    let mut client = server.connect();
    for flags in [SYNC, ASYNC, SYNC | FINAL, ASYNC | FINAL] {
        for (elements, expected) in [("m,0,5,hello", "hello"), ("", "")] {
            let reply = vector(&mut client, "vector", flags | SEND_HEADERS, "both", elements);
            assert_eq!((reply.status(), reply.header("X-Sent")), (206, Some("yes")), "{flags} {elements}");
            assert_eq!((reply.text().as_str(), reply.complete), (expected, true), "{flags} {elements}");
        }
    }
}

#[test]
fn flags_that_ask_for_nothing_here_are_accepted() {
    let server = server();
    let flags = SYNC | 0x20 | 0x40 | 0x1000;
    assert_eq!(vector(&mut server.connect(), "vector", flags, "", "m,0,5,hello").text(), "hello");
}

#[test]
fn what_the_contract_forbids_is_refused_before_a_byte_goes_out() {
    let (server, file) = (server(), digits());
    let mut client = server.connect();
    let folder = folder().display().to_string();
    let good = "m,0,1,a";
    for (flags, head, elements, error) in [
        (0, "", good, 87),
        (SYNC | ASYNC, "", good, 87),
        (SYNC | 0x8000, "", good, 87),
        (SYNC | SEND_HEADERS, "", good, 87),
        (SYNC | SEND_HEADERS, "status", good, 87),
        (SYNC | SEND_HEADERS, "headers", good, 87),
        (SYNC, "both", good, 87),
        (SYNC, "status", good, 87),
        (SYNC, "headers", good, 87),
        (SYNC, "", "m,0,1,a m,0,0,b", 87),
        (SYNC, "", "m,0,1,a n,0,1,b", 87),
        (SYNC, "", "m,0,1,a m,-1,1,b", 87),
        (SYNC, "", "m,0,1,a m,0,-1,b", 87),
        (SYNC, "", "m,0,1,a x,0,1,b", 87),
        (SYNC, "", "m,0,1,a c,0,0,-1", 87),
        (SYNC, "", "m,0,1,a c,0,0,100000", 87),
        (SYNC, "", "m,0,1,a c,0,0,0x7fffffffffff", 87),
        (SYNC, "", "m,0,1,a f,0,0,/no/such/file", 87),
        (SYNC, "", &format!("{good} f,0,0,{folder}"), 87),
        (SYNC, "", &format!("{good} f,11,0,{file}"), 10022),
        (SYNC, "", &format!("{good} f,5,6,{file}"), 10022),
        (SYNC, "", &format!("{good} f,-1,2,{file}"), 10022),
        (ASYNC, "", &format!("{good} f,5,6,{file}"), 10022),
        (ASYNC, "", "m,0,0,a", 87),
    ] {
        let reply = vector(&mut client, "vector", flags, head, elements);
        assert_eq!(reply.text(), format!("error {error}"), "{flags:#x} {head} {elements}");
    }
    assert_eq!(client.get("odd_arrays").text(), "87 87 87");
}

#[test]
fn ranges_beyond_four_gigabytes_are_sent() {
    let path = folder().join("sparse");
    let file = File::create(&path).expect("a writable folder");
    file.set_len(5 << 30).expect("a file with holes");
    file.write_all_at(b"far away", (4 << 30) + 17).expect("the disk has room");
    let server = server();
    let elements = format!("f,{},8,{}", (4_u64 << 30) + 17, path.display());
    for flags in [SYNC, ASYNC] {
        assert_eq!(vector(&mut server.connect(), "vector", flags, "", &elements).text(), "far away");
    }
    fs::remove_file(path).expect("it is there");
}

#[test]
fn a_final_send_ends_the_response_before_the_extension_returns() {
    for status in [1, 2, 4] {
        let server = server();
        let mut client = server.connect();
        let request = format!("X-Status: {status}\r\nX-Flags: {}\r\nX-Head: both\r\nX-Elements: m,0,5,hello\r\n", 0x19);
        let reply = client.get_with("last", &request);
        assert_eq!((reply.text().as_str(), reply.complete), ("hello", true));
        assert_eq!(notes(&server, 1), "0 87 87 87 87", "nothing may be written afterwards");
        assert_eq!(client.get("gate").text(), "open", "the connection is free");
        assert_eq!(client.get("notes").text(), "0 87 87 87 87", "and stays so, whatever the extension returns");
    }
}

#[test]
fn a_vector_can_end_the_connection() {
    let server = server();
    for flags in [SYNC, ASYNC] {
        let mut client = server.connect();
        let reply = vector(&mut client, "vector", flags | DISCONNECT | SEND_HEADERS, "both", "m,0,5,hello");
        assert_eq!((reply.text().as_str(), reply.header("Connection")), ("hello", Some("close")));
        assert!(client.is_closed());
        let mut client = server.connect();
        assert_eq!(vector(&mut client, "vector", flags | DISCONNECT, "", "m,0,5,hello").text(), "hello");
        assert!(client.is_closed());
    }
}

#[test]
fn a_large_vector_arrives_whole_and_occupies_no_thread() {
    let mut options = ServerOptions::new(site(&probe_of("vector")));
    options.executor = ExecutorOptions { max_threads: 1, ..ExecutorOptions::default() };
    let server = Running::start(options);
    let mut client = server.connect();
    client.send(b"GET /?large HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    assert_eq!(notes(&server, 0), "", "another request is answered meanwhile");
    let mut client = server.connect();
    let reply = client.get("large");
    assert!(reply.complete && reply.body.len() == LARGE);
    assert!(reply.body.iter().all(|byte| *byte == b'm'), "memory has been read after the completion");
    assert_eq!(notes(&server, 1), format!("{LARGE} 0"));
}

#[test]
fn the_end_of_the_session_aborts_a_vector_once_and_leaves_its_memory_alone() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?done_while_sending HTTP/1.1\r\nHost: x\r\n\r\n");
    let notes = notes(&server, 2);
    assert!(notes == "done 0,0 995" || notes == "0 995,done 0", "{notes}");
    let reply = client.reply();
    assert!(!reply.complete, "what is missing shows");
    assert!(reply.body.iter().all(|byte| *byte == b'm'), "memory has been read after the completion");
}

#[test]
fn a_cancelled_vector_completes_with_995_and_cuts_the_response() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?cancelled HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(notes(&server, 2), "0 995,cancel 0 1168 done 0");
    let reply = client.reply();
    assert!(!reply.complete && reply.body.len() < LARGE);
    assert!(reply.body.iter().all(|byte| *byte == b'm'), "memory has been read after the completion");
}

#[test]
fn a_cancelled_write_completes_with_995_and_goes_out_nevertheless() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?cancelled_write HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(notes(&server, 2), "0 995,cancel 0 1168 done 0");
    let reply = client.reply();
    assert_eq!((reply.complete, reply.body.len()), (true, LARGE));
    assert!(reply.body.iter().all(|byte| *byte == b'm'));
}

#[test]
fn closing_the_connection_completes_a_vector_with_64() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?closed HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(notes(&server, 2), "0 64,close 0 done 0");
    let mut rest = Vec::new();
    // Closed or reset, but at an end.
    let _ = std::io::Read::read_to_end(&mut client.reader, &mut rest);
    assert!(rest.len() < LARGE);
}

#[test]
fn a_client_that_goes_away_aborts_a_vector() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?large HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    drop(client);
    assert_eq!(notes(&server, 1), "0 995");
}

#[test]
fn no_second_operation_of_any_kind_starts_while_one_is_outstanding() {
    let page = ErrorPage::new(404, None, ErrorAnswer::Redirect("/x".to_owned())).expect("valid");
    let site = site(&probe_of("vector")).with_error_pages(vec![page]).expect("only one");
    let server = Running::start(ServerOptions::new(site));
    let mut client = server.connect();
    client.send(b"POST /?second_operation HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
    client.send(&[0; 60000]);
    assert_eq!(notes(&server, 1), "0 87 87 87 87 87");
    assert_eq!(client.reply().body.len(), LARGE);
    assert_eq!(notes(&server, 2), format!("0 87 87 87 87 87,{LARGE} 0"));
}

#[test]
fn an_asynchronous_vector_needs_a_callback() {
    let reply = vector(&mut server().connect(), "without_callback", ASYNC, "", "m,0,1,a");
    assert_eq!(reply.text(), "87 1168");
}

#[test]
fn vectors_are_sent_from_threads_of_the_module() {
    let server = server();
    let reply = vector(&mut server.connect(), "from_a_thread", 0, "", "m,0,5,hello");
    assert_eq!(reply.text(), "hellohello");
    assert_eq!(notes(&server, 2), "0,5 0");
}

#[test]
fn chunk_framing_of_the_module_may_come_in_elements() {
    let reply = server().get("own_chunks");
    assert_eq!((reply.text().as_str(), reply.complete, reply.chunks), ("hello", true, vec![5]));
}

#[test]
fn a_vector_in_answer_to_head_sends_no_body() {
    let server = server();
    let mut client = server.connect();
    for flags in [SYNC | FINAL | SEND_HEADERS, ASYNC | SEND_HEADERS] {
        let request = format!("X-Flags: {flags}\r\nX-Head: both\r\nX-Elements: m,0,5,hello\r\n");
        client.send(format!("HEAD /?vector HTTP/1.1\r\nHost: x\r\n{request}\r\n").as_bytes());
        assert_eq!(client.head().status(), 206);
    }
    assert_eq!(client.get("notes").text(), "5 0");
}

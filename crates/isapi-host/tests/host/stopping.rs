//! The end of a server: requests in progress, those that never end, and TerminateExtension.

use std::fs;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use isapi_host::ServerOptions;

use crate::harness::{DEADLINE, Running, compile, folder, probe, site};

#[test]
fn a_request_in_progress_is_finished() {
    let mut server = Running::probe();
    let mut client = server.connect();
    client.get("hello");
    client.send(b"GET /?slow HTTP/1.1\r\nHost: x\r\n\r\n");
    // The head of a chunk or a length says that the extension runs; asking right away is allowed as well.
    std::thread::yield_now();
    let mut other = server.connect();
    assert_eq!(other.get("hello").text(), "hello");
    server.ask_to_stop();
    assert_eq!(client.reply().text(), "hello");
    assert!(client.is_closed() && other.is_closed());
    server.wait();
    assert!(TcpStream::connect(server.address).is_err());
}

#[test]
fn a_request_that_never_ends_is_cut_after_the_grace_time() {
    let mut options = ServerOptions::new(site(&probe()));
    options.grace = Duration::from_millis(100);
    let mut server = Running::start(options);
    let mut client = server.connect();
    client.send(b"GET /?forever HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    let begin = Instant::now();
    server.ask_to_stop();
    server.wait();
    assert!(begin.elapsed() < DEADLINE);
    while client.line().is_some() {}
}

#[test]
fn extensions_are_told_that_the_server_ends() {
    let file = folder().join("terminated");
    let library = compile("hello", &[&format!("TERMINATED_FILE=\"{}\"", file.display())]);
    let server = Running::start(ServerOptions::new(site(&library)));
    assert_eq!(server.get("hello").text(), "hello");
    assert!(!file.exists());
    drop(server);
    assert_eq!(fs::read_to_string(file).expect("it was called"), "2");
}

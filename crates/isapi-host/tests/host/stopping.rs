//! The end of a server: requests in progress, those that never end, and TerminateExtension.

use std::fs;
use std::net::TcpStream;
use std::path::Path;
use std::time::{Duration, Instant};

use isapi_host::{ExecutorOptions, ServerOptions};

use crate::harness::{DEADLINE, Running, compile, extension, folder, probe, site, site_of};

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

#[test]
fn extensions_end_at_the_same_time_and_need_no_thread_of_the_pool() {
    let (one, two) = (folder().join("one"), folder().join("two"));
    // Each TerminateExtension returns only when that of the other has been called.
    let library = |own: &Path, other: &Path| {
        let (own, other) = (own.display(), other.display());
        compile("hello", &[&format!("TERMINATED_FILE=\"{own}\""), &format!("OTHER_FILE=\"{other}\"")])
    };
    let handlers = vec![
        extension("one", "*.one", &library(&one, &two)),
        extension("two", "*.two", &library(&two, &one)),
        extension("probe", "*", &probe()),
    ];
    let mut options = ServerOptions::new(site_of(handlers, &folder()));
    options.executor = ExecutorOptions { max_threads: 1, ..ExecutorOptions::default() };
    options.grace = Duration::from_millis(100);
    let mut server = Running::start(options);
    let mut client = server.connect();
    for path in ["/x.one", "/x.two"] {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(client.reply().text(), "hello");
    }
    client.send(b"GET /?stuck HTTP/1.1\r\nHost: x\r\n\r\n");
    std::thread::sleep(Duration::from_millis(50));
    let begin = Instant::now();
    server.ask_to_stop();
    server.wait();
    assert!(begin.elapsed() < Duration::from_secs(8), "the stuck handler was waited for");
    assert!(one.exists() && two.exists());
}

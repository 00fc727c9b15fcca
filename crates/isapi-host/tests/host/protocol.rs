//! Requests that are malformed, too large, too slow or too many, and the access log.

use std::fs;
use std::thread;
use std::time::Duration;

use isapi_host::{AccessLogTarget, ExecutorOptions, ServerOptions, Timeouts};

use crate::harness::{Running, folder, probe, site};

fn status(server: &Running, request: &[u8]) -> u16 {
    let mut client = server.connect();
    client.send(request);
    client.reply().status()
}

#[test]
fn malformed_requests_get_an_answer() {
    let server = Running::probe();
    for (request, expected) in [
        (&b"nonsense\r\n\r\n"[..], 400),
        (b"GET / HTTP/1.1\r\nBad Name: x\r\n\r\n", 400),
        (b"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"GET /a%0d%0aX:%20y HTTP/1.1\r\nHost: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: x\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 400),
    ] {
        assert_eq!(status(&server, request), expected, "{}", String::from_utf8_lossy(request));
    }
    assert_eq!(server.get("hello").text(), "hello");
}

#[test]
fn oversized_requests_are_refused() {
    let server = Running::probe();
    let request = |path: &str, headers: &str| format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n");
    assert_eq!(status(&server, request(&format!("/{}", "a".repeat(4096)), "").as_bytes()), 404);
    assert_eq!(status(&server, request(&format!("/?{}", "a".repeat(2049)), "").as_bytes()), 404);
    assert_eq!(status(&server, request("/", &format!("X: {}\r\n", "a".repeat(100_000))).as_bytes()), 431);
    assert_eq!(status(&server, request("/", &"X: y\r\n".repeat(500)).as_bytes()), 431);
    assert_eq!(status(&server, request("/?hello", "").as_bytes()), 200);
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?hello HTTP/1.1\r\nHost: x\r\n\r\nGET /?reason HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.reply().text(), "hello");
    assert_eq!(client.reply().status(), 418);
}

#[test]
fn a_head_that_does_not_come_in_time_ends_the_connection() {
    let mut options = ServerOptions::new(site(&probe()));
    options.timeouts = Timeouts { header_read: Duration::from_millis(50), ..Timeouts::default() };
    let server = Running::start(options);
    let mut client = server.connect();
    assert_eq!(client.get("hello").text(), "hello");
    client.send(b"GET /?hel");
    assert!(client.is_closed());
}

#[test]
fn an_idle_connection_ends_after_a_while() {
    let mut options = ServerOptions::new(site(&probe()));
    options.timeouts = Timeouts { keep_alive: Duration::from_millis(50), ..Timeouts::default() };
    let server = Running::start(options);
    let mut client = server.connect();
    assert_eq!(client.get("hello").text(), "hello");
    assert!(client.is_closed());
}

#[test]
fn a_body_that_does_not_come_in_time_is_refused() {
    let mut options = ServerOptions::new(site(&probe()));
    options.timeouts = Timeouts { body_idle: Duration::from_millis(50), ..Timeouts::default() };
    let server = Running::start(options);
    assert_eq!(status(&server, b"POST /?sum HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nabc"), 408);
}

#[test]
fn requests_beyond_threads_and_queue_get_503() {
    let mut options = ServerOptions::new(site(&probe()));
    options.executor = ExecutorOptions { max_threads: 1, max_queue: 1 };
    let server = Running::start(options);
    let statuses: Vec<u16> = thread::scope(|scope| {
        let clients: Vec<_> = (0..8).map(|_| scope.spawn(|| server.get("slow").status())).collect();
        clients.into_iter().map(|client| client.join().expect("an answer")).collect()
    });
    assert!(statuses.contains(&503) && statuses.contains(&200), "{statuses:?}");
    assert_eq!(server.get("hello").text(), "hello");
}

#[test]
fn requests_beyond_the_limit_get_503_also_when_no_thread_is_busy() {
    let mut options = ServerOptions::new(site(&probe()));
    options.max_requests = 1;
    options.grace = Duration::from_millis(100);
    let server = Running::start(options);
    let mut statuses = Vec::new();
    // An answer may arrive a moment before its request has left.
    while statuses.iter().filter(|status| **status == 200).count() < 3 && statuses.len() < 10_000 {
        statuses.push(server.get("hello").status());
    }
    assert!(statuses.len() < 10_000 && statuses.iter().all(|status| [200, 503].contains(status)));
    let mut pending = server.connect();
    loop {
        pending.send(b"GET /?forever HTTP/1.1\r\nHost: x\r\n\r\n");
        let mut reply = pending.head();
        if reply.status() == 200 {
            break;
        }
        pending.read_body(&mut reply);
    }
    let refused = server.get("hello");
    assert_eq!((refused.status(), refused.header("Retry-After")), (503, Some("1")));
}

#[test]
fn a_request_whose_client_left_while_it_waited_is_not_run() {
    let mut options = ServerOptions::new(site(&probe()));
    options.executor = ExecutorOptions { max_threads: 1, max_queue: 10 };
    let server = Running::start(options);
    let mut busy = server.connect();
    busy.send(b"GET /?slow HTTP/1.1\r\nHost: x\r\n\r\n");
    thread::sleep(Duration::from_millis(50));
    let mut leaving = server.connect();
    leaving.send(b"GET /?visit HTTP/1.1\r\nHost: x\r\n\r\n");
    thread::sleep(Duration::from_millis(50));
    drop(leaving);
    assert_eq!(busy.reply().text(), "hello");
    assert_eq!(server.get("visited").text(), "0");
}

#[test]
fn a_request_that_cannot_be_read_is_logged() {
    let file = folder().join("access.log");
    let mut options = ServerOptions::new(site(&probe()));
    options.access_log = Some(AccessLogTarget::File(file.clone()));
    let server = Running::start(options);
    assert_eq!(status(&server, b"nonsense\r\n\r\n"), 400);
    assert_eq!(status(&server, format!("GET / HTTP/1.1\r\nX: {}\r\n\r\n", "a".repeat(100_000)).as_bytes()), 431);
    drop(server);
    let log = fs::read_to_string(file).expect("a log");
    for status in ["400", "431"] {
        assert!(log.contains(&format!(" - 127.0.0.1 - - {status} 0 0 ")), "{log}");
    }
}

#[test]
fn the_access_log_has_a_line_for_each_request() {
    let file = folder().join("access.log");
    let mut options = ServerOptions::new(site(&probe()));
    options.access_log = Some(AccessLogTarget::File(file.clone()));
    let server = Running::start(options);
    let mut client = server.connect();
    client.get_with("logged", "User-Agent: a b\tc\r\nReferer: http://x/\r\n");
    client.get("reason");
    client.get(&"q".repeat(2049));
    client.get("fail_late");
    drop(server);
    let log = fs::read_to_string(file).expect("a log");
    let fields = "#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) \
                  cs(Referer) sc-status sc-substatus sc-win32-status time-taken";
    assert!(log.starts_with("#Software: pyisapi/") && log.contains(fields), "{log}");
    let lines: Vec<Vec<&str>> =
        log.lines().filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
    assert_eq!(lines.len(), 4, "{log}");
    assert!(lines.iter().all(|line| line.len() == 15), "{log}");
    // A line is written when all that may add to it has let go, so neighbours may change places.
    let line = |query: &str| lines.iter().find(|line| line[5].starts_with(query)).expect("a line");
    assert_eq!(line("logged")[3..6], ["GET", "/", "logged|appended??|log+data"]);
    assert_eq!(line("logged")[7..14], ["-", "127.0.0.1", "a+b?c", "http://x/", "200", "0", "0"]);
    assert_eq!(line("reason")[11..14], ["418", "0", "0"]);
    assert_eq!(line("qqq")[11..14], ["404", "15", "0"]);
    assert_eq!(line("fail_late")[11..14], ["200", "0", "64"]);
}

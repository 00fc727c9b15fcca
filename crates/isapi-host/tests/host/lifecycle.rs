//! The life of a request inside an extension: return values, PENDING and DONE, completions, clients that go away.

use std::io::Write;
use std::thread;
use std::time::{Duration, Instant};

use isapi_host::ServerOptions;

use crate::harness::{DEADLINE, Running, probe, site};

#[test]
fn a_pending_request_is_ended_by_another_thread() {
    let server = Running::probe();
    for behaviour in ["pending", "done_before_return"] {
        let mut client = server.connect();
        for _ in 0..20 {
            let reply = client.get(behaviour);
            assert_eq!((reply.text().as_str(), reply.complete), ("from another thread", true), "{behaviour}");
        }
    }
}

#[test]
fn done_before_success_is_harmless() {
    let server = Running::probe();
    let mut client = server.connect();
    for _ in 0..20 {
        assert_eq!(client.get("done_then_success").text(), "done");
    }
}

#[test]
fn a_second_done_a_late_write_and_a_stale_handle_are_refused() {
    let server = Running::probe();
    assert_eq!(server.get("done_twice").text(), "done");
    // The answer has come while the extension is still busy with the calls that are to fail.
    let begin = Instant::now();
    let expected = "87 87 87 87";
    let mut results = String::new();
    while results != expected && begin.elapsed() < DEADLINE {
        results = server.get("results").text();
    }
    assert_eq!(results, expected, "second done, late write, stale handle, invented handle");
}

#[test]
fn errors_before_the_head_give_a_500_page() {
    let server = Running::probe();
    let mut client = server.connect();
    for behaviour in ["fail", "garbage"] {
        let reply = client.get(behaviour);
        assert_eq!(reply.status(), 500, "{behaviour}");
        assert!(reply.text().contains("500 Internal Server Error"), "{behaviour}");
    }
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn an_error_behind_the_head_cuts_the_connection() {
    let server = Running::probe();
    let mut client = server.connect();
    let reply = client.get("fail_late");
    assert_eq!((reply.text().as_str(), reply.complete), ("part", false));
    assert!(client.is_closed());
}

#[test]
fn an_extension_can_cut_the_connection() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?cut HTTP/1.1\r\nHost: x\r\n\r\n");
    assert!(client.is_closed());
    assert_eq!(server.get("hello").text(), "hello");
}

#[test]
fn what_a_pending_request_has_written_goes_out_at_once() {
    let mut options = ServerOptions::new(site(&probe()));
    options.grace = Duration::from_millis(100);
    let mut server = Running::start(options);
    let mut client = server.connect();
    client.send(b"GET /?forever HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    assert_eq!(client.line().as_deref(), Some("7"));
    assert_eq!(client.line().as_deref(), Some("started"));
    server.ask_to_stop();
    server.wait();
}

#[test]
fn a_chain_of_asynchronous_writes_arrives_whole() {
    let server = Running::probe();
    let mut client = server.connect();
    for _ in 0..2 {
        let reply = client.get("chain");
        assert!(reply.complete);
        assert_eq!(reply.body.len(), 400 * 5000);
        assert!(reply.body[..5000].iter().all(|byte| *byte == b'z'));
    }
}

#[test]
fn an_asynchronous_write_needs_a_callback() {
    assert_eq!(Running::probe().get("async_without_callback").text(), "0 87");
}

#[test]
fn a_client_that_goes_away_fails_the_writer() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?write_until_gone HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    drop(client);
    assert_eq!(server.get("gone").text(), "10054");
}

#[test]
fn a_client_that_goes_away_is_no_longer_connected() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?watch_until_gone HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    drop(client);
    assert_eq!(server.get("gone").text(), "0");
}

#[test]
fn a_client_that_goes_away_aborts_the_asynchronous_write() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?endless_chain HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    drop(client);
    // Either the operation was outstanding and is aborted, or the next one is refused.
    let error = server.get("gone").text();
    assert!(["995", "10054"].contains(&error.as_str()), "{error}");
}

#[test]
fn many_connections_at_once_are_all_answered() {
    let server = Running::probe();
    let behaviours = ["hello", "pending", "done_then_success", "framed", "nothing"];
    thread::scope(|scope| {
        for number in 0..64 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for turn in 0..50 {
                    let behaviour = behaviours[(number + turn) % behaviours.len()];
                    let reply = client.get(behaviour);
                    assert!(reply.complete && reply.status() < 300, "{behaviour}: {reply:?}");
                    let body = vec![b'a'; 100 * turn];
                    assert_eq!(client.post("sum", &body).status(), 200);
                }
            });
        }
    });
}

#[test]
fn closing_the_connection_does_not_wait_for_a_client_that_does_not_read() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?cut_while_writing HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(server.get("gone").text(), "64");
    let begin = Instant::now();
    let mut is_open = true;
    while is_open && begin.elapsed() < DEADLINE {
        is_open = client.reader.get_mut().write_all(b"x").is_ok();
        thread::sleep(Duration::from_millis(10));
    }
    assert!(!is_open);
}

#[test]
fn the_status_of_done_counts_as_that_of_a_return() {
    let server = Running::probe();
    let mut client = server.connect();
    for (status, expected) in [(0, 200), (1, 200), (2, 200), (3, 500), (4, 500), (17, 500)] {
        let reply = client.get_with("done_with", &format!("X-Status: {status}\r\n"));
        assert_eq!(reply.status(), expected, "{status}");
    }
}

#[test]
fn an_outstanding_write_is_completed_as_aborted_once() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?done_while_writing HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(server.get("gone").text(), "995");
    let reply = client.reply();
    assert_eq!((reply.complete, reply.body.len()), (true, 30_000_000), "what was queued goes out");
    assert_eq!(server.get("visited").text(), "1");
}

#[test]
fn an_unregistered_callback_is_not_called() {
    let server = Running::probe();
    assert_eq!(server.get("done_while_unregistered").body.len(), 30_000_000);
    assert_eq!(server.get("visited").text(), "0");
}

#[test]
fn done_inside_the_callback_brings_no_further_completion() {
    let server = Running::probe();
    let mut client = server.connect();
    for _ in 0..20 {
        assert_eq!(client.get("done_in_callback").text(), "done");
    }
    assert_eq!(client.get("visited").text(), "20");
}

#[test]
fn a_client_that_reads_too_slowly_is_cut_off() {
    let mut options = ServerOptions::new(site(&probe()));
    options.timeouts.min_rate = 1_000_000_000;
    options.timeouts.rate_after = Duration::from_millis(100);
    let server = Running::start(options);
    let mut client = server.connect();
    client.send(b"GET /?write_until_gone HTTP/1.1\r\nHost: x\r\n\r\n");
    // A little now and then: that it takes something at all does not save it.
    let reading = thread::spawn(move || {
        let mut little = [0; 4096];
        while std::io::Read::read(client.reader.get_mut(), &mut little).is_ok_and(|count| count > 0) {
            thread::sleep(Duration::from_millis(5));
        }
    });
    assert_eq!(server.get("gone").text(), "10054");
    reading.join().expect("the connection ends");
}

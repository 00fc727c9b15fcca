//! EXEC_URL: how a child and its parent end, each before the other or with the client, and what bounds children.

use std::fs;
use std::io::Read;
use std::thread;
use std::time::{Duration, Instant};

use isapi_host::{AccessLogTarget, ExecutorOptions};

use crate::exec_url::{PASS_BY, ask, begin, ended_with, ends_at_once, get, notes, options, server};
use crate::harness::{DEADLINE, Reply, Running, folder};

/// What the large child sends.
const LARGE: usize = 20_000_000;

fn open_gate(server: &Running) {
    assert_eq!(server.get("gate").text(), "open");
}

#[test]
fn a_chain_that_does_not_end_is_ended() {
    let server = server();
    let reply = server.get("itself");
    assert_eq!(reply.status(), 500);
    assert!(reply.text().contains("went on asking itself"), "{}", reply.text());
    assert_eq!(notes(&server, 2), [(); 2].map(|()| ended_with("500.0")).join(","));
    assert_eq!(server.get("deeper").status(), 500);
    assert_eq!(notes(&server, 13), [(); 13].map(|()| ended_with("500.0")).join(","));
    ends_at_once(server);
}

#[test]
fn nothing_else_is_sent_while_a_child_is_at_work() {
    let server = server();
    let mut client = server.connect();
    begin(&mut client, "GET", "/?others_meanwhile", &["X-Url: /?wait_at_gate"], b"");
    assert_eq!(notes(&server, 2), "waits,0 87 87 87 87 87 87 87 232");
    open_gate(&server);
    assert_eq!(client.reply().text(), "late");
    let seen = notes(&server, 4);
    assert!(seen.ends_with(&format!(",child: 1 0,{}", ended_with("200.0"))), "{seen}");
    ends_at_once(server);
}

#[test]
fn a_parent_that_ends_first_takes_its_child_with_it() {
    for behaviour in ["/?done_meanwhile", "/?returns_meanwhile"] {
        let server = server();
        let mut client = server.connect();
        let reply = get(&mut client, behaviour, &["X-Url: /?wait_at_gate", "X-Close: 1"]);
        assert_eq!(reply.status(), 500, "{behaviour}");
        assert!(notes(&server, 2).starts_with("waits,0 995: "), "{behaviour} {}", notes(&server, 2));
        open_gate(&server);
        assert!(notes(&server, 3).ends_with(",child: 0 10054"), "{behaviour} {}", notes(&server, 3));
        assert_eq!(get(&mut client, "/x.hello", &[]).text(), "hello", "the connection is the next request's");
        ends_at_once(server);
    }
}

#[test]
fn a_parent_that_ends_in_the_middle_of_its_child_breaks_the_response_off() {
    let server = server();
    let reply = get(&mut server.connect(), "/?done_meanwhile", &["X-Url: /?wait_at_gate", "X-First: 1"]);
    // The child's first bytes may have been passed on by then.
    assert!(reply.status() == 500 || (reply.status() == 200 && !reply.complete), "{reply:?}");
    open_gate(&server);
    assert!(notes(&server, 3).ends_with(",child: 0 10054"), "{}", notes(&server, 3));
    ends_at_once(server);
}

#[test]
fn a_child_can_be_cancelled() {
    let server = server();
    let mut client = server.connect();
    let reply = get(&mut client, "/?cancels", &["X-Url: /?wait_at_gate"]);
    assert_eq!((reply.status(), reply.text().as_str()), (200, "cancelled"));
    assert_eq!(notes(&server, 2), "waits,0 995: 0 0.0 995");
    open_gate(&server);
    assert_eq!(notes(&server, 3), "waits,0 995: 0 0.0 995,child: 0 10054");
    assert_eq!(get(&mut client, "/x.hello", &[]).text(), "hello");
    ends_at_once(server);
}

#[test]
fn a_parent_that_closes_the_connection_ends_its_child() {
    let server = server();
    let mut client = server.connect();
    begin(&mut client, "GET", "/?closes", &["X-Url: /?wait_at_gate", "X-First: 1"], b"");
    client.reader.read_to_end(&mut Vec::new()).unwrap_or_default();
    let seen = notes(&server, 2);
    assert!(seen.starts_with("waits,0 64: 0 "), "{seen}");
    open_gate(&server);
    assert!(notes(&server, 3).contains("child: 0 10054"), "{}", notes(&server, 3));
    ends_at_once(server);
}

#[test]
fn a_client_that_leaves_ends_both() {
    for first in ["X-First: 0", "X-First: 1"] {
        let server = server();
        let mut client = server.connect();
        begin(&mut client, "GET", "/?stays", &["X-Url: /?wait_at_gate", first], b"");
        notes(&server, 1);
        if first.ends_with('1') {
            assert_eq!(client.head().status(), 200);
        }
        drop(client);
        let seen = notes(&server, 2);
        assert!(seen.starts_with("waits,0 995: 0 ") && seen.ends_with(" 995"), "{seen}");
        open_gate(&server);
        assert!(notes(&server, 3).ends_with(",child: 0 10054"), "{}", notes(&server, 3));
        ends_at_once(server);
    }
}

#[test]
fn the_end_of_the_server_ends_both() {
    let mut options = options();
    options.grace = Duration::from_millis(200);
    let server = Running::start(options);
    let mut client = server.connect();
    begin(&mut client, "GET", "/?stays", &["X-Url: /?wait_at_gate"], b"");
    notes(&server, 1);
    let mut server = server;
    let begin = Instant::now();
    server.ask_to_stop();
    assert!(client.is_closed());
    server.wait();
    assert!(begin.elapsed() < Duration::from_secs(15));
}

#[test]
fn a_large_response_goes_no_faster_than_the_client_takes_it() {
    let server = server();
    let mut client = server.connect();
    begin(&mut client, "GET", "/?run", &["X-Url: /?large"], b"");
    let mut reply = client.head();
    // The child's end would be noted if all had been taken off its hands.
    thread::sleep(Duration::from_millis(300));
    assert_eq!(notes(&server, 0), "");
    client.read_body(&mut reply);
    assert!(reply.complete && reply.body.len() == LARGE && reply.body.iter().all(|byte| *byte == b'l'));
    assert_eq!(notes(&server, 2), format!("all,{}", ended_with("200.0")));
    let mut client = server.connect();
    begin(&mut client, "GET", "/?run", &["X-Url: /?large"], b"");
    client.head();
    drop(client);
    let seen = notes(&server, 4);
    assert!(seen.contains("child: 10054") && seen.contains("0 995: 0 200.0 995"), "{seen}");
    ends_at_once(server);
}

/// Asks until a parent finds the seat free: the last one may hold it a moment longer than its client waits.
fn when_there_is_a_seat(ask: impl Fn() -> Reply) -> Reply {
    let begin = Instant::now();
    loop {
        let reply = ask();
        if reply.status() != 503 {
            return reply;
        }
        assert!(begin.elapsed() < DEADLINE, "the seat was not given back");
    }
}

#[test]
fn a_child_that_finds_no_seat_gets_a_503() {
    let mut options = options();
    options.max_requests = 1;
    let server = Running::start(options);
    let reply = get(&mut server.connect(), "/?run", &["X-Url: /x.hello"]);
    assert_eq!((reply.status(), reply.header("retry-after")), (503, Some("1")));
    let noted = when_there_is_a_seat(|| server.connect().get_with("notes", "X-Count: 1\r\n"));
    assert_eq!(noted.text(), ended_with("503.2"));
    // A file needs no seat.
    let reply = when_there_is_a_seat(|| get(&mut server.connect(), "/page.txt?run", &[PASS_BY]));
    assert_eq!(reply.text(), "0123456789");
    ends_at_once(server);
}

#[test]
fn many_at_a_time_get_their_own_answers() {
    let server = server();
    thread::scope(|scope| {
        for number in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for turn in 0..40 {
                    let url = format!("X-Url: /{number}/{turn}?echo");
                    let text = ask(&mut client, "POST", "/?run", &[&url, "X-Quiet: 1"], b"body").text();
                    let expected =
                        format!("POST /{number}/{turn}?echo /{number}/{turn} [] length 4 total 4 body 4 430 body");
                    assert_eq!(text, expected);
                    assert_eq!(get(&mut client, "/page.txt?run", &[PASS_BY, "X-Quiet: 1"]).text(), "0123456789");
                }
            });
        }
    });
    ends_at_once(server);
}

#[test]
fn children_have_no_line_in_the_access_log() {
    let log = folder().join("access.log");
    let mut options = options();
    options.access_log = Some(AccessLogTarget::File(log.clone()));
    let server = Running::start(options);
    let mut client = server.connect();
    get(&mut client, "/none.txt?run", &[PASS_BY]);
    get(&mut client, "/?run", &["X-Url: /?logged"]);
    ask(&mut client, "FETCH", "/x?run", &[PASS_BY], b"");
    ends_at_once(server);
    let text = fs::read_to_string(log).expect("a log");
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines.len(), 3, "{text}");
    assert!(lines[0].contains(" GET /none.txt run ") && lines[0].contains(" 404 0 0 "), "{text}");
    assert!(lines[1].contains(" GET / run|of+the+child ") && lines[1].contains(" 200 0 0 "), "{text}");
    assert!(lines[2].contains(" FETCH /x run ") && lines[2].contains(" 405 0 0 "), "{text}");
}

#[test]
fn parents_that_take_all_seats_do_not_wait_for_one_another() {
    let mut options = options();
    options.max_requests = 4;
    options.executor = ExecutorOptions { max_threads: 1, ..ExecutorOptions::default() };
    let server = Running::start(options);
    thread::scope(|scope| {
        for _ in 0..8 {
            let server = &server;
            scope.spawn(move || {
                let mut client = server.connect();
                for _ in 0..40 {
                    let reply = get(&mut client, "/?run", &["X-Url: /x.hello", "X-Quiet: 1"]);
                    assert!(reply.status() == 503 || reply.text() == "hello", "{reply:?}");
                }
            });
        }
    });
    ends_at_once(server);
}

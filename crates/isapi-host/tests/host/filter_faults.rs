//! Filters that do wrong: each is found out, the client gets the right answer, and the server goes on.

use std::thread;
use std::time::{Duration, Instant};

use isapi_host::ServerOptions;

use crate::filter_harness::{ALL, Filtered, acting, acting_as, files, site, watcher};

const STAGES: [&str; 5] = ["PREPROC_HEADERS", "URL_MAP", "AUTHENTICATION", "AUTH_COMPLETE", "SEND_RESPONSE"];

#[test]
fn a_filter_that_fails_gives_a_500_that_names_the_code() {
    for stage in STAGES {
        let filtered = Filtered::by(&[&acting(stage, "answer_error")]);
        for _ in 0..2 {
            let reply = filtered.server.get("hello");
            assert_eq!(reply.status(), 500, "{stage}");
            assert!(reply.text().contains("ISAPI0333"), "{stage}: {}", reply.text());
        }
        assert!(filtered.seen.first(1)[0].contains(&format!("f1 {stage} ERROR 1234\n")), "{stage}");
    }
}

#[test]
fn a_filter_that_fails_behind_the_response_changes_nothing() {
    for stage in ["END_OF_REQUEST", "LOG", "END_OF_NET_SESSION"] {
        for act in ["answer_error", "answer_garbage", "answer_finished", "answer_read_next"] {
            let filtered = Filtered::by(&[&acting(stage, act)]);
            for _ in 0..2 {
                assert_eq!(filtered.server.get("hello").status(), 404, "{stage} {act}");
            }
        }
    }
}

#[test]
fn a_status_that_is_none_is_taken_as_next() {
    for stage in STAGES {
        for act in ["answer_garbage", "answer_read_next"] {
            let filtered = Filtered::by(&[&acting(stage, act)]);
            assert_eq!(filtered.server.get("hello").status(), 404, "{stage} {act}");
        }
    }
}

#[test]
fn a_filter_that_writes_past_a_buffer_is_found_out() {
    for (stage, act) in [("URL_MAP", "map_too_far"), ("AUTHENTICATION", "log_on_too_long")] {
        let filtered = Filtered::by(&[&acting(stage, act)]);
        for _ in 0..2 {
            let reply = filtered.server.get("hello");
            assert_eq!(reply.status(), 500, "{stage}");
            assert!(reply.text().contains("ISAPI0334"), "{stage}: {}", reply.text());
        }
    }
}

#[test]
fn nulls_in_place_of_everything_are_refused() {
    for stage in ["PREPROC_HEADERS", "SEND_RESPONSE"] {
        let filtered = Filtered::by(&[&acting(stage, "nulls")]);
        let mut client = filtered.server.connect();
        for _ in 0..3 {
            // SEND_RESPONSE_HEADER with nulls is a head: 200 without headers.
            assert_eq!(client.get("hello").status(), 200, "{stage}");
        }
    }
}

#[test]
fn a_context_that_was_kept_names_nothing() {
    let filtered = Filtered::by(&[&acting("PREPROC_HEADERS", "use_kept")]);
    assert_eq!(filtered.server.get("hello").status(), 404);
    // The first connection has ended, or its filter is in no notification.
    let told = filtered.server.get("hello").text();
    assert!(told == "0 87" || told == "-1 0", "{told}");
    let mut both = (filtered.server.connect(), filtered.server.connect());
    let told = [both.0.get("hello").text(), both.1.get("hello").text()];
    assert!(told.contains(&"0 87".to_owned()), "{told:?}");
}

#[test]
fn a_filter_that_never_returns_is_given_up_and_others_are_served() {
    for stage in ["PREPROC_HEADERS", "SEND_RESPONSE"] {
        let mut options = ServerOptions::new(site(&[&acting(stage, "answer_never")], &files()));
        options.filter_limit = Duration::from_millis(300);
        options.executor.max_threads = 16;
        options.grace = Duration::from_millis(100);
        let filtered = Filtered::of(options);
        let clients: Vec<_> = (0..3)
            .map(|_| {
                let mut client = filtered.server.connect();
                thread::spawn(move || client.get("hello"))
            })
            .collect();
        for client in clients {
            let reply = client.join().expect("no panic");
            assert_eq!(reply.status(), 500, "{stage}");
            assert!(reply.text().contains("ISAPI0337"), "{stage}");
        }
        let begin = Instant::now();
        drop(filtered);
        assert!(begin.elapsed() < Duration::from_secs(20), "the server stops nevertheless");
    }
}

#[test]
fn a_filter_that_never_returns_from_raw_data_loses_its_connection_only() {
    for stage in ["READ_RAW_DATA", "SEND_RAW_DATA"] {
        let mut options = ServerOptions::new(site(&[&acting(stage, "answer_never")], &files()));
        options.filter_limit = Duration::from_millis(300);
        options.grace = Duration::from_millis(100);
        let filtered = Filtered::of(options);
        let mut client = filtered.server.connect();
        client.send(b"GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n");
        assert!(client.is_closed(), "{stage}");
    }
}

#[test]
fn each_connection_has_a_place_of_its_own_for_the_filters_pointer() {
    for act in ["count_requests", "count_in_server_memory", "count_in_nested_memory"] {
        let flags = "SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_END_OF_NET_SESSION";
        let filtered = Filtered::by(&[&acting_as(flags, "PREPROC_HEADERS", act, "")]);
        let (mut one, mut other) = (filtered.server.connect(), filtered.server.connect());
        for count in 1..=5 {
            assert_eq!(one.get("x").text(), count.to_string(), "{act}");
            assert_eq!(other.get("x").text(), count.to_string(), "{act}");
        }
        assert_eq!(filtered.server.get("x").text(), "1", "{act}");
    }
}

#[test]
fn memory_has_a_limit() {
    let filtered = Filtered::by(&[&acting("PREPROC_HEADERS", "too_much_memory")]);
    assert_eq!(filtered.server.get("x").text(), "0 8");
}

#[test]
fn many_connections_at_once_past_three_filters() {
    let flags = "SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_SEND_RESPONSE|SF_NOTIFY_LOG|SF_NOTIFY_END_OF_REQUEST|\
                 SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_END_OF_NET_SESSION";
    let filters = [
        acting_as(flags, "PREPROC_HEADERS", "response_headers", ""),
        acting_as(flags, "SEND_RESPONSE", "show_status", ""),
        acting_as(flags, "LOG", "change_log", ""),
    ];
    let filtered = Filtered::by(&filters.each_ref().map(|path| path.as_path()));
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| {
                let mut client = filtered.server.connect();
                for turn in 0..100 {
                    let path = ["/hello.txt", "/a.x?hello", "/a.x?pending", "/none"][turn % 4];
                    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes());
                    let reply = client.reply();
                    assert_eq!(reply.status(), if path == "/none" { 404 } else { 200 });
                    assert!(reply.complete && reply.header("x-status").is_some());
                }
            });
        }
    });
    let seen = filtered.seen.first(1600);
    assert!(
        seen.iter()
            .all(|trace| trace.starts_with("GET /secret") && trace.contains(" -> 299\n") || trace.starts_with("end"))
    );
}

#[test]
fn a_client_that_leaves_while_a_filter_is_at_work_ends_its_request_behind_it() {
    for stage in
        ["READ_RAW_DATA", "PREPROC_HEADERS", "URL_MAP", "AUTH_COMPLETE", "SEND_RESPONSE", "SEND_RAW_DATA", "LOG"]
    {
        let filtered = Filtered::by(&[&acting_as(ALL, stage, "slowly", "")]);
        let mut client = filtered.server.connect();
        client.send(b"GET /a.x?hello HTTP/1.1\r\nHost: test\r\n\r\n");
        drop(client);
        let end = "end\n  f1 END_OF_NET_SESSION NEXT_NOTIFICATION\n";
        let mut seen = filtered.seen.first(1);
        // A client that is quick is gone before its request has begun.
        if !seen[0].contains("END_OF_NET_SESSION") {
            assert!(seen[0].starts_with("GET /a.x?hello -> "), "{stage}: {}", seen[0]);
            assert!(seen[0].ends_with("  f1 LOG NEXT_NOTIFICATION\n"), "{stage}: {}", seen[0]);
            seen = filtered.seen.first(2);
        }
        let last = seen.last().expect("one at least");
        assert!(last.ends_with(end.split_once('\n').expect("two lines").1), "{stage}: {last}");
    }
}

#[test]
fn filters_go_on_while_every_thread_waits_for_what_they_let_through() {
    let flags = "SF_NOTIFY_SEND_RESPONSE|SF_NOTIFY_SEND_RAW_DATA|SF_NOTIFY_READ_RAW_DATA";
    let mut options = ServerOptions::new(site(&[&watcher(flags)], &files()));
    options.executor.max_threads = 1;
    let filtered = Filtered::of(options);
    let body = vec![1; 2_000_000];
    let begin = Instant::now();
    for _ in 0..3 {
        let mut client = filtered.server.connect();
        client.send(b"GET /a.x?large HTTP/1.1\r\nHost: test\r\n\r\n");
        assert!(client.reply().complete);
        client
            .send(format!("POST /a.x?sum HTTP/1.1\r\nHost: test\r\nContent-Length: {}\r\n\r\n", body.len()).as_bytes());
        client.send(&body);
        assert!(client.reply().text().contains("2000000"));
    }
    assert!(begin.elapsed() < Duration::from_secs(10), "nobody waited for a time-out");
}

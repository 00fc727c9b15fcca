//! Filters that do wrong: each is found out, the client gets the right answer, and the server goes on.

use std::thread;
use std::time::{Duration, Instant};

use isapi_host::ServerOptions;

use crate::filter_harness::{Filtered, acting, acting_as, files, site};

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
    for act in ["count_requests", "count_in_server_memory"] {
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

//! Which filters hear of what, and in which order.

use std::fs;

use isapi_host::{FilterProfile, ServerOptions};

use crate::filter_harness::{ALL, Filtered, HEADS, acting, files, site, watcher};
use crate::harness::{Running, compile, folder};

/// The traces that `ask` gives rise to, of one request or connection each.
fn traces(filtered: Filtered, count: usize, ask: impl FnOnce(&Running)) -> String {
    ask(&filtered.server);
    filtered.seen.first(count).concat()
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n")
}

#[test]
fn a_plain_get() {
    let seen = traces(Filtered::by(&[&watcher(ALL)]), 2, |server| {
        let mut client = server.connect();
        client.send(get("/a.x?hello").as_bytes());
        assert_eq!(client.reply().status(), 200);
    });
    assert_eq!(
        seen,
        "GET /a.x?hello -> 200
  f1 READ_RAW_DATA NEXT_NOTIFICATION
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
end
  f1 END_OF_NET_SESSION NEXT_NOTIFICATION
"
    );
}

#[test]
fn a_post_with_a_body() {
    let seen = traces(Filtered::by(&[&watcher(ALL)]), 1, |server| {
        let mut client = server.connect();
        client.send(b"POST /a.x?sum HTTP/1.1\r\nHost: test\r\nContent-Length: 5\r\n\r\n");
        client.send(b"12345");
        assert_eq!(client.reply().status(), 200);
    });
    assert_eq!(
        seen.replace("  f1 READ_RAW_DATA NEXT_NOTIFICATION\n", ""),
        "POST /a.x?sum -> 200
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
"
    );
    assert!(seen.contains("READ_RAW_DATA"));
}

#[test]
fn a_401() {
    let seen = traces(Filtered::with_users(&[&watcher(HEADS)], false), 1, |server| {
        let mut client = server.connect();
        client.send(get("/hello.txt").as_bytes());
        assert_eq!(client.reply().status(), 401);
    });
    assert_eq!(
        seen,
        "GET /hello.txt -> 401
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 ACCESS_DENIED NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
"
    );
}

#[test]
fn a_static_file() {
    let seen = traces(Filtered::by(&[&watcher(HEADS)]), 1, |server| {
        let mut client = server.connect();
        client.send(get("/hello.txt").as_bytes());
        assert_eq!(client.reply().text(), "hello, file\n");
    });
    assert_eq!(
        seen,
        "GET /hello.txt -> 200
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
"
    );
}

#[test]
fn an_extension_that_answers_asynchronously() {
    let seen = traces(Filtered::by(&[&watcher(ALL)]), 2, |server| {
        let mut client = server.connect();
        client.send(get("/a.x?pending").as_bytes());
        assert_eq!(client.reply().text(), "from another thread");
    });
    assert_eq!(
        seen,
        "GET /a.x?pending -> 200
  f1 READ_RAW_DATA NEXT_NOTIFICATION
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
end
  f1 END_OF_NET_SESSION NEXT_NOTIFICATION
"
    );
}

#[test]
fn three_requests_of_one_connection() {
    let seen = traces(
        Filtered::by(&[&watcher(
            "SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_END_OF_REQUEST|SF_NOTIFY_LOG|SF_NOTIFY_END_OF_NET_SESSION",
        )]),
        4,
        |server| {
            let mut client = server.connect();
            for name in ["hello", "pending", "hello"] {
                client.send(get(&format!("/{name}.x?{name}")).as_bytes());
                assert_eq!(client.reply().status(), 200);
            }
        },
    );
    let request = |name: &str| {
        format!(
            "GET /{name}.x?{name} -> 200
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
"
        )
    };
    let end = "end\n  f1 END_OF_NET_SESSION NEXT_NOTIFICATION\n";
    assert_eq!(seen, [&request("hello"), &request("pending"), &request("hello"), end].concat());
}

#[test]
fn three_pipelined_requests_are_seen_one_after_the_other() {
    let seen = traces(
        Filtered::by(&[&watcher("SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_END_OF_REQUEST|SF_NOTIFY_SEND_RAW_DATA")]),
        3,
        |server| {
            let mut client = server.connect();
            client.send((get("/1.x?hello") + &get("/2.x?pending") + &get("/3.x?hello")).as_bytes());
            for _ in 0..3 {
                assert_eq!(client.reply().status(), 200);
            }
        },
    );
    let request = |path: &str| {
        format!(
            "GET {path} -> 200
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
"
        )
    };
    assert_eq!(seen, [request("/1.x?hello"), request("/2.x?pending"), request("/3.x?hello")].concat());
}

#[test]
fn a_broken_connection() {
    let seen = traces(Filtered::by(&[&watcher(HEADS)]), 2, |server| {
        let mut client = server.connect();
        client.send(get("/a.x?write_until_gone").as_bytes());
        client.head();
    });
    assert_eq!(
        seen,
        "GET /a.x?write_until_gone -> 200
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 SEND_RESPONSE NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f1 LOG NEXT_NOTIFICATION
end
  f1 END_OF_NET_SESSION NEXT_NOTIFICATION
"
    );
}

#[test]
fn a_connection_without_a_request() {
    let seen = traces(Filtered::by(&[&watcher(ALL)]), 1, |server| drop(server.connect()));
    assert_eq!(seen, "end\n  f1 END_OF_NET_SESSION NEXT_NOTIFICATION\n");
}

#[test]
fn priority_comes_before_load_order_and_what_is_sent_goes_the_other_way() {
    let flags = |order: &str| format!("SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_SEND_RAW_DATA|{order}");
    let filters = [
        watcher(&flags("0")),
        watcher(&flags("SF_NOTIFY_ORDER_MEDIUM")),
        watcher(&flags("SF_NOTIFY_ORDER_HIGH")),
        watcher(&flags("SF_NOTIFY_ORDER_LOW")),
    ];
    let filters = filters.each_ref().map(|path| path.as_path());
    let seen = traces(Filtered::by(&filters), 1, |server| {
        let mut client = server.connect();
        client.send(get("/a.x?hello").as_bytes());
        client.reply();
    });
    // The response may go out in two pieces.
    let sent = "  f4 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f2 SEND_RAW_DATA NEXT_NOTIFICATION
  f3 SEND_RAW_DATA NEXT_NOTIFICATION
";
    assert_eq!(
        seen.replacen(&sent.repeat(2), sent, 1),
        "GET /a.x?hello -> 200
  f3 PREPROC_HEADERS NEXT_NOTIFICATION
  f2 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f4 PREPROC_HEADERS NEXT_NOTIFICATION
  f4 SEND_RAW_DATA NEXT_NOTIFICATION
  f1 SEND_RAW_DATA NEXT_NOTIFICATION
  f2 SEND_RAW_DATA NEXT_NOTIFICATION
  f3 SEND_RAW_DATA NEXT_NOTIFICATION
"
    );
}

#[test]
fn handled_keeps_an_event_from_the_filters_behind() {
    let handles = acting("PREPROC_HEADERS", "answer_handled");
    let seen = traces(Filtered::by(&[&handles, &watcher("SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_LOG")]), 1, |server| {
        assert_eq!(server.get("hello").status(), 404);
    });
    assert_eq!(seen, "GET /?hello -> 404\n  f1 PREPROC_HEADERS HANDLED_NOTIFICATION\n  f2 LOG NEXT_NOTIFICATION\n");
}

#[test]
fn a_filter_for_secure_ports_only_hears_nothing_without_tls() {
    let seen = traces(Filtered::by(&[&watcher("SF_NOTIFY_PREPROC_HEADERS|SF_NOTIFY_SECURE_PORT")]), 1, |server| {
        server.get("hello");
    });
    assert_eq!(seen, "GET /?hello -> 404\n");
}

#[test]
fn notifications_can_be_disabled_for_one_request() {
    let disables = crate::filter_harness::acting_as(HEADS, "PREPROC_HEADERS", "disable", "");
    let seen = traces(Filtered::by(&[&disables, &watcher("SF_NOTIFY_LOG")]), 1, |server| {
        server.connect().get("hello");
    });
    assert_eq!(
        seen,
        "GET /?hello -> 404
  f1 PREPROC_HEADERS NEXT_NOTIFICATION
  f1 URL_MAP NEXT_NOTIFICATION
  f1 AUTHENTICATION NEXT_NOTIFICATION
  f1 AUTH_COMPLETE NEXT_NOTIFICATION
  f1 END_OF_REQUEST NEXT_NOTIFICATION
  f2 LOG NEXT_NOTIFICATION
"
    );
}

#[test]
fn terminate_filter_is_called_when_the_server_stops() {
    let note = folder().join("terminated");
    let filter = compile("filter", &["FLAGS=SF_NOTIFY_LOG", &format!("TERMINATED={:?}", note.display().to_string())]);
    let filtered = Filtered::by(&[&filter]);
    filtered.server.get("hello");
    drop(filtered);
    assert_eq!(fs::read_to_string(note).expect("it has been called"), "terminated 2\n");
}

#[test]
fn a_filter_that_does_not_load_stops_its_site() {
    let refusing = compile("filter", &["FLAGS=0", "REFUSES"]);
    let missing = folder().join("_none.so");
    let no_filter = crate::harness::probe();
    for (library, expected) in [
        (&refusing, "ISAPI0330 the filter"),
        (&missing, "ISAPI0301 cannot load the filter"),
        (&no_filter, "is not an ISAPI filter: it does not export GetFilterVersion"),
    ] {
        let error = load_error(ServerOptions::new(site(&[library], &files())));
        assert!(error.contains(expected) && error.contains(&library.display().to_string()), "{error}");
    }
}

#[test]
fn raw_reads_are_refused_where_iis_10_would() {
    let mut options = ServerOptions::new(site(&[&watcher(ALL)], &files()));
    options.filter_profile = FilterProfile::Iis10;
    let error = load_error(options);
    assert!(error.starts_with("ISAPI0331 ") && error.contains("SF_NOTIFY_READ_RAW_DATA"), "{error}");
    let mut options = ServerOptions::new(site(&[&watcher(HEADS)], &files()));
    options.filter_profile = FilterProfile::Iis10;
    assert_eq!(Filtered::of(options).server.get("hello").status(), 404);
}

/// Why the filters of a server cannot be loaded; it then does not serve either.
fn load_error(options: ServerOptions) -> String {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
    runtime.expect("a runtime").block_on(async {
        let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let server = isapi_host::Server::bind(options, address).expect("a free port");
        let error = server.load_filters().await.expect_err("it cannot be loaded");
        server.run(std::future::pending()).await;
        error.to_string()
    })
}

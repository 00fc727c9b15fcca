//! What filters see and change of heads: GetHeader, SetHeader, AddHeader, AddResponseHeaders, variables, own answers,
//! and where URLs lead.

use std::fs;

use isapi_config::Filter;
use isapi_host::ServerOptions;

use crate::exec_url;
use crate::filter_harness::{Filtered, HEADS, acting, acting_as, acting_with, watcher};
use crate::harness::{Reply, folder, probe_of, site};

fn get(filtered: &Filtered, path: &str, headers: &str) -> Reply {
    let mut client = filtered.server.connect();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n{headers}\r\n").as_bytes());
    client.reply()
}

#[test]
fn a_rewritten_url_is_the_requests_url_from_then_on() {
    let rewrites = acting_with("PREPROC_HEADERS", "set_header", "url|/hello.txt?from=filter");
    let filtered = Filtered::by(&[&rewrites, &watcher("SF_NOTIFY_LOG")]);
    assert_eq!(get(&filtered, "/nowhere", "").text(), "hello, file\n");
    assert!(filtered.seen.first(1)[0].starts_with("GET /hello.txt?from=filter -> 200\n"));
}

#[test]
fn a_rewritten_url_reaches_the_extension_with_its_query() {
    let rewrites = acting_with("PREPROC_HEADERS", "set_header", "url|/a.x?hello");
    assert_eq!(get(&Filtered::by(&[&rewrites]), "/old?x", "").status(), 200);
}

#[test]
fn a_url_is_checked_behind_the_filters_as_one_from_a_client() {
    for (url, status) in [("/a/%zz", 400), ("/../../etc/passwd", 404), ("/%00", 400)] {
        let rewrites = acting_with("PREPROC_HEADERS", "set_header", &format!("url|{url}"));
        assert_eq!(get(&Filtered::by(&[&rewrites]), "/hello.txt", "").status(), status, "{url}");
    }
}

#[test]
fn method_and_headers_can_be_changed() {
    let to_delete = acting_with("PREPROC_HEADERS", "set_header", "method|DELETE");
    assert_eq!(get(&Filtered::by(&[&to_delete]), "/hello.txt", "").status(), 405);
    let condition = acting_with("PREPROC_HEADERS", "set_header", "If-Modified-Since:|Fri, 31 Dec 2100 23:59:59 GMT");
    assert_eq!(get(&Filtered::by(&[&condition]), "/hello.txt", "").status(), 304);
    let range = acting_with("PREPROC_HEADERS", "set_header", "Range:|");
    assert_eq!(get(&Filtered::by(&[&range]), "/hello.txt", "Range: bytes=0-1\r\n").status(), 200, "deleted");
}

#[test]
fn headers_are_read_by_their_names_with_the_colon() {
    let names = "url method version Host: X-Two: X-None: Host status";
    let filtered = Filtered::by(&[&acting_with("PREPROC_HEADERS", "show_headers", names)]);
    assert_eq!(
        get(&filtered, "/a?b=c", "X-Two: 1\r\nX-Two: 2\r\n").text(),
        "url=/a?b=c(7)\nmethod=GET(4)\nversion=HTTP/1.1(9)\nHost:=test(5)\nX-Two:=1, 2(5)\nX-None:!1413\nHost!87\n\
         status!87\n"
    );
}

#[test]
fn a_short_buffer_is_told_the_size_that_is_needed() {
    let filtered = Filtered::by(&[&acting("PREPROC_HEADERS", "show_size")]);
    assert_eq!(get(&filtered, "/abcdef", "").text(), "0 122 8");
}

#[test]
fn variables_are_those_of_the_head_as_it_is() {
    let names = "URL QUERY_STRING REQUEST_METHOD SERVER_NAME PATH_INFO HTTP_X_A INSTANCE_ID NONE";
    let filtered = Filtered::by(&[&acting_with("PREPROC_HEADERS", "show_variables", names)]);
    assert_eq!(
        get(&filtered, "/a.x/b?c=d", "X-A: y\r\n").text(),
        "URL=/a.x/b(7)\nQUERY_STRING=c=d(4)\nREQUEST_METHOD=GET(4)\nSERVER_NAME=test(5)\nPATH_INFO=/a.x/b(7)\n\
         HTTP_X_A=y(2)\nINSTANCE_ID=1(2)\nNONE!1413\n"
    );
}

#[test]
fn variables_of_the_connection_are_there_before_the_head() {
    let names = "REMOTE_ADDR SERVER_PORT_SECURE URL";
    let shows = acting_with("READ_RAW_DATA", "show_variables", names);
    // It cannot answer there: what it sends goes out as it is, in front of the response.
    let filtered = Filtered::by(&[&shows]);
    let mut client = filtered.server.connect();
    client.send(b"GET /hello.txt HTTP/1.1\r\nHost: test\r\n\r\n");
    assert_eq!(client.line().as_deref(), Some("REMOTE_ADDR=127.0.0.1(10)"));
    assert_eq!(client.line().as_deref(), Some("SERVER_PORT_SECURE=0(2)"));
    assert_eq!(client.line().as_deref(), Some("URL!1413"));
}

#[test]
fn a_response_can_be_changed_before_it_goes_out() {
    let filtered = Filtered::by(&[
        &acting_with("SEND_RESPONSE", "set_header", "status|203 By Filter"),
        &acting_with("SEND_RESPONSE", "set_header", "Server:|hidden"),
        &acting_with("SEND_RESPONSE", "add_header", "Set-Cookie:|a"),
        &acting_with("SEND_RESPONSE", "add_header", "Set-Cookie:|b"),
        &acting("SEND_RESPONSE", "show_status"),
        &watcher("SF_NOTIFY_LOG"),
    ]);
    let reply = get(&filtered, "/a.x?hello", "");
    assert_eq!(reply.status_line, "HTTP/1.1 203 By Filter");
    assert_eq!(reply.header("server"), Some("hidden"));
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "Set-Cookie").count(), 2);
    assert_eq!(reply.header("x-status"), Some("200, 203 By Filter"), "the number is that of the response as made");
    assert!(filtered.seen.first(1)[0].contains("-> 203"), "the log has what went out");
}

#[test]
fn a_response_whose_length_is_taken_away_goes_out_in_chunks() {
    let filtered = Filtered::by(&[&acting_with("SEND_RESPONSE", "set_header", "Content-Length:|")]);
    let reply = get(&filtered, "/hello.txt", "");
    assert_eq!((reply.header("content-length"), reply.header("transfer-encoding")), (None, Some("chunked")));
    assert_eq!((reply.text().as_str(), reply.complete), ("hello, file\n", true));
}

#[test]
fn headers_for_the_response_can_be_added_early() {
    let filtered = Filtered::by(&[&acting("PREPROC_HEADERS", "response_headers")]);
    for path in ["/hello.txt", "/a.x?hello", "/nowhere"] {
        let reply = get(&filtered, path, "");
        let cookies: Vec<_> = reply.headers.iter().filter(|(name, _)| name == "Set-Cookie").map(|(_, v)| v).collect();
        assert_eq!(cookies, ["a=1", "b=2"], "{path}");
    }
}

#[test]
fn nothing_that_a_filter_sets_splits_a_response() {
    let reply = get(&Filtered::by(&[&acting("SEND_RESPONSE", "split_response")]), "/hello.txt", "");
    assert_eq!(reply.header("x-told"), Some("0 87"));
    assert_eq!((reply.status(), reply.text().as_str()), (200, "hello, file\n"));
    let split = reply.headers.iter().any(|(name, _)| ["X-Split", "X-A", "X-B", "X-C", "X-D"].contains(&name.as_str()));
    assert!(!split, "{:?}", reply.headers);
}

#[test]
fn a_filters_own_page_is_the_answer_in_every_stage_before_the_response() {
    for stage in ["PREPROC_HEADERS", "URL_MAP", "AUTHENTICATION", "AUTH_COMPLETE", "SEND_RESPONSE"] {
        for (act, keeps) in [("send_page", false), ("send_page_and_keep", true), ("send_page_and_go_on", true)] {
            let filtered = Filtered::by(&[&acting(stage, act), &watcher("SF_NOTIFY_LOG")]);
            let mut client = filtered.server.connect();
            let reply = client.get("hello");
            assert_eq!(reply.status_line, "HTTP/1.1 403 Forbidden", "{stage} {act}");
            assert_eq!((reply.header("x-filter"), reply.text().as_str()), (Some("yes"), "not for you"));
            assert_eq!(reply.header("connection"), if keeps { None } else { Some("close") }, "{stage} {act}");
            assert_eq!(client.is_closed_soon(keeps), !keeps, "{stage} {act}");
            assert!(filtered.seen.first(1)[0].contains("-> 403\n"), "{stage} {act}");
        }
    }
}

#[test]
fn a_raw_answer_is_taken_as_it_is_meant() {
    for (text, status, body) in [
        ("HTTP/1.1 404 Not Here\r\nX-Y: z\r\nContent-Length: 2\r\n\r\nno", 404, "no"),
        ("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\n\r\n", 200, "ab"),
        ("plain text", 200, "plain text"),
    ] {
        let filtered = Filtered::by(&[&acting_with("PREPROC_HEADERS", "send_raw", text)]);
        let reply = get(&filtered, "/", "");
        assert_eq!((reply.status(), reply.text().as_str(), reply.complete), (status, body, true), "{text:?}");
    }
    let broken = "HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nno";
    let reply = get(&Filtered::by(&[&acting_with("PREPROC_HEADERS", "send_raw", broken)]), "/", "");
    assert_eq!(reply.status(), 500);
    assert!(reply.text().contains("ISAPI0338"));
}

#[test]
fn finished_without_an_answer_closes_the_connection() {
    for stage in ["PREPROC_HEADERS", "SEND_RESPONSE"] {
        let filtered = Filtered::by(&[&acting(stage, "answer_finished")]);
        let mut client = filtered.server.connect();
        client.send(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert!(client.is_closed(), "{stage}");
    }
}

#[test]
fn a_url_leads_where_a_filter_says() {
    let elsewhere = folder().join("elsewhere.txt");
    fs::write(&elsewhere, "mapped\n").expect("the folder is writable");
    let maps = acting_with("URL_MAP", "map_to_text", &elsewhere.display().to_string());
    let filtered = Filtered::by(&[&maps]);
    assert_eq!(get(&filtered, "/mapped", "").text(), "mapped\n");
    assert_eq!(get(&filtered, "/hello.txt", "").text(), "hello, file\n");
}

#[test]
fn a_mapped_url_may_not_lead_out_by_a_link() {
    let (inside, outside) = (folder(), folder());
    fs::write(outside.join("secret.txt"), "secret").expect("the folder is writable");
    std::os::unix::fs::symlink(outside.join("secret.txt"), inside.join("link.txt")).expect("a link");
    let maps = acting_with("URL_MAP", "map_to_text", &inside.join("link.txt").display().to_string());
    assert_eq!(get(&Filtered::by(&[&maps]), "/mapped", "").status(), 404);
}

#[test]
fn the_requests_of_server_support_function_answer_as_the_contract_says() {
    let filtered = Filtered::by(&[&acting("PREPROC_HEADERS", "support_requests")]);
    assert_eq!(
        get(&filtered, "/", "").text(),
        "instance 1 0\nssl 0 50\nproperty 0 87\nnormalize 1 0\nconnid 0 50\ncertificate 0 50\nproxy 0 50\nnext read 0 87\n\
         denial 0 87\nunknown 0 87\nid 1, url /b c?d\n"
    );
}

#[test]
fn what_a_filter_changes_is_in_the_log() {
    let filtered = Filtered::by(&[&acting("LOG", "change_log"), &watcher("SF_NOTIFY_END_OF_REQUEST")]);
    assert_eq!(get(&filtered, "/hello.txt", "").status(), 200);
    assert!(filtered.seen.first(1)[0].starts_with("GET /secret -> 299\n"));
}

#[test]
fn of_a_child_request_filters_hear_where_it_leads_and_nothing_else() {
    let elsewhere = folder().join("elsewhere.txt");
    fs::write(&elsewhere, "mapped\n").expect("the folder is writable");
    let maps = acting_as(HEADS, "URL_MAP", "map_to_text", &elsewhere.display().to_string());
    let mut options = exec_url::options();
    options.site = options.site.with_filters(vec![Filter::new("f1", maps).expect("valid")]).expect("valid");
    let filtered = Filtered::of(options);
    let reply = exec_url::get(&mut filtered.server.connect(), "/mapped?run", &[exec_url::PASS_BY]);
    assert_eq!(reply.text(), "mapped\n");
    let seen = filtered.seen.first(1);
    for (notification, count) in [("URL_MAP", 2), ("PREPROC_HEADERS", 1), ("SEND_RESPONSE", 1), ("LOG", 1)] {
        // The two of URL_MAP are one line where nothing came between them.
        let found = seen[0].matches(&format!(" {notification} ")).count();
        assert!((1..=count).contains(&found), "{notification}: {}", seen[0]);
    }
}

#[test]
fn an_extension_that_maps_a_url_asks_the_filters_as_well() {
    let maps = acting_as("SF_NOTIFY_URL_MAP", "URL_MAP", "map_to_text", "/by/filter");
    let mut options = ServerOptions::new(site(&probe_of("mapping")));
    options.site = options.site.with_filters(vec![Filter::new("f1", maps).expect("valid")]).expect("valid");
    let server = Filtered::of(options).server;
    let reply = server.connect().get_with("map_ex", "X-Url: /mapped\r\n");
    assert!(reply.text().contains("/by/filter"), "{}", reply.text());
}

#[test]
fn a_question_mark_in_a_name_is_a_part_of_it_for_filters_as_well() {
    let asked = acting_with("URL_MAP", "map_to_text", "/nowhere");
    let shows = acting_with("AUTH_COMPLETE", "show_variables", "URL PATH_TRANSLATED");
    let filtered = Filtered::by(&[&asked, &shows]);
    let text = get(&filtered, "/q%3f.x", "").text();
    assert!(text.starts_with("URL=/q?.x(6)\n") && text.contains("/q?.x("), "{text}");
    let shows = acting("URL_MAP", "show_map");
    let text = get(&Filtered::by(&[&shows]), "/q%3f.x", "").text();
    assert!(text.starts_with("/q?.x ") && text.ends_with("/q?.x"), "{text}");
}

#[test]
fn a_response_that_a_filter_makes_one_without_a_body_has_none() {
    for path in ["/hello.txt", "/a.x?hello"] {
        let filtered = Filtered::by(&[&acting_with("SEND_RESPONSE", "set_header", "status|204 No Content")]);
        let mut client = filtered.server.connect();
        for _ in 0..2 {
            client.send(format!("GET {path} HTTP/1.1\r\nHost: test\r\n\r\n").as_bytes());
            let reply = client.reply();
            assert_eq!((reply.status(), reply.header("content-length")), (204, None), "{path}");
        }
    }
}

#[test]
fn an_answer_to_head_has_no_body_however_it_is_framed() {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let filtered = Filtered::by(&[&acting_with("PREPROC_HEADERS", "send_raw", chunked)]);
    let mut client = filtered.server.connect();
    for _ in 0..2 {
        client.send(b"HEAD / HTTP/1.1\r\nHost: test\r\n\r\n");
        assert_eq!(client.head().status(), 200);
    }
}

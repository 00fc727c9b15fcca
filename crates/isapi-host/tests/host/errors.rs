//! SEND_CUSTOM_ERROR, and small requests about connection and request.

use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read};

use isapi_config::{ErrorAnswer, ErrorPage};
use isapi_host::{AccessLogTarget, ServerOptions};

use crate::harness::{Client, Reply, Running, folder, probe_of, site};

/// The probe in a site with some error pages; one of their files is missing.
fn options() -> ServerOptions {
    let folder = folder();
    fs::write(folder.join("any.htm"), "<p>any 404").expect("a writable folder");
    fs::write(folder.join("three.txt"), "404.3").expect("a writable folder");
    let page = |status, sub, answer| ErrorPage::new(status, sub, answer).expect("valid");
    let file = |name| ErrorAnswer::File(folder.join(name));
    let pages = vec![
        page(404, None, file("any.htm")),
        page(404, Some(3), file("three.txt")),
        page(410, None, file("missing.htm")),
        page(500, Some(100), ErrorAnswer::Redirect("/sorry?a=1".to_owned())),
    ];
    let site = site(&probe_of("errors")).with_error_pages(pages).expect("each once");
    ServerOptions::new(site)
}

fn server() -> Running {
    Running::start(options())
}

fn ask(client: &mut Client, behaviour: &str, status: &str, sub: u16, is_async: u8) -> Reply {
    client.get_with(behaviour, &format!("X-Status: {status}\r\nX-Sub: {sub}\r\nX-Async: {is_async}\r\n"))
}

#[test]
fn the_page_of_an_error_is_sent_under_its_status() {
    let server = server();
    let mut client = server.connect();
    for is_async in [0, 1] {
        let reply = ask(&mut client, "custom", "404 Nobody Home", 0, is_async);
        assert_eq!(reply.status_line, "HTTP/1.1 404 Nobody Home");
        assert_eq!((reply.text().as_str(), reply.header("Content-Type")), ("<p>any 404", Some("text/html")));
        let reply = ask(&mut client, "custom", "404 Not Found", 3, is_async);
        assert_eq!((reply.text().as_str(), reply.header("Content-Type")), ("404.3", Some("text/plain")));
        let reply = ask(&mut client, "custom", "500 Oops", 100, is_async);
        assert_eq!((reply.status(), reply.header("Location")), (302, Some("/sorry?a=1")));
    }
    let notes = client.get_with("notes", "X-Count: 6\r\n").text();
    assert_eq!(notes, "10 0,87 87,5 0,87 87,0 0,87 87", "the page is the whole response");
}

#[test]
fn the_log_has_the_sub_status_of_a_page() {
    let file = folder().join("access.log");
    let server = Running::start(ServerOptions { access_log: Some(AccessLogTarget::File(file.clone())), ..options() });
    assert_eq!(ask(&mut server.connect(), "custom", "404 Not Found", 3, 0).status(), 404);
    drop(server);
    let log = fs::read_to_string(file).expect("a log");
    assert!(log.contains(" - - 404 3 0 "), "{log}");
}

#[test]
fn without_a_page_the_module_sends_its_own() {
    let server = server();
    let mut client = server.connect();
    for is_async in [0, 1] {
        for (status, sub, error) in [
            ("403 Forbidden", 0, 2),
            ("500 Oops", 0, 2),
            ("410 Gone", 0, 2),
            ("200 OK", 0, 2),
            ("", 0, 87),
            ("Not Found", 0, 87),
            ("40", 0, 87),
            ("4040 x", 0, 87),
            ("100 Continue", 0, 87),
        ] {
            let reply = ask(&mut client, "custom", status, sub, is_async);
            assert_eq!((reply.status(), reply.text()), (200, format!("error {error}")), "{status:?} {sub}");
        }
    }
    assert_eq!(client.get("nulls").text(), "87 87");
}

#[test]
fn an_asynchronous_page_needs_a_callback_and_any_page_a_response_without_head() {
    let server = server();
    let mut client = server.connect();
    assert_eq!(ask(&mut client, "without_callback", "404 Not Found", 0, 1).text(), "error 87");
    assert_eq!(ask(&mut client, "without_callback", "404 Not Found", 0, 0).text(), "<p>any 404");
    for is_async in [0, 1] {
        assert_eq!(ask(&mut client, "behind_a_head", "404 Not Found", 0, is_async).text(), "error 87");
    }
    assert_eq!(client.get("notes").text(), "", "what is refused is not completed");
}

#[test]
fn an_abortive_close_is_a_reset() {
    let server = server();
    let mut client = server.connect();
    client.send(b"GET /?reset HTTP/1.1\r\nHost: x\r\nX-Cut: 1\r\n\r\n");
    let end = client.reader.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
    let mut client = server.connect();
    assert_eq!(client.get("reset").text(), "0", "a connection that goes on is not harmed");
    assert_eq!(client.get_with("reset", "Connection: close\r\n").text(), "0");
    let end = client.reader.read(&mut [0; 1]).map_err(|error| error.kind());
    assert_eq!(end, Err(ErrorKind::ConnectionReset));
}

#[test]
fn nothing_touches_the_connection_after_done() {
    let server = server();
    let mut client = server.connect();
    assert_eq!(client.get("after_done").status(), 200);
    assert_eq!(client.get_with("notes", "X-Count: 1\r\n").text(), "87 87 87 87 87 1168");
    assert_eq!(client.get("trace").status(), 200);
}

#[test]
fn each_request_has_a_trace_id_of_its_own() {
    let server = server();
    let mut client = server.connect();
    let mut ids = BTreeSet::new();
    for _ in 0..20 {
        let text = client.get("trace").text();
        let id = text.strip_prefix("0 0 0 0 ").expect("not traced, twice the same, nothing behind").to_owned();
        assert!(ids.insert(id), "{text}");
    }
}

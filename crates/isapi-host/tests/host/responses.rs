//! Heads, framing and what of them the client sees.

use crate::harness::Running;

#[test]
fn a_short_answer_keeps_the_connection() {
    let server = Running::probe();
    let mut client = server.connect();
    for _ in 0..3 {
        let reply = client.get("hello");
        assert_eq!((reply.status_line.as_str(), reply.text().as_str()), ("HTTP/1.1 200 OK", "hello"));
        assert_eq!(reply.header("Content-Type"), Some("text/plain"));
        assert!(reply.header("Server").is_some_and(|server| server.starts_with("pyisapi/")), "{reply:?}");
        assert!(reply.header("Date").is_some() && reply.header("Connection").is_none(), "{reply:?}");
        assert!(reply.complete);
    }
}

#[test]
fn keep_conn_false_and_an_own_close_end_the_connection() {
    let server = Running::probe();
    for behaviour in ["closing", "own_close"] {
        let mut client = server.connect();
        let reply = client.get(behaviour);
        assert_eq!((reply.header("Connection"), reply.text().as_str()), (Some("close"), "hello"), "{behaviour}");
        assert!(client.is_closed(), "{behaviour}");
    }
}

#[test]
fn a_client_that_asks_for_close_gets_it() {
    let server = Running::probe();
    let mut client = server.connect();
    let reply = client.get_with("hello", "Connection: close\r\n");
    assert_eq!(reply.text(), "hello");
    assert!(client.is_closed());
}

#[test]
fn the_reason_and_repeated_headers_arrive() {
    let reply = Running::probe().get("reason");
    assert_eq!(reply.status_line, "HTTP/1.1 418 Short And Stout");
    assert_eq!(reply.headers.iter().filter(|(name, _)| name == "X-Odd").count(), 2);
}

#[test]
fn own_chunk_framing_is_passed_on() {
    let server = Running::probe();
    let mut client = server.connect();
    let reply = client.get("framed");
    assert_eq!((reply.text().as_str(), reply.complete), ("hello, world", true));
    assert_eq!((reply.header("Transfer-Encoding"), reply.header("Content-Length")), (Some("chunked"), None));
    // The first chunk came in two writes.
    assert_eq!(reply.chunks, [3, 2, 7]);
    assert_eq!(client.get("framed_large").chunks, [200_000], "a chunk written at once stays one");
    // The connection is still in step.
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn an_http_1_0_client_gets_own_chunks_unframed() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"GET /?framed HTTP/1.0\r\n\r\n");
    let reply = client.reply();
    assert_eq!(reply.header("Transfer-Encoding"), None);
    assert_eq!(reply.text(), "hello, world");
}

#[test]
fn broken_promises_about_the_body_cut_the_connection() {
    let server = Running::probe();
    for behaviour in ["badly_framed", "unfinished_framing", "too_little"] {
        let mut client = server.connect();
        let reply = client.get(behaviour);
        assert_eq!((reply.text().as_str(), reply.complete), ("hello", false), "{behaviour}");
        assert!(client.is_closed(), "{behaviour}");
    }
}

#[test]
fn bytes_beyond_the_content_length_are_dropped() {
    let server = Running::probe();
    let mut client = server.connect();
    assert_eq!(client.get("too_much").text(), "hello");
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn a_write_without_a_head_may_bring_its_own() {
    let server = Running::probe();
    let raw = server.get("raw_head");
    assert_eq!(raw.status_line, "HTTP/1.1 404 Not Here");
    assert_eq!((raw.header("X-Raw"), raw.text().as_str()), (Some("yes"), "raw body"));
    let lines = server.get("header_lines");
    assert_eq!((lines.status(), lines.header("Content-Type")), (200, Some("text/x-probe")));
    assert_eq!(lines.text(), "body");
    let implicit = server.get("implicit");
    assert_eq!((implicit.status(), implicit.text().as_str()), (200, "just text"));
}

#[test]
fn success_without_an_answer_sends_the_status_of_the_control_block() {
    let server = Running::probe();
    let mut client = server.connect();
    assert_eq!(client.get("nothing").status(), 204);
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn a_large_answer_arrives_whole() {
    let server = Running::probe();
    let mut client = server.connect();
    let reply = client.get("large");
    assert!(reply.complete && reply.body.len() == 3_000_000 && reply.body.iter().all(|byte| *byte == b'x'));
    client.send(b"GET /?large HTTP/1.0\r\n\r\n");
    assert_eq!(client.reply().body.len(), 3_000_000);
}

#[test]
fn head_requests_get_no_body() {
    let server = Running::probe();
    let mut client = server.connect();
    for behaviour in ["hello", "large", "closing", "framed"] {
        client.send(format!("HEAD /?{behaviour} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes());
        assert_eq!(client.head().status(), 200, "{behaviour}");
        if behaviour == "closing" {
            assert!(client.is_closed());
            client = server.connect();
        }
    }
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn a_second_or_malformed_head_is_refused() {
    let server = Running::probe();
    assert_eq!(server.get("second_head").text(), "0 87");
    assert_eq!(server.get("bad_head").text(), "0 87");
}

#[test]
fn a_redirect_is_complete_and_escaped() {
    let server = Running::probe();
    let mut client = server.connect();
    let reply = client.get("redirect");
    assert_eq!((reply.status(), reply.header("Location")), (302, Some("/else?a=1&b=<2>")));
    assert!(reply.text().contains("/else?a=1&amp;b=&lt;2&gt;"), "{}", reply.text());
    assert_eq!(client.get("hello").text(), "hello");
}

#[test]
fn writes_succeed_when_the_client_has_all_that_it_can_get() {
    let server = Running::probe();
    let mut client = server.connect();
    client.send(b"HEAD /?thrice HTTP/1.1\r\nHost: x\r\n\r\n");
    assert_eq!(client.head().status(), 200);
    assert_eq!(server.get("gone").text(), "111", "HEAD");
    assert_eq!(client.get("thrice_no_content").status(), 204);
    assert_eq!(server.get("gone").text(), "111", "204");
    assert_eq!(client.get("thrice_with_length").text(), "hello");
    assert_eq!(server.get("gone").text(), "111", "Content-Length");
    assert_eq!(client.get("hello").text(), "hello");
}

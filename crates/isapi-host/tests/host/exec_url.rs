//! EXEC_URL: requests inside of requests, what they are given, and how their responses become their parents'.

use std::fs;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use isapi_config::{Handler, HandlerModule, Site};
use isapi_host::ServerOptions;

use crate::harness::{Client, Reply, Running, extension, folder, probe_of, site_of};

const NO_HEADERS: &str = "X-Flags: 2";
/// IGNORE_CURRENT_INTERCEPTOR.
pub const PASS_BY: &str = "X-Flags: 4";

/// The probe as a wildcard map before static files, and another extension before both.
fn site(library: &Path, root: &Path) -> Site {
    let files = Handler::new("files", "*", "GET,HEAD", HandlerModule::StaticFile).expect("a valid handler");
    site_of(vec![extension("hello", "*.hello", &probe_of("hello")), extension("probe", "*", library), files], root)
}

fn root() -> PathBuf {
    let root = folder();
    fs::write(root.join("page.txt"), "0123456789").expect("a writable folder");
    fs::create_dir(root.join("sub")).expect("a writable folder");
    root
}

pub fn options() -> ServerOptions {
    ServerOptions::new(site(&probe_of("exec_url"), &root()))
}

pub fn server() -> Running {
    Running::start(options())
}

/// A request with these lines behind Host.
pub fn ask(client: &mut Client, method: &str, url: &str, lines: &[&str], body: &[u8]) -> Reply {
    begin(client, method, url, lines, body);
    if method == "HEAD" { client.head() } else { client.reply() }
}

pub fn begin(client: &mut Client, method: &str, url: &str, lines: &[&str], body: &[u8]) {
    let mut head = format!("{method} {url} HTTP/1.1\r\nHost: test\r\n");
    for line in lines {
        head.push_str(line);
        head.push_str("\r\n");
    }
    if !body.is_empty() {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    client.send(format!("{head}\r\n").as_bytes());
    client.send(body);
}

pub fn get(client: &mut Client, url: &str, lines: &[&str]) -> Reply {
    ask(client, "GET", url, lines, b"")
}

/// What the probe has noted, once it has noted so often.
pub fn notes(server: &Running, count: usize) -> String {
    server.connect().get_with("notes", &format!("X-Count: {count}\r\n")).text()
}

/// Every session leaves, so that nothing holds the server up.
pub fn ends_at_once(mut server: Running) {
    let begin = Instant::now();
    server.ask_to_stop();
    server.wait();
    assert!(begin.elapsed() < Duration::from_secs(4), "a session is left");
}

/// What the probe notes behind a child that was answered.
pub fn ended_with(status: &str) -> String {
    format!("0 0: 0 {status} 0")
}

#[test]
fn a_wildcard_map_lets_static_files_answer() {
    let server = server();
    let mut client = server.connect();
    let reply = get(&mut client, "/page.txt?run", &[PASS_BY]);
    assert_eq!((reply.status(), reply.text().as_str()), (200, "0123456789"));
    assert_eq!((reply.header("content-length"), reply.header("content-type")), (Some("10"), Some("text/plain")));
    let reply = get(&mut client, "/none.txt?run", &[PASS_BY]);
    assert_eq!(reply.status(), 404);
    assert!(reply.text().contains("nothing at this address"));
    assert_eq!(get(&mut client, "/sub?run", &[PASS_BY]).header("location"), Some("/sub/?run"));
    let reply = ask(&mut client, "HEAD", "/page.txt?run", &[PASS_BY], b"");
    assert_eq!((reply.status(), reply.header("content-length")), (200, Some("10")));
    // No handler but the probe takes it.
    let reply = ask(&mut client, "POST", "/page.txt?run", &[PASS_BY], b"body");
    assert_eq!((reply.status(), reply.header("allow")), (405, Some("GET, HEAD")));
    let expected: Vec<String> = ["200.0", "404.0", "301.0", "200.0", "405.0"].map(ended_with).into();
    assert_eq!(notes(&server, 5), expected.join(","));
    ends_at_once(server);
}

#[test]
fn another_extension_and_the_same_one_answer() {
    let server = server();
    let mut client = server.connect();
    assert_eq!(get(&mut client, "/?run", &["X-Url: /x.hello"]).text(), "hello");
    let reply = get(&mut client, "/?run", &["X-Url: /a%20b?echo", "X-Mark: yes"]);
    assert_eq!(reply.text(), "GET /a%20b?echo /a b [yes] length 0 total 0 body 0 0 ");
    let reply = get(&mut client, "/?run", &["X-Url: /größe?echo", "X-Wide: 1"]);
    assert!(reply.text().contains("?echo "), "{}", reply.text());
    assert_eq!(notes(&server, 3), [(); 3].map(|()| ended_with("200.0")).join(","));
    ends_at_once(server);
}

#[test]
fn a_child_may_have_a_method_headers_and_a_body_of_its_own() {
    let server = server();
    let mut client = server.connect();
    let order = ["X-Url: /x?echo", "X-Method: PUT", "X-Headers: X-Mark: new|Content-Length: 99|", "X-Entity: given"];
    let reply = ask(&mut client, "POST", "/?run", &order, b"the client's");
    assert_eq!(reply.text(), "PUT /x?echo /x [new] length 5 total 5 body 5 537 given");
    let order =
        ["X-Url: /x?all_raw", "X-Method: PUT", "X-Headers: A: 1|Transfer-Encoding: chunked|", "X-Entity: given"];
    assert_eq!(get(&mut client, "/?run", &order).text(), "A: 1\r\nContent-Length: 5\r\n");
    let order = ["X-Url: /x?all_raw", "X-Headers: |"];
    assert_eq!(get(&mut client, "/?run", &order).text(), "");
    ends_at_once(server);
}

#[test]
fn a_child_reads_what_its_parent_has_not_read() {
    let server = server();
    let mut client = server.connect();
    let body: Vec<u8> = (0..200_000u32).map(|number| (number % 251) as u8 + 1).collect();
    let sum = |bytes: &[u8]| bytes.iter().map(|byte| u64::from(*byte)).sum::<u64>();
    let shown = |reply: &Reply| reply.text().split(" length ").nth(1).unwrap_or_default().to_owned();
    for size in [1, 49152, 49153, 200_000] {
        let body = &body[..size];
        let reply = ask(&mut client, "POST", "/?run", &["X-Url: /?echo"], body);
        let expected = format!("{size} total {size} body {size} {} ", sum(body));
        assert!(shown(&reply).starts_with(&expected), "{size}: {}", reply.text());
    }
    // Who has asked for what is behind the bytes read ahead has these, too.
    let reply = ask(&mut client, "POST", "/?read_first", &["X-Url: /?echo", "X-Read: 1000"], &body);
    let rest = &body[49152 + 1000..];
    let expected = format!("{0} total {0} body {0} {1} ", rest.len(), sum(rest));
    assert!(shown(&reply).starts_with(&expected), "{}", reply.text());
    // An entity of no bytes is none.
    let reply = ask(&mut client, "POST", "/?run", &["X-Url: /?echo", "X-Entity: "], &body);
    assert_eq!(shown(&reply), "0 total 0 body 0 0 ");
    ends_at_once(server);
}

#[test]
fn a_chunked_body_goes_on_to_the_child() {
    let server = server();
    let mut client = server.connect();
    for (size, expected) in [(10, "10 total 10 body 10 970 "), (100_000, "chunked total -1 body 100000 9700000 ")] {
        begin(&mut client, "POST", "/?run", &["X-Url: /?echo", "Transfer-Encoding: chunked"], b"");
        client.send(format!("{size:x}\r\n{}\r\n0\r\n\r\n", "a".repeat(size)).as_bytes());
        let text = client.reply().text();
        assert!(text.contains(&format!("length {expected}")), "{text}");
    }
    ends_at_once(server);
}

#[test]
fn conditions_and_ranges_can_be_left_out() {
    let server = server();
    let mut client = server.connect();
    let reply = get(&mut client, "/page.txt?run", &[PASS_BY, "Range: bytes=2-4"]);
    assert_eq!((reply.status(), reply.text().as_str()), (206, "234"));
    let tomorrow = "If-Modified-Since: Fri, 01 Jan 2100 00:00:00 GMT";
    assert_eq!(get(&mut client, "/page.txt?run", &[PASS_BY, tomorrow]).status(), 304);
    let reply = get(&mut client, "/page.txt?run", &["X-Flags: 0x14", "Range: bytes=2-4", tomorrow]);
    assert_eq!((reply.status(), reply.text().as_str()), (200, "0123456789"));
    ends_at_once(server);
}

#[test]
fn the_head_of_a_child_becomes_its_parents() {
    let server = server();
    let mut client = server.connect();
    let reply = get(&mut client, "/?run", &["X-Url: /?closing"]);
    assert_eq!((reply.status_line.as_str(), reply.header("x-child")), ("HTTP/1.1 203 Odd", Some("yes")));
    assert_eq!((reply.text().as_str(), reply.complete), ("hello", true));
    assert!(client.is_closed());
    let mut client = server.connect();
    let reply = get(&mut client, "/?run", &["X-Url: /?framed"]);
    assert_eq!((reply.text().as_str(), reply.complete), ("hello, world", true));
    // A length that HEAD alone would have is not promised to a client that waits for a body.
    let reply = get(&mut client, "/?run", &["X-Url: /page.txt", "X-Method: HEAD", PASS_BY]);
    assert_eq!((reply.status(), reply.text().as_str(), reply.complete), (200, "", true));
    let reply = get(&mut client, "/?behind", &["X-Url: /?looks_like_headers"]);
    assert_eq!(reply.text(), "HTTP/1.1 500 Fake\r\n\r\nbody,behind");
    ends_at_once(server);
}

#[test]
fn a_child_without_headers_is_a_part_of_its_parents_body() {
    let server = server();
    let mut client = server.connect();
    for (url, expected) in [
        ("/x.hello", "before,hello,behind"),
        ("/?framed", "before,hello, world,behind"),
        ("/?closing", "before,hello,behind"),
        ("/none?nothing", "before,,behind"),
    ] {
        let reply = get(&mut client, "/?in_the_middle", &[NO_HEADERS, &format!("X-Url: {url}")]);
        assert_eq!((reply.status(), reply.text().as_str(), reply.complete), (200, expected, true), "{url}");
        assert_eq!(reply.header("x-child"), None);
    }
    let reply = get(&mut client, "/page.txt?in_the_middle", &["X-Flags: 6"]);
    assert_eq!(reply.text(), "before,0123456789,behind");
    let reply = get(&mut client, "/?run", &[NO_HEADERS, "X-Url: /?looks_like_headers"]);
    assert_eq!((reply.status(), reply.text().as_str()), (200, "HTTP/1.1 500 Fake\r\n\r\nbody"));
    let reply = get(&mut client, "/?twice", &[NO_HEADERS, "X-Url: /x.hello"]);
    assert_eq!(reply.text(), "hellohello");
    // Two heads are one too many.
    assert_eq!(get(&mut client, "/?behind_a_head", &["X-Url: /x.hello"]).text(), "refused");
    ends_at_once(server);
}

#[test]
fn a_child_that_fails_is_a_500_or_breaks_its_parents_response() {
    let server = server();
    let mut client = server.connect();
    let reply = get(&mut client, "/?run", &["X-Url: /?fails"]);
    assert_eq!((reply.status(), reply.complete), (500, true));
    assert_eq!(notes(&server, 1), ended_with("500.0"));
    let reply = get(&mut client, "/?run", &["X-Url: /?breaks"]);
    assert_eq!((reply.status(), reply.text().as_str(), reply.complete), (200, "hello", false));
    assert_eq!(notes(&server, 2), format!("{},0 64: 0 200.0 64", ended_with("500.0")));
    for (count, first, status) in [(3, "X-First: 0", 0), (4, "X-First: 1", 200)] {
        let mut client = server.connect();
        begin(&mut client, "GET", "/?run", &["X-Url: /?hangs_up", first], b"");
        // Perhaps with a head, perhaps with a reset.
        let _ = client.reader.read_to_end(&mut Vec::new());
        let seen = notes(&server, count);
        assert!(seen.ends_with(&format!(",0 64: 0 {status}.0 64")), "{first} {seen}");
    }
    ends_at_once(server);
}

#[test]
fn what_the_contract_forbids_is_refused() {
    let server = server();
    let mut client = server.connect();
    assert_eq!(client.get("misuse").text(), "87 87 87 87 232 87 87");
    for line in [
        "X-Url: ",
        "X-Url: x",
        "X-Url: http://test/",
        "X-Url: /a b",
        "X-Url: /a#b",
        "X-Url: /%00",
        "X-Method: ",
        "X-Method: G T",
        "X-Headers: nonsense",
        "X-Headers: A: 1||body",
        "X-Flags: 1",
        "X-Flags: 8",
        "X-Flags: 0x100",
    ] {
        assert_eq!(get(&mut client, "/?run", &[line]).text(), "error 87", "{line}");
    }
    assert_eq!(get(&mut client, "/?run", &["X-Url: x", "X-Wide: 1"]).text(), "error 87");
    for line in ["X-User: somebody", "X-Type: Basic", "X-Token: 1"] {
        assert_eq!(get(&mut client, "/?as_user", &["X-Url: /x.hello", line]).text(), "error 50", "{line}");
    }
    for lines in [&["X-Url: /x.hello"][..], &["X-Url: /x.hello", "X-User: ", "X-Type: "]] {
        assert_eq!(get(&mut client, "/?as_user", lines).text(), "hello");
    }
    // Flags about what is not here.
    assert_eq!(get(&mut client, "/?run", &["X-Url: /x.hello", "X-Flags: 0xe0"]).text(), "hello");
    ends_at_once(server);
}

#[test]
fn a_large_file_is_passed_on_whole() {
    let root = root();
    let bytes: Vec<u8> = (0..3_000_000u32).map(|number| (number % 251) as u8).collect();
    fs::write(root.join("large.bin"), &bytes).expect("a writable folder");
    let server = Running::start(ServerOptions::new(site(&probe_of("exec_url"), &root)));
    let mut client = server.connect();
    for _ in 0..3 {
        let reply = get(&mut client, "/large.bin?run", &[PASS_BY]);
        assert!(reply.complete && reply.body == bytes);
        // One that is sent by the system comes in between.
        assert_eq!(get(&mut client, "/x.hello", &[]).text(), "hello");
    }
    ends_at_once(server);
}

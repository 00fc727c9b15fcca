//! Files: TRANSMIT_FILE, and the static file handler.

use std::fs;

use isapi_config::{Application, Handler, HandlerModule, Site, VirtualDirectory};
use isapi_host::{ExecutorOptions, ServerOptions};

use crate::harness::{Client, Reply, Running, folder, probe, site, site_of};

const ASYNC: u32 = 2;
const DISCONNECT: u32 = 4;
const SEND_HEADERS: u32 = 8;

fn transmit(client: &mut Client, file: &str, range: &str, flags: u32) -> Reply {
    client.get_with("file", &format!("X-File: {file}\r\nX-Range: {range}\r\nX-Flags: {flags}\r\n"))
}

#[test]
fn ranges_of_a_file_are_sent() {
    let server = Running::probe();
    let file = folder().join("digits");
    fs::write(&file, "0123456789").expect("a writable folder");
    let file = file.display().to_string();
    let mut client = server.connect();
    for (range, expected) in
        [("0 0", "[0123456789]"), ("3 4", "[3456]"), ("9 0", "[9]"), ("10 0", "[]"), ("0 10", "[0123456789]")]
    {
        assert_eq!(transmit(&mut client, &file, range, 0).text(), expected, "{range}");
        let reported = format!("{expected}|{} 0", expected.len());
        assert_eq!(transmit(&mut client, &file, range, ASYNC).text(), reported, "{range}");
    }
    for range in ["11 0", "0 11", "5 6", "4000000000 1"] {
        assert_eq!(transmit(&mut client, &file, range, 0).text(), "error 10022", "{range}");
    }
    assert_eq!(transmit(&mut client, "/no/such/file", "0 0", 0).text(), "error 87");
}

#[test]
fn a_file_can_bring_its_head_and_end_the_connection() {
    let server = Running::probe();
    let file = folder().join("digits");
    fs::write(&file, "0123456789").expect("a writable folder");
    let file = file.display().to_string();
    let mut client = server.connect();
    let reply = transmit(&mut client, &file, "2 3", SEND_HEADERS);
    assert_eq!((reply.status(), reply.header("X-Sent"), reply.text().as_str()), (206, Some("yes"), "234]"));
    let reply = transmit(&mut client, &file, "2 3", SEND_HEADERS | DISCONNECT | ASYNC);
    assert_eq!((reply.text().as_str(), reply.header("Connection")), ("234]", Some("close")));
    assert!(client.is_closed());
}

#[test]
fn a_large_file_arrives_whole() {
    let server = Running::probe();
    let file = folder().join("large");
    let content: Vec<u8> = (0..5_000_000_u32).map(|index| index.to_le_bytes()[1]).collect();
    fs::write(&file, &content).expect("a writable folder");
    for flags in [SEND_HEADERS, SEND_HEADERS | ASYNC] {
        let body = transmit(&mut server.connect(), &file.display().to_string(), "0 0", flags).body;
        assert!(body[..content.len()] == content[..], "flags {flags}");
    }
    fs::remove_file(file).expect("it is there");
}

/// A new file of that many bytes, each of which depends on its place.
fn large_file(length: u32) -> (String, Vec<u8>) {
    let content: Vec<u8> = (0..length).map(|index| index.to_le_bytes()[1]).collect();
    let file = folder().join("large");
    fs::write(&file, &content).expect("a writable folder");
    (file.display().to_string(), content)
}

fn send_get(client: &mut Client, behaviour: &str, file: &str) {
    client.send(format!("GET /?{behaviour} HTTP/1.1\r\nHost: x\r\nX-File: {file}\r\n\r\n").as_bytes());
}

#[test]
fn a_stalled_download_occupies_no_thread() {
    let mut options = ServerOptions::new(site(&probe()));
    options.executor = ExecutorOptions { max_threads: 1, ..ExecutorOptions::default() };
    let server = Running::start(options);
    let (file, content) = large_file(30_000_000);
    let mut stalled = server.connect();
    send_get(&mut stalled, "file_alone", &file);
    let mut reply = stalled.head();
    for _ in 0..3 {
        assert_eq!(server.get("hello").text(), "hello");
    }
    stalled.read_body(&mut reply);
    assert!(reply.complete && reply.body == content);
    assert_eq!(server.get("gone").text(), "30000000");
    fs::remove_file(file).expect("it is there");
}

#[test]
fn a_file_sent_whole_completes_well_though_nothing_more_can_be_sent() {
    let server = Running::probe();
    let file = folder().join("digits");
    fs::write(&file, "0123456789").expect("a writable folder");
    let file = file.display().to_string();
    let mut client = server.connect();
    for _ in 0..5 {
        send_get(&mut client, "file_with_length", &file);
        assert_eq!(client.reply().text(), "0123456789");
        assert_eq!(server.get("gone").text(), "10");
    }
}

#[test]
fn disconnect_after_send_closes_though_the_head_did_not_say_so() {
    let server = Running::probe();
    let file = folder().join("digits");
    fs::write(&file, "0123456789").expect("a writable folder");
    let mut client = server.connect();
    send_get(&mut client, "file_and_close", &file.display().to_string());
    let reply = client.reply();
    assert_eq!((reply.text().as_str(), reply.complete, reply.header("Connection")), ("head:0123456789", true, None));
    assert!(client.is_closed());
}

#[test]
fn an_end_in_the_middle_of_a_file_is_no_end_of_the_response() {
    let server = Running::probe();
    let (file, content) = large_file(30_000_000);
    let mut client = server.connect();
    send_get(&mut client, "done_while_sending", &file);
    assert_eq!(server.get("gone").text(), "995");
    let reply = client.reply();
    assert!(!reply.complete && reply.body.len() < content.len());
    fs::remove_file(file).expect("it is there");
}

fn static_server() -> Running {
    let root = folder();
    fs::create_dir(root.join("sub")).expect("a writable folder");
    for (name, content) in [
        ("index.html", "<p>root"),
        ("sub/index.html", "<p>sub"),
        ("data.txt", "0123456789"),
        ("app.py", "secret"),
        (".env", "secret"),
        ("_app.cfg", "secret"),
    ] {
        fs::write(root.join(name), content).expect("a writable folder");
    }
    let handler = Handler::new("StaticFile", "*", "GET,HEAD", HandlerModule::StaticFile).expect("valid");
    Running::start(ServerOptions::new(site_of(vec![handler], &root)))
}

fn fetch(client: &mut Client, path: &str, headers: &str) -> Reply {
    client.send(format!("GET {path} HTTP/1.1\r\nHost: x\r\n{headers}\r\n").as_bytes());
    client.reply()
}

#[test]
fn files_and_default_documents_are_served() {
    let server = static_server();
    let mut client = server.connect();
    let page = fetch(&mut client, "/", "");
    assert_eq!((page.text().as_str(), page.header("Content-Type")), ("<p>root", Some("text/html")));
    assert_eq!(fetch(&mut client, "/sub/", "").text(), "<p>sub");
    let moved = fetch(&mut client, "/sub?x=1", "");
    assert_eq!((moved.status(), moved.header("Location")), (301, Some("/sub/?x=1")));
    let part = fetch(&mut client, "/data.txt", "Range: bytes=2-4\r\n");
    assert_eq!((part.status(), part.text().as_str()), (206, "234"));
}

#[test]
fn what_is_not_for_the_public_is_not_found() {
    let server = static_server();
    let mut client = server.connect();
    for path in ["/app.py", "/.env", "/_app.cfg", "/missing", "/sub/../.env", "/%2e%2e/%2e%2e/etc/passwd", "/data.txt/"]
    {
        let reply = fetch(&mut client, path, "");
        assert_eq!(reply.status(), 404, "{path}");
        assert!(!reply.text().contains("secret"), "{path}");
    }
    client.send(b"POST /data.txt HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert_eq!(client.reply().status(), 405);
}

/// A static server over a folder whose links lead inside, out, to a hidden name and to a device.
fn linked_server(allow: bool) -> Running {
    let (root, outside) = (folder(), folder());
    fs::create_dir(root.join("sub")).expect("a writable folder");
    fs::create_dir(outside.join("etc")).expect("a writable folder");
    let files = [(&root, "data.txt"), (&root, "app.py"), (&outside, "secret.txt"), (&outside, "etc/index.html")];
    for (place, name) in files {
        fs::write(place.join(name), "content").expect("a writable folder");
    }
    let links = [
        ("inside.txt", root.join("data.txt")),
        ("relative.txt", "sub/../data.txt".into()),
        ("out.txt", outside.join("secret.txt")),
        ("folder", outside.join("etc")),
        ("program.txt", root.join("app.py")),
        ("device.txt", "/dev/zero".into()),
    ];
    for (name, target) in links {
        std::os::unix::fs::symlink(target, root.join(name)).expect("a writable folder");
    }
    // The folder served is itself behind a link, which is the operator's choice.
    let entrance = folder().join("entrance");
    std::os::unix::fs::symlink(&root, &entrance).expect("a writable folder");
    let handler = Handler::new("StaticFile", "*", "GET,HEAD", HandlerModule::StaticFile).expect("valid");
    let directory = VirtualDirectory::new("/", entrance).expect("an absolute path");
    let directory = if allow { directory.with_links_out() } else { directory };
    let application = Application::new("/", vec![directory], vec![handler]).expect("valid");
    let application = application.with_default_documents(vec!["index.html".to_owned()]);
    Running::start(ServerOptions::new(Site::new(1, "test", vec![application]).expect("valid")))
}

#[test]
fn a_link_is_what_it_leads_to() {
    for (allow, expected) in [(false, 404), (true, 200)] {
        let server = linked_server(allow);
        let mut client = server.connect();
        for path in ["/data.txt", "/inside.txt", "/relative.txt"] {
            assert_eq!(fetch(&mut client, path, "").text(), "content", "{path}");
        }
        for path in ["/out.txt", "/folder/", "/folder/index.html", "/program.txt"] {
            assert_eq!(fetch(&mut client, path, "").status(), expected, "{path}, links out allowed: {allow}");
        }
        assert_eq!(fetch(&mut client, "/folder", "").status(), if allow { 301 } else { 404 });
        assert_eq!(fetch(&mut client, "/device.txt", "").status(), 404);
    }
}

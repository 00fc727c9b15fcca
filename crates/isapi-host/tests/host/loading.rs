//! Loading libraries: on first request or before, once, and what happens when it does not work.

use std::fs;
use std::path::Path;
use std::thread;

use isapi_host::{HostError, Server, ServerOptions};

use crate::harness::{Reply, Running, compile, folder, probe, site};

fn first_reply(library: &Path) -> Reply {
    Running::start(ServerOptions::new(site(library))).get("hello")
}

fn preload(library: &Path) -> Vec<String> {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    runtime.block_on(async {
        let address: std::net::SocketAddr = "127.0.0.1:0".parse().expect("an address");
        let server = Server::bind(ServerOptions::new(site(library)), address).expect("a free port");
        server.preload().await.iter().map(|(_, error)| error.to_string()).collect()
    })
}

#[test]
fn the_smallest_extension_answers() {
    let reply = first_reply(&compile("hello", &[]));
    assert_eq!((reply.status(), reply.text().as_str()), (200, "hello"));
}

#[test]
fn concurrent_first_requests_share_one_load() {
    let server = Running::probe();
    thread::scope(|scope| {
        for _ in 0..16 {
            scope.spawn(|| assert_eq!(server.get("hello").text(), "hello"));
        }
    });
}

#[test]
fn a_refused_handshake_is_named() {
    let library = compile("hello", &["ACCEPT=FALSE"]);
    let reply = first_reply(&library);
    assert_eq!(reply.status(), 500);
    assert!(reply.text().contains("ISAPI0303"), "{}", reply.text());
    assert!(preload(&library)[0].starts_with("ISAPI0303 the extension "));
}

#[test]
fn a_missing_export_is_named() {
    let library = compile("hello", &["NO_VERSION"]);
    assert!(first_reply(&library).text().contains("ISAPI0302"));
    let message = &preload(&library)[0];
    assert!(message.ends_with("does not export GetExtensionVersion"), "{message}");
}

#[test]
fn what_is_no_library_is_named() {
    let library = folder().join("_not.so");
    fs::write(&library, "text").expect("a writable folder");
    assert!(first_reply(&library).text().contains("ISAPI0301"));
    let message = &preload(&library)[0];
    assert!(message.contains("_not.so") && message.starts_with("ISAPI0301 cannot load"), "{message}");
    assert!(message.contains("too short"), "the dynamic linker's own words are shown: {message}");
    assert!(first_reply(Path::new("/no/such/library.so")).text().contains("ISAPI0301"));
}

#[test]
fn preloading_a_good_library_has_no_failures() {
    assert!(preload(&probe()).is_empty());
}

#[test]
fn an_address_in_use_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("it is bound");
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let error = runtime.block_on(async { Server::bind(ServerOptions::new(site(&probe())), address) });
    assert!(matches!(error, Err(HostError::CannotListen { .. })), "{error:?}");
}

//! MAP_URL_TO_PATH_EX and its relatives, and NORMALIZE_URL.

use std::path::{Path, PathBuf};

use isapi_config::{Application, Handler, HandlerModule, Site, VirtualDirectory};
use isapi_host::ServerOptions;

use crate::harness::{Client, Running, extension, folder, probe_of, site_of};

/// The flags of `HSE_URL_FLAGS_*`.
const READ_AND_SCRIPT: &str = "0x201";
const SCRIPT_AND_EXECUTE: &str = "0x204";

/// A site with the probe at `/`, a folder at `/files`, and an application `/app` with the folder `/app/data`.
fn server(root: &Path) -> Running {
    let directory = |path: &str, folder: PathBuf| VirtualDirectory::new(path, folder).expect("valid");
    let library = probe_of("mapping");
    let root_site = Application::new(
        "/",
        vec![directory("/", root.to_owned()), directory("/files", root.join("f"))],
        vec![
            extension("probe", "*", &library),
            Handler::new("static", "*", "GET", HandlerModule::StaticFile).expect("valid"),
        ],
    );
    let own = Handler::new("own", "*.so", "*", HandlerModule::Isapi { script_processor: None }).expect("valid");
    let app =
        Application::new("/app", vec![directory("/", root.join("a")), directory("/data", root.join("d"))], vec![own]);
    let applications = vec![root_site.expect("valid"), app.expect("valid")];
    Running::start(ServerOptions::new(Site::new(1, "test", applications).expect("valid")))
}

fn map(client: &mut Client, behaviour: &str, url: &str) -> String {
    client.get_with(behaviour, &format!("X-Url: {url}\r\n")).text()
}

#[test]
fn urls_are_mapped_with_their_access_and_what_matches() {
    let root = folder();
    let server = server(&root);
    let mut client = server.connect();
    let name = root.display().to_string();
    for (url, path, access, folder, prefix) in [
        ("/x/y.txt", "/x/y.txt", READ_AND_SCRIPT, "", ""),
        ("/x/../y?q", "/y", READ_AND_SCRIPT, "", ""),
        ("/", "", READ_AND_SCRIPT, "", ""),
        ("/FILES/x", "/f/x", READ_AND_SCRIPT, "/f", "/files"),
        ("/app/x", "/a/x", SCRIPT_AND_EXECUTE, "/a", "/app"),
        ("/app/data/x/y", "/d/x/y", SCRIPT_AND_EXECUTE, "/d", "/app/data"),
        ("/ä/ö", "/ä/ö", READ_AND_SCRIPT, "", ""),
    ] {
        let path = format!("{name}{path}");
        let matching = format!("{access} {} {} behind 0", name.len() + folder.len(), prefix.len());
        assert_eq!(map(&mut client, "map_ex", url), format!("0 {path} {} {matching}", path.len()), "{url}");
        assert_eq!(map(&mut client, "map_unicode_ex", url), format!("0 {path} {matching}"), "{url}");
    }
    let without_size = client.get_with("map_ex", "X-Url: /x\r\nX-Nosize: 1\r\n").text();
    assert!(without_size.starts_with(&format!("0 {name}/x ")), "{without_size}");
}

#[test]
fn a_path_that_does_not_fit_the_struct_is_cut_and_refused() {
    let root = folder();
    let server = server(&root);
    let mut client = server.connect();
    let base = root.display().to_string();
    // Of 260 characters the last is the NUL.
    for (length, error) in [(259, 0), (260, 122), (261, 122), (1000, 122)] {
        let url = format!("/{}", "x".repeat(length - base.len() - 1));
        let cut: String = format!("{base}{url}").chars().take(259).collect();
        let expected = format!("{error} {cut} 259 {READ_AND_SCRIPT} {} 0 behind 0", base.len());
        assert_eq!(map(&mut client, "map_ex", &url), expected, "{length}");
        let expected = format!("{error} {cut} {READ_AND_SCRIPT} {} 0 behind 0", base.len());
        assert_eq!(map(&mut client, "map_unicode_ex", &url), expected, "{length}");
    }
}

#[test]
fn what_is_no_url_leaves_the_struct_alone() {
    let server = server(&folder());
    let mut client = server.connect();
    for url in ["", "x", "?x", "http://host/x"] {
        assert_eq!(map(&mut client, "map_ex", url), "87 touched 0", "{url}");
        assert_eq!(map(&mut client, "map_unicode_ex", url), "87 touched 0", "{url}");
    }
    let broken = client.get_with("map_unicode_ex", "X-Url: /abc\r\nX-Bad: 1\r\n").text();
    assert_eq!(broken, "87 touched 0", "half a character");
    assert_eq!(client.get("nulls").text(), "87 87 87 87 87 87 87 87 87 ");
}

#[test]
fn sizes_of_unicode_paths_are_bytes() {
    let root = folder();
    let server = server(&root);
    let mut client = server.connect();
    let path = format!("{}/ä.txt", root.display());
    let needed = 2 * (path.chars().count() + 1);
    let mut mapped =
        |room: usize| client.get_with("map_unicode", &format!("X-Url: /ä.txt\r\nX-Room: {room}\r\n")).text();
    for room in [needed, needed + 1, needed + 100] {
        assert_eq!(mapped(room), format!("0 {needed} {path} behind 0"), "{room}");
    }
    // The URL itself, seven characters with its NUL, has to fit.
    for room in [14, 15, needed - 1, needed - 2] {
        assert_eq!(mapped(room), format!("122 {needed} behind 0"), "{room}");
    }
    for room in [0, 1, 12, 13] {
        assert_eq!(mapped(room), format!("87 {room} behind 0"), "{room}");
    }
}

#[test]
fn urls_are_normalised_in_place() {
    let server = server(&folder());
    let mut client = server.connect();
    for (url, expected) in [
        ("/a/./b/../c%20d?e=%20&f=..", "0 /a/c d?e=%20&f=.. behind 0"),
        ("\\a\\%2e%2E\\b%5Cc", "0 /b/c behind 0"),
        ("/../../x", "0 /x behind 0"),
        ("/%zz", "0 /%zz behind 0"),
        ("/", "0 / behind 0"),
        ("/a%00b", "87 /a%00b behind 0"),
        ("/a%0d%0ab", "87 /a%0d%0ab behind 0"),
        ("a/..", "87 a/.. behind 0"),
        ("", "87  behind 0"),
    ] {
        assert_eq!(map(&mut client, "normalize", url), expected, "{url}");
    }
}

#[test]
fn a_wildcard_map_alone_gives_no_right_to_read() {
    let root = folder();
    let server = Running::start(ServerOptions::new(site_of(vec![extension("p", "*", &probe_of("mapping"))], &root)));
    let mapped = map(&mut server.connect(), "map_ex", "/x");
    assert!(mapped.contains(" 0x200 "), "{mapped}");
}

//! What an extension learns of its request: control block, server variables, paths.

use isapi_config::{Application, Site, VirtualDirectory};
use isapi_host::ServerOptions;

use crate::harness::{Client, Running, extension, folder, probe};

fn variable(client: &mut Client, name: &str) -> String {
    client.get_with("variable", &format!("X-Name: {name}\r\nX-Odd_Name: odd\r\n")).text()
}

#[test]
fn variables_have_value_size_and_error() {
    let server = Running::probe();
    let mut client = server.connect();
    // Without room: FALSE, 122 and the size; with room: TRUE and the value with its NUL.
    assert_eq!(variable(&mut client, "REQUEST_METHOD"), "0 122 4|1 0 4:GET\0");
    assert_eq!(variable(&mut client, "server_protocol"), "0 122 9|1 0 9:HTTP/1.1\0");
    assert_eq!(variable(&mut client, "HEADER_X-Odd_Name"), "0 122 4|1 0 4:odd\0");
    assert_eq!(variable(&mut client, "AUTH_USER"), "0 122 1|1 0 1:\0");
    assert_eq!(variable(&mut client, "HTTP_X_MISSING"), "0 1413 0|0 1413 0:");
    assert_eq!(variable(&mut client, "NO_SUCH"), "0 1413 0|0 1413 0:");
    assert_eq!(variable(&mut client, "UNICODE_HTTP_HOST"), "0 1413 0|0 1413 0:");
    assert_eq!(variable(&mut client, "UNICODE_REQUEST_METHOD"), "0 122 8|1 0 8:G\0E\0T\0\0\0");
    assert_eq!(variable(&mut client, "APPL_MD_PATH"), "0 122 18|1 0 18:/LM/W3SVC/1/ROOT\0".replace("18", "17"));
}

#[test]
fn null_arguments_are_refused() {
    assert_eq!(Running::probe().get("nulls").text(), "87 87 87 87 87 87");
}

#[test]
fn the_smaller_requests_answer_as_the_contract_says() {
    let root = folder();
    let site = crate::harness::site_of(vec![extension("probe", "*", &probe())], &root);
    let server = Running::start(ServerOptions::new(site));
    let path = root.join("sub/x.txt").display().to_string();
    let text = server.get("requests").text();
    let size = path.len() + 1;
    assert_eq!(text, format!("1 {path} {size}|0 122|1 1 0|0 50|0 87"));
}

/// Method, query, PATH_INFO, PATH_TRANSLATED of a request, as the control block says.
fn block(server: &Running, path: &str) -> Vec<String> {
    let mut client = server.connect();
    client.send(
        format!("PUT {path}?block HTTP/1.1\r\nHost: x\r\nContent-Type: a/b\r\nContent-Length: 2\r\n\r\nhi").as_bytes(),
    );
    client.reply().text().split('|').map(str::to_owned).collect()
}

#[test]
fn block_and_variable_have_the_same_content_type_also_if_there_are_two() {
    let server = Running::probe();
    let mut client = server.connect();
    let two = "Content-Type: a/b\r\nContent-Type: c/d\r\n";
    assert_eq!(client.get_with("block", two).text().split('|').nth(7), Some("a/b, c/d"));
    let variable = client.get_with("variable", &format!("X-Name: CONTENT_TYPE\r\n{two}")).text();
    assert_eq!(variable, "0 122 9|1 0 9:a/b, c/d\0");
}

#[test]
fn a_wildcard_map_has_the_whole_path_in_path_info() {
    let (root, app) = (folder(), folder());
    let directory = |folder: &std::path::Path| vec![VirtualDirectory::new("/", folder).expect("absolute")];
    let library = probe();
    let application = Application::new("/app", directory(&app), vec![extension("all", "*", &library)]).expect("valid");
    let site = Site::new(3, "web", vec![Application::new("/", directory(&root), vec![]).expect("valid"), application]);
    let server = Running::start(ServerOptions::new(site.expect("valid")));
    let expected =
        ["192", "00080000", "200", "PUT", "block", "/app/ä b", &app.join("ä b").display().to_string(), "a/b", "2", "2"];
    assert_eq!(block(&server, "/app/x/../%C3%A4%20b"), expected);
    let mut client = server.connect();
    client.send(b"GET /app/q%20r/s?variable HTTP/1.1\r\nHost: x\r\nX-Name: SCRIPT_NAME\r\n\r\n");
    assert_eq!(client.reply().text(), "0 122 11|1 0 11:/app/q r/s\0");
    client.send(b"GET /app/q%20r/s?variable HTTP/1.1\r\nHost: x\r\nX-Name: APPL_MD_PATH\r\n\r\n");
    assert_eq!(client.reply().text(), "0 122 21|1 0 21:/LM/W3SVC/3/ROOT/app\0");
}

#[test]
fn an_extension_map_splits_off_the_extra_path_only_when_asked() {
    let (root, library) = (folder(), probe());
    let plain = extension("plain", "*.one", &library);
    let cgi = extension("cgi", "*.two", &library).with_path_info(true);
    let server = Running::start(ServerOptions::new(crate::harness::site_of(vec![plain, cgi], &root)));
    let translated = |path: &str| root.join(path).display().to_string();
    assert_eq!(block(&server, "/a.one/extra")[5..7], ["/a.one/extra".to_owned(), translated("a.one/extra")]);
    assert_eq!(block(&server, "/a.two/extra")[5..7], ["/extra".to_owned(), translated("extra")]);
    let mut client = server.connect();
    for script in ["/a.one", "/a.two"] {
        client
            .send(format!("GET {script}/extra?variable HTTP/1.1\r\nHost: x\r\nX-Name: SCRIPT_NAME\r\n\r\n").as_bytes());
        assert_eq!(client.reply().text(), format!("0 122 7|1 0 7:{script}\0"));
    }
}

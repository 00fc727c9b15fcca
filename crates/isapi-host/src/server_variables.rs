//! The server variables of a request (contract, chapter 4), computed from its facts when they are asked for.
//!
//! Pure: the same facts give the same values on any thread. Names compare without case. Values are bytes; `UNICODE_`
//! names give the same text in UTF-16. A variable that has no meaning here, such as a certificate without TLS, is
//! empty; a header that was not sent does not exist.

use std::borrow::Cow;
use std::fmt::{self, Write};
use std::path::{Path, PathBuf};

use http::{HeaderMap, HeaderName, Version, header};

use crate::authentication::Identity;
use crate::extension::request_facts::RequestFacts;
use crate::place::Place;

/// What SERVER_SOFTWARE and the header `Server` say.
pub(crate) const SERVER_SOFTWARE: &str = concat!("pyisapi/", env!("CARGO_PKG_VERSION"));

/// The longest name that is looked up; no header is longer.
const MAX_NAME: usize = 64 * 1024;

/// A variable's value. Most are borrowed or short, and cost no memory.
pub(crate) enum Value<'a> {
    /// As it stands in the facts.
    Borrowed(&'a [u8]),
    /// A number or an address.
    Short(Short),
    /// Put together for this call.
    Owned(Vec<u8>),
    /// In UTF-16.
    Wide(Vec<u8>),
}

impl Value<'_> {
    /// The value without its terminator.
    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Value::Borrowed(bytes) => bytes,
            Value::Short(text) => &text.bytes[..text.length],
            Value::Owned(bytes) | Value::Wide(bytes) => bytes,
        }
    }

    /// What ends it: a NUL, of two bytes for UTF-16.
    pub(crate) fn terminator(&self) -> &'static [u8] {
        if matches!(self, Value::Wide(_)) { b"\0\0" } else { b"\0" }
    }
}

/// A short text.
pub(crate) struct Short {
    bytes: [u8; 48],
    length: usize,
}

impl Write for Short {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        let room = self.bytes.get_mut(self.length..self.length + text.len()).ok_or(fmt::Error)?;
        room.copy_from_slice(text.as_bytes());
        self.length += text.len();
        Ok(())
    }
}

/// The value of `name`.
pub(crate) fn value<'a>(facts: &'a RequestFacts, name: &[u8]) -> Option<Value<'a>> {
    let mut room = [0; 64];
    let mut long = Vec::new();
    let upper = upper_case(name, &mut room, &mut long)?;
    let Some(base) = upper.strip_prefix("UNICODE_") else { return narrow(facts, upper) };
    let is_header = base.starts_with("HEADER_") || (base.starts_with("HTTP_") && fixed(facts, base).is_none());
    if is_header {
        return None;
    }
    let value = narrow(facts, base)?;
    let text = String::from_utf8_lossy(value.as_bytes());
    Some(Value::Wide(text.encode_utf16().flat_map(u16::to_ne_bytes).collect()))
}

/// `name` in upper case, in `room` if it fits there.
fn upper_case<'a>(name: &[u8], room: &'a mut [u8; 64], long: &'a mut Vec<u8>) -> Option<&'a str> {
    let upper = match room.get_mut(..name.len()) {
        Some(room) => room,
        None if name.len() > MAX_NAME => return None,
        None => {
            long.resize(name.len(), 0);
            long.as_mut_slice()
        }
    };
    upper.copy_from_slice(name);
    upper.make_ascii_uppercase();
    str::from_utf8(upper).ok()
}

/// The value of `name`, which is in upper case.
fn narrow<'a>(facts: &'a RequestFacts, name: &str) -> Option<Value<'a>> {
    if let Some(value) = fixed(facts, name) {
        return Some(value);
    }
    if let Some(header) = name.strip_prefix("HTTP_") {
        if !header.contains('_') {
            return header_value(facts, header);
        }
        return header_value(facts, &header.replace('_', "-"));
    }
    header_value(facts, name.strip_prefix("HEADER_")?)
}

/// The variables with a name of their own.
fn fixed<'a>(facts: &'a RequestFacts, name: &str) -> Option<Value<'a>> {
    let Place { site_id, site_name, application, document_root, .. } = &*facts.place;
    let head = &facts.head;
    Some(match name {
        "ALL_HTTP" => Value::Owned(all_http(facts)),
        "ALL_RAW" => Value::Owned(all_raw(facts)),
        "APPL_MD_PATH" => text(facts.place.metabase_path()),
        "APPL_PHYSICAL_PATH" => Value::Owned(folder(facts.place.folder())),
        "APP_POOL_ID" => borrowed(application.pool()),
        "CACHE_URL" => text(own_url(facts)),
        "CONTENT_LENGTH" => facts.content_length.map_or(borrowed(""), short),
        "CONTENT_TYPE" => header_value(facts, "CONTENT-TYPE").unwrap_or(borrowed("")),
        "DOCUMENT_ROOT" => Value::Owned(path_bytes(document_root)),
        "GATEWAY_INTERFACE" => borrowed("CGI/1.1"),
        "HTTPS" => borrowed("off"),
        "HTTP_METHOD" | "REQUEST_METHOD" => borrowed(head.method.as_str()),
        "HTTP_URL" | "REQUEST_URI" => borrowed(facts.raw_url()),
        "HTTP_VERSION" | "SERVER_PROTOCOL" => borrowed(protocol(head.version)),
        "INSTANCE_ID" => short(site_id),
        "INSTANCE_META_PATH" => text(format!("/LM/W3SVC/{site_id}")),
        "INSTANCE_NAME" => borrowed(site_name),
        "LOCAL_ADDR" | "SERVER_ADDR" => short(facts.peers.local.ip().to_canonical()),
        "PATH_INFO" => Value::Borrowed(facts.path_info()),
        "PATH_TRANSLATED" => Value::Borrowed(&facts.path_translated),
        "QUERY_STRING" => borrowed(facts.query()),
        "REMOTE_ADDR" | "REMOTE_HOST" => short(facts.peers.remote.ip().to_canonical()),
        "REMOTE_PORT" => short(facts.peers.remote.port()),
        "SCRIPT_NAME" => Value::Borrowed(facts.script_name()),
        "SCRIPT_TRANSLATED" | "SCRIPT_FILENAME" | "REQUEST_FILENAME" => Value::Owned(script_translated(facts)),
        "SERVER_NAME" => server_name(facts),
        "SERVER_PORT" => short(facts.peers.local.port()),
        "SERVER_PORT_SECURE" => borrowed("0"),
        "SERVER_SOFTWARE" => borrowed(SERVER_SOFTWARE),
        "UNENCODED_URL" => borrowed(facts.raw_path()),
        "URL" => Value::Borrowed(&facts.url),
        "AUTH_PASSWORD" => identity(facts, |identity| &identity.credentials.password),
        "AUTH_TYPE" => identity(facts, |identity| identity.kind.as_bytes()),
        "AUTH_USER" | "LOGON_USER" | "REMOTE_USER" | "UNMAPPED_REMOTE_USER" => {
            identity(facts, |identity| &identity.credentials.user)
        }
        _ if is_empty_here(name) => borrowed(""),
        _ => return None,
    })
}

/// Variables that exist but say nothing on an anonymous connection without TLS.
fn is_empty_here(name: &str) -> bool {
    matches!(
        name,
        "APP_POOL_CONFIG"
            | "CERT_COOKIE"
            | "CERT_FLAGS"
            | "CERT_ISSUER"
            | "CERT_KEYSIZE"
            | "CERT_SECRETKEYSIZE"
            | "CERT_SERIALNUMBER"
            | "CERT_SERVER_ISSUER"
            | "CERT_SERVER_SUBJECT"
            | "CERT_SUBJECT"
            | "CRYPT_CIPHER_ALG_ID"
            | "CRYPT_HASH_ALG_ID"
            | "CRYPT_KEYEXCHANGE_ALG_ID"
            | "CRYPT_PROTOCOL"
            | "FORWARDED_URL"
            | "HTTPS_KEYSIZE"
            | "HTTPS_SECRETKEYSIZE"
            | "HTTPS_SERVER_ISSUER"
            | "HTTPS_SERVER_SUBJECT"
            | "MANAGED_PIPELINE_MODE"
            | "REQUEST_FLAGS"
    )
}

/// Something of a client that has been authenticated; empty for any other.
fn identity<'a>(facts: &'a RequestFacts, take: impl FnOnce(&'a Identity) -> &'a [u8]) -> Value<'a> {
    Value::Borrowed(facts.identity.as_deref().map_or(&[], take))
}

fn borrowed(value: &str) -> Value<'_> {
    Value::Borrowed(value.as_bytes())
}

fn text<'a>(value: String) -> Value<'a> {
    Value::Owned(value.into_bytes())
}

fn short<'a>(value: impl fmt::Display) -> Value<'a> {
    let mut text = Short { bytes: [0; 48], length: 0 };
    match write!(text, "{value}") {
        Ok(()) => Value::Short(text),
        Err(fmt::Error) => Value::Owned(value.to_string().into_bytes()),
    }
}

/// A header's value; several of one name are joined as HTTP allows, cookies in their own way.
fn header_value<'a>(facts: &'a RequestFacts, name: &str) -> Option<Value<'a>> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    if let Some(length) = facts.length_instead_of_chunks() {
        match name {
            header::TRANSFER_ENCODING => return None,
            header::CONTENT_LENGTH => return Some(short(length)),
            _ => {}
        }
    }
    Some(match joined(&facts.head.headers, &name)? {
        Cow::Borrowed(value) => Value::Borrowed(value),
        Cow::Owned(value) => Value::Owned(value),
    })
}

/// As [`header_value`], for any header as the client sent it.
pub(crate) fn joined<'a>(headers: &'a HeaderMap, name: &HeaderName) -> Option<Cow<'a, [u8]>> {
    let mut values = headers.get_all(name).iter();
    let first = values.next()?.as_bytes();
    let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
    let rest: Vec<&[u8]> = values.map(|value| value.as_bytes()).collect();
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    Some(Cow::Owned([&[first], rest.as_slice()].concat().join(separator)))
}

/// `HTTP_NAME:value` lines.
fn all_http(facts: &RequestFacts) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut add = |name: &str, value: &[u8]| {
        lines.extend_from_slice(b"HTTP_");
        lines.extend(name.bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        lines.push(b':');
        lines.extend_from_slice(value);
        lines.push(b'\n');
    };
    for name in facts.head.headers.keys().filter(|name| is_shown(facts, name)) {
        add(name.as_str(), &joined(&facts.head.headers, name).unwrap_or_default());
    }
    if let Some(length) = facts.length_instead_of_chunks() {
        add("content-length", length.to_string().as_bytes());
    }
    lines
}

/// `Name: value` lines. The case in which the client wrote the names is not kept; they come capitalised.
fn all_raw(facts: &RequestFacts) -> Vec<u8> {
    let mut lines = Vec::new();
    let mut add = |name: &str, value: &[u8]| {
        let mut at_start = true;
        for byte in name.bytes() {
            lines.push(if at_start { byte.to_ascii_uppercase() } else { byte });
            at_start = byte == b'-';
        }
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value);
        lines.extend_from_slice(b"\r\n");
    };
    for (name, value) in facts.head.headers.iter().filter(|(name, _)| is_shown(facts, name)) {
        add(name.as_str(), value.as_bytes());
    }
    if let Some(length) = facts.length_instead_of_chunks() {
        add("content-length", length.to_string().as_bytes());
    }
    lines
}

/// Whether a header is shown to the extension.
fn is_shown(facts: &RequestFacts, name: &HeaderName) -> bool {
    name != header::TRANSFER_ENCODING || facts.length_instead_of_chunks().is_none()
}

/// A folder with the separator at its end.
fn folder(path: &Path) -> Vec<u8> {
    let mut bytes = path_bytes(path);
    let separator = std::path::MAIN_SEPARATOR_STR.as_bytes();
    if !bytes.ends_with(separator) {
        bytes.extend_from_slice(separator);
    }
    bytes
}

/// IIS gives this one with the prefix that lifts the limit on the length of paths.
fn script_translated(facts: &RequestFacts) -> Vec<u8> {
    let prefix = if cfg!(windows) { r"\\?\" } else { "" };
    [prefix.as_bytes(), &path_bytes(&facts.script_translated())].concat()
}

/// As [`path_bytes`], without a copy where it is no other.
pub(crate) fn into_path_bytes(path: PathBuf) -> Vec<u8> {
    path.into_os_string().into_encoded_bytes()
}

/// A path as bytes: as it is on Unix, UTF-8 elsewhere.
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    match path.to_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => path.as_os_str().as_encoded_bytes().to_vec(),
    }
}

fn own_url(facts: &RequestFacts) -> String {
    let name = server_name(facts);
    format!("http://{}:{}{}", String::from_utf8_lossy(name.as_bytes()), facts.peers.local.port(), facts.raw_url())
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// The host of the header `Host` without its port, or else the address.
fn server_name(facts: &RequestFacts) -> Value<'_> {
    let host = facts.head.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    match authority {
        Some(authority) => text(authority.host().to_owned()),
        None => short(facts.peers.local.ip().to_canonical()),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use http::{HeaderValue, Uri};
    use isapi_config::{Application, Site, VirtualDirectory};

    use super::*;
    use crate::connection::Peers;
    use crate::exchange::RequestHead;

    fn facts() -> RequestFacts {
        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static("example.test:8080"));
        headers.append("x-my_header", HeaderValue::from_static("odd"));
        headers.append("accept", HeaderValue::from_static("a/b"));
        headers.append("accept", HeaderValue::from_static("c/d"));
        headers.append("cookie", HeaderValue::from_bytes(b"a=\xe9").expect("opaque bytes are allowed"));
        let (mut head, ()) = http::Request::new(()).into_parts();
        (head.uri, head.headers) = (Uri::from_static("/app/caf%C3%A9?q=1"), headers);
        RequestFacts {
            head: Arc::new(RequestHead(head)),
            url: "/app/café".into(),
            script_length: "/app/café".len(),
            only_extra_path: false,
            path_translated: "/srv/app/café".into(),
            content_length: Some(0),
            place: Place::all(&site()).pop().expect("the application /app comes last"),
            handler: 0,
            lineage: None,
            filtered: None,
            identity: None,
            peers: Peers {
                local: "[::ffff:127.0.0.1]:8080".parse().expect("an address"),
                remote: "192.0.2.1:5000".parse().expect("an address"),
            },
        }
    }

    fn site() -> Site {
        let application = |path: &str, folder: &str| {
            let directory = VirtualDirectory::new("/", folder).expect("valid");
            Application::new(path, vec![directory], Vec::new()).expect("valid")
        };
        Site::new(7, "web", vec![application("/", "/srv"), application("/app", "/srv/app")]).expect("valid")
    }

    /// The value with its terminator.
    fn terminated(name: &[u8]) -> Option<Vec<u8>> {
        let facts = facts();
        value(&facts, name).map(|value| [value.as_bytes(), value.terminator()].concat())
    }

    fn get(name: &str) -> Option<String> {
        let mut value = terminated(name.as_bytes())?;
        assert_eq!(value.pop(), Some(0));
        Some(String::from_utf8_lossy(&value).into_owned())
    }

    #[test]
    fn named_variables_have_their_values() {
        for (name, expected) in [
            ("APPL_MD_PATH", "/LM/W3SVC/7/ROOT/app"),
            ("appl_physical_path", "/srv/app/"),
            ("HTTP_URL", "/app/caf%C3%A9?q=1"),
            ("HTTP_METHOD", "GET"),
            ("HTTP_VERSION", "HTTP/1.1"),
            ("LOCAL_ADDR", "127.0.0.1"),
            ("PATH_INFO", "/app/café"),
            ("SERVER_NAME", "example.test"),
            ("SERVER_PORT", "8080"),
            ("CONTENT_LENGTH", "0"),
            ("CONTENT_TYPE", ""),
            ("AUTH_USER", ""),
            ("CERT_SUBJECT", ""),
            ("HTTPS", "off"),
            ("REMOTE_PORT", "5000"),
            ("INSTANCE_NAME", "web"),
        ] {
            assert_eq!(get(name).as_deref(), Some(expected), "{name}");
        }
    }

    #[test]
    fn headers_are_found_by_both_prefixes() {
        assert_eq!(get("HTTP_ACCEPT").as_deref(), Some("a/b, c/d"));
        assert_eq!(get("HEADER_X-My_Header").as_deref(), Some("odd"));
        assert_eq!(get("HTTP_X_MY_HEADER"), None);
        assert_eq!(get("HTTP_REFERER"), None);
        assert_eq!(get("NO_SUCH_VARIABLE"), None);
        assert_eq!(terminated(b"HTTP_COOKIE"), Some(b"a=\xe9\0".to_vec()));
    }

    #[test]
    fn all_headers_come_in_both_forms() {
        let http = get("ALL_HTTP").expect("a value");
        assert!(http.contains("HTTP_HOST:example.test:8080\n") && http.contains("HTTP_ACCEPT:a/b, c/d\n"), "{http}");
        let raw = get("ALL_RAW").expect("a value");
        assert!(raw.contains("Host: example.test:8080\r\n") && raw.contains("Accept: a/b\r\nAccept: c/d\r\n"), "{raw}");
    }

    #[test]
    fn unicode_names_give_utf16_but_not_for_headers() {
        let expected: Vec<u8> = "/app/café\0".encode_utf16().flat_map(u16::to_ne_bytes).collect();
        assert_eq!(terminated(b"UNICODE_SCRIPT_NAME"), Some(expected));
        assert!(terminated(b"UNICODE_HTTP_URL").is_some());
        assert_eq!(terminated(b"UNICODE_HTTP_ACCEPT"), None);
        assert_eq!(terminated(b"UNICODE_HEADER_Accept"), None);
    }
}

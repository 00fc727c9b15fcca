//! The server variables of a request (contract, chapter 4), computed from its facts when they are asked for.
//!
//! Pure: the same facts give the same values on any thread. Names compare without case. Values are bytes; `UNICODE_`
//! names give the same text in UTF-16. A variable that has no meaning here, such as a certificate without TLS, is
//! empty; a header that was not sent does not exist.

use std::borrow::Cow;
use std::path::Path;

use http::{HeaderMap, HeaderName, Version, header};

use crate::extension::request_facts::{Place, RequestFacts};

/// What SERVER_SOFTWARE and the header `Server` say.
pub(crate) const SERVER_SOFTWARE: &str = concat!("pyisapi/", env!("CARGO_PKG_VERSION"));

/// The value of `name` with its terminating NUL, of one byte or, for `UNICODE_` names, two.
pub(crate) fn terminated(facts: &RequestFacts, name: &[u8]) -> Option<Vec<u8>> {
    let name = str::from_utf8(name).ok()?.to_ascii_uppercase();
    if let Some(base) = name.strip_prefix("UNICODE_") {
        let is_header = base.starts_with("HEADER_") || (base.starts_with("HTTP_") && fixed(facts, base).is_none());
        if is_header {
            return None;
        }
        let value = value(facts, base)?;
        let text = String::from_utf8_lossy(&value);
        return Some(text.encode_utf16().chain([0]).flat_map(u16::to_ne_bytes).collect());
    }
    let mut value = value(facts, &name)?.into_owned();
    value.push(0);
    Some(value)
}

/// The value of `name`, which is in upper case.
fn value<'a>(facts: &'a RequestFacts, name: &str) -> Option<Cow<'a, [u8]>> {
    if let Some(value) = fixed(facts, name) {
        return Some(value);
    }
    if let Some(header) = name.strip_prefix("HTTP_") {
        return header_value(&facts.headers, &header.replace('_', "-"));
    }
    header_value(&facts.headers, name.strip_prefix("HEADER_")?)
}

/// The variables with a name of their own.
fn fixed<'a>(facts: &'a RequestFacts, name: &str) -> Option<Cow<'a, [u8]>> {
    let Place { site_id, site_name, pool, application_folder, document_root, .. } = &facts.place;
    Some(match name {
        "ALL_HTTP" => owned(all_http(&facts.headers)),
        "ALL_RAW" => owned(all_raw(&facts.headers)),
        "APPL_MD_PATH" => text(facts.application_metabase_path()),
        "APPL_PHYSICAL_PATH" => owned(folder(application_folder)),
        "APP_POOL_ID" => borrowed(pool),
        "CACHE_URL" => text(own_url(facts)),
        "CONTENT_LENGTH" => text(content_length(facts)),
        "CONTENT_TYPE" => header_value(&facts.headers, "content-type").unwrap_or_default(),
        "DOCUMENT_ROOT" => owned(path_bytes(document_root)),
        "GATEWAY_INTERFACE" => borrowed("CGI/1.1"),
        "HTTPS" => borrowed("off"),
        "HTTP_METHOD" | "REQUEST_METHOD" => borrowed(facts.method.as_str()),
        "HTTP_URL" | "REQUEST_URI" => borrowed(&facts.raw_url),
        "HTTP_VERSION" | "SERVER_PROTOCOL" => borrowed(protocol(facts.version)),
        "INSTANCE_ID" => text(site_id.to_string()),
        "INSTANCE_META_PATH" => text(format!("/LM/W3SVC/{site_id}")),
        "INSTANCE_NAME" => borrowed(site_name),
        "LOCAL_ADDR" | "SERVER_ADDR" => text(facts.local.ip().to_canonical().to_string()),
        "PATH_INFO" => Cow::Borrowed(&facts.path_info),
        "PATH_TRANSLATED" => Cow::Borrowed(&facts.path_translated),
        "QUERY_STRING" => borrowed(&facts.query),
        "REMOTE_ADDR" | "REMOTE_HOST" => text(facts.remote.ip().to_canonical().to_string()),
        "REMOTE_PORT" => text(facts.remote.port().to_string()),
        "SCRIPT_NAME" => Cow::Borrowed(&facts.script_name),
        "SCRIPT_TRANSLATED" | "SCRIPT_FILENAME" | "REQUEST_FILENAME" => Cow::Borrowed(&facts.script_translated),
        "SERVER_NAME" => text(server_name(facts)),
        "SERVER_PORT" => text(facts.local.port().to_string()),
        "SERVER_PORT_SECURE" => borrowed("0"),
        "SERVER_SOFTWARE" => borrowed(SERVER_SOFTWARE),
        "UNENCODED_URL" => borrowed(&facts.raw_path),
        "URL" => Cow::Borrowed(&facts.url),
        _ if is_empty_here(name) => borrowed(""),
        _ => return None,
    })
}

/// Variables that exist but say nothing on an anonymous connection without TLS.
fn is_empty_here(name: &str) -> bool {
    matches!(
        name,
        "APP_POOL_CONFIG"
            | "AUTH_PASSWORD"
            | "AUTH_TYPE"
            | "AUTH_USER"
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
            | "LOGON_USER"
            | "MANAGED_PIPELINE_MODE"
            | "REMOTE_USER"
            | "REQUEST_FLAGS"
            | "UNMAPPED_REMOTE_USER"
    )
}

fn borrowed(value: &str) -> Cow<'_, [u8]> {
    Cow::Borrowed(value.as_bytes())
}

fn owned<'a>(value: Vec<u8>) -> Cow<'a, [u8]> {
    Cow::Owned(value)
}

fn text<'a>(value: String) -> Cow<'a, [u8]> {
    Cow::Owned(value.into_bytes())
}

/// A header's value; several of one name are joined as HTTP allows, cookies in their own way.
fn header_value<'a>(headers: &'a HeaderMap, name: &str) -> Option<Cow<'a, [u8]>> {
    let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
    let mut values = headers.get_all(&name).iter();
    let first = values.next()?.as_bytes();
    let separator: &[u8] = if name == header::COOKIE { b"; " } else { b", " };
    let rest: Vec<&[u8]> = values.map(|value| value.as_bytes()).collect();
    if rest.is_empty() {
        return Some(Cow::Borrowed(first));
    }
    Some(Cow::Owned([&[first], rest.as_slice()].concat().join(separator)))
}

/// `HTTP_NAME:value` lines.
fn all_http(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for name in headers.keys() {
        let value = header_value(headers, name.as_str()).unwrap_or_default();
        lines.extend_from_slice(b"HTTP_");
        lines.extend(name.as_str().bytes().map(|byte| if byte == b'-' { b'_' } else { byte.to_ascii_uppercase() }));
        lines.push(b':');
        lines.extend_from_slice(&value);
        lines.push(b'\n');
    }
    lines
}

/// `Name: value` lines. The case in which the client wrote the names is not kept; they come capitalised.
fn all_raw(headers: &HeaderMap) -> Vec<u8> {
    let mut lines = Vec::new();
    for (name, value) in headers {
        let mut at_start = true;
        for byte in name.as_str().bytes() {
            lines.push(if at_start { byte.to_ascii_uppercase() } else { byte });
            at_start = byte == b'-';
        }
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    lines
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

/// A path as bytes: as it is on Unix, UTF-8 elsewhere.
pub(crate) fn path_bytes(path: &Path) -> Vec<u8> {
    match path.to_str() {
        Some(text) => text.as_bytes().to_vec(),
        None => path.as_os_str().as_encoded_bytes().to_vec(),
    }
}

fn content_length(facts: &RequestFacts) -> String {
    facts.content_length.map_or_else(String::new, |length| length.to_string())
}

fn own_url(facts: &RequestFacts) -> String {
    format!("http://{}:{}{}", server_name(facts), facts.local.port(), facts.raw_url)
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// The host of the header `Host` without its port, or else the address.
fn server_name(facts: &RequestFacts) -> String {
    let host = facts.headers.get(header::HOST).and_then(|value| value.to_str().ok());
    let authority = host.and_then(|host| host.parse::<http::uri::Authority>().ok());
    match authority {
        Some(authority) => authority.host().to_owned(),
        None => facts.local.ip().to_canonical().to_string(),
    }
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use http::{HeaderValue, Method};

    use super::*;

    fn facts() -> RequestFacts {
        let mut headers = HeaderMap::new();
        headers.append("host", HeaderValue::from_static("example.test:8080"));
        headers.append("x-my_header", HeaderValue::from_static("odd"));
        headers.append("accept", HeaderValue::from_static("a/b"));
        headers.append("accept", HeaderValue::from_static("c/d"));
        headers.append("cookie", HeaderValue::from_bytes(b"a=\xe9").expect("opaque bytes are allowed"));
        RequestFacts {
            method: Method::GET,
            version: Version::HTTP_11,
            headers,
            raw_path: "/app/caf%C3%A9".to_owned(),
            raw_url: "/app/caf%C3%A9?q=1".to_owned(),
            query: "q=1".to_owned(),
            url: "/app/café".into(),
            script_name: "/app/café".into(),
            path_info: "/app/café".into(),
            path_translated: "/srv/app/café".into(),
            script_translated: "/srv/app/café".into(),
            content_length: Some(0),
            place: Place {
                site_id: 7,
                site_name: "web".to_owned(),
                application: "/app".to_owned(),
                application_folder: PathBuf::from("/srv/app"),
                pool: "Pool".to_owned(),
                document_root: PathBuf::from("/srv"),
            },
            local: "[::ffff:127.0.0.1]:8080".parse().expect("an address"),
            remote: "192.0.2.1:5000".parse().expect("an address"),
        }
    }

    fn get(name: &str) -> Option<String> {
        let mut value = terminated(&facts(), name.as_bytes())?;
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
        assert_eq!(terminated(&facts(), b"HTTP_COOKIE"), Some(b"a=\xe9\0".to_vec()));
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
        assert_eq!(terminated(&facts(), b"UNICODE_SCRIPT_NAME"), Some(expected));
        assert!(terminated(&facts(), b"UNICODE_HTTP_URL").is_some());
        assert_eq!(terminated(&facts(), b"UNICODE_HTTP_ACCEPT"), None);
        assert_eq!(terminated(&facts(), b"UNICODE_HEADER_Accept"), None);
    }
}

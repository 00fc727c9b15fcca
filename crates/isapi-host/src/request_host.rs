//! The host that a request is for: named once, in a form that is one (RFC 9112, 3.2).

use http::request::Parts;
use http::uri::{Authority, Uri};
use http::{HeaderValue, StatusCode, Version, header};

use crate::exchange::Refusal;

const BAD_HOST: Refusal = Refusal::new(StatusCode::BAD_REQUEST, 0, "The request must name its host once.").closing();
const BAD_TARGET: Refusal = Refusal::new(StatusCode::BAD_REQUEST, 0, "The address is not valid.").closing();

/// Checks the host and leaves it in the header `Host`: that of the target, where the target is absolute.
///
/// # Errors
/// When it is missing, named twice or malformed, or the target is of another kind than HTTP.
pub(crate) fn settle(head: &mut Parts) -> Result<(), Refusal> {
    let mut hosts = head.headers.get_all(header::HOST).iter();
    match (hosts.next(), hosts.next()) {
        (Some(host), None) if !is_host(host.as_bytes()) => return Err(BAD_HOST),
        (Some(_), None) => {}
        // Before HTTP/1.1, none was needed.
        (None, _) if head.version < Version::HTTP_11 => {}
        _ => return Err(BAD_HOST),
    }
    let Some(authority) = head.uri.authority() else { return Ok(()) };
    let is_http = matches!(head.uri.scheme_str(), None | Some("http" | "https"));
    if !is_http || !is_host(authority.as_str().as_bytes()) {
        return Err(BAD_TARGET);
    }
    let host = HeaderValue::from_str(authority.as_str()).map_err(|_| BAD_TARGET)?;
    head.headers.insert(header::HOST, host);
    if let Some(path) = head.uri.path_and_query().cloned() {
        head.uri = Uri::from(path);
    }
    Ok(())
}

/// Whether this is a host with or without a port: most are plain names, which need no parser.
fn is_host(host: &[u8]) -> bool {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-._~".contains(byte);
    let (name, port) = match host.iter().rposition(|byte| *byte == b':') {
        Some(colon) if !host.ends_with(b"]") => (&host[..colon], &host[colon + 1..]),
        _ => (host, &b""[..]),
    };
    let is_port = port.len() <= 5 && port.iter().all(u8::is_ascii_digit);
    is_port && (name.iter().all(is_plain) || Authority::try_from(name).is_ok_and(|host| !host.as_str().contains('@')))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn settled(target: &'static str, hosts: &[&'static str]) -> Option<(String, String)> {
        let (mut head, ()) = http::Request::new(()).into_parts();
        head.uri = Uri::from_static(target);
        for host in hosts {
            head.headers.append(header::HOST, HeaderValue::from_static(host));
        }
        settle(&mut head).ok()?;
        Some((head.headers[header::HOST].to_str().expect("text").to_owned(), head.uri.to_string()))
    }

    #[test]
    fn the_target_names_the_host_where_it_is_absolute() {
        let pair = |host: &str, uri: &str| Some((host.to_owned(), uri.to_owned()));
        assert_eq!(settled("/x?q", &["a.test:80"]), pair("a.test:80", "/x?q"));
        assert_eq!(settled("http://b.test/x?q", &["a.test"]), pair("b.test", "/x?q"));
        assert_eq!(settled("ftp://b.test/x", &["a.test"]), None);
    }

    #[test]
    fn only_one_host_that_is_one_is_taken() {
        for good in ["a", "a.test", "127.0.0.1:8080", "[::1]", "[::1]:80", "a_b", ""] {
            assert!(settled("/", &[good]).is_some(), "{good}");
        }
        for bad in ["x y", "x/y", "u@x", "x:y", "x:123456", "[::1", "a,b c", "a%20b"] {
            assert!(settled("/", &[bad]).is_none(), "{bad}");
        }
        assert_eq!(settled("/", &[]), None);
        assert_eq!(settled("/", &["a", "a"]), None);
    }
}

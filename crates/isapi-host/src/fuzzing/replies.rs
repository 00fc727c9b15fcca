//! What came out of a connection, taken apart by HTTP's own rules and no others: one answer for each request that the
//! server saw, each ending where its framing says.

use http::{Method, StatusCode};

/// The most headers of an answer.
const MAX_HEADERS: usize = 300;

/// One answer.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    headers: Vec<(String, Vec<u8>)>,
    /// Without framing.
    pub(super) body: Vec<u8>,
    /// The body is there to its end.
    pub(super) complete: bool,
    /// It has a body, or could have one.
    pub(super) has_body: bool,
    /// Nothing but the connection's end ends it, so `complete` says little.
    pub(super) ends_with_connection: bool,
}

impl Reply {
    /// The value of the header `name`, which may come once.
    pub(super) fn header(&self, name: &str) -> Option<&[u8]> {
        let mut found = self.headers.iter().filter(|(header, _)| header.eq_ignore_ascii_case(name));
        let value = found.next().map(|(_, value)| value.as_slice());
        assert!(found.next().is_none(), "{name} is there twice");
        value
    }

    /// Checks that the body is `expected`, or its beginning if it was cut short.
    pub(super) fn check_body(&self, expected: &[u8]) {
        let expected = if self.has_body { expected } else { b"" };
        let whole = self.complete && !self.ends_with_connection;
        let same = if whole { self.body == expected } else { expected.starts_with(&self.body) };
        assert!(same, "a body of {} bytes became another of {}", expected.len(), self.body.len());
    }
}

/// The answers in `wire` to requests with these methods. The last may be cut short.
///
/// # Panics
/// When bytes are there that no request asked for, or an answer is malformed.
pub(super) fn read(mut wire: &[u8], methods: &[Method]) -> Vec<Reply> {
    let mut replies = Vec::new();
    while !wire.is_empty() {
        let method = methods.get(replies.len());
        let Some((mut reply, rest)) = head(wire) else {
            // The rest of a head was never taken.
            break;
        };
        wire = rest;
        if reply.status == StatusCode::CONTINUE.as_u16() {
            assert!(method.is_some(), "nobody has been asked to continue");
            continue;
        }
        let method = method.unwrap_or_else(|| check_own(&reply));
        reply.has_body = *method != Method::HEAD && !matches!(reply.status, 204 | 304);
        let is_last = replies.len() + 1 >= methods.len();
        wire = body(&mut reply, wire, is_last);
        assert!(reply.complete || wire.is_empty(), "bytes follow an answer that has been cut short");
        replies.push(reply);
    }
    replies
}

/// Checks an answer to what could not be read as a request; it is like one to GET.
fn check_own(reply: &Reply) -> &'static Method {
    assert!(matches!(reply.status, 400 | 414 | 431 | 505), "an answer ({}) that no request asked for", reply.status);
    &Method::GET
}

/// The head at the beginning of `wire`, and what follows it; `None` when it is cut short.
fn head(wire: &[u8]) -> Option<(Reply, &[u8])> {
    let mut slots = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut response = httparse::Response::new(&mut slots);
    let length = match response.parse(wire) {
        Ok(httparse::Status::Complete(length)) => length,
        Ok(httparse::Status::Partial) => return None,
        Err(error) => panic!("{error} where an answer should begin: {:?}", String::from_utf8_lossy(wire)),
    };
    let headers = response.headers.iter().map(|header| (header.name.to_owned(), header.value.to_vec())).collect();
    let status = response.code.expect("a complete head has a status");
    let reply =
        Reply { status, headers, body: Vec::new(), complete: false, has_body: true, ends_with_connection: false };
    Some((reply, &wire[length..]))
}

/// Takes the body of `reply` from the beginning of `wire` and returns what follows it.
fn body<'a>(reply: &mut Reply, wire: &'a [u8], is_last: bool) -> &'a [u8] {
    let coding = reply.header("transfer-encoding").map(<[u8]>::to_ascii_lowercase);
    let length = reply.header("content-length").map(number);
    if !reply.has_body {
        reply.complete = true;
        return wire;
    }
    match (coding.as_deref(), length) {
        (Some(b"chunked"), None) => chunks(reply, wire),
        (None, Some(length)) => {
            let (body, rest) = wire.split_at(wire.len().min(length));
            (reply.body, reply.complete) = (body.to_vec(), body.len() == length);
            rest
        }
        (None, None) => {
            assert!(is_last, "a request was read behind an answer that only the connection's end can end");
            (reply.body, reply.complete, reply.ends_with_connection) = (wire.to_vec(), true, true);
            &[]
        }
        both => panic!("two framings: {both:?}"),
    }
}

fn number(digits: &[u8]) -> usize {
    assert!(!digits.is_empty() && digits.iter().all(u8::is_ascii_digit), "not a length: {digits:?}");
    // One that is longer than all memory cannot come to its end.
    str::from_utf8(digits).ok().and_then(|digits| digits.parse().ok()).unwrap_or(usize::MAX)
}

/// As [`body`], for chunks.
fn chunks<'a>(reply: &mut Reply, mut wire: &'a [u8]) -> &'a [u8] {
    loop {
        let Some(end) = wire.windows(2).position(|pair| pair == b"\r\n") else { return &[] };
        let digits = str::from_utf8(&wire[..end]).expect("the size of a chunk is digits");
        let size = usize::from_str_radix(digits, 16).expect("the size of a chunk is a number");
        wire = &wire[end + 2..];
        let payload = &wire[..wire.len().min(size)];
        reply.body.extend_from_slice(payload);
        wire = &wire[payload.len()..];
        if payload.len() < size || wire.len() < 2 {
            return &[];
        }
        assert!(wire.starts_with(b"\r\n"), "a chunk is longer than its size");
        wire = &wire[2..];
        if size == 0 {
            reply.complete = true;
            return wire;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GET: Method = Method::GET;

    fn bodies(wire: &str, methods: &[Method]) -> Vec<String> {
        let replies = read(wire.as_bytes(), methods);
        replies.iter().map(|reply| format!("{}{}", String::from_utf8_lossy(&reply.body), reply.complete)).collect()
    }

    #[test]
    fn answers_end_where_their_framing_says() {
        let wire = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab\
                    HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n\
                    1\r\nc\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nrest";
        assert_eq!(bodies(wire, &[GET, Method::HEAD, GET, GET]), ["abtrue", "true", "ctrue", "resttrue"]);
    }

    #[test]
    fn an_answer_may_be_cut_short_at_the_end() {
        assert_eq!(bodies("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab", &[GET]), ["abfalse"]);
        assert_eq!(bodies("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nab", &[GET]), ["abfalse"]);
        assert_eq!(bodies("HTTP/1.1 200 O", &[GET]), [""; 0]);
    }

    #[test]
    #[should_panic(expected = "no request asked for")]
    fn a_second_answer_to_one_request_is_found() {
        let answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n";
        read(answer.repeat(2).as_bytes(), &[GET]);
    }

    #[test]
    #[should_panic(expected = "where an answer should begin")]
    fn bytes_beyond_a_length_are_found() {
        read(b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nab", &[GET]);
    }
}

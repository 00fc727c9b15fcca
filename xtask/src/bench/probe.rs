//! One request before the load: a server that answers anything but the case's body is not measured.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::case::Case;
use crate::process::Error;

const PATIENCE: Duration = Duration::from_secs(10);

/// Whether the server answers with status 200 and exactly `body`; what is wrong otherwise.
pub fn answers(port: u16, case: &Case, body: &[u8]) -> Result<(), Error> {
    let mut stream = TcpStream::connect(("127.0.0.1", port))?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let (method, length) = case.request();
    let head = format!(
        "{method} / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n"
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body[..length])?;
    let mut answer = Vec::with_capacity(body.len() + 1024);
    stream.read_to_end(&mut answer)?;
    judge(&answer, body).map_err(Into::into)
}

fn judge(answer: &[u8], body: &[u8]) -> Result<(), String> {
    let end = answer.windows(4).position(|end| end == b"\r\n\r\n").ok_or("the answer has no head")?;
    let (head, found) = (&answer[..end], &answer[end + 4..]);
    if !head.starts_with(b"HTTP/1.1 200 ") {
        let line = head.split(|byte| *byte == b'\r').next().unwrap_or(head);
        return Err(format!("the answer begins with {}", String::from_utf8_lossy(line)));
    }
    if found != body {
        return Err(format!("the answer's {} bytes are not the {} of the case", found.len(), body.len()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::judge;

    #[test]
    fn only_the_exact_answer_is_right() {
        assert_eq!(judge(b"HTTP/1.1 200 OK\r\nA: b\r\n\r\nbody", b"body"), Ok(()));
        let wrong = [
            (&b"HTTP/1.1 200 OK\r\n\r\nbod"[..], "the answer's 3 bytes are not the 4 of the case"),
            (b"HTTP/1.1 302 Found\r\n\r\nbody", "the answer begins with HTTP/1.1 302 Found"),
            (b"", "the answer has no head"),
        ];
        for (answer, reason) in wrong {
            assert_eq!(judge(answer, b"body"), Err(reason.to_owned()));
        }
    }
}

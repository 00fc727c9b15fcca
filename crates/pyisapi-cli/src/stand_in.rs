//! What answers while `--reload` has no server: 503 at once, instead of a browser that waits.
//!
//! The parent process owns the socket. While its child is down it accepts in the child's stead, so that
//! requests given up meanwhile are not run later.

use std::net::TcpListener as StdListener;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use crate::error::CliError;

/// How long a client may take to ask.
const PATIENCE: Duration = Duration::from_secs(5);

const BODY: &str = "<!doctype html>\n<title>503 Service Unavailable</title>\n<h1>The script did not load</h1>\n\
                    <p>The log says why. It is tried again when a script changes.</p>\n";

/// Answers every connection until it is dropped; ends only when the socket fails.
pub async fn answer(listener: &StdListener) -> Result<(), CliError> {
    let failed = |source| CliError::Listen { address: "the socket kept for the server".to_owned(), source };
    listener.set_nonblocking(true).map_err(failed)?;
    let listener = listener.try_clone().and_then(TcpListener::from_std).map_err(failed)?;
    loop {
        let (stream, _) = listener.accept().await.map_err(failed)?;
        tokio::spawn(timeout(PATIENCE, refuse(stream)));
    }
}

/// Reads the request's head, so that the answer is not lost to a reset, and answers.
async fn refuse(mut stream: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < 64 * 1024 {
        if stream.read_buf(&mut head).await? == 0 {
            return Ok(());
        }
    }
    let length = BODY.len();
    let answer = format!(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\
         Retry-After: 1\r\nConnection: close\r\n\r\n{BODY}"
    );
    stream.write_all(answer.as_bytes()).await?;
    stream.shutdown().await
}

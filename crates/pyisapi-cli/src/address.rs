//! The listening socket: bound here, or handed down by the process that watches for changes.

use std::net::{TcpListener, ToSocketAddrs};

use crate::error::CliError;

/// The variable in which a parent process names itself and the socket that it hands down, as `PID:DESCRIPTOR`.
const INHERITED: &str = "PYISAPI_LISTEN_SOCKET";

/// The inherited socket if there is one, else a new one.
pub fn listen(host: &str, port: u16) -> Result<TcpListener, CliError> {
    match inherited() {
        Some(listener) => Ok(listener),
        None => bind(host, port),
    }
}

/// Binds to the first address of `host` that can be had; port 0 takes any free port.
pub fn bind(host: &str, port: u16) -> Result<TcpListener, CliError> {
    let failed = |source| CliError::Listen { address: format!("{host}:{port}"), source };
    let addresses: Vec<_> = (host, port).to_socket_addrs().map_err(failed)?.collect();
    TcpListener::bind(addresses.as_slice()).map_err(failed)
}

/// Lets a child process inherit `listener`; the result is the environment variable that tells it.
#[cfg(unix)]
pub fn hand_down(listener: &TcpListener) -> Result<(&'static str, String), CliError> {
    use std::os::fd::AsRawFd;
    rustix::io::fcntl_setfd(listener, rustix::io::FdFlags::empty()).map_err(|error| CliError::Spawn(error.into()))?;
    Ok((INHERITED, format!("{}:{}", std::process::id(), listener.as_raw_fd())))
}

#[cfg(unix)]
#[expect(unsafe_code, reason = "a descriptor that came through the environment")]
fn inherited() -> Option<TcpListener> {
    use std::os::fd::FromRawFd;
    let handed = std::env::var(INHERITED).ok()?;
    let (parent, descriptor) = handed.split_once(':')?;
    // A process that a script starts inherits the variable too, but has another parent.
    if parent.parse() != Ok(rustix::process::getppid()?.as_raw_nonzero().get()) {
        return None;
    }
    let descriptor = descriptor.parse().ok()?;
    // SAFETY: `hand_down` in the parent made this descriptor for this process, which takes it once.
    let listener = unsafe { TcpListener::from_raw_fd(descriptor) };
    // Processes that a script starts shall not keep the port.
    rustix::io::fcntl_setfd(&listener, rustix::io::FdFlags::CLOEXEC).ok()?;
    Some(listener)
}

#[cfg(not(unix))]
fn inherited() -> Option<TcpListener> {
    None
}

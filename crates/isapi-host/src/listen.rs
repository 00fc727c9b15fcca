//! Listening and accepting. One task accepts; each connection gets a task of its own.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::connection::{self, Peers};
use crate::error::HostError;
use crate::host::Host;

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Where a server listens: an address, or a socket that already does.
#[derive(Debug)]
pub enum Listen {
    /// This address; port 0 takes a free one.
    Address(SocketAddr),
    /// This socket, as handed over by a supervisor.
    Socket(StdListener),
}

impl From<SocketAddr> for Listen {
    fn from(address: SocketAddr) -> Self {
        Listen::Address(address)
    }
}

impl From<StdListener> for Listen {
    fn from(socket: StdListener) -> Self {
        Listen::Socket(socket)
    }
}

impl Listen {
    pub(crate) fn open(self) -> Result<TcpListener, HostError> {
        let socket = match self {
            Listen::Address(address) => {
                StdListener::bind(address).map_err(|source| HostError::CannotListen { address, source })?
            }
            Listen::Socket(socket) => socket,
        };
        let listener = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
        listener.map_err(|source| HostError::BadSocket { source })
    }
}

/// Accepts connections until `stop` is set; returns them, unfinished, to be waited for.
pub(crate) async fn accept(listener: TcpListener, host: &Arc<Host>, stop: &watch::Receiver<bool>) -> JoinSet<()> {
    let mut connections = JoinSet::new();
    let mut stopped = stop.clone();
    loop {
        tokio::select! {
            biased;
            _ = stopped.wait_for(|stopped| *stopped) => return connections,
            Some(_) = connections.join_next(), if !connections.is_empty() => {}
            accepted = listener.accept() => match accepted {
                Ok((stream, remote)) => start(&mut connections, stream, remote, host, stop),
                Err(error) => {
                    tracing::warn!("ISAPI0323 cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            },
        }
    }
}

fn start(
    connections: &mut JoinSet<()>,
    stream: TcpStream,
    remote: SocketAddr,
    host: &Arc<Host>,
    stop: &watch::Receiver<bool>,
) {
    // A socket without an address is one whose client has gone already.
    let Ok(local) = stream.local_addr() else { return };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot turn Nagle's algorithm off: {error}");
    }
    let peers = Peers { local, remote };
    connections.spawn(connection::serve(stream, peers, Arc::clone(host), stop.clone()));
}

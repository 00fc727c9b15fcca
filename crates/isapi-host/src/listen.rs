//! Listening and accepting. One task accepts; each connection gets a task of its own, on one of the event loops.

use std::net::{SocketAddr, TcpListener as StdListener};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::connection::{self, Peers};
use crate::connections::Existence;
use crate::error::HostError;
use crate::host::Host;

/// How long to wait when the system has no room for another connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// How many clients may wait to be let in. The standard library asks for 128, which a burst exceeds; a client that finds
/// no room tries again after a second.
#[cfg(unix)]
const BACKLOG: i32 = 4096;

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
    pub(crate) fn open(self) -> Result<StdListener, HostError> {
        let socket = match self {
            Listen::Address(address) => {
                StdListener::bind(address).map_err(|source| HostError::CannotListen { address, source })?
            }
            Listen::Socket(socket) => socket,
        };
        #[cfg(unix)]
        if let Err(error) = rustix::net::listen(&socket, BACKLOG) {
            tracing::debug!("the queue of new connections keeps its length: {error}");
        }
        socket.set_nonblocking(true).map_err(|source| HostError::BadSocket { source })?;
        Ok(socket)
    }
}

/// Accepts connections until `stopped` is ready, and deals them out to the event loops.
pub(crate) async fn accept(listener: StdListener, host: Arc<Host>, stopped: oneshot::Receiver<()>) {
    let listener = match TcpListener::from_std(listener) {
        Ok(listener) => listener,
        Err(error) => return tracing::error!("ISAPI0323 cannot accept a connection: {error}"),
    };
    let accepting = async {
        loop {
            match listener.accept().await {
                Ok((stream, remote)) => start(stream, remote, &host),
                Err(error) => {
                    tracing::warn!("ISAPI0323 cannot accept a connection: {error}");
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                }
            }
        }
    };
    tokio::select! {
        biased;
        _ = stopped => {}
        () = accepting => {}
    }
}

fn start(stream: TcpStream, remote: SocketAddr, host: &Arc<Host>) {
    // A socket without an address is one whose client has gone already.
    let Ok(local) = stream.local_addr() else { return };
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!("cannot turn Nagle's algorithm off: {error}");
    }
    let peers = Peers { local, remote };
    // A socket belongs to the event loop on which it is made, so it is made anew on its own.
    let Ok(stream) = stream.into_std() else { return };
    let existence = Existence::new(host);
    host.executor.next_loop().handle().spawn(async move {
        if let Ok(stream) = TcpStream::from_std(stream) {
            connection::serve(stream, peers, existence).await;
        }
    });
}

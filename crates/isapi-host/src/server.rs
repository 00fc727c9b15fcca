//! A server from its start to its end.

use std::fmt;
use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::oneshot;

use crate::error::HostError;
use crate::extension::sessions::SESSIONS;
use crate::host::Host;
use crate::listen::{self, Listen};
use crate::options::ServerOptions;
use crate::termination;

/// How long the TerminateExtension of all libraries may take together.
const TERMINATE_LIMIT: Duration = Duration::from_secs(30);
/// How long a stopping server waits for the first request of a connection that it has already accepted.
const FIRST_REQUEST: Duration = Duration::from_millis(500);
/// How long requests get to notice that their connection was cut.
const AFTER_CUT: Duration = Duration::from_secs(1);

/// A server that listens. It accepts connections once it runs.
pub struct Server {
    host: Arc<Host>,
    listener: TcpListener,
    local_addr: SocketAddr,
    libraries: Vec<PathBuf>,
    grace: Duration,
}

impl Server {
    /// Listens, at an address or on a socket that already does.
    ///
    /// # Errors
    /// When that is not possible, the access log cannot be opened, or the system has no room for an event loop.
    pub fn bind(options: ServerOptions, listen: impl Into<Listen>) -> Result<Server, HostError> {
        let listener = listen.into().open()?;
        let local_addr = listener.local_addr().map_err(|source| HostError::BadSocket { source })?;
        let libraries = options.libraries();
        let grace = options.grace;
        Ok(Server { host: Arc::new(Host::new(options)?), listener, local_addr, libraries, grace })
    }

    /// The address that the server listens on.
    #[must_use]
    pub fn local_addr(&self) -> SocketAddr {
        self.local_addr
    }

    /// Loads every library that the site's handlers name, instead of waiting for their first requests.
    /// Returns those that cannot be loaded, with the reasons; they are tried again when requests ask for them.
    pub async fn preload(&self) -> Vec<(PathBuf, Arc<HostError>)> {
        let mut failures = Vec::new();
        for library in &self.libraries {
            if let Err(error) = self.host.extensions.get(library, &self.host.executor).await {
                failures.push((library.clone(), error));
            }
        }
        failures
    }

    /// Loads the site's filters, in front of which nothing is served.
    ///
    /// # Errors
    /// When one of them cannot be loaded: the site must not be served then.
    pub async fn load_filters(&self) -> Result<(), HostError> {
        self.host.load_filters().await
    }

    /// Tells the libraries that are loaded that the server ends, without having served.
    pub async fn close(self) {
        termination::terminate_all(&self.host, TERMINATE_LIMIT).await;
    }

    /// Serves until `stop` is ready; then lets unfinished requests end within the grace time, tells the extensions
    /// that it is over, and returns. The network is served by threads of the server's own.
    ///
    /// A site whose filters cannot be loaded is not served: the reason is logged, and this returns at once.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let Server { host, listener, grace, .. } = self;
        if let Err(error) = host.load_filters().await {
            return tracing::error!("{error}");
        }
        host.executor.start();
        let (stop_accepting, stopped) = oneshot::channel();
        let accepting = host.executor.next_loop().handle().spawn(listen::accept(listener, Arc::clone(&host), stopped));
        let serving = async {
            stop.await;
            drop(stop_accepting);
            // It ends at once, or has ended.
            let _ = accepting.await;
            drain(&host, grace).await;
        };
        tokio::select! {
            () = serving => {}
            () = host.connections.watch(&host.timeouts) => {}
        }
        termination::terminate_all(&host, TERMINATE_LIMIT).await;
        host.executor.stop();
        // Joining a thread blocks, if only for a last flush.
        let closed = tokio::task::spawn_blocking(move || {
            if let Some(log) = &host.access_log {
                log.close();
            }
        });
        let _ = closed.await;
    }
}

/// Waits until every connection and every session has ended, at most `grace`; then cuts what is left.
async fn drain(host: &Arc<Host>, grace: Duration) {
    let all_ended = async {
        host.connections.finish(false);
        // A client that has just been let in would take the close for a refusal.
        if tokio::time::timeout(FIRST_REQUEST, host.connections.wait_for_none()).await.is_err() {
            host.connections.finish(true);
            host.connections.wait_for_none().await;
        }
        host.live.wait_for_none(grace).await
    };
    if tokio::time::timeout(grace, all_ended).await == Ok(true) {
        return;
    }
    for session in SESSIONS.select(|session| Arc::ptr_eq(session.host(), host)) {
        tracing::error!(
            "ISAPI0309 the server stops while {} is unfinished after {:.1} s",
            session.describe(),
            session.age().as_secs_f64()
        );
    }
    host.connections.cut();
    host.live.wait_for_none(AFTER_CUT).await;
    // A download has no session. Whatever is left after this is dropped with its event loop.
    let _ = tokio::time::timeout(AFTER_CUT, host.connections.wait_for_none()).await;
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

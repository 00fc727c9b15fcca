//! A server from its start to its end.

use std::fmt;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::TcpListener;
use tokio::runtime::Handle;
use tokio::sync::watch;
use tokio::task::JoinSet;

use crate::access_log::AccessLog;
use crate::error::HostError;
use crate::executor::Executor;
use crate::extension;
use crate::extension::registry::Registry;
use crate::extension::sessions::SESSIONS;
use crate::host::{Host, Live};
use crate::listen::{self, Listen};
use crate::options::ServerOptions;

/// How long the TerminateExtension of all libraries may take together.
const TERMINATE_LIMIT: Duration = Duration::from_secs(30);
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
    /// When that is not possible, or the access log cannot be opened.
    ///
    /// # Panics
    /// When called outside a tokio runtime.
    pub fn bind(options: ServerOptions, listen: impl Into<Listen>) -> Result<Server, HostError> {
        let listener = listen.into().open()?;
        let local_addr = listener.local_addr().map_err(|source| HostError::BadSocket { source })?;
        let libraries = options.libraries();
        let access_log = options.access_log.as_ref().map(AccessLog::open).transpose()?;
        let host = Host {
            site: options.site,
            executor: Executor::new(options.executor),
            extensions: Registry::default(),
            timeouts: options.timeouts,
            access_log,
            runtime: Handle::current(),
            live: Live::default(),
            max_requests: options.max_requests,
        };
        Ok(Server { host: Arc::new(host), listener, local_addr, libraries, grace: options.grace })
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

    /// Serves until `stop` is ready; then lets unfinished requests end within the grace time, tells the extensions
    /// that it is over, and returns.
    pub async fn run(self, stop: impl Future<Output = ()>) {
        let (stopping, stopped) = watch::channel(false);
        let accepting = listen::accept(self.listener, &self.host, &stopped);
        let ((), mut connections) = tokio::join!(
            async {
                stop.await;
                // The receivers live as long as this function.
                let _ = stopping.send(true);
            },
            accepting
        );
        drain(&self.host, &mut connections, self.grace).await;
        extension::terminate_all(&self.host, TERMINATE_LIMIT).await;
        let host = self.host;
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
async fn drain(host: &Arc<Host>, connections: &mut JoinSet<()>, grace: Duration) {
    let all_ended = async {
        while connections.join_next().await.is_some() {}
        host.live.wait_for_none(grace).await
    };
    if tokio::time::timeout(grace, all_ended).await == Ok(true) {
        return;
    }
    for session in SESSIONS.select(|session| Arc::ptr_eq(session.host(), host)) {
        let age = session.started().elapsed();
        tracing::error!(
            "ISAPI0309 the server stops while {} is unfinished after {:.1} s",
            session.describe(),
            age.as_secs_f64()
        );
    }
    connections.shutdown().await;
    host.live.wait_for_none(AFTER_CUT).await;
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("local_addr", &self.local_addr).finish_non_exhaustive()
    }
}

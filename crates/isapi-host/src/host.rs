//! What all connections of one server share.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use isapi_config::{Application, Site};
use tokio::sync::{Notify, oneshot};

use crate::access_log::AccessLog;
use crate::authentication::Logon;
use crate::connections::Connections;
use crate::error::HostError;
use crate::executor::Executor;
use crate::extension::registry::Registry;
use crate::options::{FilterProfile, ServerOptions, Timeouts};
use crate::pipeline::{self, Chain, TraceSink};
use crate::place::Place;

/// One server's shared state. Created by `Server::bind`, and kept by every connection and session.
pub(crate) struct Host {
    pub(crate) site: Site,
    /// One for each application of the site, in its order.
    pub(crate) places: Vec<Arc<Place>>,
    pub(crate) connections: Connections,
    pub(crate) executor: Arc<Executor>,
    pub(crate) extensions: Registry,
    pub(crate) timeouts: Timeouts,
    pub(crate) access_log: Option<AccessLog>,
    pub(crate) live: Live,
    /// The most requests for extensions at a time.
    pub(crate) max_requests: usize,
    /// Set when the filters have been loaded; `None` in it when requests need not pass them.
    filters: OnceLock<Option<Arc<Chain>>>,
    filter_profile: FilterProfile,
    /// How long filters may take for one stage of a request.
    pub(crate) filter_limit: Duration,
    pub(crate) logon: Logon,
    pub(crate) trace: Option<Arc<dyn TraceSink>>,
}

impl Host {
    /// The host of a server with these options. No event loop runs yet.
    ///
    /// # Errors
    /// When the access log cannot be opened, or the system has no room for an event loop.
    pub(crate) fn new(options: ServerOptions) -> Result<Self, HostError> {
        let access_log = options.access_log.as_ref().map(AccessLog::open).transpose()?;
        let executor = Executor::new(options.executor).map_err(|source| HostError::NoEventLoop { source })?;
        Ok(Host {
            places: Place::all(&options.site),
            site: options.site,
            connections: Connections::default(),
            executor: Arc::new(executor),
            extensions: Registry::default(),
            timeouts: options.timeouts,
            access_log,
            live: Live::default(),
            max_requests: options.max_requests,
            filters: OnceLock::new(),
            filter_profile: options.filter_profile,
            filter_limit: options.filter_limit,
            logon: Logon::new(options.users),
            trace: options.trace,
        })
    }

    /// Loads the filters, unless that has been done.
    ///
    /// # Errors
    /// When one of them cannot be loaded.
    pub(crate) async fn load_filters(self: &Arc<Self>) -> Result<(), HostError> {
        if self.filters.get().is_some() {
            return Ok(());
        }
        let (host, (sender, receiver)) = (Arc::clone(self), oneshot::channel());
        let load = move || {
            // The receiver waits for exactly this.
            let _ = sender.send(pipeline::load(&host.site, host.filter_profile));
        };
        self.executor.run_apart(load).map_err(|_| HostError::Busy)?;
        let chain = receiver.await.unwrap_or(Err(HostError::Stopping))?;
        // Only the server loads, once.
        let _ = self.filters.set(chain);
        Ok(())
    }

    /// The filters that requests have to pass.
    pub(crate) fn filters(&self) -> Option<&Arc<Chain>> {
        self.filters.get()?.as_ref()
    }

    /// The file name that a URL path stands for in this site.
    pub(crate) fn physical_path(&self, url_path: &str) -> PathBuf {
        self.site.resolve(url_path).physical_path
    }

    /// What is known of an application of the site.
    pub(crate) fn place(&self, application: &Application) -> &Arc<Place> {
        let position = self.site.applications().iter().position(|own| std::ptr::eq(own, application));
        &self.places[position.expect("the application is the site's own: it was found there")]
    }

    /// A seat for one more request, if there is one.
    pub(crate) fn admit(self: &Arc<Self>) -> Option<Seat> {
        let before = self.live.add();
        // Dropped if it is one too many.
        let seat = Seat(Arc::clone(self));
        (before < self.max_requests).then_some(seat)
    }
}

/// The place of one request for an extension; dropping it makes room.
pub(crate) struct Seat(Arc<Host>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.live.remove();
    }
}

/// How many requests for extensions this server has in hand, and a signal when it becomes none.
#[derive(Default)]
pub(crate) struct Live {
    count: AtomicUsize,
    none: Notify,
}

impl Live {
    /// Counts one more; says how many there were.
    fn add(&self) -> usize {
        self.count.fetch_add(1, Ordering::AcqRel)
    }

    fn remove(&self) {
        if self.count.fetch_sub(1, Ordering::AcqRel) == 1 {
            self.none.notify_waiters();
        }
    }

    /// Waits until there is none, at most `limit`; says whether there is none.
    pub(crate) async fn wait_for_none(&self, limit: Duration) -> bool {
        let none = async {
            loop {
                let notified = self.none.notified();
                if self.count.load(Ordering::Acquire) == 0 {
                    return;
                }
                notified.await;
            }
        };
        tokio::time::timeout(limit, none).await.is_ok()
    }
}

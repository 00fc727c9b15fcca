//! What a server is told when it is made.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use isapi_config::Site;

use crate::access_log::AccessLogTarget;
use crate::authentication::Users;
use crate::executor::ExecutorOptions;
use crate::pipeline::TraceSink;

/// How a server is set up.
#[derive(Clone)]
pub struct ServerOptions {
    /// The site that is served.
    pub site: Site,
    /// The threads for native code.
    pub executor: ExecutorOptions,
    /// The most requests that extensions have in hand at a time, those included that wait for a thread and those that
    /// an extension answers later; one more is refused with 503.
    pub max_requests: usize,
    /// How long unfinished requests may go on when the server stops.
    pub grace: Duration,
    /// The access log, if one is wanted.
    pub access_log: Option<AccessLogTarget>,
    /// How long clients may take.
    pub timeouts: Timeouts,
    /// Whose filters' rules apply.
    pub filter_profile: FilterProfile,
    /// How long filters may take for one stage of a request; then its connection is given up.
    pub filter_limit: Duration,
    /// Who may log on.
    pub users: Users,
    /// Who wants to know what filters see.
    pub trace: Option<Arc<dyn TraceSink>>,
}

/// Which server's rules for filters apply.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum FilterProfile {
    /// All notifications, as in IIS 5.
    #[default]
    Full,
    /// As in IIS 7 and later: a filter that asks for READ_RAW_DATA is refused.
    Iis10,
}

impl fmt::Debug for ServerOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerOptions").field("site", &self.site).finish_non_exhaustive()
    }
}

impl ServerOptions {
    /// The defaults for a site.
    #[must_use]
    pub fn new(site: Site) -> Self {
        ServerOptions {
            site,
            executor: ExecutorOptions::default(),
            max_requests: 5000,
            grace: Duration::from_secs(30),
            access_log: None,
            timeouts: Timeouts::default(),
            filter_profile: FilterProfile::default(),
            filter_limit: Duration::from_secs(90),
            users: Users::default(),
            trace: None,
        }
    }

    /// The libraries that the site's handlers name, each once, in order.
    pub(crate) fn libraries(&self) -> Vec<PathBuf> {
        let mut libraries = Vec::new();
        for handler in self.site.applications().iter().flat_map(isapi_config::Application::handlers) {
            if let isapi_config::HandlerModule::Isapi { script_processor: Some(library) } = &handler.module
                && !libraries.contains(library)
            {
                libraries.push(library.clone());
            }
        }
        libraries
    }
}

/// How long a client may take before its connection is closed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timeouts {
    /// For all of a request's head, from its first byte.
    pub header_read: Duration,
    /// Between two requests.
    pub keep_alive: Duration,
    /// Without sending anything of a body that is due.
    pub body_idle: Duration,
    /// The least bytes per second of a request's body, and of a response, averaged over the time that is spent waiting for
    /// the client; 0 is no limit. The minBytesPerSecond of IIS.
    pub min_rate: u32,
    /// How long a client may be waited for before the rate counts.
    pub rate_after: Duration,
    /// Without taking anything of a response.
    pub send_idle: Duration,
}

impl Default for Timeouts {
    fn default() -> Self {
        let idle = Duration::from_secs(120);
        Timeouts {
            header_read: Duration::from_secs(30),
            keep_alive: idle,
            body_idle: idle,
            min_rate: 240,
            rate_after: Duration::from_secs(20),
            send_idle: idle,
        }
    }
}

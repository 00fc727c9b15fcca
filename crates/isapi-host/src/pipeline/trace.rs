//! What filters were notified of and answered, for whoever wants to follow a request.

use std::net::SocketAddr;
use std::time::Duration;

use super::notification::{Notification, Status};
use crate::access_log::LogEntry;

/// Where traces go. Called on native threads and on those of the network: what it does must be quick.
pub trait TraceSink: Send + Sync {
    /// A request is over.
    fn request_ended(&self, trace: Trace);

    /// A connection has ended; the steps are those behind its last request.
    fn connection_ended(&self, client: SocketAddr, steps: Vec<Step>);
}

/// One filter and one notification.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The filter's name.
    pub filter: String,
    /// `PREPROC_HEADERS` …
    pub notification: &'static str,
    /// `NEXT_NOTIFICATION` …
    pub status: &'static str,
    /// The last error behind an `ERROR`.
    pub error: Option<u32>,
    /// How long the filter took.
    pub taken: Duration,
}

impl Step {
    pub(super) fn new(filter: &str, notification: Notification, status: Status, taken: Duration) -> Self {
        let error = if let Status::Error(error) = status { Some(error) } else { None };
        let (filter, notification, status) = (filter.to_owned(), notification.name(), status.name());
        Step { filter, notification, status, error, taken }
    }
}

/// One request, with every notification that it gave rise to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trace {
    /// The client's end of the connection.
    pub client: SocketAddr,
    /// The method, as filters left it.
    pub method: String,
    /// The address, as filters left it.
    pub url: String,
    /// The status that went out.
    pub status: u16,
    /// From the head to the log line.
    pub taken: Duration,
    /// In order.
    pub steps: Vec<Step>,
}

impl Trace {
    pub(super) fn new(client: SocketAddr, entry: &LogEntry, query: &str, steps: Vec<Step>, taken: Duration) -> Self {
        let query = if query.is_empty() { String::new() } else { format!("?{query}") };
        let (method, url) = (entry.method.clone(), format!("{}{query}", entry.path));
        Trace { client, method, url, status: entry.status, taken, steps }
    }
}

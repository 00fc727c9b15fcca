//! All open connections of a server: counted, and ended when they take too long or the server stops.

use std::sync::{Arc, Mutex};
use std::time::Duration;

use slotmap::{DefaultKey, SlotMap};
use tokio::sync::Notify;

use crate::clock;
use crate::host::Host;
use crate::link::Link;
use crate::lock::LockAnyway;
use crate::options::Timeouts;

/// See the module.
#[derive(Default)]
pub(crate) struct Connections {
    open: Mutex<SlotMap<DefaultKey, Arc<Link>>>,
    none: Notify,
}

/// A connection's entry, held by its task; dropping it says that the connection has ended.
pub(crate) struct Existence {
    host: Arc<Host>,
    key: DefaultKey,
    pub(crate) link: Arc<Link>,
}

impl Existence {
    /// Enters a new connection.
    pub(crate) fn new(host: &Arc<Host>) -> Self {
        let link = Arc::new(Link::new());
        let key = host.connections.open.lock_anyway().insert(Arc::clone(&link));
        Existence { host: Arc::clone(host), key, link }
    }

    /// The server that it is a connection of.
    pub(crate) fn host(&self) -> &Arc<Host> {
        &self.host
    }
}

impl Drop for Existence {
    fn drop(&mut self) {
        self.link.ended();
        let connections = &self.host.connections;
        let mut open = connections.open.lock_anyway();
        open.remove(self.key);
        if open.is_empty() {
            connections.none.notify_waiters();
        }
    }
}

impl Connections {
    fn for_each(&self, ask: impl Fn(&Link)) {
        // Asking may wake a task, so it is done without the lock.
        let links: Vec<_> = self.open.lock_anyway().values().cloned().collect();
        links.iter().for_each(|link| ask(link));
    }

    /// Lets those that have served a request, or all of them, end behind the response in progress.
    pub(crate) fn finish(&self, also_new: bool) {
        self.for_each(|link| {
            if also_new || link.has_served() {
                link.close_behind_response();
            }
        });
    }

    /// Ends all of them at once.
    pub(crate) fn cut(&self) {
        self.for_each(Link::cut);
    }

    /// Waits until there is none.
    pub(crate) async fn wait_for_none(&self) {
        loop {
            let none = self.none.notified();
            if self.open.lock_anyway().is_empty() {
                return;
            }
            none.await;
        }
    }

    /// Ends connections that take longer than `timeouts` allow, for ever.
    pub(crate) async fn watch(&self, timeouts: &Timeouts) {
        let shortest = timeouts.header_read.min(timeouts.keep_alive).min(timeouts.send_idle);
        let tick = (shortest / 8).clamp(Duration::from_millis(10), Duration::from_millis(200));
        loop {
            clock::tick();
            self.for_each(|link| link.end_if_overdue(timeouts));
            tokio::time::sleep(tick).await;
        }
    }
}

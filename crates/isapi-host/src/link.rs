//! What a request can ask of its connection, and learn about it.
//!
//! A [`Link`] is shared by the connection's I/O task, which obeys it, and the requests that came over the connection,
//! which may outlive it: an extension can still hold a request whose client left long ago. Any thread may ask.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use tokio::sync::Notify;

/// Nothing has been asked.
const OPEN: u8 = 0;
/// The connection ends behind the response in progress.
const LAST: u8 = 1;
/// The connection ends now.
const CUT: u8 = 2;
/// The connection has ended.
const GONE: u8 = 3;

/// The state of one connection, which only ever goes up.
#[derive(Default)]
pub(crate) struct Link {
    state: AtomicU8,
    changed: Notify,
    reset: AtomicBool,
}

/// What the connection is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Request {
    /// Close behind the response in progress.
    Last,
    /// Close at once, whatever is on its way.
    Cut,
}

impl Link {
    /// Closes the connection behind the response in progress, whatever its head said.
    pub(crate) fn close_behind_response(&self) {
        self.raise(LAST);
    }

    /// Closes the connection at once, also when the client does not read.
    pub(crate) fn cut(&self) {
        self.raise(CUT);
    }

    /// Lets the connection end with a reset, whenever it ends; what the client has not got by then is lost.
    pub(crate) fn reset_on_close(&self) {
        self.reset.store(true, Ordering::Release);
    }

    /// Whether the connection is to end with a reset.
    pub(crate) fn resets(&self) -> bool {
        self.reset.load(Ordering::Acquire)
    }

    /// Whether the response in progress is the last, or the connection has ended already.
    pub(crate) fn is_closing(&self) -> bool {
        self.state.load(Ordering::Acquire) >= LAST
    }

    /// Whether the connection has ended or is about to.
    pub(crate) fn is_gone(&self) -> bool {
        self.state.load(Ordering::Acquire) >= CUT
    }

    fn raise(&self, state: u8) {
        if self.state.fetch_max(state, Ordering::AcqRel) < state {
            self.changed.notify_one();
        }
    }

    /// Waits for a request that goes beyond `known`. For the connection's task alone.
    pub(crate) async fn asked(&self, known: Option<Request>) -> Request {
        let known = known.map_or(OPEN, |request| if request == Request::Cut { CUT } else { LAST });
        loop {
            match self.state.load(Ordering::Acquire) {
                state if state <= known => self.changed.notified().await,
                LAST => return Request::Last,
                _ => return Request::Cut,
            }
        }
    }
}

/// Held by the connection's task; dropping it says that the connection has ended.
pub(crate) struct Existence(pub(crate) Arc<Link>);

impl Drop for Existence {
    fn drop(&mut self) {
        self.0.raise(GONE);
    }
}

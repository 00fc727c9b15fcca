//! The filters of a site, in the order in which they are notified.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use isapi_config::Site;

use super::filter::Filter;
use super::notification::Notification;
use crate::error::HostError;
use crate::executor::Pace;
use crate::options::FilterProfile;

/// How often a chain that is being closed is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(5);

/// All filters of a site. Those with a higher priority come first, and of one priority those that were loaded first.
#[derive(Default)]
pub(crate) struct Chain {
    filters: Vec<Arc<Filter>>,
    /// How fast the filters are together.
    pace: Arc<Pace>,
    /// Calls of HttpFilterProc that have begun and not returned.
    inside: AtomicUsize,
    /// The server ends: no filter is called any more.
    closed: AtomicBool,
}

impl Chain {
    /// Loads the filters of `site`. Blocks; called on a native thread.
    ///
    /// # Errors
    /// When one of them cannot be loaded; those before it have been ended.
    pub(super) fn load(site: &Site, profile: FilterProfile) -> Result<Self, HostError> {
        let mut chain = Chain::default();
        for entry in site.filters() {
            match Filter::load(entry, profile) {
                Ok(filter) => chain.filters.push(Arc::new(filter)),
                Err(error) => {
                    chain.filters.iter().rev().for_each(|filter| filter.terminate());
                    return Err(error);
                }
            }
        }
        Ok(Chain::of(chain.filters))
    }

    /// The chain of these filters, which have been loaded in this order.
    pub(crate) fn of(mut filters: Vec<Arc<Filter>>) -> Self {
        filters.sort_by_key(|filter| std::cmp::Reverse(filter.priority()));
        Chain { filters, ..Chain::default() }
    }

    /// The filters, the first to be notified first.
    pub(crate) fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
    }

    /// Runs `call`, a call of HttpFilterProc, unless the server ends.
    pub(super) fn enter<R>(&self, call: impl FnOnce() -> R) -> Option<R> {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let result = (!self.closed.load(Ordering::SeqCst)).then(call);
        self.inside.fetch_sub(1, Ordering::SeqCst);
        result
    }

    /// No filter is called from now on; waits until none is inside a call, at most `limit`, and says whether that is so.
    pub(crate) async fn close(&self, limit: Duration) -> bool {
        self.closed.store(true, Ordering::SeqCst);
        let begin = Instant::now();
        while self.inside.load(Ordering::SeqCst) > 0 {
            if begin.elapsed() > limit {
                return false;
            }
            tokio::time::sleep(LOOK_AGAIN).await;
        }
        true
    }

    /// How fast the filters are together.
    pub(super) fn pace(&self) -> &Arc<Pace> {
        &self.pace
    }

    /// Whether any filter asked for `notification`.
    pub(super) fn wants(&self, notification: Notification, is_secure: bool) -> bool {
        self.filters.iter().any(|filter| filter.wants(notification, is_secure))
    }

    /// The positions of the filters to notify, in order: what is sent goes through them the other way round.
    pub(super) fn order(&self, notification: Notification, is_secure: bool) -> Vec<usize> {
        let wants = |position: &usize| self.filters[*position].wants(notification, is_secure);
        let positions = 0..self.filters.len();
        match notification {
            Notification::SendRawData => positions.rev().filter(wants).collect(),
            _ => positions.filter(wants).collect(),
        }
    }
}

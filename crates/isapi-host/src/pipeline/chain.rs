//! The filters of a site, in the order in which they are notified.

use std::sync::Arc;

use isapi_config::Site;

use super::filter::Filter;
use super::notification::Notification;
use crate::error::HostError;
use crate::executor::Pace;
use crate::options::FilterProfile;

/// All filters of a site. Those with a higher priority come first, and of one priority those that were loaded first.
#[derive(Default)]
pub(crate) struct Chain {
    filters: Vec<Arc<Filter>>,
    /// How fast the filters are together.
    pace: Arc<Pace>,
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
        Chain { filters, pace: Arc::default() }
    }

    /// The filters, the first to be notified first.
    pub(crate) fn filters(&self) -> &[Arc<Filter>] {
        &self.filters
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

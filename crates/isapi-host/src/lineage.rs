//! Where a child request comes from: the requests that it is inside of, from the client's down to its parent.
//!
//! Made on the thread that calls EXEC_URL, read by the task that answers the child. It says which handlers the child
//! passes by, and when a chain of children must end because it would not end by itself.

use std::sync::Arc;

use http::Uri;
use isapi_config::Handler;

use crate::extension::request_facts::RequestFacts;
use crate::place::Place;

/// The most requests that may be inside of one another, below the client's.
const MAX_DEPTH: usize = 10;
/// How often one handler may get one URL in a chain.
const MAX_SAME: usize = 2;

/// See the module.
pub(crate) struct Lineage {
    callers: Vec<Caller>,
    /// The handlers of so many callers, from the first on, are passed by.
    passed_by: usize,
}

/// A request that has a request inside.
#[derive(Clone)]
struct Caller {
    place: Arc<Place>,
    /// The handler's position in its application.
    handler: usize,
    url: String,
}

impl Caller {
    fn handler(&self) -> &Handler {
        &self.place.application.handlers()[self.handler]
    }
}

impl Lineage {
    /// That of a child of the request that `parent` describes. With `pass_by` the child, and all inside of it, pass by
    /// the parent's handler and those of all above it.
    pub(crate) fn below(parent: &RequestFacts, pass_by: bool) -> Self {
        let (mut callers, passed_by) = match &parent.lineage {
            Some(lineage) => (lineage.callers.clone(), lineage.passed_by),
            None => (Vec::new(), 0),
        };
        let (place, url) = (Arc::clone(&parent.place), parent.raw_url().to_owned());
        callers.push(Caller { place, handler: parent.handler, url });
        let passed_by = if pass_by { callers.len() } else { passed_by };
        Lineage { callers, passed_by }
    }

    /// Whether `handler` may answer. One that several applications have in common is one.
    pub(crate) fn allows(&self, handler: &Handler) -> bool {
        !self.callers[..self.passed_by].iter().any(|caller| caller.handler() == handler)
    }

    /// Whether `handler` may be given `url`; otherwise the chain has been reported as endless.
    pub(crate) fn may_go_on(&self, handler: &Handler, url: &Uri) -> bool {
        let url = url.path_and_query().map_or("", |url| url.as_str());
        let same = self.callers.iter().filter(|caller| caller.url == url && caller.handler() == handler).count();
        let name = &handler.name;
        if same >= MAX_SAME {
            tracing::error!(
                "ISAPI0328 the handler {name} was to answer {url} for the third time inside of one request; answered with \
                 500"
            );
        } else if self.callers.len() > MAX_DEPTH {
            tracing::error!(
                "ISAPI0328 {url} was to be answered inside of {} requests, one inside of the other; answered with 500",
                self.callers.len()
            );
        } else {
            return true;
        }
        false
    }
}

//! Where a request came to and from: the extension that answers it and its facts, and how the log names both.

use std::fmt;
use std::sync::Arc;

use super::library::Extension;
use super::request_facts::RequestFacts;

/// One request's extension and facts, shared by the session and its response.
pub(crate) struct Origin {
    pub(crate) extension: Arc<Extension>,
    pub(crate) facts: RequestFacts,
}

/// Module, method and URL, as messages to the operator name a request.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (method, raw_path) = (&self.facts.head.method, self.facts.raw_path());
        write!(f, "{} for {method} {raw_path}", self.extension.path().display())
    }
}

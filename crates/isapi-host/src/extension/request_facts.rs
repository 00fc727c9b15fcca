//! What is known of a request before the extension is called, and never changes: the source of the control block's
//! strings and of the server variables.

use std::path::PathBuf;
use std::sync::Arc;

use http::{Version, header};

use crate::authentication::Identity;
use crate::connection::Peers;
use crate::exchange::RequestHead;
use crate::lineage::Lineage;
use crate::pipeline::FilteredRequest;
use crate::place::Place;

/// The facts of one request. Paths are bytes as the client sent them, percent-decoded unless said otherwise.
pub(crate) struct RequestFacts {
    pub(crate) head: Arc<RequestHead>,
    /// The whole path, decoded.
    pub(crate) url: Vec<u8>,
    /// How much of it names the script.
    pub(crate) script_length: usize,
    /// PATH_INFO is only what follows the script's name (`allowPathInfo`).
    pub(crate) only_extra_path: bool,
    pub(crate) path_translated: Vec<u8>,
    /// The body's length when it is known.
    pub(crate) content_length: Option<u64>,
    /// Where in the configuration the request landed.
    pub(crate) place: Arc<Place>,
    /// The position of its handler in its application.
    pub(crate) handler: usize,
    /// Where it comes from, if it is a child request.
    pub(crate) lineage: Option<Arc<Lineage>>,
    pub(crate) peers: Peers,
    /// The request as filters see it, if there are any.
    pub(crate) filtered: Option<Arc<FilteredRequest>>,
    /// The client, if it has been authenticated.
    pub(crate) identity: Option<Arc<Identity>>,
}

impl RequestFacts {
    /// What followed the `?`, not decoded; empty without one.
    pub(crate) fn query(&self) -> &str {
        self.head.uri.query().unwrap_or_default()
    }

    /// The path as it came, not decoded.
    pub(crate) fn raw_path(&self) -> &str {
        self.head.uri.path()
    }

    /// The part of the path that names the script.
    pub(crate) fn script_name(&self) -> &[u8] {
        &self.url[..self.script_length]
    }

    /// PATH_INFO: the whole path, or what follows the script's name.
    pub(crate) fn path_info(&self) -> &[u8] {
        if self.only_extra_path { &self.url[self.script_length..] } else { &self.url }
    }

    /// The file name that the script's name stands for.
    pub(crate) fn script_translated(&self) -> PathBuf {
        self.place.physical_path(&String::from_utf8_lossy(self.script_name()))
    }

    /// A chunked body of known length is presented as if it had been announced (contract 2.2): this is the length that
    /// takes the place of `Transfer-Encoding`.
    pub(crate) fn length_instead_of_chunks(&self) -> Option<u64> {
        self.content_length.filter(|_| self.head.headers.contains_key(header::TRANSFER_ENCODING))
    }

    /// Whether the client wants the connection kept, by its version and headers.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        let options = self.head.headers.get_all(header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        let mut options = options.flat_map(|value| value.split(','));
        if self.head.version >= Version::HTTP_11 {
            !options.any(|option| option.trim().eq_ignore_ascii_case("close"))
        } else {
            options.any(|option| option.trim().eq_ignore_ascii_case("keep-alive"))
        }
    }

    /// Path and query as they came.
    pub(crate) fn raw_url(&self) -> &str {
        self.head.uri.path_and_query().map_or("", |url| url.as_str())
    }
}

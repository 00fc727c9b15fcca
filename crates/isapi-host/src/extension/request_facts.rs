//! What is known of a request before the extension is called, and never changes: the source of the control block's
//! strings and of the server variables.

use std::net::SocketAddr;
use std::path::PathBuf;

use http::{HeaderMap, Method, Version};

/// The facts of one request. Paths are bytes as the client sent them, percent-decoded unless said otherwise.
#[derive(Debug)]
pub(crate) struct RequestFacts {
    pub(crate) method: Method,
    pub(crate) version: Version,
    pub(crate) headers: HeaderMap,
    /// The path as it came, not decoded.
    pub(crate) raw_path: String,
    /// Path and query as they came.
    pub(crate) raw_url: String,
    /// What followed the `?`, not decoded; empty without one.
    pub(crate) query: String,
    /// The whole path, decoded.
    pub(crate) url: Vec<u8>,
    pub(crate) script_name: Vec<u8>,
    pub(crate) path_info: Vec<u8>,
    pub(crate) path_translated: Vec<u8>,
    pub(crate) script_translated: Vec<u8>,
    /// The body's length when it is known.
    pub(crate) content_length: Option<u64>,
    pub(crate) place: Place,
    pub(crate) local: SocketAddr,
    pub(crate) remote: SocketAddr,
}

/// Where in the configuration the request landed.
#[derive(Debug)]
pub(crate) struct Place {
    pub(crate) site_id: u32,
    pub(crate) site_name: String,
    /// `/` or `/app`.
    pub(crate) application: String,
    pub(crate) application_folder: PathBuf,
    pub(crate) pool: String,
    /// The folder of the site's root.
    pub(crate) document_root: PathBuf,
}

impl RequestFacts {
    /// Whether the client wants the connection kept, by its version and headers.
    pub(crate) fn wants_keep_alive(&self) -> bool {
        let options = self.headers.get_all(http::header::CONNECTION).iter().filter_map(|value| value.to_str().ok());
        let mut options = options.flat_map(|value| value.split(','));
        if self.version >= Version::HTTP_11 {
            !options.any(|option| option.trim().eq_ignore_ascii_case("close"))
        } else {
            options.any(|option| option.trim().eq_ignore_ascii_case("keep-alive"))
        }
    }

    /// The metabase path of the application, `/LM/W3SVC/<site>/ROOT/app`.
    pub(crate) fn application_metabase_path(&self) -> String {
        let Place { site_id, application, .. } = &self.place;
        format!("/LM/W3SVC/{site_id}/ROOT{}", application.trim_end_matches('/'))
    }
}

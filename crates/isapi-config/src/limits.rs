//! `requestFiltering/requestLimits`: how large a request may be.

/// The limits of a request, with IIS's defaults.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RequestLimits {
    /// `maxAllowedContentLength`: bytes of body. Larger is refused with 413.
    pub max_allowed_content_length: u64,
    /// `maxUrl`: bytes of the path, without the query. Longer is refused with 404.14.
    pub max_url: usize,
    /// `maxQueryString`: bytes of the query. Longer is refused with 404.15.
    pub max_query_string: usize,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits { max_allowed_content_length: 30_000_000, max_url: 4096, max_query_string: 2048 }
    }
}

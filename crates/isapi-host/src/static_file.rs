//! Static files: the file at the mapped path, or a folder's default document.
//!
//! Ranges, conditions and types are tower-http's business; what may be seen is decided here. Programs and
//! configuration that lie beside their site are never sent, nor anything under a name that starts with a dot.

use std::path::{Path, PathBuf};

use http::{Request, Response};
use tower_http::services::ServeFile;
use tower_http::services::fs::ServeFileSystemResponseBody;
use tower_service::Service;

/// Endings of files that are never sent.
const HIDDEN: [&str; 8] = ["py", "pyc", "pyd", "so", "dll", "exe", "cfg", "config"];

/// What a path below a static handler leads to.
pub(crate) enum Found {
    /// A file to send.
    File(PathBuf),
    /// A folder asked for without its slash, so that relative links would go wrong.
    FolderWithoutSlash,
    /// Nothing that may be seen.
    Nothing,
}

/// Looks what `physical` is, which `url_path` was mapped to.
pub(crate) async fn find(url_path: &str, physical: &Path, default_documents: &[String]) -> Found {
    if !may_be_seen(url_path) {
        return Found::Nothing;
    }
    match tokio::fs::metadata(physical).await {
        // A path with a slash at its end is a folder's.
        Ok(found) if found.is_file() && !url_path.ends_with('/') => Found::File(physical.to_owned()),
        Ok(found) if found.is_dir() && !url_path.ends_with('/') => Found::FolderWithoutSlash,
        Ok(found) if found.is_dir() => default_document(physical, default_documents).await,
        _ => Found::Nothing,
    }
}

async fn default_document(folder: &Path, names: &[String]) -> Found {
    for name in names {
        let document = folder.join(name);
        if tokio::fs::metadata(&document).await.is_ok_and(|found| found.is_file()) {
            return Found::File(document);
        }
    }
    Found::Nothing
}

/// Sends `file`, or the part of it that the request asks for.
pub(crate) async fn send<B: Send + 'static>(file: &Path, request: Request<B>) -> Response<ServeFileSystemResponseBody> {
    let Ok(response) = ServeFile::new(file).call(request).await;
    response
}

/// Whether the names in a path allow it to be seen.
fn may_be_seen(url_path: &str) -> bool {
    let mut segments = url_path.split('/').filter(|segment| !segment.is_empty());
    // A colon names a drive or a stream on Windows, where blanks and dots at the end of a name count for nothing.
    let is_trick = |segment: &str| cfg!(windows) && (segment.contains(':') || segment.ends_with(['.', ' ']));
    segments.all(|segment| {
        let ending = segment.rsplit_once('.').map_or("", |(_, ending)| ending);
        !segment.starts_with('.')
            && !is_trick(segment)
            && !HIDDEN.iter().any(|hidden| ending.eq_ignore_ascii_case(hidden))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_configuration_are_hidden() {
        for seen in ["/", "/index.html", "/a.b/c", "/app.js", "/cfg", "/my.py.txt"] {
            assert!(may_be_seen(seen), "{seen}");
        }
        for hidden in
            ["/.git/config", "/x.py", "/X.PY", "/_x.so", "/_x.DLL", "/x.cfg", "/a/.env", "/web.config", "/x.py/y"]
        {
            assert!(!may_be_seen(hidden), "{hidden}");
        }
    }
}

//! Static files: the file at the mapped path, or a folder's default document.
//!
//! What may be seen is decided here, and sent by `file_body`. Programs and
//! configuration that lie beside their site are never sent, nor anything under a name that starts with a dot, nor what
//! is no plain file. A symbolic link counts as what it leads to: out of the folder, or to a hidden name, it leads
//! nowhere, unless the virtual directory allows it. The look happens on a thread that may block.

use std::fs;
use std::path::{Path, PathBuf};

use isapi_config::Resolution;

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

/// What is asked for.
pub(crate) struct Asked {
    /// No name in the path is hidden.
    may_be_seen: bool,
    folder: PathBuf,
    links_lead_out: bool,
    physical: PathBuf,
    /// A path with a slash at its end is a folder's.
    with_slash: bool,
    documents: Vec<String>,
}

impl Asked {
    /// What `url_path` asks for, which leads to `resolution`; a filter may have decided that it leads out of its folder.
    pub(crate) fn new(url_path: &str, resolution: &Resolution<'_>, by_filter: bool) -> Self {
        let directory = resolution.virtual_directory;
        let own = directory.physical_path();
        let folder = match resolution.physical_path.parent() {
            Some(parent) if by_filter && !resolution.physical_path.starts_with(own) => parent,
            _ => own,
        };
        Asked {
            may_be_seen: url_path.split('/').all(may_be_seen),
            folder: folder.to_owned(),
            links_lead_out: directory.links_lead_out(),
            physical: resolution.physical_path.clone(),
            with_slash: url_path.ends_with('/'),
            documents: resolution.application.default_documents().to_vec(),
        }
    }

    /// Looks what is there.
    pub(crate) async fn find(self) -> Found {
        if !self.may_be_seen {
            return Found::Nothing;
        }
        tokio::task::spawn_blocking(move || self.look()).await.unwrap_or(Found::Nothing)
    }

    fn look(&self) -> Found {
        match fs::metadata(&self.physical) {
            Ok(found) if found.is_file() && !self.with_slash => self.file(self.physical.clone()),
            Ok(found) if found.is_dir() && self.may_lead_to(&self.physical) => self.folder(),
            _ => Found::Nothing,
        }
    }

    fn folder(&self) -> Found {
        if !self.with_slash {
            return Found::FolderWithoutSlash;
        }
        let mut documents = self.documents.iter().map(|name| self.physical.join(name));
        let first = documents.find(|document| fs::metadata(document).is_ok_and(|found| found.is_file()));
        first.map_or(Found::Nothing, |document| self.file(document))
    }

    fn file(&self, file: PathBuf) -> Found {
        if self.may_lead_to(&file) { Found::File(file) } else { Found::Nothing }
    }

    /// Whether `path`, its links followed, is in the folder under names that may be seen.
    fn may_lead_to(&self, path: &Path) -> bool {
        if self.links_lead_out {
            return true;
        }
        let Ok(real) = fs::canonicalize(path) else { return false };
        // The folder itself may be reached by a link, which costs a second look.
        let real_folder = if real.starts_with(&self.folder) { None } else { fs::canonicalize(&self.folder).ok() };
        real.strip_prefix(real_folder.as_ref().unwrap_or(&self.folder))
            .is_ok_and(|below| below.iter().all(|name| may_be_seen(&name.to_string_lossy())))
    }
}

/// Whether one name in a path allows it to be seen.
fn may_be_seen(name: &str) -> bool {
    // A colon names a drive or a stream on Windows, where blanks and dots at the end of a name count for nothing.
    let is_trick = cfg!(windows) && (name.contains(':') || name.ends_with(['.', ' ']));
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    !name.starts_with('.') && !is_trick && !HIDDEN.iter().any(|hidden| ending.eq_ignore_ascii_case(hidden))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn programs_and_configuration_are_hidden() {
        for seen in ["/", "/index.html", "/a.b/c", "/app.js", "/cfg", "/my.py.txt"] {
            assert!(seen.split('/').all(may_be_seen), "{seen}");
        }
        for hidden in
            ["/.git/config", "/x.py", "/X.PY", "/_x.so", "/_x.DLL", "/x.cfg", "/a/.env", "/web.config", "/x.py/y"]
        {
            assert!(!hidden.split('/').all(may_be_seen), "{hidden}");
        }
    }
}

//! An application: a part of a site with its own handlers and pool.

use std::path::{Path, PathBuf};

use crate::{ConfigError, Handler, VirtualDirectory, path};

/// A part of a site, from its path downwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Application {
    path: String,
    pool: String,
    virtual_directories: Vec<VirtualDirectory>,
    handlers: Vec<Handler>,
    default_documents: Vec<String>,
}

impl Application {
    /// An application at `path` over `virtual_directories`, answered by `handlers` in their order.
    ///
    /// # Errors
    /// When the path is not valid, the virtual directory `/` is missing, or two elements share a key.
    pub fn new(
        path: impl Into<String>,
        virtual_directories: Vec<VirtualDirectory>,
        handlers: Vec<Handler>,
    ) -> Result<Self, ConfigError> {
        let path = path.into();
        path::validate("application", &path)?;
        let parent = format!("the application {path:?}");
        if !virtual_directories.iter().any(|directory| directory.path() == "/") {
            return Err(ConfigError::MissingRoot { parent, element: "virtualDirectory" });
        }
        unique(
            &parent,
            "virtualDirectory",
            virtual_directories.iter().map(|directory| directory.path().to_ascii_lowercase()),
        )?;
        unique(&parent, "handler", handlers.iter().map(|handler| handler.name.clone()))?;
        let pool = "DefaultAppPool".to_owned();
        Ok(Application { path, pool, virtual_directories, handlers, default_documents: Vec::new() })
    }

    /// The same application in the pool `pool`.
    #[must_use]
    pub fn with_pool(self, pool: impl Into<String>) -> Self {
        Application { pool: pool.into(), ..self }
    }

    /// The same application with these default documents, in their order of preference.
    #[must_use]
    pub fn with_default_documents(self, default_documents: Vec<String>) -> Self {
        Application { default_documents, ..self }
    }

    /// The path below the site: `/` or `/app`.
    #[must_use]
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The name of its application pool.
    #[must_use]
    pub fn pool(&self) -> &str {
        &self.pool
    }

    /// The virtual directories; one of them is `/`.
    #[must_use]
    pub fn virtual_directories(&self) -> &[VirtualDirectory] {
        &self.virtual_directories
    }

    /// The handlers, in the order in which they are tried.
    #[must_use]
    pub fn handlers(&self) -> &[Handler] {
        &self.handlers
    }

    /// The files that stand for a folder.
    #[must_use]
    pub fn default_documents(&self) -> &[String] {
        &self.default_documents
    }

    /// The folder of the application.
    #[must_use]
    pub fn physical_path(&self) -> &Path {
        self.directory_of("").0.physical_path()
    }

    /// The file name that `url_path`, a path at or below this application's, stands for. Nothing need exist there.
    #[must_use]
    pub fn map(&self, url_path: &str) -> PathBuf {
        let (directory, rest) = self.directory_of(path::strip_prefix(url_path, &self.path).unwrap_or_default());
        directory.map(rest)
    }

    /// The virtual directory that `rest`, a path below the application, belongs to, and what remains of it.
    pub(crate) fn directory_of<'a>(&self, rest: &'a str) -> (&VirtualDirectory, &'a str) {
        self.virtual_directories
            .iter()
            .filter_map(|directory| Some((directory, path::strip_prefix(rest, directory.path())?)))
            .max_by_key(|(directory, _)| directory.path().len())
            .expect("the constructor made sure of the directory /, which is a prefix of every path")
    }
}

/// Refuses the second of two equal keys.
pub(crate) fn unique(
    parent: &str,
    element: &'static str,
    keys: impl Iterator<Item = String>,
) -> Result<(), ConfigError> {
    let mut seen = std::collections::HashSet::new();
    for key in keys {
        if !seen.insert(key.clone()) {
            return Err(ConfigError::Duplicate { parent: parent.to_owned(), element, key });
        }
    }
    Ok(())
}

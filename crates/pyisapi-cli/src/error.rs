//! What can go wrong before the server runs, in words for whoever typed the command.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use isapi_config::ConfigError;
use isapi_host::HostError;

/// A failure of the command. Its text begins with a stable code.
#[derive(Debug, thiserror::Error)]
pub enum CliError {
    #[error("ISAPI0001 {path}: {reason}")]
    Script { path: PathBuf, reason: String },
    #[error("ISAPI0002 the loader library was not found: {0}")]
    NoLoader(String),
    #[error("ISAPI0003 the loader cannot be put beside the script, as {place}: {source}")]
    Placing { place: PathBuf, source: io::Error },
    #[error("ISAPI0004 {address} cannot be listened on: {source}")]
    Listen { address: String, source: io::Error },
    #[error("ISAPI0005 nothing to serve: name a script or a folder, or use --mount")]
    NothingToServe,
    #[error("ISAPI0006 the scripts do not make a valid site: {0}")]
    Site(#[from] ConfigError),
    #[error("ISAPI0007 changes cannot be watched: {0}")]
    Watch(#[from] notify::Error),
    #[error("ISAPI0008 the server process cannot be started: {0}")]
    Spawn(io::Error),
    #[error("ISAPI0009 signals cannot be received: {0}")]
    Signals(io::Error),
    #[error("ISAPI0010 the password file {file} is as it was: {reason}")]
    User { file: PathBuf, reason: String },
    #[error("{0}")]
    Host(#[from] HostError),
    #[error("{script} was not loaded: {source}")]
    NotLoaded { script: PathBuf, source: Arc<HostError> },
}

impl CliError {
    /// A script or folder that cannot be served, with the reason.
    pub fn script(path: impl Into<PathBuf>, reason: impl ToString) -> Self {
        Self::Script { path: path.into(), reason: reason.to_string() }
    }
}

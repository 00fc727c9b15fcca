//! What can go wrong with the server as a whole or with one of its libraries. What goes wrong with one request is
//! answered by a status and is not an error here.

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;

use isapi_abi::win32::ERROR_PROC_NOT_FOUND;
use thiserror::Error;

/// An error of the host. Each message is a full sentence that starts with its stable code.
#[derive(Debug, Error)]
pub enum HostError {
    /// The library cannot be loaded.
    #[error("ISAPI0301 cannot load the {role} {}: {reason}", path.display())]
    CannotLoad {
        /// What it is loaded as: `extension` or `filter`.
        role: &'static str,
        /// The library.
        path: PathBuf,
        /// What the operating system says.
        reason: String,
    },
    /// The library is not an ISAPI extension, or not a filter.
    #[error("ISAPI0302 {} is not an ISAPI {role}: it does not export {name}", path.display())]
    MissingExport {
        /// What it is loaded as: `extension` or `filter`.
        role: &'static str,
        /// The library.
        path: PathBuf,
        /// The export that it lacks.
        name: &'static str,
    },
    /// The extension does not want to be loaded.
    #[error("ISAPI0303 the extension {} refused to be loaded: GetExtensionVersion returned FALSE; its own messages say why", path.display())]
    VersionRefused {
        /// The library.
        path: PathBuf,
    },
    /// The filter does not want to be loaded.
    #[error("ISAPI0330 the filter {} refused to be loaded: GetFilterVersion returned FALSE (last error {error}); {}", path.display(), why_refused(*error))]
    FilterRefused {
        /// The library.
        path: PathBuf,
        /// The Win32 code that it left.
        error: u32,
    },
    /// The filter asks for what IIS 7 and later do not have.
    #[error("ISAPI0331 the filter {} asks for SF_NOTIFY_READ_RAW_DATA, which IIS 7 and later refuse to load", path.display())]
    RawReadRefused {
        /// The library.
        path: PathBuf,
    },
    /// The password file cannot be used.
    #[error("ISAPI0340 the password file {} cannot be used{}: {reason}", path.display(), at_line(*line))]
    BadPasswordFile {
        /// The file.
        path: PathBuf,
        /// The line, from 1 on; 0 when it is about the whole file.
        line: usize,
        /// What is wrong.
        reason: String,
    },
    /// No thread is free to load the library.
    #[error("ISAPI0312 the server is too busy to load an extension")]
    Busy,
    /// The server stops, or the thread that loaded the library died.
    #[error("ISAPI0317 the extension was not loaded because the attempt broke off")]
    Stopping,
    /// The address cannot be listened on.
    #[error("ISAPI0320 cannot listen on {address}: {source}")]
    CannotListen {
        /// The address.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
    /// A listening socket that was handed in cannot be used.
    #[error("ISAPI0321 cannot use the listening socket: {source}")]
    BadSocket {
        /// Why.
        source: io::Error,
    },
    /// There is no event loop.
    #[error("ISAPI0327 the system has no resources for an event loop: {source}")]
    NoEventLoop {
        /// Why.
        source: io::Error,
    },
    /// The access log cannot be written.
    #[error("ISAPI0322 cannot open the access log {}: {source}", path.display())]
    CannotLog {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl HostError {
    /// The code at the beginning of the message, such as `ISAPI0301`.
    #[must_use]
    pub fn code(&self) -> &'static str {
        match self {
            HostError::CannotLoad { .. } => "ISAPI0301",
            HostError::MissingExport { .. } => "ISAPI0302",
            HostError::VersionRefused { .. } => "ISAPI0303",
            HostError::FilterRefused { .. } => "ISAPI0330",
            HostError::RawReadRefused { .. } => "ISAPI0331",
            HostError::BadPasswordFile { .. } => "ISAPI0340",
            HostError::Busy => "ISAPI0312",
            HostError::Stopping => "ISAPI0317",
            HostError::CannotListen { .. } => "ISAPI0320",
            HostError::BadSocket { .. } => "ISAPI0321",
            HostError::CannotLog { .. } => "ISAPI0322",
            HostError::NoEventLoop { .. } => "ISAPI0327",
        }
    }
}

/// What the last error of a filter that refuses says.
fn why_refused(error: u32) -> &'static str {
    if error == ERROR_PROC_NOT_FOUND {
        "it is no filter: a script needs __FilterFactory__ to be one"
    } else {
        "its own messages say why"
    }
}

fn at_line(line: usize) -> String {
    if line == 0 { String::new() } else { format!(", line {line}") }
}

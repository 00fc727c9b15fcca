//! Why the loader cannot do its work, in words for whoever runs the server.
//!
//! Each has a stable code, explained in `docs/error-reference.md`, and goes to standard error: the loader
//! runs before Python and has no other log.

use std::fmt;
use std::io::Write;
use std::path::PathBuf;

/// A failure of the loader.
#[derive(Debug)]
pub enum LoadError {
    /// ISAPI0101: no candidate will do. Each comes with the reason.
    NoPython(Vec<(String, String)>),
    /// ISAPI0102: the Python library cannot be loaded or lacks a function.
    Library { library: PathBuf, reason: String },
    /// ISAPI0103: Python does not start.
    Start { library: PathBuf, reason: String },
    /// ISAPI0104: the bridge cannot be imported; Python has printed the traceback.
    Bridge { python: String },
    /// ISAPI0105: the bridge is of another version than this loader.
    BridgeVersion { found: u32, expected: u32 },
    /// ISAPI0106: the sidecar file cannot be used.
    Sidecar { file: PathBuf, reason: String },
    /// ISAPI0108: the bridge could not open the script.
    Open { library: PathBuf },
    /// ISAPI0107: the loader's own file name gives no module name.
    OwnName { library: PathBuf },
}

impl fmt::Display for LoadError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoPython(tried) => {
                write!(out, "ISAPI0101 no usable Python was found; tried, in this order:")?;
                tried.iter().try_for_each(|(what, why)| write!(out, "\n  - {what}: {why}"))?;
                write!(
                    out,
                    "\n  Install pyisapi into one of them, or name another in the sidecar file or in PYISAPI_PYTHON."
                )
            }
            Self::Library { library, reason } => {
                write!(out, "ISAPI0102 the Python library {} cannot be loaded: {reason}", library.display())
            }
            Self::Start { library, reason } => {
                write!(out, "ISAPI0103 Python does not start from {}: {reason}", library.display())
            }
            Self::Bridge { python } => {
                write!(out, "ISAPI0104 pyisapi._bridge does not import under {python}; the traceback is above")
            }
            Self::BridgeVersion { found, expected } => write!(
                out,
                "ISAPI0105 the installed pyisapi speaks version {found} and this loader {expected}: copy the loader of that pyisapi beside the script"
            ),
            Self::Sidecar { file, reason } => write!(out, "ISAPI0106 {}: {reason}", file.display()),
            Self::Open { library } => {
                write!(
                    out,
                    "ISAPI0108 {}: the bridge could not open the script; see the messages above",
                    library.display()
                )
            }
            Self::OwnName { library } => write!(
                out,
                "ISAPI0107 {}: the file name gives no module name; expected _NAME.so beside NAME.py",
                library.display()
            ),
        }
    }
}

impl LoadError {
    /// Writes the message to standard error, in one piece.
    pub fn print(&self) {
        // When standard error is gone there is nobody left to tell.
        std::io::stderr().write_all(format!("{self}\n").as_bytes()).ok();
    }
}

//! The sidecar file `_name.cfg` that the installer writes: which Python serves this script.
//!
//! Syntax of `pyvenv.cfg`: lines `key = value`, `#` begins a comment. Keys: `interpreter` (path of a python
//! program), `library` (path of libpython, when the interpreter should not be asked), `module` (name in
//! place of the one the file name gives), `path` (a folder for `sys.path`; may be repeated).

use std::path::{Path, PathBuf};

use crate::message::LoadError;

/// The file's contents.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Sidecar {
    pub interpreter: Option<PathBuf>,
    pub library: Option<PathBuf>,
    pub module: Option<String>,
    pub paths: Vec<PathBuf>,
}

impl Sidecar {
    /// Reads the file; `None` when there is none.
    pub fn read(file: &Path) -> Result<Option<Self>, LoadError> {
        let text = match std::fs::read_to_string(file) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(LoadError::Sidecar { file: file.to_owned(), reason: error.to_string() }),
        };
        let folder = file.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map(Some).map_err(|reason| LoadError::Sidecar { file: file.to_owned(), reason })
    }

    /// Relative paths are taken from `folder`.
    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let mut sidecar = Self::default();
        for (number, line) in text.trim_start_matches('\u{feff}').lines().enumerate() {
            let line = line.trim();
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let place = number + 1;
            let (key, value) =
                line.split_once('=').ok_or(format!("line {place}: expected key = value, found {line:?}"))?;
            let (key, value) = (key.trim(), value.trim());
            if value.is_empty() {
                return Err(format!("line {place}: {key} has no value"));
            }
            match key.to_ascii_lowercase().as_str() {
                "interpreter" => sidecar.interpreter = Some(folder.join(value)),
                "library" => sidecar.library = Some(folder.join(value)),
                "module" => sidecar.module = Some(value.to_owned()),
                "path" => sidecar.paths.push(folder.join(value)),
                _ => {
                    return Err(format!(
                        "line {place}: unknown key {key:?}; expected interpreter, library, module or path"
                    ));
                }
            }
        }
        if sidecar.library.is_some() && sidecar.interpreter.is_none() {
            return Err("library is given without interpreter, which says where its modules are".to_owned());
        }
        Ok(sidecar)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_comments_and_relative_paths_are_read() {
        let text = "\u{feff}# made by the installer\r\ninterpreter = /venv/bin/python\r\nmodule=a.b\npath = lib\npath = /opt\n";
        let sidecar = Sidecar::parse(text, Path::new("/srv")).expect("valid");
        assert_eq!(sidecar.interpreter, Some("/venv/bin/python".into()));
        assert_eq!(sidecar.module.as_deref(), Some("a.b"));
        assert_eq!(sidecar.paths, [PathBuf::from("/srv/lib"), PathBuf::from("/opt")]);
    }

    #[test]
    fn an_error_names_line_and_expectation() {
        let error = Sidecar::parse("\npython = x", Path::new("/")).expect_err("unknown key");
        assert_eq!(error, "line 2: unknown key \"python\"; expected interpreter, library, module or path");
        assert!(Sidecar::parse("interpreter", Path::new("/")).is_err());
        assert!(Sidecar::parse("module =", Path::new("/")).is_err());
        assert!(Sidecar::parse("library = /lib/libpython.so", Path::new("/")).is_err());
    }
}

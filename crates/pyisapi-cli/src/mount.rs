//! Which scripts are served at which URLs.

use std::fs;
use std::path::{Path, PathBuf};
use std::str::FromStr;

use crate::error::CliError;
use crate::placing::is_python;
use crate::roles::{Roles, names_a_factory};

/// A script or library and the URL path below which it answers everything.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `/` or `/name`.
    pub prefix: String,
    /// A Python script, or an ISAPI library.
    pub script: PathBuf,
}

impl FromStr for Mount {
    type Err = String;

    /// Parses `/prefix=script`.
    fn from_str(text: &str) -> Result<Self, String> {
        let (prefix, script) = text.split_once('=').ok_or("expected /PREFIX=SCRIPT")?;
        if !prefix.starts_with('/') || script.is_empty() {
            return Err(format!("expected /PREFIX=SCRIPT, found {text:?}"));
        }
        let prefix = if prefix.len() > 1 { prefix.trim_end_matches('/') } else { prefix };
        Ok(Self { prefix: prefix.to_owned(), script: script.into() })
    }
}

/// One script or library, or the scripts of a folder in the order of their names.
pub fn scripts(path: &Path) -> Result<Vec<PathBuf>, CliError> {
    let absolute = fs::canonicalize(path).map_err(|error| CliError::script(path, error))?;
    if !absolute.is_dir() {
        return Ok(vec![absolute]);
    }
    let mut scripts = scripts_in(&absolute)?;
    scripts.sort();
    if scripts.is_empty() {
        let reason = "the folder holds no script that defines __ExtensionFactory__ or __FilterFactory__";
        return Err(CliError::script(path, reason));
    }
    Ok(scripts)
}

/// The extension of one script or library at `/`, or those of each script of a folder at `/NAME`.
pub fn mounts(path: &Path) -> Result<Vec<Mount>, CliError> {
    let extensions = scripts(path)?.into_iter().filter(|script| !is_python(script) || Roles::of(script).extension);
    if path.is_dir() {
        return Ok(extensions.filter_map(at_its_name).collect());
    }
    Ok(extensions.map(|script| Mount { prefix: "/".to_owned(), script }).collect())
}

fn at_its_name(script: PathBuf) -> Option<Mount> {
    let name = script.file_stem()?.to_str()?;
    Some(Mount { prefix: format!("/{name}"), script })
}

fn scripts_in(folder: &Path) -> Result<Vec<PathBuf>, CliError> {
    let unreadable = |error| CliError::script(folder, error);
    let mut scripts = Vec::new();
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if is_python(&path) && names_a_factory(&path) {
            scripts.push(path);
        }
    }
    Ok(scripts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mount_is_a_prefix_and_a_script() {
        let mount = |text: &str| text.parse::<Mount>();
        assert_eq!(mount("/app/=a.py"), Ok(Mount { prefix: "/app".into(), script: "a.py".into() }));
        assert_eq!(mount("/=a.py"), Ok(Mount { prefix: "/".into(), script: "a.py".into() }));
        assert!(mount("app=a.py").is_err());
        assert!(mount("/app").is_err());
        assert!(mount("/app=").is_err());
    }
}

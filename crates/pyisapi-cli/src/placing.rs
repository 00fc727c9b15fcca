//! Putting the loader library beside a script: `_name.so` for `name.py`, as the installer does for IIS.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use crate::error::CliError;

/// The library that serves `script`: the loader beside a Python script, or the script itself when it is a library.
pub fn library_for(script: &Path) -> Result<PathBuf, CliError> {
    let script = fs::canonicalize(script).map_err(|error| CliError::script(script, error))?;
    if !is_python(&script) {
        return Ok(script);
    }
    let name = script.file_stem().unwrap_or_default().to_string_lossy();
    let library = script.with_file_name(format!("_{name}{}", std::env::consts::DLL_SUFFIX));
    place(&template()?, &library).map_err(|source| CliError::Placing { place: library.clone(), source })?;
    Ok(library)
}

/// Whether `path` is served through a loader. Whatever else is named is taken for an ISAPI library.
pub fn is_python(path: &Path) -> bool {
    path.extension().is_some_and(|ending| ending == "py")
}

/// The loader of the installed package, as its Python entry point names it.
fn template() -> Result<PathBuf, CliError> {
    let named = std::env::var_os("PYISAPI_LOADER").map(PathBuf::from);
    let loader = named.ok_or_else(|| {
        CliError::NoLoader(
            "PYISAPI_LOADER is not set; start the server by the pyisapi command of the Python package".to_owned(),
        )
    })?;
    if loader.is_file() {
        return Ok(loader);
    }
    Err(CliError::NoLoader(format!("PYISAPI_LOADER names {}, which is no file", loader.display())))
}

/// Copies `template` unless `library` has the same contents. The new file takes the old one's name in one
/// step, so a server that has the old one loaded keeps it whole.
fn place(template: &Path, library: &Path) -> io::Result<()> {
    let wanted = fs::read(template)?;
    if fs::read(library).is_ok_and(|present| present == wanted) {
        return Ok(());
    }
    let fresh = library.with_extension(format!("{}.new", std::process::id()));
    let placed = fs::write(&fresh, &wanted).and_then(|()| fs::rename(&fresh, library));
    if placed.is_err() {
        fs::remove_file(&fresh).ok();
    }
    placed
}
